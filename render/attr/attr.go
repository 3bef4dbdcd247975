// Package attr is the vocabulary of device attributes: their names, one device's values, and the sources that supply them.
package attr

import (
	"fmt"
	"maps"
	"slices"
)

// Schema names the attributes that devices may have. It is immutable. An attribute's index is its position in the list of
// names that the schema was made from. A nil *Schema has no attributes.
type Schema struct {
	names   []string
	index   map[string]int
	partial bool
}

// NewSchema returns a schema of names. It returns an error if a name is empty or not unique.
func NewSchema(names ...string) (*Schema, error) {
	s := &Schema{names: append([]string(nil), names...), index: make(map[string]int, len(names))}
	for i, n := range s.names {
		if n == "" {
			return nil, fmt.Errorf("attribute %d has no name", i+1)
		}
		if j, dup := s.index[n]; dup {
			return nil, fmt.Errorf("attribute %q is named twice, as number %d and number %d", n, j+1, i+1)
		}
		s.index[n] = i
	}
	return s, nil
}

// Partial reports whether attributes may be missing, because those of some source are not known yet.
func (s *Schema) Partial() bool { return s != nil && s.partial }

// Extend returns a schema of the names of s, followed by those of names that s lacks. Partial says whether attributes may
// still be missing.
func (s *Schema) Extend(partial bool, names ...string) *Schema {
	next := &Schema{index: make(map[string]int), partial: partial}
	if s != nil {
		next.names = slices.Clone(s.names)
		maps.Copy(next.index, s.index)
	}
	for _, n := range names {
		if _, ok := next.index[n]; !ok {
			next.index[n] = len(next.names)
			next.names = append(next.names, n)
		}
	}
	return next
}

// Index returns the index of the attribute called name.
func (s *Schema) Index(name string) (int, bool) {
	if s == nil {
		return 0, false
	}
	i, ok := s.index[name]
	return i, ok
}

// Len returns how many attributes there are.
func (s *Schema) Len() int {
	if s == nil {
		return 0
	}
	return len(s.names)
}

// Name returns the name of attribute i, 0 ≤ i < Len().
func (s *Schema) Name(i int) string { return s.names[i] }

// Names returns the names of all attributes, by index.
func (s *Schema) Names() []string {
	if s == nil {
		return nil
	}
	return slices.Clone(s.names)
}

// Record is one device's values by schema index. An empty value means that the device does not have the attribute. A record
// may be shorter than its schema.
type Record []string

// Get returns the value of attribute i, and whether the device has it.
func (r Record) Get(i int) (string, bool) {
	if i >= len(r) || r[i] == "" {
		return "", false
	}
	return r[i], true
}
