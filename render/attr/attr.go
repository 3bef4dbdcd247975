// Package attr holds what is known of devices: the names of their attributes, and one device's values.
package attr

import (
	"fmt"
	"maps"
	"slices"
)

// Schema names the attributes that devices may have. It is immutable; an attribute's
// index is its place in the names that the schema was made of. The zero of *Schema, nil,
// has no attributes.
type Schema struct {
	names   []string
	index   map[string]int
	partial bool
}

// NewSchema makes a schema of names, which must differ.
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

// Partial tells that there will be more attributes, or may be: of some source's nothing is known yet.
func (s *Schema) Partial() bool { return s != nil && s.partial }

// Extend returns a schema that begins with the names of s, which go on with those of names that it lacks. Partial says
// whether there may be still more.
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

// Record is one device's values by schema index. An empty value is one that the device
// does not have; a record may be shorter than its schema.
type Record []string

// Get returns attribute i, and whether the device has it.
func (r Record) Get(i int) (string, bool) {
	if i >= len(r) || r[i] == "" {
		return "", false
	}
	return r[i], true
}
