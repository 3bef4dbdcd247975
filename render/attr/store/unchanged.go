package store

import (
	"slices"

	"dcs/render/attr"
)

// unchanged reports whether a source has exactly what is in service, as it says itself, so that it need not be loaded: after a power
// failure the CPU belongs to the modems. A source that holds back something, or had to be served without a file, is loaded.
func (s *Store) unchanged(src *source) bool {
	v, ok := src.Source.(attr.Versioned)
	if !ok {
		return false
	}
	began := s.cfg.Now()
	s.mu.Lock()
	version, r := src.meta.Version, &s.fleet[src.i]
	ok = version != "" && r.base != nil && r.base.Damaged() == nil &&
		slices.Equal(s.inOrder(src.names), r.base.Names()) &&
		src.meta.Loaded.Sub(began) <= clockSlack // else its age is unknown until it is loaded
	s.mu.Unlock()
	if !ok || !v.Unchanged(s.ctx, version) {
		return false
	}
	s.mu.Lock()
	src.meta.Loaded = began // it is as current as if it was loaded now
	s.release(src)
	st := src.stats
	s.mu.Unlock()
	s.setMark(src, false)
	s.event(Event{Source: src.Name(), Kind: Unchanged, Devices: int(st.Devices), Stats: st, Took: s.cfg.Now().Sub(began)})
	return true
}
