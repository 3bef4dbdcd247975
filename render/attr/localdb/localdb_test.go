package localdb

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"maps"
	"math/rand/v2"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
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

// A file that replaces another has its owner and its mode: who reads it goes on reading it.
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

// What was built is compared with maps, through sorting in memory and through runs on disk.
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
			// A batch finds what one look-up after another finds.
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

func TestAddRefuses(t *testing.T) {
	b, err := Create(filepath.Join(t.TempDir(), "d"), []string{"a"}, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Abort()
	for name, d := range map[string]*attr.Device{
		"no key":          {Values: []string{"x"}},
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

// Addresses that the index cannot tell apart, as it keeps 32 bits of each hash, are told apart by their rows, in a batch too.
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

// answer is what a look-up of the small file gave.
type answer struct {
	a, b string
	mac  device.MAC
	ok   bool
}

// small returns a file that has something in each section, and a way to look up all that is in it, and some more.
func small(t testing.TB) (file []byte, path string, ask func(db *DB) []answer) {
	path = filepath.Join(t.TempDir(), "small")
	b, err := Create(path, []string{"down", "name"}, Options{})
	if err != nil {
		t.Fatal(err)
	}
	for i := range uint64(24) {
		d := dev(i, fmt.Sprintf("10.0.0.%d", i), fmt.Sprint(i%3), strings.Repeat("n", int(i)*20))
		if i%2 == 0 {
			d.IP = netip.MustParseAddr(fmt.Sprintf("2001:db8::%d", i))
		}
		if i%5 == 0 {
			d.MAC = device.MAC{}
		}
		if err := b.Add(d); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := b.Commit([]byte("made by a test")); err != nil {
		t.Fatal(err)
	}
	if file, err = os.ReadFile(path); err != nil {
		t.Fatal(err)
	}
	var v4, v6 [25]netip.Addr
	for i := range v4 {
		v4[i] = netip.MustParseAddr(fmt.Sprintf("10.0.0.%d", i))
		v6[i] = netip.MustParseAddr(fmt.Sprintf("2001:db8::%d", i))
	}
	return file, path, func(db *DB) (answers []answer) {
		note := func(v []string, mac device.MAC, ok bool) {
			a := answer{mac: mac, ok: ok}
			if ok && len(v) == 2 {
				a.a, a.b = strings.Clone(v[0]), strings.Clone(v[1])
			}
			answers = append(answers, a)
		}
		for i := range v4 {
			v, ok := db.Lookup(mac(uint64(i)), nil)
			note(v, mac(uint64(i)), ok)
			note(db.LookupIP(v4[i], nil))
			note(db.LookupIP(v6[i], nil))
		}
		return answers
	}
}

// Every octet of a file is altered, in turn, and the file is cut off and made longer: Open
// refuses it, or each answer is the right one or none, and Verify finds out.
func TestAltered(t *testing.T) {
	file, _, ask := small(t)
	good, err := newDB(file)
	if err != nil {
		t.Fatal(err)
	}
	want := ask(good)
	refused, none, right := 0, 0, 0
	for i := range file {
		bad := slices.Clone(file)
		bad[i] ^= byte(1 << (i % 8))
		db, err := newDB(bad)
		if err != nil {
			refused++
			continue
		}
		missing := false
		for j, got := range ask(db) {
			switch {
			case got == want[j]:
			case !got.ok:
				missing = true
			default:
				t.Fatalf("octet %d: %+v, want %+v", i, got, want[j])
			}
		}
		if missing {
			none++
			if db.Damaged() == nil {
				t.Fatalf("octet %d: a device was not found, and the file not known to be damaged", i)
			}
		} else {
			right++
		}
		if db.compare(db.start, db.h.sums.off-db.start) {
			t.Fatalf("octet %d: altered, and not found out", i)
		}
	}
	t.Logf("%d octets: %d refused, %d without some answer, %d with the same answers", len(file), refused, none, right)
	for _, n := range []int{0, 1, preamble - 1, preamble, 100, blockSize - 1, blockSize, len(file) / 2, len(file) - blockSize, len(file) - 1} {
		if _, err := newDB(slices.Clone(file[:n])); !errors.Is(err, ErrDamaged) {
			t.Errorf("cut off after %d octets: %v", n, err)
		}
	}
	if _, err := newDB(append(slices.Clone(file), 0)); !errors.Is(err, ErrDamaged) {
		t.Errorf("one octet longer: %v", err)
	}
}

// The same on disk, for a few octets: what Open and Verify do with a real file.
func TestAlteredOnDisk(t *testing.T) {
	file, path, _ := small(t)
	good, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for i := 0; i < len(file); i += 509 {
		bad := slices.Clone(file)
		bad[i] ^= 0x80
		name := filepath.Join(dir, fmt.Sprint(i))
		if err := os.WriteFile(name, bad, 0o600); err != nil {
			t.Fatal(err)
		}
		db, err := Open(name)
		if err == nil {
			err = db.Verify(context.Background())
		}
		if !errors.Is(err, ErrDamaged) && !(i >= 8 && i < 12) { // another version is not damage
			t.Errorf("octet %d: %v", i, err)
		}
	}
	if err := good.Verify(context.Background()); err != nil {
		t.Error(err)
	}
	for _, name := range []string{dir, "/dev/null", filepath.Join(dir, "none")} {
		if _, err := Open(name); err == nil {
			t.Errorf("opened %s", name)
		}
	}
}

// resum makes the sums of a file right again.
func resum(file []byte) bool {
	h := new(header)
	if len(file) < blockSize {
		return false
	}
	size := int(binary.LittleEndian.Uint32(file[12:]))
	r := reader{b: file[preamble:]}
	for _, f := range h.fields() {
		*f = r.uint(8)
	}
	end := h.sums.off + h.sums.len
	if size < preamble || size > len(file) || h.sums.off > uint64(len(file)) || end > uint64(len(file)) || end < h.sums.off || h.sums.off < uint64(size) {
		return false
	}
	sums := file[h.sums.off:end]
	for i, at := 0, size; at+blockSize <= int(h.sums.off) && i+4 <= len(sums); i, at = i+4, at+blockSize {
		binary.LittleEndian.PutUint32(sums[i:], crc32.Checksum(file[at:at+blockSize], castagnoli()))
	}
	h.sumsCRC = uint64(crc32.Checksum(sums, castagnoli()))
	i := slices.Index(h.fields(), &h.sumsCRC)
	binary.LittleEndian.PutUint64(file[preamble+8*i:], h.sumsCRC)
	clear(file[16:24])
	binary.LittleEndian.PutUint64(file[16:], uint64(crc32.Checksum(file[:size], castagnoli())))
	return true
}

// A file with right sums, whatever is in it, is read without a panic.
func FuzzOpen(f *testing.F) {
	file, _, ask := small(f)
	f.Add(uint32(0), uint64(0), uint32(0), uint64(0))
	for i := range uint32(30) {
		f.Add(preamble+8*i, uint64(1)<<40, preamble+8*(i+7)%300, uint64(3))
		f.Add(blockSize+8*i, ^uint64(0), 2*blockSize+16*i, ^uint64(0))
	}
	f.Fuzz(func(t *testing.T, at1 uint32, x1 uint64, at2 uint32, x2 uint64) {
		bad := slices.Clone(file)
		for _, c := range []struct {
			at uint32
			x  uint64
		}{{at1, x1}, {at2, x2}} {
			at := int(c.at) % (len(bad) - 8)
			binary.LittleEndian.PutUint64(bad[at:], binary.LittleEndian.Uint64(bad[at:])^c.x)
		}
		if !resum(bad) {
			return
		}
		db, err := newDB(bad)
		if err != nil {
			return
		}
		ask(db)
		_ = db.Each(func(*attr.Device) error { return nil }) // that it ends is what counts
	})
}

// Whatever is added is found.
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

// Values stay readable for as long as their DB is held, and the mapping goes when it is dropped.
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
