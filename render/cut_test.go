package render_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"dcs/bench/require"
	"dcs/render"
	"dcs/render/attr"
	"dcs/render/attr/store"
	"dcs/render/ber/mib"
	"dcs/render/device"
	"dcs/render/library"
	"dcs/render/mic"
)

// cutFleet is a source of many devices whose values fill pages.
type cutFleet struct{ n int }

func (cutFleet) Name() string                           { return "fleet" }
func (cutFleet) Open(context.Context) ([]string, error) { return []string{"serial", "long"}, nil }
func (cutFleet) Close() error                           { return nil }
func (f cutFleet) Load(_ context.Context, yield func(*attr.Device) error) error {
	for i := range f.n {
		d := attr.Device{MAC: cutMAC(i), Values: cutValues(i)}
		if err := yield(&d); err != nil {
			return err
		}
	}
	return nil
}

func cutMAC(i int) [6]byte { return [6]byte{2, 0, 0, 0, byte(i >> 8), byte(i)} }

func cutValues(i int) []string {
	return []string{fmt.Sprint("serial-", i), strings.Repeat(fmt.Sprintf("%04d", i), 50)}
}

// cutDevices looks devices up in a store, as the server does.
type (
	cutDevices struct{ store *store.Store }
	cutView    struct{ *store.View }
)

func (d cutDevices) View() render.View    { return cutView{d.store.View()} }
func (d cutDevices) Schema() *attr.Schema { return d.store.Schema() }

func (v cutView) Lookup(_ int64, queries []render.Query) {
	v.LookupBatch(queries)
	for i := range queries {
		queries[i].Asking = queries[i].Damaged
	}
}

// A file of devices that is cut, overwritten with zeros or altered while it serves: each device gets its own file or none, and
// the process lives.
func TestDevicesCut(t *testing.T) {
	require.Long(t, "fallbacks after a second")
	const n = 3000
	lib := t.TempDir()
	const template = "Main { default serial none; default long none; NetworkAccess 1; SwUpgradeFilename \"$serial\"; SnmpMibObject 1.3.6.1.2.1.1.6.0 String \"$long\"; }"
	if err := os.WriteFile(filepath.Join(lib, "m.dcs"), []byte(template), 0o600); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		what  string
		spoil func(f *os.File, size int64) error
	}{
		{"cut to nothing", func(f *os.File, _ int64) error { return f.Truncate(0) }},
		{"cut by half", func(f *os.File, size int64) error { return f.Truncate(size / 2) }},
		{"cut within its values", func(f *os.File, size int64) error { return f.Truncate(size * 3 / 4) }},
		{"zeros", func(f *os.File, size int64) error { return errors.Join(f.Truncate(0), f.Truncate(size)) }},
		{"a page of zeros", func(f *os.File, size int64) error {
			_, err := f.WriteAt(make([]byte, 4096), size/8/4096*4096)
			return err
		}},
	}
	for _, tt := range tests {
		t.Run(tt.what, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			store, err := store.Open(store.Config{Dir: dir, Sources: []attr.Source{cutFleet{n}}, Now: time.Now})
			if err != nil {
				t.Fatal(err)
			}
			defer store.Close()
			for !store.AllLoaded() {
				time.Sleep(time.Millisecond)
			}
			e, err := render.NewEngine(render.Config{
				Library: library.Config{Dirs: []string{lib}, MIB: mib.Default()}, Keyring: mic.KeyringOf(mic.NewSecret([]byte("k"))), Devices: cutDevices{store},
			})
			if err != nil {
				t.Fatal(err)
			}
			w := e.Worker()
			all := func() (files [n][]byte, asking int) {
				reqs := make([]render.Request, 50)
				for i := 0; i < n; i += len(reqs) {
					for j := range reqs {
						reqs[j] = render.Request{
							Requester: device.Requester{Name: []byte("m.cm"), Client: netip.MustParseAddr("10.0.0.1"), MAC: cutMAC(i + j)},
							Server:    netip.MustParseAddr("10.0.0.2"), Buf: make([]byte, 0, 2048),
						}
					}
					w.RenderBatch(1e18, reqs)
					for j := range reqs {
						switch r := &reqs[j]; {
						case r.Err == nil:
							files[i+j] = bytes.Clone(r.Body)
						case errors.Is(r.Err, syscall.EAGAIN):
							asking++
						default:
							t.Fatalf("device %d: %v", i+j, r.Err)
						}
					}
				}
				return files, asking
			}
			want, asking := all()
			if asking > 0 {
				t.Fatal("not all are known")
			}
			paths, err := filepath.Glob(filepath.Join(dir, "*.devices"))
			if err != nil || len(paths) != 1 {
				t.Fatal(paths, err)
			}
			f, err := os.OpenFile(paths[0], os.O_RDWR, 0)
			if errors.Is(err, os.ErrPermission) {
				err = os.Chmod(paths[0], 0o600)
				f, _ = os.OpenFile(paths[0], os.O_RDWR, 0)
			}
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			st, err := f.Stat()
			if err != nil {
				t.Fatal(err)
			}
			if err := tt.spoil(f, st.Size()); err != nil {
				t.Fatal(err)
			}
			none := 0
			for until := time.Now().Add(30 * time.Second); ; {
				got, asking := all()
				for i := range got {
					if got[i] != nil && !bytes.Equal(got[i], want[i]) {
						t.Fatalf("device %d has another file", i)
					}
				}
				none = max(none, asking)
				now, err := os.Stat(paths[0])
				if anew := err == nil && !os.SameFile(st, now); asking == 0 && (none > 0 || anew) {
					break // the source was loaded anew, perhaps before anybody asked
				}
				if time.Now().After(until) {
					t.Fatalf("%d devices have no file, %d had", asking, none)
				}
			}
			t.Logf("%d devices had no file for a while", none)
		})
	}
}
