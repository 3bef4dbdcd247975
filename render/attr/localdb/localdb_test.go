package localdb

import (
	"context"
	"encoding/binary"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"

	"dcs/render/attr"
	"dcs/render/device"
)

func mac(n uint64) (m device.MAC) {
	var b [8]byte
	binary.BigEndian.PutUint64(b[:], n|2<<40) // 0 is not all zeros
	copy(m[:], b[2:])
	return m
}

func dev(n uint64, ip string, values ...string) *attr.Device {
	d := &attr.Device{MAC: mac(n), Values: values}
	if ip != "" {
		d.IP = netip.MustParseAddr(ip)
	}
	return d
}

func byIP(ip string, values ...string) *attr.Device {
	return &attr.Device{IP: netip.MustParseAddr(ip), Values: values}
}

// build makes a file of devices and opens it.
func build(t testing.TB, opt Options, names []string, devices ...*attr.Device) (*DB, Stats) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "devices")
	b, err := Create(path, names, opt)
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range devices {
		if err := b.Add(d); err != nil {
			t.Fatal(err)
		}
	}
	st, err := b.Commit([]byte("meta"))
	if err != nil {
		t.Fatal(err)
	}
	db, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	return db, st
}

func TestLookup(t *testing.T) {
	long := strings.Repeat("x", MaxValue)
	db, st := build(t, Options{}, []string{"down", "up"},
		dev(1, "10.0.0.1", "100", "10"),
		dev(2, "", "100", ""),
		dev(3, "2001:db8::3", "", "30"),
		dev(4, "10.0.0.4", "1", "1"),
		dev(4, "10.0.0.44", "4"),
		byIP("10.0.0.9", "9", "99"),
		byIP("10.0.0.9", "99", long),
		dev(5, "10.0.0.1", "5", "5"), // takes the address of 1
		dev(0, "", "zero", "0"),
		dev(0xffffffffffff, "255.255.255.255", "last", "1"),
	)
	want := Stats{Devices: 8, WithMAC: 7, WithIP: 5, Duplicates: 2, SharedIPs: 1, Bytes: st.Bytes, ValueBytes: st.ValueBytes}
	if st != want || db.Stats() != want {
		t.Errorf("stats\n%+v, opened\n%+v, want\n%+v", st, db.Stats(), want)
	}
	if string(db.Meta()) != "meta" || !slices.Equal(db.Names(), []string{"down", "up"}) {
		t.Errorf("meta %q, names %q", db.Meta(), db.Names())
	}
	for _, tc := range []struct {
		mac  uint64
		want []string // nil: not found
	}{
		{1, []string{"100", "10"}},
		{2, []string{"100", ""}},
		{3, []string{"", "30"}},
		{4, []string{"4", ""}},
		{5, []string{"5", "5"}},
		{0, []string{"zero", "0"}},
		{0xffffffffffff, []string{"last", "1"}},
		{6, nil},
		{0xfffffffffffe, nil},
	} {
		got, ok := db.Lookup(mac(tc.mac), nil)
		if ok != (tc.want != nil) || !slices.Equal(got, tc.want) {
			t.Errorf("Lookup(%x) = %.20q, %v, want %q", tc.mac, got, ok, tc.want)
		}
	}
	for _, tc := range []struct {
		ip   string
		mac  int // -1: none
		want []string
	}{
		{"10.0.0.1", 5, []string{"5", "5"}},
		{"::ffff:10.0.0.1", 5, []string{"5", "5"}},
		{"2001:db8::3", 3, []string{"", "30"}},
		{"10.0.0.44", 4, []string{"4", ""}},
		{"10.0.0.9", -1, []string{"99", long}},
		{"10.0.0.4", -1, nil}, // of the device that a later one replaced
		{"10.0.0.2", -1, nil},
		{"2001:db8::4", -1, nil},
		{"::", -1, nil},
	} {
		got, m, ok := db.LookupIP(netip.MustParseAddr(tc.ip), nil)
		var owner device.MAC
		if tc.mac >= 0 {
			owner = mac(uint64(tc.mac))
		}
		if ok != (tc.want != nil) || !slices.Equal(got, tc.want) || m != owner {
			t.Errorf("LookupIP(%s) = %.20q, %v, %v, want %d %.20q", tc.ip, got, m, ok, tc.mac, tc.want)
		}
	}
	if _, _, ok := db.LookupIP(netip.Addr{}, nil); ok {
		t.Error("the invalid address was found")
	}
	if d, ok := db.Get(mac(1), nil); !ok || d.IP.IsValid() {
		t.Errorf("Get(1) = %+v, %v: another device has its address now", d, ok)
	}
	if d, ok := db.Get(mac(3), nil); !ok || d.IP != netip.MustParseAddr("2001:db8::3") || d.Values[1] != "30" {
		t.Errorf("Get(3) = %+v, %v", d, ok)
	}
}

