package main

// warnUnsafe logs what is unsafe about the configuration, once at the start.
func (s *server) warnUnsafe() {
	for _, line := range unsafeSettings(&s.cfg) {
		s.log.Warn(line)
	}
}
