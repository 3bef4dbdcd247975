package check

import (
	"context"
	"runtime"
	"slices"

	"dcs/cmd/internal/assemble"
	"dcs/render/library"
	"dcs/render/lint"
	"dcs/render/syntax"
)

// checkStatic reports errors of the static files. ok is set if there are none.
func (c *checker) checkStatic(s *assemble.Secrets, snap *library.Snapshot) (ok bool) {
	sign := s.Signing(c.cfg)
	a := sign.Audit(context.Background(), snap, runtime.GOMAXPROCS(0))
	bad := slices.Concat(assemble.Unreadable(snap), sign.AuditErrors(a))
	for _, r := range slices.Concat(bad, sign.AuditNotes(snap, a)) {
		at := lint.Spot{File: r.Path}
		if r.Item != (syntax.Pos{}) {
			at = lint.Spot{Place: lint.Place{Pos: r.Item}}
		}
		c.tell(r.Severity, at, r.Text, r.String())
	}
	return len(bad) == 0
}