func TestEmpty(t *testing.T) {
	for _, names := range [][]string{nil, {"a"}} {
		db, _ := build(t, Options{}, names)
		if _, ok := db.Lookup(mac(1), nil); ok {
			t.Error("found a device in an empty file")
		}
		if _, _, ok := db.LookupIP(netip.MustParseAddr("10.0.0.1"), nil); ok {
			t.Error("found an address in an empty file")
		}
		if err := db.Verify(context.Background()); err != nil {
			t.Error(err)
		}
	}
}

func TestHashMAC(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for i := range 100000 {
		m := mac(uint64(i))
		if i%2 == 0 {
			m = mac(r.Uint64())
		}
		h := hashMAC(m)
		if h > mask48 || unhashMAC(h) != m {
			t.Fatalf("%x: hash %x stands for %x", m, h, unhashMAC(h))
		}
	}
}

// Files built by sorting in memory, and through runs on disk, are compared with maps.
func TestAgainstMaps(t *testing.T) {
	for _, memory := range []int{0, 1} { // 1: runs of 16 records
		t.Run(fmt.Sprint(memory), func(t *testing.T) {
			r := rand.New(rand.NewPCG(3, uint64(memory)))
			type row struct {
				d   *attr.Device
				seq int
			}
			macs := map[device.MAC]row{}
			ipOnly := map[netip.Addr]row{}
			var all []*attr.Device
			for i := range 6000 {
				d := new(attr.Device)
				if r.IntN(8) > 0 {
					d.MAC = mac(uint64(r.IntN(4000)) << 3)
				}
				if r.IntN(3) > 0 || d.MAC.IsZero() {
					a := [4]byte{10, byte(r.IntN(16)), byte(r.IntN(256)), 1}
					d.IP = netip.AddrFrom4(a)
					if r.IntN(2) == 0 {
						d.IP = netip.AddrFrom16([16]byte{0x20, 1, 0xd, 0xb8, 12: a[0], 13: a[1], 14: a[2], 15: 1})
					}
				}
				for range 5 {
					v := ""
					if n := r.IntN(300); r.IntN(4) > 0 {
						v = fmt.Sprint(n)
					}
					d.Values = append(d.Values, v)
				}
				d.Values[4] = fmt.Sprintf("serial-%d-%s", i, strings.Repeat("y", r.IntN(200)))
				all = append(all, d)
				if !d.MAC.IsZero() {
					macs[d.MAC] = row{d, i}
				} else {
					ipOnly[d.IP] = row{d, i}
				}
			}
			owner := map[netip.Addr]row{}
			for rw := range maps.Values(macs) {
				if o, ok := owner[rw.d.IP]; rw.d.IP.IsValid() && (!ok || o.seq < rw.seq) {
					owner[rw.d.IP] = rw
				}
			}
			for ip, rw := range ipOnly {
				if o, ok := owner[ip]; !ok || o.seq < rw.seq {
					owner[ip] = rw
				} else {
					delete(ipOnly, ip) // nothing finds it any more
				}
			}
			db, st := build(t, Options{Memory: memory}, []string{"a", "b", "c", "d", "serial"}, all...)
			if int(st.Devices) != len(macs)+len(ipOnly) || int(st.WithMAC) != len(macs) || int(st.WithIP) != len(owner) || int(st.Duplicates) != len(all)-int(st.Devices) {
				t.Errorf("%+v, want %d + %d devices, %d addresses", st, len(macs), len(ipOnly), len(owner))
			}
			// A batch has the results of single look-ups.
			checkBatch := func() {
				r := rand.New(rand.NewPCG(3, 4))
				addrs := slices.Collect(maps.Keys(owner))
				addrs = append(addrs, netip.MustParseAddr("203.0.113.9"), netip.Addr{})
				for range 200 {
					batch := make([]attr.Query, r.IntN(100))
					for i := range batch {
						q := &batch[i]
						q.Peek = r.IntN(3) == 0
						if r.IntN(2) == 0 {
							q.MAC = mac(r.Uint64N(40000))
						} else {
							q.IP = addrs[r.IntN(len(addrs))]
						}
					}
					db.LookupBatch(batch)
					for i := range batch {
						q := &batch[i]
						want := attr.Query{MAC: q.MAC, IP: q.IP}
						if !q.MAC.IsZero() {
							if want.Values, want.Found = db.Lookup(q.MAC, nil); want.Found {
								want.Addr = macs[q.MAC].d.IP
							}
						} else {
							want.Values, want.Owner, want.Found = db.LookupIP(q.IP, nil)
						}
						if q.Peek {
							want.Values = nil
						}
						if q.Found != want.Found || q.Owner != want.Owner || q.Addr != want.Addr || !slices.Equal(q.Values, want.Values) {
							t.Fatalf("LookupBatch: %+v, want %+v", *q, want)
						}
					}
				}
			}
			check := func() {
				checkBatch()
				for n := range uint64(32000) {
					got, ok := db.Lookup(mac(n), nil)
					want, found := macs[mac(n)]
					if ok != found || found && !slices.Equal(got, want.d.Values) {
						t.Fatalf("Lookup(%x) = %q, %v, want %v", n, got, ok, want)
					}
				}
				for ip, want := range owner {
					got, m, ok := db.LookupIP(ip, nil)
					if !ok || m != want.d.MAC || !slices.Equal(got, want.d.Values) {
						t.Fatalf("LookupIP(%s) = %q, %v, %v, want %v", ip, got, m, ok, want)
					}
				}
			}
			check()
			if err := db.Verify(context.Background()); err != nil {
				t.Fatal(err)
			}
			check()
			n := 0
			err := db.Each(func(d *attr.Device) error {
				n++
				want := ipOnly[d.IP]
				if !d.MAC.IsZero() {
					want = macs[d.MAC]
				}
				if want.d == nil || !slices.Equal(want.d.Values, d.Values) {
					return fmt.Errorf("Each: %v, want %v", d, want)
				}
				if mine := owner[want.d.IP].d == want.d; want.d.IP.IsValid() && mine != d.IP.IsValid() {
					return fmt.Errorf("Each: %v: has its address: %v, want %v", d, d.IP.IsValid(), mine)
				}
				return nil
			})
			if err != nil || n != int(st.Devices) {
				t.Errorf("Each: %d devices, %v", n, err)
			}
		})
	}
}

