package main

import (
	"io/fs"
	"os"
	"path/filepath"
	"testing"
)

func TestWriteFile(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "gold.cm")
	link := filepath.Join(dir, "link.cm")
	check := func(name, want string, mode fs.FileMode) {
		t.Helper()
		got, err := os.ReadFile(file)
		info, _ := os.Lstat(file)
		if err != nil || string(got) != want || info.Mode() != mode {
			t.Errorf("%s: %q, %v, %v; want %q, %v", name, got, info.Mode(), err, want, mode)
		}
		if left, _ := filepath.Glob(filepath.Join(dir, ".*")); len(left) > 0 {
			t.Errorf("%s: left behind: %v", name, left)
		}
	}
	write := func(name, data string) {
		t.Helper()
		if err := writeFile(name, []byte(data)); err != nil {
			t.Fatal(err)
		}
	}
	write(file, "one")
	if err := os.Chmod(file, 0o640); err != nil {
		t.Fatal(err)
	}
	write(file, "two")
	check("the mode stays", "two", 0o640)
	if err := os.Symlink("gold.cm", link); err != nil {
		t.Fatal(err)
	}
	write(link, "three")
	check("a link stays", "three", 0o640)
	if info, err := os.Lstat(link); err != nil || info.Mode().Type() != fs.ModeSymlink {
		t.Errorf("the link is %v now", info.Mode())
	}
	write(os.DevNull, "nothing")
	if info, err := os.Stat(os.DevNull); err != nil || info.Mode().IsRegular() {
		t.Error("a device was replaced by a file")
	}
	if err := writeFile(filepath.Join(dir, "absent", "x"), nil); err == nil {
		t.Error("a directory that is not there: no error")
	}
	if err := writeFile(dir, nil); err == nil {
		t.Error("a directory: no error")
	}
}
