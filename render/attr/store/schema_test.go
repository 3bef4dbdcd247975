package store

import (
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"dcs/render/attr"
	"dcs/render/attr/localdb"
)

func TestStoreSchemaGrows(t *testing.T) { runBubble(t, testStoreSchemaGrows) }

func testStoreSchemaGrows(t *testing.T) {
	f := newFake("db", []string{"a", "b"}, dev(1, "", "A", "B"))
	cfg, ev := testConfig(t.TempDir(), plain{f})
	s := openStore(t, cfg)
	is(t, s, 1, "a=A b=B")
	old := s.Schema()
	f.set(func() {
		f.names = []string{"c", "b"} // a is gone, c is new, the order is another
		f.devices = []attr.Device{dev(1, "", "C", "B2")}
		f.loadErr = errors.New("columns have changed")
	})
	_ = s.Reload("", false)
	eventually(t, "it failed", func() bool { return ev.has(Failed, "db", f.loadErr) })
	f.set(func() { f.loadErr = nil })
	is(t, s, 1, "b=B2 c=C")
	if s.Schema() == old || !slices.Equal(s.Schema().Names(), []string{"a", "b", "c"}) || !ev.has(SchemaGrown, "db", nil) {
		t.Errorf("schema %q", s.Schema().Names())
	}
	r, _ := s.View().Lookup(mac(1), nil)
	if i, _ := old.Index("b"); r[i] != "B2" {
		t.Error("the old schema does not fit the new record")
	}
}

// A schema is partial until each source's attributes are known, from Open or from a file. Its end is reported even if all attributes
// were known before.
func TestStorePartialSchema(t *testing.T) { runBubble(t, testStorePartialSchema) }

func testStorePartialSchema(t *testing.T) {
	a, b := newFake("a", []string{"x", "y"}, dev(1, "", "X", "Y")), newFake("b", []string{"y"}, dev(1, "", "Z"))
	b.openErr = errors.New("not there")
	dir := t.TempDir()
	cfg, ev := testConfig(dir, plain{a}, plain{b})
	s := openStore(t, cfg)
	is(t, s, 1, "x=X y=Y")
	if !s.Schema().Partial() {
		t.Error("the schema is whole while a source has told nothing")
	}
	told := ev.count(SchemaGrown, "b")
	b.set(func() { b.openErr = nil })
	eventually(t, "the schema is whole", func() bool { return !s.Schema().Partial() })
	eventually(t, "that is told", func() bool { return ev.count(SchemaGrown, "b") == told+1 })
	eventually(t, "all are loaded", s.AllLoaded)
	s.Close()

	b.set(func() { b.openErr = errors.New("gone") })
	cfg, _ = testConfig(dir, plain{a}, plain{b})
	if s = openStore(t, cfg); s.Schema().Partial() {
		t.Error("the schema is partial, and the files have told all attributes")
	}
}

// A source whose attributes have changed since it was opened is opened again before its devices are used.
func TestStoreColumnsChange(t *testing.T) { runBubble(t, testStoreColumnsChange) }

func testStoreColumnsChange(t *testing.T) {
	f := newFake("db", []string{"a", "b"}, dev(1, "", "A", "B"))
	cfg, ev := testConfig(t.TempDir(), plain{f})
	cfg.RetryMin, cfg.RetryMax = time.Hour, time.Hour
	s := openStore(t, cfg)
	is(t, s, 1, "a=A b=B")
	f.set(func() {
		f.names, f.reopen = []string{"b", "a", "c"}, true
		f.devices = []attr.Device{dev(1, "", "B2", "A2", "C2")}
	})
	_ = s.Reload("", false)
	is(t, s, 1, "a=A2 b=B2 c=C2")
	if ev.has(Failed, "db", attr.ErrColumns) {
		t.Error("it was told as a failure")
	}

	// A new file with other columns, in another order.
	path := filepath.Join(t.TempDir(), "fleet.db")
	build := func(names []string, values ...string) {
		t.Helper()
		if _, err := Build(t.Context(), path, plain{newFake("x", names, dev(1, "", values...))}, localdb.Options{}, nil); err != nil {
			t.Fatal(err)
		}
	}
	build([]string{"a", "b"}, "A", "B")
	src := NewFile(path, 0)
	load := func() (got []string, err error) {
		err = src.Load(t.Context(), func(d *attr.Device) error {
			for _, v := range d.Values {
				got = append(got, strings.Clone(v))
			}
			return nil
		})
		return got, err
	}
	if _, err := src.Open(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got, err := load(); err != nil || !slices.Equal(got, []string{"A", "B"}) {
		t.Fatalf("%q, %v", got, err)
	}
	build([]string{"b", "a"}, "B", "A")
	if got, err := load(); !errors.Is(err, attr.ErrColumns) || got != nil {
		t.Errorf("%q, %v; want ErrColumns and no device", got, err)
	}
	if names, err := src.Open(t.Context()); err != nil || !slices.Equal(names, []string{"b", "a"}) {
		t.Errorf("%q, %v", names, err)
	}
	if got, err := load(); err != nil || !slices.Equal(got, []string{"B", "A"}) {
		t.Errorf("%q, %v", got, err)
	}
}
