package library

import "dcs/render/syntax"

// Hiding returns the number of static files that hide a pattern which matches their name, with the path of the first such file and the
// position of its pattern.
func (s *Snapshot) Hiding() (n int, path string, pattern syntax.Pos) {
	for name, f := range s.static.files {
		if s.literals[name] != nil || s.claims[name] != nil {
			continue
		}
		best, _ := s.patterns.match([]byte(name), new(search))
		if best == nil || best.of == nil {
			continue
		}
		if n++; n == 1 || f.path < path {
			path, pattern = f.path, best.pos
		}
	}
	return n, path, pattern
}
