package localdb

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"dcs/render/attr"
	"dcs/render/device"
)

// A file that replaces another keeps its owner and mode, so that the same users can read it.
func TestKeepsOwner(t *testing.T) {
	path := filepath.Join(t.TempDir(), "fleet.db")
	commit := func() *syscall.Stat_t {
		b, err := Create(path, nil, Options{})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := b.Commit(nil); err != nil {
			t.Fatal(err)
		}
		var st syscall.Stat_t
		if err := syscall.Stat(path, &st); err != nil {
			t.Fatal(err)
		}
		return &st
	}
	first := commit()
	if first.Mode&0o777 != 0o440 || int(first.Uid) != os.Geteuid() {
		t.Errorf("the first: mode %o, owner %d", first.Mode, first.Uid)
	}
	uid, gid := first.Uid, first.Gid
	if os.Geteuid() == 0 {
		uid, gid = 12345, 23456
		if err := os.Chown(path, 12345, 23456); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chmod(path, 0o644); err != nil {
		t.Fatal(err)
	}
	if st := commit(); st.Ino == first.Ino || st.Mode&0o777 != 0o644 || st.Uid != uid || st.Gid != gid {
		t.Errorf("the second: mode %o, owner %d:%d, want 644, %d:%d", st.Mode, st.Uid, st.Gid, uid, gid)
	}
}

func TestAddRefuses(t *testing.T) {
	b, err := Create(filepath.Join(t.TempDir(), "d"), []string{"a"}, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Abort()
	for name, d := range map[string]*attr.Device{
		"no key":          {Values: []string{"x"}},
		"zero MAC":        {MAC: device.MAC{}, Values: []string{"x"}},
		"too many values": dev(1, "", "a", "b"),
		"long value":      dev(1, "", strings.Repeat("x", MaxValue+1)),
		"zone":            byIP("fe80::1%eth0"),
	} {
		if err := b.Add(d); !errors.Is(err, attr.ErrDevice) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := b.Add(dev(1, "")); err != nil {
		t.Errorf("a device with fewer values: %v", err)
	}
}

// All devices added are found.
func FuzzBuild(f *testing.F) {
	f.Add([]byte("\x01\x02\x03\x04\x05\x06abc\x01\x02\x03\x04\x05\x06abd"), "x", "")
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, keys []byte, v1, v2 string) {
		path := filepath.Join(dir, "fuzz")
		b, err := Create(path, []string{"a", "b"}, Options{Memory: 1})
		if err != nil {
			t.Fatal(err)
		}
		want := map[device.MAC][]string{}
		for n := 0; n+6 <= len(keys); n += 3 {
			d := attr.Device{MAC: device.MAC(keys[n:]), Values: []string{v1, v2}}
			if n%2 == 1 {
				d.Values = []string{v2, v1}
			}
			if err := b.Add(&d); err != nil {
				b.Abort()
				return
			}
			want[d.MAC] = d.Values
		}
		if _, err := b.Commit(nil); err != nil {
			t.Fatal(err)
		}
		db, err := Open(path)
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		for m, w := range want {
			if got, ok := db.Lookup(m, nil); !ok || !slices.Equal(got, w) {
				t.Fatalf("Lookup(%x) = %q, %v, want %q", m, got, ok, w)
			}
		}
	})
}
