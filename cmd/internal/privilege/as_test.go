package privilege

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"testing"

	"dcs/bench/require"
)

// f runs as the user, with the capabilities that it is to have, and nobody else does.
func TestAs(t *testing.T) {
	require.Root(t)
	user := &syscall.Credential{Uid: 65531, Gid: 65532, Groups: []uint32{65533}}
	dir := t.TempDir()
	for name, owner := range map[string]struct {
		uid, gid int
		mode     os.FileMode
	}{"theirs": {65531, 0, 0o600}, "group": {0, 65532, 0o640}, "other": {0, 65533, 0o640}, "closed": {0, 0, 0o600}} {
		path := filepath.Join(dir, name)
		if err := errors.Join(os.WriteFile(path, nil, owner.mode), os.Chown(path, owner.uid, owner.gid), os.Chmod(path, owner.mode)); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(os.Chmod(dir, 0o755), os.Chmod(filepath.Dir(dir), 0o755)); err != nil {
		t.Fatal(err)
	}
	var uid, euid int
	var missing []string
	denied := map[string]bool{}
	err := As(user, []string{"CAP_NET_RAW"}, func() {
		uid, euid = syscall.Getuid(), os.Geteuid()
		missing, _ = Missing("CAP_NET_RAW", "CAP_NET_ADMIN", "CAP_DAC_OVERRIDE")
		for _, name := range []string{"theirs", "group", "other", "closed"} {
			_, err := os.ReadFile(filepath.Join(dir, name))
			denied[name] = errors.Is(err, fs.ErrPermission)
		}
	})
	if err != nil || uid != 65531 || euid != 65531 || !slices.Equal(missing, []string{"CAP_DAC_OVERRIDE", "CAP_NET_ADMIN"}) {
		t.Errorf("%v; user %d, %d, without %v", err, uid, euid, missing)
	}
	if denied["theirs"] || denied["group"] || denied["other"] || !denied["closed"] {
		t.Errorf("denied are %v", denied)
	}
	for range 100 { // on whichever thread
		seen := make(chan int)
		go func() { seen <- os.Geteuid() }()
		if id := <-seen; id != 0 {
			t.Fatalf("another goroutine is user %d's", id)
		}
	}
}
