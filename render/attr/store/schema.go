package store

import (
	"slices"

	"dcs/render/attr"
)

// learn adds names to the schema, and returns their indices. s.mu must be held, or the Store not be shared yet.
func (s *Store) learn(names []string) []int {
	known := len(s.names)
	idx := make([]int, len(names))
	for i, n := range names {
		j := slices.Index(s.names, n)
		if j < 0 {
			j = len(s.names)
			s.names = append(s.names, n)
		}
		idx[i] = j
	}
	partial := slices.ContainsFunc(s.srcs, func(src *source) bool { return !src.named })
	if s.schema == nil || len(s.names) > known || partial != s.schema.Partial() {
		s.schema = s.schema.Extend(partial, s.names[known:]...)
	}
	return idx
}

// columns returns the schema indices of a file's attributes, nil if they are the schema's first.
func (s *Store) columns(names []string) []int {
	idx := s.learn(names)
	for i, j := range idx {
		if i != j {
			return idx
		}
	}
	return nil
}

// inOrder returns names in the order of the schema. s.mu must be held.
func (s *Store) inOrder(names []string) []string {
	idx := s.learn(names)
	slices.Sort(idx)
	list := make([]string, len(idx))
	for i, j := range idx {
		list[i] = s.names[j]
	}
	return list
}

// learnOf records attributes of a source that is not open yet.
func (s *Store) learnOf(src *source, attrs []string) {
	for _, n := range attrs {
		if !slices.Contains(src.names, n) {
			src.names = append(src.names, n)
		}
	}
	src.named = true
	s.learn(attrs)
}

// names returns the attributes for a file of rows: those that the source has now, and those of its current file that it has lost,
// until a load confirms that.
func (r *rows) names(now []string) []string {
	names := slices.Clone(now)
	if r.base == nil {
		return names
	}
	for _, n := range r.base.Names() {
		if !slices.Contains(names, n) {
			names = append(names, n)
		}
	}
	return names
}

// opened records the names of a source's attributes.
func (s *Store) opened(src *source, names []string) error {
	if _, err := attr.NewSchema(names...); err != nil {
		return err
	}
	s.mu.Lock()
	known := s.schema
	src.names, src.named = append([]string(nil), names...), true
	src.perm = s.learn(names)
	more := s.schema != known
	if more {
		v := *s.view.Load()
		v.schema = s.schema
		s.view.Store(&v)
	}
	s.mu.Unlock()
	if more {
		s.event(Event{Source: src.Name(), Kind: SchemaGrown})
	}
	return nil
}
