package tempfile

import (
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

func names(t *testing.T, dir string) (list []string) {
	t.Helper()
	files, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		list = append(list, f.Name())
	}
	return list
}

func create(t *testing.T, path, text string) *File {
	t.Helper()
	f, err := Create(path, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteString(text); err != nil {
		t.Fatal(err)
	}
	return f
}

func TestReplace(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "a [file]*")
	for _, text := range []string{"one", "two"} {
		f := create(t, path, text)
		if err := f.Commit(); err != nil {
			t.Fatal(err)
		}
		f.Abort()
		if got, err := os.ReadFile(path); err != nil || string(got) != text {
			t.Errorf("%q, %v", got, err)
		}
	}
	create(t, path, "three").Abort()
	if got, err := os.ReadFile(path); err != nil || string(got) != "two" {
		t.Errorf("after Abort: %q, %v", got, err)
	}
	if got := names(t, dir); len(got) != 1 {
		t.Errorf("left over: %v", got)
	}
	if st, err := os.Stat(path); err != nil || st.Mode() != fs.FileMode(0o600) {
		t.Error(st.Mode(), err)
	}
}

// What the killed have left goes; what is being written stays, whoever looks.
func TestStale(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "file")
	alive, killed := create(t, path, "alive"), create(t, path, "killed")
	other := create(t, filepath.Join(dir, "other"), "killed, too")
	killed.Close() // the kernel does that, and unlocks it
	other.Close()
	if err := os.WriteFile(filepath.Join(dir, ".file.mine"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	next := create(t, path, "next")
	want := []string{filepath.Base(alive.Name()), filepath.Base(next.Name()), filepath.Base(other.Name()), ".file.mine"}
	slices.Sort(want)
	if got := names(t, dir); !slices.Equal(got, want) {
		t.Errorf("%v instead of %v", got, want)
	}
	if err := RemoveStale(dir); err != nil {
		t.Fatal(err)
	}
	if got := names(t, dir); len(got) != 3 || slices.Contains(got, filepath.Base(other.Name())) {
		t.Errorf("RemoveStale left %v", got)
	}
	if err := alive.Commit(); err != nil {
		t.Error(err)
	}
	if got, err := os.ReadFile(path); err != nil || string(got) != "alive" {
		t.Errorf("%q, %v", got, err)
	}
	next.Abort()
}
