package syntax

import (
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"testing"
)

// TestReader parses files in the memory of a Reader, then the bodies of their items again, and compares the trees, positions included.
func TestReader(t *testing.T) {
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
	var r Reader
	for path, text := range sources {
		want, err := Parse(path, []byte(text), DialectOf(path))
		if err != nil {
			continue
		}
		got, release, err := r.Parse(path, []byte(text), DialectOf(path))
		if err != nil || len(got.Items) != len(want.Items) {
			t.Fatalf("%s: %d items, want %d: %v", path, len(got.Items), len(want.Items), err)
		}
		same := func(when string, bodyOf func(it *Item) []Stmt) {
			for i, it := range got.Items {
				if w := want.Items[i]; !reflect.DeepEqual(it.From, w.From) || !reflect.DeepEqual(bodyOf(it), w.Body) && len(w.Body) > 0 {
					t.Errorf("%v: %s, another item", it.Pos, when)
				}
			}
		}
		same("in the memory of the Reader", (*Item).Statements)
		release()
		for _, it := range got.Items {
			items++
			if it.Body != nil {
				t.Errorf("%v has its body still", it.Pos)
			}
		}
		same("read again", r.Statements)
		same("parsed again", (*Item).Statements)
		runtime.GC() // nobody has what was parsed last
		same("read once more", r.Statements)
	}
	if items < 14 {
		t.Errorf("only %d items", items)
	}
}

// TestReaderBroken keeps what could be read of an item with errors, which would be read otherwise without what stands before it.
func TestReaderBroken(t *testing.T) {
	var r Reader
	f, release, err := r.Parse("a.dcs", []byte("Main { NetworkAccess 1; MaxCPE ( ; }"), DCS)
	if err == nil {
		t.Fatal("no error")
	}
	release()
	if it := f.Items[0]; len(it.Statements()) != 1 {
		t.Errorf("%d statements are left, want 1", len(it.Statements()))
	}
}

// TestReaderAllocates reads the body of a typical template again: its nodes go into the memory of the body before it.
func TestReaderAllocates(t *testing.T) {
	text, err := os.ReadFile("../../bench/peers/library/modem.dcs")
	if err != nil {
		t.Fatal(err)
	}
	var r Reader
	f, release, err := r.Parse("modem.dcs", text, DCS)
	if err != nil {
		t.Fatal(err)
	}
	release()
	it := f.Items[0]
	fresh := testing.AllocsPerRun(1, func() { parseAgain(it) })
	for range 3 { // until the memory is large enough
		r.Statements(it)
	}
	if n := testing.AllocsPerRun(100, func() { r.Statements(it) }); n > fresh/4 {
		t.Errorf("%v allocations, want at most a quarter of the %v without a Reader", n, fresh)
	}
}

func parseAgain(it *Item) []Stmt { return newParser(it.Pos.File, nil, it.dialect).again(it) }
