package store

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"dcs/render/attr"
	"dcs/render/attr/localdb"
	"dcs/render/device"
)

func TestStoreServesAcrossRestarts(t *testing.T) { runBubble(t, testStoreServesAcrossRestarts) }

func testStoreServesAcrossRestarts(t *testing.T) {
	dir := t.TempDir()
	f := newFake("db", []string{"down", "up"}, dev(1, "10.0.0.1", "100", "10"), onlyIP("10.0.0.2", "200"))
	cfg, ev := testConfig(dir, plain{f})
	s := openStore(t, cfg)
	is(t, s, 1, "down=100 up=10")
	isIP(t, s, "10.0.0.1", "down=100 up=10")
	isIP(t, s, "10.0.0.2", "down=200")
	if _, m, _ := s.View().LookupIP(netip.MustParseAddr("10.0.0.1"), nil); m != mac(1) {
		t.Errorf("10.0.0.1 belongs to %v", m)
	}
	if _, err := Open(cfg); err == nil {
		t.Error("two stores in one directory")
	}
	eventually(t, "loaded", func() bool { return ev.has(Loaded, "db", nil) && s.State()[0].Up })
	if st := s.State()[0]; st.Devices != 2 || st.Loaded.IsZero() || st.Err != nil {
		t.Errorf("state %+v", st)
	}
	s.Close()

	f.set(func() { f.openErr = errors.New("the database is down") })
	cfg, ev = testConfig(dir, plain{f})
	s = openStore(t, cfg)
	if got := get(s, 1); got != "down=100 up=10" {
		t.Errorf("right after the start, without the database: %s", got)
	}
	eventually(t, "told that the source is down", func() bool { return ev.has(Failed, "db", f.openErr) })
	if st := s.State()[0]; st.Up || st.Err == nil || st.Loaded.IsZero() || st.Devices != 2 || !s.AllLoaded() {
		t.Errorf("state %+v", st)
	}
	f.set(func() {
		f.openErr = nil
		f.devices = []attr.Device{dev(1, "", "101")}
	})
	is(t, s, 1, "down=101")
	isIP(t, s, "10.0.0.2", "none")
}

func TestStoreMergesInOrder(t *testing.T) { runBubble(t, testStoreMergesInOrder) }

func testStoreMergesInOrder(t *testing.T) {
	a := newFake("a", []string{"down", "isp"}, dev(1, "10.0.0.1", "1a", ""), dev(2, "", "2a", "x"), dev(4, "10.0.0.4", "", "four"))
	b := newFake("b", []string{"up", "down", "isp"}, dev(1, "10.9.9.9", "1u", "1b", "1isp"), dev(3, "10.0.0.3", "3u"), onlyIP("10.0.0.5", "5u"))
	c := newFake("c", []string{"city"}, onlyIP("10.0.0.1", "Rome"), onlyIP("10.0.0.5", "Oslo"), onlyIP("10.9.9.9", "Nowhere"), dev(2, "10.0.0.3", "Lima"))
	dir := t.TempDir()
	cfg, _ := testConfig(dir, plain{a}, plain{b}, plain{c})
	s := openStore(t, cfg)
	check := func() {
		t.Helper()
		is(t, s, 1, "city=Rome down=1a isp=1isp up=1u")
		is(t, s, 2, "city=Lima down=2a isp=x")
		is(t, s, 3, "up=3u")
		is(t, s, 4, "isp=four")
		isIP(t, s, "10.0.0.1", "city=Rome down=1a isp=1isp up=1u")
		isIP(t, s, "10.9.9.9", "city=Nowhere") // a says that the device has another address
		isIP(t, s, "10.0.0.3", "up=3u")        // b comes before c
		isIP(t, s, "10.0.0.4", "isp=four")
		isIP(t, s, "10.0.0.5", "city=Oslo up=5u")
		isIP(t, s, "10.0.0.6", "none")
	}
	eventually(t, "all is merged", s.AllLoaded)
	check()
	x, ok := s.Explain(mac(1), netip.Addr{})
	from := map[string]string{}
	for i, src := range x.From {
		from[x.Schema.Name(i)] = src + ":" + x.Values[i]
	}
	want := map[string]string{"down": "a:1a", "isp": "b:1isp", "up": "b:1u", "city": "c:Rome"}
	if !ok || fmt.Sprint(from) != fmt.Sprint(want) || !slices.Equal(x.Known, []string{"a", "b", "c"}) || x.IP != netip.MustParseAddr("10.0.0.1") {
		t.Errorf("explained as %v (known to %v, %v), want %v", from, x.Known, x.IP, want)
	}
	if x, ok := s.Explain(device.MAC{}, netip.MustParseAddr("10.0.0.5")); !ok || !slices.Equal(x.Known, []string{"b", "c"}) {
		t.Errorf("10.0.0.5 is known to %v, %v", x.Known, ok)
	}
	if _, ok := s.Explain(mac(77), netip.Addr{}); ok {
		t.Error("a device that nobody knows was explained")
	}
	s.Close()

	for _, f := range []*fake{a, b, c} {
		f.set(func() { f.openErr = errors.New("down") })
	}
	schema := s.Schema()
	cfg, _ = testConfig(dir, plain{a}, plain{b}, plain{c})
	s = openStore(t, cfg)
	if !slices.Equal(s.Schema().Names(), schema.Names()) {
		t.Errorf("schema after a start %q, before %q", s.Schema().Names(), schema.Names())
	}
	check()
	s.Close()

	// After a change of the sources' order, the files are merged again, without the sources.
	cfg, _ = testConfig(dir, plain{b}, plain{a})
	s = openStore(t, cfg)
	if got := get(s, 1); got != "down=1b isp=1isp up=1u" {
		t.Errorf("b before a: %s", got)
	}
}

