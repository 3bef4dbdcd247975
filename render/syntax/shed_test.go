package syntax

import (
	"os"
	"path/filepath"
	"reflect"
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
