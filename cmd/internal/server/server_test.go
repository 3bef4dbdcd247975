package server

import (
	"context"
	"errors"
	"net/netip"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"dcs/cmd/internal/assemble"
	"dcs/cmd/internal/config"
	"dcs/cmd/internal/dcstest"
	"dcs/fastpath"
	"dcs/fastpath/transfer"
	"dcs/render"
	"dcs/render/attr"
	"dcs/render/attr/csvfile"
	"dcs/render/attr/store"
	"dcs/render/device"
	"dcs/render/mic"
)

// TestPeekAsksNobody looks for whose an address is, which no source is bothered with.
func TestPeekAsksNobody(t *testing.T) {
	source := asker{make(chan device.MAC, 16)}
	store, err := store.Open(store.Config{Dir: t.TempDir(), Sources: []attr.Source{source}, Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	dcstest.Eventually(t, "the source is open", store.AllLoaded)
	view := (&storeDevices{store: store}).View()
	unknown := device.MAC{2, 0, 0, 0, 0, 9}
	queries := []render.Query{
		{IP: netip.MustParseAddr("198.18.0.1"), Peek: true, Asking: true}, {MAC: device.MAC{2, 0, 0, 0, 0, 8}, Peek: true}, {MAC: unknown},
	}
	view.Lookup(time.Now().UnixNano(), queries)
	if queries[0].Asking || queries[1].Asking || !queries[2].Asking {
		t.Errorf("%+v", queries)
	}
	dcstest.Eventually(t, "the answer is known", func() bool {
		view.Lookup(time.Now().UnixNano(), queries)
		return !queries[2].Asking
	})
	for len(source.asked) > 0 {
		if mac := <-source.asked; mac != unknown {
			t.Errorf("the source was asked for %v", mac)
		}
	}
}

// asker is a source that can only be asked, and knows nobody.
type asker struct{ asked chan device.MAC }

var _ attr.Asker = asker{}

func (asker) Name() string { return "asker" }

func (asker) Open(context.Context) ([]string, error) { return []string{"down"}, nil }

func (asker) Load(context.Context, func(*attr.Device) error) error { return errors.ErrUnsupported }

func (asker) Close() error { return nil }

func (a asker) Ask(_ context.Context, mac device.MAC, _ netip.Addr) (attr.Device, bool, error) {
	select {
	case a.asked <- mac:
	default:
	}
	return attr.Device{}, false, nil
}

// Requests of devices go through adapter, store and renderer without an allocation: by name, by proxy, by address, found and not.
func TestDevicesNoAllocs(t *testing.T) {
	dir := t.TempDir()
	dcstest.Lay(t, map[string]string{
		filepath.Join(dir, "fleet.csv"):            "mac,ip,profile,down\n02:00:00:00:00:01,,gold,50\n02:00:00:00:00:02,127.0.0.2,bronze,\n02:00:00:00:00:04,,gold,5000000\n",
		filepath.Join(dir, "library/profiles.dcs"): "Block gold { MaxCPE 16; UsServiceFlow { UsServiceFlowRef 1; QosParamSetType 7; MaxRateSustained $down * 1000; } }\nBlock bronze { MaxCPE 1; }\n",
		filepath.Join(dir, "library/modem.dcs"):    "Main { NetworkAccess 1; include $profile; }\n",
	})
	store, err := store.Open(store.Config{
		Dir: filepath.Join(dir, "state"), Now: time.Now,
		Sources: []attr.Source{csvfile.New(csvfile.Config{Path: filepath.Join(dir, "fleet.csv")})},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	dcstest.Eventually(t, "the fleet is loaded", store.AllLoaded)
	cfg := config.Default()
	cfg.Library = []string{filepath.Join(dir, "library")}
	lib, err := assemble.Library(&cfg)
	if err != nil {
		t.Fatal(err)
	}
	engine, err := render.NewEngine(render.Config{Library: lib, Keyring: mic.KeyringOf(mic.NewSecret(nil)), Devices: &storeDevices{store: store}})
	if err != nil {
		t.Fatal(err)
	}
	a := &adapter{worker: engine.Worker(), proxies: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/24")}}
	var reqs []fastpath.Request
	add := func(r fastpath.Request) {
		r.Buf = make([]byte, 0, 2048)
		reqs = append(reqs, r)
	}
	modem, proxy := netip.MustParseAddr("127.0.0.2"), netip.MustParseAddr("10.0.0.7")
	add(fastpath.Request{Requester: device.Requester{Name: []byte("modem.cm@020000000001"), Client: modem}})
	add(fastpath.Request{Requester: device.Requester{Name: []byte("modem.cm"), Client: modem}})
	add(fastpath.Request{Requester: device.Requester{Name: []byte("modem.cm"), Client: proxy, MAC: [6]byte{2, 0, 0, 0, 0, 1}}, NetAddr: modem})
	add(fastpath.Request{Requester: device.Requester{Name: []byte("modem.cm@020000000099"), Client: modem}})
	add(fastpath.Request{Requester: device.Requester{Name: []byte("modem.cm@020000000004"), Client: modem}})
	if n := testing.AllocsPerRun(100, func() { a.RenderBatch(1700000000e9, reqs) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
	for i, want := range []bool{true, true, true, false, false} {
		if got := reqs[i].Err == nil; got != want {
			t.Errorf("request %d: %v", i, reqs[i].Err)
		}
	}
}

// What the log and the journal are told of lost files costs no allocation beyond the lines that are written.
func TestLostNoAllocs(t *testing.T) {
	for _, journal := range []int{0, 8} {
		told := 0
		engine, err := render.NewEngine(render.Config{
			Keyring: mic.KeyringOf(mic.NewSecret(nil)), Journal: journal,
			OnFault: func(o *device.Outcome) {
				if told++; !o.Undelivered || o.Reason != "peer_error_option" || string(o.Value) != "1 of 3 blocks acknowledged: enough" || !strings.Contains(o.Err.Error(), "ERROR 8 (option refused)") {
					t.Errorf("%+v", o)
				}
			},
		})
		if err != nil {
			t.Fatal(err)
		}
		var a fastpath.Watcher = &adapter{worker: engine.Worker()}
		o := &device.Outcome{
			Requester: device.Requester{Name: []byte("x"), Client: netip.MustParseAddr("198.18.0.1")}, Size: 1300,
			Err: transfer.Failure(transfer.PeerOption), Reason: transfer.PeerOption.String(), Value: []byte("1 of 3 blocks acknowledged: enough"),
		}
		for range 2 * render.MaxFaults {
			a.TransferFailed(1, o)
		}
		if told != render.MaxFaults {
			t.Errorf("told %d times", told)
		}
		if n := testing.AllocsPerRun(100, func() { a.TransferFailed(1, o) }); n != 0 {
			t.Errorf("%v allocations", n)
		}
	}
}

// A batch goes through the adapter and the renderer without an allocation: names that
// are known and names that are not, files from templates and files as they are.
func TestAdapterNoAllocs(t *testing.T) {
	cfg := config.Default()
	cfg.Library, cfg.Static = []string{"../../../testdata/library"}, []string{"../../../testdata/static"}
	lib, err := assemble.Library(&cfg)
	if err != nil {
		t.Fatal(err)
	}
	engine, err := render.NewEngine(render.Config{Library: lib, Keyring: mic.KeyringOf(mic.NewSecret(nil))})
	if err != nil {
		t.Fatal(err)
	}
	a := &adapter{worker: engine.Worker()}
	for _, name := range []string{"basic.cm", "res-cpe4-gold.bin", "motd.txt", "nobody.cm", "res-cpe4-lead.bin"} {
		reqs := make([]fastpath.Request, 16)
		for i := range reqs {
			reqs[i] = fastpath.Request{
				Requester: device.Requester{Name: []byte(name), Client: netip.MustParseAddr("10.1.2.3")},
				Server:    netip.MustParseAddr("10.0.0.1"), Buf: make([]byte, 0, 2048),
			}
		}
		now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC).UnixNano()
		if n := testing.AllocsPerRun(100, func() { a.RenderBatch(now, reqs) }); n != 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
		for i := range reqs {
			if (reqs[i].Err == nil) == (reqs[i].Body == nil) {
				t.Errorf("%s: body of %d octets, %v", name, len(reqs[i].Body), reqs[i].Err)
			}
		}
	}
}

func TestHanging(t *testing.T) {
	rounds := func(n ...uint64) (s []fastpath.Stats) {
		for _, r := range n {
			s = append(s, fastpath.Stats{Rounds: r})
		}
		return s
	}
	tests := []struct {
		name        string
		before, now []fastpath.Stats
		worker      int
	}{
		{"the first look", nil, rounds(0, 0), -1},
		{"all go on", rounds(5, 9), rounds(6, 10), -1},
		{"the first hangs", rounds(5, 9), rounds(5, 10), 0},
		{"the last hangs", rounds(5, 9, 7), rounds(6, 10, 7), 2},
		{"a counter starts again", rounds(1<<64-1, 3), rounds(0, 4), -1},
	}
	for _, tt := range tests {
		if got := hanging(tt.before, tt.now); got != tt.worker {
			t.Errorf("%s: worker %d, want %d", tt.name, got, tt.worker)
		}
	}
}