func TestStoreFollows(t *testing.T) { runBubble(t, testStoreFollows) }

func testStoreFollows(t *testing.T) {
	f := newFake("db", []string{"down"}, dev(1, "10.0.0.1", "1"), dev(2, "10.0.0.2", "2"), onlyIP("10.0.0.3", "3"))
	cfg, ev := testConfig(t.TempDir(), following{plain{f}, f})
	s := openStore(t, cfg)
	is(t, s, 1, "down=1")
	old := s.View()
	f.apply <- []attr.Change{
		{Device: dev(1, "10.0.0.9", "11")},
		gone(dev(2, "")),
		{Device: dev(4, "10.0.0.3", "4")},
	}
	is(t, s, 1, "down=11")
	is(t, s, 2, "none")
	is(t, s, 4, "down=4")
	check := func() {
		t.Helper()
		isIP(t, s, "10.0.0.1", "none") // the device has another address
		isIP(t, s, "10.0.0.9", "down=11")
		isIP(t, s, "10.0.0.2", "none")
		isIP(t, s, "10.0.0.3", "down=4")
		for m, ip := range map[int]string{1: "10.0.0.9", 2: "", 4: "10.0.0.3"} {
			q := []attr.Query{{MAC: mac(m), Peek: true, Addr: netip.MustParseAddr("192.0.2.1")}} // an answer of before
			want, _ := netip.ParseAddr(ip)
			if s.View().LookupBatch(q); q[0].Addr != want || q[0].Found != (ip != "") {
				t.Errorf("device %d is at %v, want %q", m, q[0].Addr, ip)
			}
		}
	}
	check()
	if r, ok := old.Lookup(mac(1), nil); !ok || r[0] != "1" {
		t.Errorf("a view that is held has changed: %q", r)
	}

	// Changes are written to the file, and survive in another Store without the source.
	s.requestRebuild()
	eventually(t, "changes put into the file", func() bool { return ev.has(Merged, "db", nil) && s.View().over == nil })
	is(t, s, 1, "down=11")
	is(t, s, 2, "none")
	check()

	// A source that reports an unspecified change is loaded.
	f.set(func() { f.devices = []attr.Device{dev(5, "", "5")} })
	f.apply <- nil
	is(t, s, 5, "down=5")
	is(t, s, 1, "none")

	// A source that fails is opened and loaded again.
	f.set(func() { f.devices = append(f.devices, dev(6, "", "6")) })
	f.fail <- errors.New("connection reset")
	is(t, s, 6, "down=6")
	is(t, s, 5, "down=5")
	if !ev.has(Failed, "db", nil) {
		t.Error("nobody was told that the source had failed")
	}

	f.set(func() { f.devices = []attr.Device{dev(7, "", "7")} })
	if err := s.Reload("db", false); err != nil {
		t.Fatal(err)
	}
	is(t, s, 7, "down=7")
	if err := s.Reload("nobody", false); err == nil {
		t.Error("reloaded a source that is not there")
	}
}

// Changes of one of several sources apply to devices that the others know, by MAC or by IP address.
func TestStoreMergesChanges(t *testing.T) { runBubble(t, testStoreMergesChanges) }

