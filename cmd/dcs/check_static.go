package main

import (
	"fmt"
	"runtime"
	"slices"

	"dcs/cmd/internal/config"
	"dcs/render/library"
)

// checkStatic tells of the files that no template makes, and whether all are right.
func checkStatic(e env, cfg *config.Config, s *secrets, snap *library.Snapshot) (ok bool) {
	sign := s.signing(cfg)
	a := sign.audit(snap, runtime.GOMAXPROCS(0))
	bad := slices.Concat(unreadable(snap), sign.auditErrors(a))
	for _, line := range slices.Concat(bad, sign.auditNotes(snap, a)) {
		fmt.Fprintln(e.stderr, line)
	}
	return len(bad) == 0
}
