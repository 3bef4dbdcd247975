package store

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"dcs/render/attr"
	"dcs/render/attr/localdb"
)

// randomFleet returns devices with a MAC address, an IP address or both, of which some share an address or are there twice.
func randomFleet(r *rand.Rand, n int, twice bool) (list []attr.Device) {
	ips := r.Perm(3 * n)
	for i := range n {
		d := dev(i, fmt.Sprintf("10.0.%d.%d", ips[i]/250, ips[i]%250), fmt.Sprint(r.IntN(3)), "")
		switch r.IntN(6) {
		case 0:
			d.IP = netip.Addr{}
		case 1:
			d.MAC = [6]byte{}
		case 2:
			continue
		case 3:
			if twice {
				d.IP = netip.AddrFrom4([4]byte{10, 0, 0, byte(r.IntN(4))})
			}
		}
		if list = append(list, d); twice && r.IntN(8) == 0 {
			list = append(list, dev(r.IntN(n), "", "again", "x"))
		}
	}
	return list
}

// altered returns devices of which a few are changed, moved to other addresses, gone, or new.
func altered(r *rand.Rand, was []attr.Device, n int, shuffle bool) []attr.Device {
	list := slices.Clone(was)
	for range r.IntN(5) {
		if len(list) < 2 {
			break
		}
		i, j := r.IntN(len(list)), r.IntN(len(list))
		switch d := &list[i]; r.IntN(6) {
		case 0:
			list = slices.Delete(list, i, i+1)
		case 1:
			d.Values = []string{"", fmt.Sprint(r.IntN(9))}
		case 2:
			list[i].IP, list[j].IP = list[j].IP, list[i].IP // which may leave one without any
		case 3:
			if d.IP.IsValid() { // from IP to MAC address, or back
				if d.MAC.IsZero() {
					d.MAC = mac(n + r.IntN(n))
				} else {
					d.MAC = [6]byte{}
				}
			}
		case 4:
			d.IP = netip.AddrFrom4([4]byte{10, 9, 0, byte(r.IntN(250))})
		case 5:
			list = append(list, dev(n+r.IntN(n), "", "new"))
		}
	}
	if shuffle {
		r.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
	}
	return slices.DeleteFunc(list, func(d attr.Device) bool { return d.MAC.IsZero() && !d.IP.IsValid() })
}

// all returns every device of a View, by any of the addresses.
func all(v *View, n int) (list []string) {
	for i := range 2 * n {
		r, ok := v.Lookup(mac(i), nil)
		list = append(list, show(v, r, ok))
	}
	for b := range 3*n/250 + 1 {
		for _, net := range []byte{0, 9} {
			for c := range 250 {
				r, mac, ok := v.LookupIP(netip.AddrFrom4([4]byte{10, net, byte(b), byte(c)}), nil)
				list = append(list, fmt.Sprint(mac, show(v, r, ok)))
			}
		}
	}
	return list
}

// A load applied as differences leaves what the same load leaves that is written to a file, whatever changes came before and after,
// and after a crash as well.
func TestDifferences(t *testing.T) {
	var files, loads atomic.Int64
	t.Cleanup(func() {
		if files.Load()*2 > loads.Load() {
			t.Errorf("%d of %d loads wrote a file", files.Load(), loads.Load())
		}
	})
	for seed := range uint64(rounds(40, 1000)) {
		t.Run(fmt.Sprint(seed), bubble(func(t *testing.T) {
			n := testDifferences(t, seed)
			files.Add(int64(n))
			loads.Add(differencesRounds)
		}))
	}
}

const differencesRounds = 4

// testDifferences returns how often a load wrote a file.
func testDifferences(t *testing.T, seed uint64) (files int) {
	r := rand.New(rand.NewPCG(seed, 3))
	const n = 60
	f := newFake("a", []string{"n", "m"}, randomFleet(r, n, seed%3 == 0)...)
	cfg, ev := testConfig(t.TempDir(), following{plain{f}, f})
	cfg.Small, cfg.Shrink = 1, 1
	s := openStore(t, cfg)
	<-s.Settled()
	settled := func() int { return ev.count(Loaded, "a") + ev.count(Unchanged, "a") }
	for round := range differencesRounds {
		if seed%2 == 0 {
			d := dev(r.IntN(n), "", "changed", "by itself")
			f.apply <- []attr.Change{{Device: d, Gone: r.IntN(3) == 0}}
		}
		// Of devices that share an address the order decides, so it stays.
		f.set(func() { f.devices = altered(r, f.devices, n, seed%3 != 0) })
		before, stamp := settled(), s.srcs[0].meta.Stamp
		if err := s.Reload("a", false); err != nil {
			t.Fatal(err)
		}
		eventually(t, "loaded", func() bool { return settled() > before })
		if s.srcs[0].meta.Stamp != stamp {
			files++
		}

		fresh := newFake("a", f.names, f.devices...)
		want, _ := testConfig(t.TempDir(), plain{fresh})
		w := openStore(t, want)
		<-w.Settled()
		crashed, _ := testConfig(copyDir(t, cfg.Dir), plain{down("a")})
		crashed.OpenWait = time.Nanosecond
		c := openStore(t, crashed)
		if a, b := all(s.View(), n), all(w.View(), n); !slices.Equal(a, b) {
			t.Fatalf("round %d: %s", round, unlike(a, b))
		}
		if a, b := all(c.View(), n), all(w.View(), n); !slices.Equal(a, b) {
			t.Fatalf("round %d, after a crash: %s", round, unlike(a, b))
		}
		if got, want := s.srcs[0].guard.now.devices, int(w.srcs[0].stats.Devices); got != want {
			t.Errorf("round %d: %d devices are counted, want %d", round, got, want)
		}
		c.Close()
		w.Close()
	}
	return files
}

