package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"dcs/bench/require"
	"dcs/cmd/dcs/doc"
)

// What packages carry is written whole, and mandoc has nothing to say about any man page.
func TestDocs(t *testing.T) {
	t.Parallel()
	require.Long(t, "a build of the documents")
	require.Program(t, "mandoc")
	dir := t.TempDir()
	if out, err := exec.Command("go", "run", "-tags", "docs", ".", "docs", dir).CombinedOutput(); err != nil {
		t.Fatalf("dcs docs: %v\n%s", err, out)
	}
	want := []string{"man/man1/dcs.1", "man/man1/dcs-serve.1", "completion/dcs.bash", "completion/_dcs", "completion/dcs.fish"}
	for _, p := range doc.Pages() {
		want = append(want, "man/man"+p.Section+"/"+p.Man+"."+p.Section, "doc/"+p.File())
	}
	for _, file := range want {
		if info, err := os.Stat(filepath.Join(dir, file)); err != nil || info.Size() == 0 {
			t.Errorf("%s: not written: %v", file, err)
		}
	}
	pages, err := filepath.Glob(filepath.Join(dir, "man/*/*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, page := range pages {
		if out, err := exec.Command("mandoc", "-T", "lint", "-W", "warning", page).CombinedOutput(); err != nil {
			t.Errorf("%s: %v\n%s", filepath.Base(page), err, out)
		}
	}
	// Flags have a paragraph of their own each, under their name.
	get, err := os.ReadFile(filepath.Join(dir, "man/man1/dcs-get.1"))
	if err != nil || strings.Count(string(get), "\n.TP\n") < 4 || strings.Contains(string(get), "\n\t") {
		t.Errorf("dcs-get(1): %v\n%s", err, get)
	}
}
