package main

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestLicences(t *testing.T) {
	top := t.TempDir()
	for _, name := range []string{"LICENSE", "license.go", "README", "a/NOTICE.txt", "a/b/COPYING-2.0", "a/b/x.go", "c/LICENCE", "d/UNLICENSE"} {
		path := filepath.Join(top, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte("terms of "+name+"\r\n"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	found, err := licences(filepath.Join(top, "a/b"), top)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{filepath.Join(top, "LICENSE"), filepath.Join(top, "a/NOTICE.txt"), filepath.Join(top, "a/b/COPYING-2.0")}
	if got := slices.Sorted(maps.Keys(found)); !slices.Equal(got, want) {
		t.Errorf("found %q, want %q", got, want)
	}

	other, err := licences(filepath.Join(top, "c"), filepath.Join(top, "c"))
	if err != nil {
		t.Fatal(err)
	}
	if public, err := licences(filepath.Join(top, "d"), filepath.Join(top, "d")); err != nil || len(public) != 1 {
		t.Errorf("public domain: %v, %v", public, err)
	}
	line := strings.Repeat("=", 80)
	text, err := render(map[string]map[string]bool{"x v1": other, "m v1": found, "w v1": other})
	if err != nil {
		t.Fatal(err)
	}
	if want := head + "\n" + line + "\nm v1\n\nterms of LICENSE\n\n" + strings.Repeat("-", 80) + "\n\nterms of a/NOTICE.txt\n\n" +
		strings.Repeat("-", 80) + "\n\nterms of a/b/COPYING-2.0\n\n" + line + "\nw v1\nx v1\n\nterms of c/LICENCE\n"; string(text) != want {
		t.Errorf("%q\nwant\n%q", text, want)
	}
	if _, err := render(map[string]map[string]bool{"x v1": {}}); err == nil || !strings.Contains(err.Error(), "x v1: no licence file") {
		t.Errorf("a module without a licence: %v", err)
	}
}
