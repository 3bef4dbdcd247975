package attr

import (
	"errors"
	"strings"
	"testing"
)

func TestSchema(t *testing.T) {
	s, err := NewSchema("down", "up")
	if err != nil {
		t.Fatal(err)
	}
	if i, ok := s.Index("up"); !ok || i != 1 || s.Name(i) != "up" || s.Len() != 2 {
		t.Errorf("Index(up) = %d, %v; Len = %d", i, ok, s.Len())
	}
	if _, ok := s.Index("Up"); ok {
		t.Error("names must be case-sensitive")
	}
	var none *Schema
	if _, ok := none.Index("up"); ok || none.Len() != 0 {
		t.Error("the nil schema must have no attributes")
	}
	for _, names := range [][]string{{"a", "b", "a"}, {"a", ""}} {
		if _, err := NewSchema(names...); err == nil {
			t.Errorf("NewSchema(%q) succeeded", names)
		}
	}
}

func TestRecord(t *testing.T) {
	r := Record{"10", ""}
	for i, want := range []bool{true, false, false} {
		if _, ok := r.Get(i); ok != want {
			t.Errorf("Get(%d) found: %v, want %v", i, ok, want)
		}
	}
}

func TestRejectedCheck(t *testing.T) {
	for _, tt := range []struct {
		rows, all, limit int
		ok               bool
	}{
		{0, 0, 0, true},
		{0, 10, -1, true},
		{1, 10, 0, true},
		{1, 10, -1, false},
		{1, 10, 1, true},
		{2, 10, 1, false},
		{1000, 50_000, 0, true},
		{1001, 50_000, 0, false}, // 1000 at least
		{2000, 200_000, 0, true},
		{2001, 200_000, 0, false}, // one in a hundred
		{1, 1, 0, false},
		{10, 10, 100, false}, // not all, whatever the limit
	} {
		r := Rejected{Rows: tt.rows, First: []string{"line 7: bad"}}
		err := r.Check(tt.all, tt.limit)
		if (err == nil) != tt.ok || err != nil && (!errors.Is(err, ErrRejected) || !strings.Contains(err.Error(), "line 7: bad")) {
			t.Errorf("%+v: %v", tt, err)
		}
	}
}
