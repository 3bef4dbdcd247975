package main

import (
	"fmt"
	"runtime"
	"slices"

	"dcs/render/library"
)

// checkStatic tells of the files that no template makes, and whether all are right.
func (c *checker) checkStatic(s *secrets, snap *library.Snapshot) (ok bool) {
	sign := s.signing(c.cfg)
	a := sign.audit(snap, runtime.GOMAXPROCS(0))
	bad := slices.Concat(unreadable(snap), sign.auditErrors(a))
	for _, line := range slices.Concat(bad, sign.auditNotes(snap, a)) {
		fmt.Fprintln(c.Stderr, line)
	}
	return len(bad) == 0
}
