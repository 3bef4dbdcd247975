package privilege

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"dcs/bench/require"

	"golang.org/x/sys/unix"
)

// What is handed over is a directory of files and nothing else; all of what stays root's, stays so.
func TestHandOver(t *testing.T) {
	require.Root(t)
	user := &syscall.Credential{Uid: 65531, Gid: 65532}
	file := func(name string) func(string) error {
		return func(dir string) error { return os.WriteFile(filepath.Join(dir, name), nil, 0o600) }
	}
	for _, tc := range []struct {
		name  string
		path  string // below the directory that is made; "": itself
		setup func(dir string) error
		err   string
		given []string // below the directory
	}{
		{name: "empty", setup: func(string) error { return nil }, given: []string{"."}},
		{name: "files", setup: func(dir string) error { return errors.Join(file("a")(dir), file("b")(dir)) }, given: []string{".", "a", "b"}},
		{name: "missing", path: "x/y", setup: func(string) error { return nil }, given: []string{"x/y"}},
		{name: "a directory in it", setup: func(dir string) error { return errors.Join(file("a")(dir), os.Mkdir(dir+"/d", 0o700)) }, err: "contains d, which is not a file"},
		{name: "a link in it", setup: func(dir string) error { return errors.Join(file("a")(dir), os.Symlink("/etc/passwd", dir+"/l")) }, err: "contains l, which is not a file"},
		{name: "a FIFO in it", setup: func(dir string) error { return unix.Mkfifo(dir+"/f", 0o600) }, err: "contains f, which is not a file"},
		{name: "others write to it", setup: func(dir string) error { return os.Chmod(dir, 0o777) }, err: "writable by others than root"},
		{name: "behind a link", path: "l", setup: func(dir string) error { return errors.Join(os.Mkdir(dir+"/d", 0o700), os.Symlink("d", dir+"/l")) }, err: "symbolic link"},
		{name: "below a link", path: "l/d", setup: func(dir string) error { return errors.Join(os.MkdirAll(dir+"/x/d", 0o700), os.Symlink("x", dir+"/l")) }, err: "symbolic link"},
		{name: "behind a link to nothing", path: "l", setup: func(dir string) error { return os.Symlink("x", dir+"/l") }, err: "symbolic link"},
		{name: "a file", path: "a", setup: file("a"), err: "not a directory"},
		{name: "somebody else's", setup: func(dir string) error { return errors.Join(file("a")(dir), os.Chown(dir, 65530, 65530)) }},
	} {
		t.Run(tc.name, func(t *testing.T) {
			dir := t.TempDir()
			if err := os.Chmod(dir, 0o755); err != nil {
				t.Fatal(err)
			}
			if err := tc.setup(dir); err != nil {
				t.Fatal(err)
			}
			err := HandOver(filepath.Join(dir, tc.path), user)
			if (err == nil) != (tc.err == "") || err != nil && !strings.Contains(err.Error(), tc.err) {
				t.Errorf("%v, want %q", err, tc.err)
			}
			var given []string
			err = filepath.WalkDir(dir, func(path string, _ os.DirEntry, err error) error {
				var st unix.Stat_t
				if err := errors.Join(err, unix.Lstat(path, &st)); err != nil {
					return err
				}
				if rel, _ := filepath.Rel(dir, path); st.Uid == user.Uid && st.Gid == user.Gid {
					given = append(given, rel)
				}
				return nil
			})
			if err != nil || strings.Join(given, " ") != strings.Join(tc.given, " ") {
				t.Errorf("given are %q, want %q; %v", given, tc.given, err)
			}
		})
	}
	var st unix.Stat_t
	if err := unix.Stat("/etc/passwd", &st); err != nil || st.Uid != 0 {
		t.Errorf("/etc/passwd is %d's, %v", st.Uid, err)
	}
}
