package main

import (
	"fmt"
	"io"
	"net/netip"
)

// greet tells a human how to fetch.
func (s *server) greet(w io.Writer, addr netip.AddrPort) {
	for _, tmpl := range s.engine.Library().Templates() {
		if len(tmpl.Names) > 0 {
			fmt.Fprintf(w, "\nFetch from another terminal, and stop with Ctrl-C:\n\n    dcs get %s %s --decode\n\n", addr, fileName(tmpl))
			return
		}
	}
}
