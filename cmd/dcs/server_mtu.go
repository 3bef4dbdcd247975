package main

// followMTU has what clients are granted follow the interfaces' MTUs.
func (s *server) followMTU(h *host) {
	v4, v6 := s.in.blksizes.Load()
	if now4, now6 := blksizes(&s.cfg, h, s.in.addrs); now4 != v4 || now6 != v6 {
		s.in.blksizes.Store(now4, now6)
		s.log.Info("an interface's MTU has changed", "largest_block", now4, "ipv6", now6, "before", v4)
	}
}
