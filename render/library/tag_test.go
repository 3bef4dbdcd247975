package library

import (
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// A tag names octets: those of one file at one time, whether it is kept in memory or mapped.
func TestTag(t *testing.T) {
	for _, size := range []int{0, 10, maxCopied, maxCopied + 1} {
		t.Run(fmt.Sprint(size), func(t *testing.T) {
			dir := t.TempDir()
			path := filepath.Join(dir, "x")
			old := time.Now().Add(-time.Hour)
			put := func(letter string) { // with one and the same date, as copies of archives have it
				write(t, path+".new", strings.Repeat(letter, size))
				check(t, os.Chtimes(path+".new", old, old))
				check(t, os.Rename(path+".new", path))
			}
			var snap *Snapshot
			load := func() *File {
				t.Helper()
				var err error
				if snap, err = Load(Config{Static: []string{dir}}, snap); err != nil {
					t.Fatal(err)
				}
				return find(snap, "x").File
			}
			want := func(what string, f *File, letter string) {
				t.Helper()
				sum := sha256.Sum256([]byte(strings.Repeat(letter, size)))
				if got, want := f.Tag(), `"`+base64.RawURLEncoding.EncodeToString(sum[:])+`"`; got != want {
					t.Errorf("%s: %s, want %s", what, got, want)
				}
			}
			put("a")
			first := load()
			want("at first", first, "a")
			former := func(what string, f *File) {
				t.Helper()
				if size <= maxCopied {
					want(what, f, "a")
				} else if tag := f.Tag(); tag != "" {
					t.Errorf("%s: %s, want none", what, tag)
				}
			}
			put("b")
			former("when another was renamed over it", first)
			want("the other", load(), "b")
			put("a")
			f := load()
			want("the first again", f, "a")
			check(t, os.WriteFile(path, []byte(strings.Repeat("c", size)), 0o600)) // in place
			former("when it is written to in place", f)
			want("what was written", load(), "c")
			check(t, os.Remove(path))
			former("when it is gone", f)
		})
	}
}

// A file that is cut short before anybody has asked for its tag has none.
func TestTagOfCutFile(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "x")
	write(t, path, strings.Repeat("a", 4*maxCopied))
	snap, err := Load(Config{Static: []string{dir}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	check(t, os.Truncate(path, 10))
	if tag := find(snap, "x").File.Tag(); tag != "" {
		t.Error(tag)
	}
}
