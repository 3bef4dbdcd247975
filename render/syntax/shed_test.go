package syntax

import (
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"testing"
)

// TestShed parses the bodies of items again, one by one, and compares the trees, positions included.
func TestShed(t *testing.T) {
	sources := map[string]string{
		"several.dcs": "\ufeffBlock a { MaxCPE 1; } Block \"b c\" {\n\tselect $x { 1 { NetworkAccess 1; } default { reject \"no $x\"; } } }\n" +
			"Main ~ \"^(?P<x>\\\"?)$\" priority 3 { default x 2; include a; include \"b c\"; }\n  Main \"none\" { }\n" +
			"Text \"t\" from \"t.txt\" { default y 7; } Text \"u\" from \"u.txt\" Binary \"v\" from \"v.bin\" resign Mta { hash na; /* ; */ } # }",
	}
	for _, pattern := range []string{"../../testdata/library/*", "../../bench/peers/library/*"} {
		paths, _ := filepath.Glob(pattern)
		for _, path := range paths {
			if text, err := os.ReadFile(path); err == nil {
				sources[path] = string(text)
			}
		}
	}
	items := 0
	var again Reader
	for path, text := range sources {
		f, err := Parse(path, []byte(text), DialectOf(path))
		if err != nil {
			continue
		}
		for _, it := range f.Items {
			items++
			want := it.Body
			it.Shed()
			if it.Body != nil {
				t.Errorf("%v has its body still", it.Pos)
			}
			if got := it.Statements(); len(want) > 0 && !reflect.DeepEqual(got, want) {
				t.Errorf("%v: another body, parsed again", it.Pos)
			}
			runtime.GC() // nobody has what was parsed last
			if got := again.Statements(it); len(want) > 0 && !reflect.DeepEqual(got, want) {
				t.Errorf("%v: another body, read again", it.Pos)
			}
		}
	}
	if items < 14 {
		t.Errorf("only %d items", items)
	}
}

// TestShedBroken keeps what could be read of an item with errors, which would be read otherwise without what stands before it.
func TestShedBroken(t *testing.T) {
	f, err := Parse("a.dcs", []byte("Main { NetworkAccess 1; MaxCPE ( ; }"), DCS)
	if err == nil {
		t.Fatal("no error")
	}
	it := f.Items[0]
	if it.Shed(); len(it.Statements()) != 1 {
		t.Errorf("%d statements are left, want 1", len(it.Statements()))
	}
}

// TestReader reads the body of a typical template again: its nodes go into the memory of the body before it.
func TestReader(t *testing.T) {
	text, err := os.ReadFile("../../bench/peers/library/modem.dcs")
	if err != nil {
		t.Fatal(err)
	}
	f, err := Parse("modem.dcs", text, DCS)
	if err != nil {
		t.Fatal(err)
	}
	it := f.Items[0]
	it.Shed()
	var r Reader
	runtime.GC()
	fresh := testing.AllocsPerRun(1, func() { parseAgain(it) })
	for range 3 { // until the memory is large enough
		r.Statements(it)
	}
	if n := testing.AllocsPerRun(100, func() { r.Statements(it) }); n > fresh/4 {
		t.Errorf("%v allocations, want at most a quarter of the %v without a Reader", n, fresh)
	}
}

func parseAgain(it *Item) []Stmt { return newParser(it.Pos.File, nil, it.dialect).again(it) }
