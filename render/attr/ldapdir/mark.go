package ldapdir

import (
	"time"

	"dcs/render/attr"
)

// A load's mark is the greatest modifyTimestamp in it.
var _ attr.Marker = (*source)(nil)

// rewind has changes begin from the load that is served, if the last one is held back.
func (s *source) rewind() {
	text, held := s.Rewind()
	mark, err := time.Parse(time.RFC3339, text)
	if !held || err != nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mark, s.seen = mark, nil
}
