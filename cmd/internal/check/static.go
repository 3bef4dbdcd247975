package check

import (
	"context"
	"fmt"
	"runtime"
	"slices"

	"dcs/cmd/internal/assemble"
	"dcs/render/library"
)

// checkStatic reports errors of the static files. ok is set if there are none.
func (c *checker) checkStatic(s *assemble.Secrets, snap *library.Snapshot) (ok bool) {
	sign := s.Signing(c.cfg)
	a := sign.Audit(context.Background(), snap, runtime.GOMAXPROCS(0))
	bad := slices.Concat(assemble.Unreadable(snap), sign.AuditErrors(a))
	for _, line := range slices.Concat(bad, sign.AuditNotes(snap, a)) {
		fmt.Fprintln(c.Stderr, line)
	}
	return len(bad) == 0
}