// Addresses with the same 32 bits of hash in the index are distinguished by their rows, also in a batch.
func TestCollision(t *testing.T) {
	seen := map[uint64]netip.Addr{}
	var devices []*attr.Device
	var batch []attr.Query
	for i := uint32(0); len(devices) < 20; i++ {
		ip := netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)})
		other, ok := seen[hashIP(ip.As16())>>32]
		if seen[hashIP(ip.As16())>>32] = ip; !ok {
			continue
		}
		for _, a := range []netip.Addr{other, ip} {
			n := uint64(len(devices))
			devices = append(devices, &attr.Device{MAC: mac(n), IP: a, Values: []string{a.String()}})
			batch = append(batch, attr.Query{IP: a})
		}
	}
	db, st := build(t, Options{}, []string{"ip"}, devices...)
	if int(st.WithIP) != len(devices) {
		t.Fatalf("%+v, want %d addresses", st, len(devices))
	}
	if err := db.Verify(t.Context()); err != nil {
		t.Fatal(err)
	}
	db.LookupBatch(batch)
	for i, q := range batch {
		if want := devices[i]; !q.Found || !slices.Equal(q.Values, want.Values) || q.Owner != want.MAC {
			t.Errorf("%v: %+v, want %+v", q.IP, q, want)
		}
	}
}

func TestNoAllocs(t *testing.T) {
	db, _ := build(t, Options{}, []string{"a", "b"}, dev(1, "10.0.0.1", "1", "2"), dev(2, "2001:db8::2", "1", "2"))
	dst := make([]string, 0, 2)
	batch := []attr.Query{{MAC: mac(1), Values: dst}, {IP: netip.MustParseAddr("10.0.0.1"), Values: dst}, {MAC: mac(2), Peek: true}}
	v4, v6, none := netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("2001:db8::2"), netip.MustParseAddr("10.0.0.7")
	for _, verified := range []bool{false, true} {
		for name, f := range map[string]func(){
			"mac":        func() { db.Lookup(mac(1), dst) },
			"no mac":     func() { db.Lookup(mac(9), dst) },
			"ipv4":       func() { db.LookupIP(v4, dst) },
			"ipv6":       func() { db.LookupIP(v6, dst) },
			"no address": func() { db.LookupIP(none, dst) },
			"get":        func() { db.Get(mac(2), dst) },
			"batch":      func() { db.LookupBatch(batch) },
		} {
			if n := testing.AllocsPerRun(1000, f); n != 0 {
				t.Errorf("%s, verified %v: %v allocations", name, verified, n)
			}
		}
		if err := db.Verify(context.Background()); err != nil {
			t.Fatal(err)
		}
	}
}

// Values remain readable while their DB is referenced; the mapping goes when the DB is collected.
func TestHold(t *testing.T) {
	_, path, _ := small(t)
	mapped := func() bool {
		maps, err := os.ReadFile("/proc/self/maps")
		if err != nil {
			t.Fatal(err)
		}
		return strings.Contains(string(maps), path)
	}
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 50 {
				db, err := Open(path)
				if err != nil {
					t.Error(err)
					return
				}
				v, _ := db.Lookup(mac(7), nil)
				runtime.GC()
				if v[1] != strings.Repeat("n", 140) {
					t.Errorf("value %q", v[1])
				}
				runtime.KeepAlive(db)
			}
		})
	}
	wg.Wait()
	for i := 0; mapped() && i < 100; i++ {
		runtime.GC()
	}
	if mapped() {
		t.Error("the file is still mapped though nobody holds it")
	}
}