func testStoreMergesChanges(t *testing.T) {
	a := newFake("a", []string{"down"}, dev(1, "10.0.0.1", "1"), dev(2, "", "2"))
	b := newFake("b", []string{"city"}, onlyIP("10.0.0.1", "Rome"), onlyIP("10.0.0.2", "Oslo"))
	cfg, _ := testConfig(t.TempDir(), following{plain{a}, a}, following{plain{b}, b})
	s := openStore(t, cfg)
	eventually(t, "all is merged", s.AllLoaded)
	is(t, s, 1, "city=Rome down=1")
	b.apply <- []attr.Change{{Device: onlyIP("10.0.0.1", "Milan")}}
	is(t, s, 1, "city=Milan down=1")
	b.apply <- []attr.Change{gone(onlyIP("10.0.0.1"))}
	is(t, s, 1, "down=1")
	a.apply <- []attr.Change{{Device: dev(2, "10.0.0.2", "22")}}
	is(t, s, 2, "city=Oslo down=22")
	is(t, s, 1, "down=1")
	a.apply <- []attr.Change{{Device: dev(2, "10.0.0.1", "22")}} // takes it from 1
	is(t, s, 2, "down=22")
	isIP(t, s, "10.0.0.2", "city=Oslo")
	s.requestRebuild()
	eventually(t, "changes merged", func() bool { return s.View().over == nil })
	is(t, s, 2, "down=22")
	is(t, s, 1, "down=1")
	isIP(t, s, "10.0.0.2", "city=Oslo")
	isIP(t, s, "10.0.0.1", "down=22")
}

func TestStoreRefusesHalfAnswers(t *testing.T) { runBubble(t, testStoreRefusesHalfAnswers) }

func testStoreRefusesHalfAnswers(t *testing.T) {
	var fleet []attr.Device
	for i := range 200 {
		fleet = append(fleet, dev(i, "", fmt.Sprint(i)))
	}
	f := newFake("db", []string{"n"}, fleet...)
	cfg, ev := testConfig(t.TempDir(), plain{f})
	cfg.Stall = 50 * time.Millisecond
	s := openStore(t, cfg)
	is(t, s, 199, "n=199")

	cut := errors.New("connection lost")
	f.set(func() { f.devices, f.loadErr = fleet[:150], cut })
	_ = s.Reload("", false)
	eventually(t, "told of the error", func() bool { return ev.has(Failed, "db", cut) })
	f.set(func() { f.loadErr = nil })
	eventually(t, "told that it is held back", func() bool { return ev.has(HeldBack, "db", attr.ErrHeldBack) })
	f.set(func() { f.devices, f.hang = fleet, true })
	eventually(t, "told that it hangs", func() bool { return ev.has(Failed, "db", ErrStalled) })
	bad := slices.Repeat([]attr.Device{{}}, 1001)
	f.set(func() { f.devices, f.hang = append(bad, fleet...), false })
	eventually(t, "told that rows are bad", func() bool { return ev.has(Failed, "db", attr.ErrRejected) })
	if got := get(s, 199); got != "n=199" {
		t.Errorf("after four half answers: %s", got)
	}
	if ev.count(Loaded, "db") != 1 {
		t.Error("a half answer was taken")
	}

	f.set(func() { f.devices = fleet[:150] })
	_ = s.Reload("db", true)
	is(t, s, 199, "none")
	is(t, s, 149, "n=149")
}

// A change whose record does not fit, and more changes than there is room for.
func TestStoreBadChanges(t *testing.T) { runBubble(t, testStoreBadChanges) }

func testStoreBadChanges(t *testing.T) {
	f := newFake("db", []string{"n"}, dev(1, "", "1"))
	cfg, _ := testConfig(t.TempDir(), following{plain{f}, f})
	cfg.Overlay = 10
	s := openStore(t, cfg)
	is(t, s, 1, "n=1")
	f.apply <- []attr.Change{
		{Device: dev(2, "", "2", "too many")},
		{Device: attr.Device{Values: []string{"no key"}}},
		{Device: onlyIP("fe80::1%eth0", "zone")},
		{Device: dev(3, "", strings.Repeat("x", localdb.MaxValue+1))},
		{Device: dev(4, "", "4")},
	}
	is(t, s, 4, "n=4")
	if get(s, 2) != "none" || get(s, 3) != "none" || s.State()[0].Rejected.Rows != 4 {
		t.Errorf("state %+v", s.State()[0])
	}
	var all []attr.Device
	for i := range 500 {
		all = append(all, dev(i, "", fmt.Sprint("new", i)))
	}
	f.set(func() { f.devices = all })
	for i := 0; i < len(all); i += 20 {
		var c []attr.Change
		for _, d := range all[i : i+20] {
			c = append(c, attr.Change{Device: d})
		}
		f.apply <- c
	}
	for i := range all {
		is(t, s, i, fmt.Sprint("n=new", i))
	}
	eventually(t, "few changes lie over the file", func() bool {
		v := s.View()
		return v.over == nil || v.over.n <= 100
	})
}
