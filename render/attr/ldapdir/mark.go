package ldapdir

import (
	"time"

	"dcs/render/attr"
)

var _ attr.Marker = (*source)(nil)

// Mark implements [attr.Marker]: the greatest modifyTimestamp of the last load.
func (s *source) Mark() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.loadMark
}

// SetMark implements [attr.Marker].
func (s *source) SetMark(mark string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.served = mark
}

// rewind has changes begin from the load that is served, if the last one is held back: what it had of them was not taken.
func (s *source) rewind() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.served == s.loadMark {
		return
	}
	if mark, err := time.Parse(time.RFC3339, s.served); err == nil {
		s.mark, s.seen = mark, nil
	}
}