func unlike(a, b []string) (list []string) {
	for i := range a {
		if a[i] != b[i] {
			list = append(list, fmt.Sprintf("%d: %s, want %s", i, a[i], b[i]))
		}
	}
	return list
}

// A load that differs in few devices writes no file, and one that differs in many does. Losses of either are held back.
func TestDifferencesAreFew(t *testing.T) { runBubble(t, testDifferencesAreFew) }

func testDifferencesAreFew(t *testing.T) {
	var fleet []attr.Device
	for i := range 200 {
		fleet = append(fleet, dev(i, "", "1"))
	}
	a := newVersioned("a", "1", fleet...)
	b := newFake("b", []string{"m"}, dev(1, "", "b"), dev(300, "", "b"))
	dir := t.TempDir()
	open := func() (*Store, *events) {
		cfg, ev := testConfig(dir, a, plain{b})
		cfg.Small, cfg.Overlay = 1, 160
		s := openStore(t, cfg)
		<-s.Settled()
		return s, ev
	}
	s, ev := open()
	is(t, s, 1, "m=b n=1")
	for i, tc := range []struct {
		change func()
		file   bool
		held   bool
		want   string // of device 1
	}{
		{change: func() {}, want: "m=b n=1"},
		{change: func() { a.devices[1] = dev(1, "", "2") }, want: "m=b n=2"},
		{change: func() { a.devices = slices.Delete(slices.Clone(a.devices), 1, 2) }, want: "m=b"},
		{change: func() {
			for i := range 150 {
				a.devices[i].Values = []string{"9"}
			}
		}, file: true, want: "m=b"},
		{change: func() { a.devices = a.devices[:150] }, held: true, want: "m=b"}, // 49 of 199
		{change: func() { a.devices = a.devices[:50] }, held: true, want: "m=b"},
	} {
		version := fmt.Sprint("v", i)
		a.version.Store(&version)
		devices := a.devices
		a.set(tc.change)
		stamp := s.srcs[0].meta.Stamp
		merges, loads := ev.count(Merged, ""), ev.count(Loaded, "a")+ev.count(Unchanged, "a")
		if err := s.Reload("a", false); err != nil {
			t.Fatal(err)
		}
		eventually(t, "loaded or held back", func() bool {
			return ev.count(Loaded, "a")+ev.count(Unchanged, "a") > loads || tc.held && s.State()[0].HeldBack != nil
		})
		is(t, s, 1, tc.want)
		if written := s.srcs[0].meta.Stamp != stamp; written != tc.file || written != (ev.count(Merged, "") > merges) {
			t.Errorf("%d: a file was written: %v, merged: %d", i, written, ev.count(Merged, "")-merges)
		}
		if tc.held {
			a.set(func() { a.devices = devices })
		}
	}

	// Once the differences are in the file, it has the version of the load.
	a.set(func() { a.devices[7].Values = []string{"seven"} })
	version := "last"
	a.version.Store(&version)
	if err := s.Reload("a", false); err != nil {
		t.Fatal(err)
	}
	is(t, s, 8, "n=seven")
	s.requestRebuild()
	eventually(t, "the difference is in the file", func() bool { return ev.has(Merged, "a", nil) })
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	before := a.loads.Load()
	s, _ = open()
	if is(t, s, 8, "n=seven"); a.loads.Load() != before {
		t.Error("loaded again")
	}
}

// A file without a version, of an earlier program, gets one.
func TestDifferencesGiveVersion(t *testing.T) { runBubble(t, testDifferencesGiveVersion) }

func testDifferencesGiveVersion(t *testing.T) {
	a := newVersioned("a", "", dev(1, "", "1"))
	dir := t.TempDir()
	for i, version := range []string{"", "1", "1"} {
		a.version.Store(&version)
		before := a.loads.Load()
		cfg, _ := testConfig(dir, a)
		cfg.Small = 1
		s := openStore(t, cfg)
		<-s.Settled()
		if loaded := a.loads.Load() > before; loaded != (i < 2) {
			t.Errorf("start %d: loaded: %v", i, loaded)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// A damaged file is not compared with: it is written anew.
func TestDifferencesOfDamaged(t *testing.T) { runBubble(t, testDifferencesOfDamaged) }

func testDifferencesOfDamaged(t *testing.T) {
	f := newFake("a", []string{"n"}, dev(1, "", "1"), dev(2, "", "2"))
	dir := t.TempDir()
	for i := range 2 {
		cfg, ev := testConfig(dir, plain{f})
		cfg.Small = 1
		s := openStore(t, cfg)
		<-s.Settled()
		is(t, s, 1, "n=1")
		is(t, s, 2, "n=2")
		if i == 1 {
			eventually(t, "damage is reported", func() bool { return ev.has(Damaged, "a", localdb.ErrDamaged) })
		}
		eventually(t, "the file is intact", func() bool { return s.serving(s.srcs[0]).Damaged() == nil })
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		alter(t, s.srcs[0].path, 4096+8)
	}
}
