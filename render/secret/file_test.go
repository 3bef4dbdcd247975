package secret

import (
	"errors"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func TestCheck(t *testing.T) {
	const us, other = 1000, 1001
	for _, tt := range []struct {
		kind, perm uint32
		owner      uint32
		reader     int
		refused    string // empty: it is private
	}{
		{unix.S_IFREG, 0o600, us, us, ""},
		{unix.S_IFREG, 0o400, us, us, ""},
		{unix.S_IFREG, 0o640, 0, us, ""}, // by the group
		{unix.S_IFREG, 0o440, 0, us, ""}, // as systemd's LoadCredential= makes it
		{unix.S_IFREG, 0o700, us, us, ""},
		{unix.S_IFREG, 0o600, us, 0, ""}, // root looks after a server's file
		{unix.S_IFREG, 0o660, us, us, "mode 0660"},
		{unix.S_IFREG, 0o620, us, us, "mode 0620"},
		{unix.S_IFREG, 0o644, us, us, "mode 0644"},
		{unix.S_IFREG, 0o604, us, us, "mode 0604"},
		{unix.S_IFREG, 0o602, us, us, "mode 0602"},
		{unix.S_IFREG, 0o601, us, us, "mode 0601"},
		{unix.S_IFREG, 0o644, 0, 0, "mode 0644"},
		{unix.S_IFREG, 0o640, other, us, "owned by user 1001"},
		{unix.S_IFIFO, 0o600, us, us, "regular"},
		{unix.S_IFSOCK, 0o600, us, us, "regular"},
		{unix.S_IFDIR, 0o700, us, us, "regular"},
		{unix.S_IFCHR, 0o600, us, us, "regular"},
	} {
		err := check(&unix.Stat_t{Mode: tt.kind | tt.perm, Uid: tt.owner}, tt.reader)
		if (err == nil) != (tt.refused == "") || err != nil && !strings.Contains(err.Error(), tt.refused) {
			t.Errorf("%o of user %d for %d: %v", tt.kind|tt.perm, tt.owner, tt.reader, err)
		}
	}
}

func TestRead(t *testing.T) {
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	for name, mode := range map[string]fs.FileMode{"secret": 0o600, "open": 0o644} {
		if err := errors.Join(os.WriteFile(at(name), []byte("12345678"), mode), os.Chmod(at(name), mode)); err != nil {
			t.Fatal(err)
		}
	}
	socket, err := net.Listen("unix", at("socket"))
	if err != nil {
		t.Fatal(err)
	}
	defer socket.Close()
	err = errors.Join(unix.Mkfifo(at("pipe"), 0o600), os.Symlink("secret", at("link")), os.Symlink("open", at("open link")), os.Symlink("pipe", at("pipe link")))
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		path, want string // empty: refused
		limit      int
	}{
		{at("secret"), "12345678", 8},
		{at("link"), "12345678", MaxSize},
		{at("secret"), "", 7},
		{at("open"), "", MaxSize},
		{at("open link"), "", MaxSize}, // whatever the link's own mode is
		{at("pipe"), "", MaxSize},
		{at("pipe link"), "", MaxSize},
		{at("socket"), "", MaxSize},
		{"/dev/zero", "", MaxSize},
		{dir, "", MaxSize},
		{at("missing"), "", MaxSize},
	} {
		got, err := Read(tt.path, tt.limit)
		var pe *fs.PathError
		if string(got) != tt.want || (err == nil) != (tt.want != "") || err != nil && (!errors.As(err, &pe) || pe.Path != tt.path || strings.Contains(err.Error(), "1234")) {
			t.Errorf("%s, %d: %q, %v", tt.path, tt.limit, got, err)
		}
	}
}

// Certificates may be anybody's to read; what is no file is none of theirs, and nobody waits for it.
func TestReadCertificates(t *testing.T) {
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	err := errors.Join(os.WriteFile(at("open"), []byte("of all"), 0o644), os.WriteFile(at("huge"), make([]byte, 1<<20+1), 0o644), unix.Mkfifo(at("pipe"), 0o644))
	if err != nil {
		t.Fatal(err)
	}
	if got, err := ReadCertificates(at("open")); string(got) != "of all" || err != nil {
		t.Errorf("%q, %v", got, err)
	}
	for _, path := range []string{at("huge"), at("pipe"), "/dev/zero", dir, at("missing")} {
		var pe *fs.PathError
		if got, err := ReadCertificates(path); got != nil || !errors.As(err, &pe) || pe.Path != path {
			t.Errorf("%s: %d octets, %v", path, len(got), err)
		}
	}
}
