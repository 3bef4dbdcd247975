package localdb

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"dcs/render/attr"
	"dcs/render/device"
)

// benchDevices is the size of the fleet: $DCS_BENCH_DEVICES, else a million.
func benchDevices(tb testing.TB) int {
	text := os.Getenv("DCS_BENCH_DEVICES")
	if text == "" {
		return 1_000_000
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		tb.Fatalf("DCS_BENCH_DEVICES=%s: not a number of devices", text)
	}
	return n
}

// fleet makes unsorted devices: MAC addresses of six vendors, an IPv4 address each, five attributes with values common in the
// fleet, and a unique serial number, or with shared a sixth common value.
type fleet struct {
	n      uint64
	shared bool
	vals   [6]string
	d      attr.Device
}

func (f *fleet) names() []string {
	return []string{"down", "up", "cpe", "profile", "firmware", "serial"}
}

// mac returns the address of device i, 0 ≤ i < n.
func (f *fleet) mac(i uint64) device.MAC {
	oui := [6]uint64{0x0015a2, 0x001dcd, 0x5c571a, 0x844765, 0xb4f2e8, 0xf0f249}
	return mac(oui[i%6]<<24 | i/6)
}

func (f *fleet) ip(i uint64) netip.Addr {
	x := 0x0a000000 + uint32(i)
	return netip.AddrFrom4([4]byte{byte(x >> 24), byte(x >> 16), byte(x >> 8), byte(x)})
}

func (f *fleet) each(yield func(*attr.Device) error) error {
	d := &f.d
	step := uint64(7919) // prime to any n that it does not divide: visits each device once
	for f.n%step == 0 {
		step += 2
	}
	for k := range f.n {
		i := k * step % f.n
		d.MAC, d.IP = f.mac(i), f.ip(i)
		r := mix64(i + 1)
		f.vals = [6]string{
			downs[r%40], ups[r>>8%20], cpes[r>>16%16], profiles[r>>24%200], firmwares[r>>32%30], "",
		}
		if f.shared {
			f.vals[5] = profiles[r>>40%200]
		} else {
			f.vals[5] = fmt.Sprintf("SN%010d", i*7)
		}
		d.Values = f.vals[:]
		if err := yield(d); err != nil {
			return err
		}
	}
	return nil
}

var (
	downs     = numbered(40, "%d00000")
	ups       = numbered(20, "%d0000")
	cpes      = numbered(16, "%d")
	profiles  = numbered(200, "residential-%d")
	firmwares = numbered(30, "vendor-6.1.%d-nosh.bin")
)

func numbered(n int, format string) (list []string) {
	for i := range n {
		list = append(list, fmt.Sprintf(format, i+1))
	}
	return list
}

// benchFile builds the fleet's file, or takes the one in $DCS_BENCH_DIR that was built before.
func benchFile(b *testing.B, f *fleet) string {
	dir := os.Getenv("DCS_BENCH_DIR")
	if dir == "" {
		dir = b.TempDir()
	}
	path := filepath.Join(dir, fmt.Sprintf("fleet-%d-%v", f.n, f.shared))
	if _, err := os.Stat(path); err == nil {
		return path
	}
	buildFleet(b, f, path)
	return path
}

func buildFleet(b *testing.B, f *fleet, path string) Stats {
	bld, err := Create(path, f.names(), Options{})
	if err != nil {
		b.Fatal(err)
	}
	defer bld.Abort()
	if err := f.each(bld.Add); err != nil {
		b.Fatal(err)
	}
	st, err := bld.Commit(nil)
	if err != nil {
		b.Fatal(err)
	}
	return st
}

func BenchmarkBuild(b *testing.B) {
	for _, shared := range []bool{true, false} {
		b.Run(kind(shared), func(b *testing.B) {
			f := &fleet{n: uint64(benchDevices(b)), shared: shared}
			path := filepath.Join(b.TempDir(), "fleet")
			for b.Loop() {
				st := buildFleet(b, f, path)
				b.ReportMetric(float64(st.Bytes)/float64(st.Devices), "B/device")
				b.ReportMetric(float64(st.Bytes-st.ValueBytes)/float64(st.Devices), "B/device-beyond-values")
			}
			b.ReportMetric(float64(f.n)*float64(b.N)/b.Elapsed().Seconds(), "devices/s")
			b.ReportMetric(float64(peakRSS(b))/(1<<20), "peak-MiB")
		})
	}
}

func kind(shared bool) string {
	if shared {
		return "shared"
	}
	return "serials"
}

// peakRSS returns the peak resident set size of the process, including mapped files.
func peakRSS(b *testing.B) int64 {
	var ru syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &ru); err != nil {
		b.Fatal(err)
	}
	return ru.Maxrss << 10
}

// Open, and a first look-up, of a file that is in the page cache.
func BenchmarkOpen(b *testing.B) {
	f := &fleet{n: uint64(benchDevices(b))}
	path := benchFile(b, f)
	dst := make([]string, 0, 6)
	for b.Loop() {
		db, err := Open(path)
		if err != nil {
			b.Fatal(err)
		}
		if _, ok := db.Lookup(f.mac(f.n/2), dst); !ok {
			b.Fatal("not found")
		}
		if err := db.Close(); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkVerify(b *testing.B) {
	path := benchFile(b, &fleet{n: uint64(benchDevices(b))})
	for b.Loop() {
		db, err := Open(path)
		if err != nil {
			b.Fatal(err)
		}
		if err := db.Verify(context.Background()); err != nil {
			b.Fatal(err)
		}
		b.SetBytes(int64(db.h.fileLen))
		db.Close()
	}
}

// Look-ups of a verified file. cold: devices in random order, a fleet that no cache holds.
// warm: the same 1000 devices again and again. unknown: MAC addresses that are not there.
func BenchmarkLookup(b *testing.B) {
	for _, shared := range []bool{true, false} {
		f := &fleet{n: uint64(benchDevices(b)), shared: shared}
		db, err := Open(benchFile(b, f))
		if err != nil {
			b.Fatal(err)
		}
		if err := db.Verify(context.Background()); err != nil {
			b.Fatal(err)
		}
		dst := make([]string, 0, 6)
		r := rand.New(rand.NewPCG(1, 2))
		order := make([]uint32, 1<<20)
		for i := range order {
			order[i] = uint32(r.Uint64N(f.n))
		}
		run := func(name string, look func(i uint64) bool, want bool, mask int) {
			b.Run(strings.Join([]string{kind(shared), name}, "/"), func(b *testing.B) {
				// Beside the mean, which other processes on the machine lengthen, the
				// median of short runs of 256 look-ups, most of which nothing interrupts.
				var runs []float64
				n := 0
				began := time.Now()
				for b.Loop() {
					if look(uint64(order[n&mask])) != want {
						b.Fatal("wrong answer")
					}
					if n++; n%256 == 0 {
						now := time.Now()
						runs = append(runs, float64(now.Sub(began))/256)
						began = now
					}
				}
				if len(runs) > 0 {
					slices.Sort(runs)
					b.ReportMetric(runs[len(runs)/2], "median-ns")
					b.ReportMetric(runs[len(runs)/10], "p10-ns")
				}
			})
		}
		byMAC := func(i uint64) bool {
			v, ok := db.Lookup(f.mac(i), dst)
			return ok && v[5] != ""
		}
		read := func(i uint64) bool { // and the value's octets read, as rendering does
			v, ok := db.Lookup(f.mac(i), dst)
			return ok && v[5][0] != 0
		}
		byAddr := func(i uint64) bool {
			v, _, ok := db.LookupIP(f.ip(i), dst)
			return ok && v[5] != ""
		}
		unknown := func(i uint64) bool {
			_, ok := db.Lookup(f.mac(i+f.n), dst)
			return ok
		}
		// The yardstick: one read at a random place of the same mapping, which memory alone limits.
		sum := byte(0)
		touch := func(i uint64) bool {
			sum += db.data[mix64(i+uint64(sum&1))%db.h.rows.len+db.h.rows.off] // each waits for the one before
			return true
		}
		run("one-read", touch, true, len(order)-1)
		run("mac-cold", byMAC, true, len(order)-1)
		run("mac-cold-read", read, true, len(order)-1)
		run("mac-warm", byMAC, true, 1023)
		run("ip-cold", byAddr, true, len(order)-1)
		run("ip-warm", byAddr, true, 1023)
		// As a worker does it, 16 requests at a time; the figures are of one device.
		for _, size := range []int{16, 64} {
			batch := make([]attr.Query, size)
			for i := range batch {
				batch[i].Values = make([]string, 0, 6)
			}
			n := 0
			all := func(set func(q *attr.Query, i uint64)) func(uint64) bool {
				return func(i uint64) bool {
					set(&batch[n], i)
					if n++; n < size {
						return true
					}
					n = 0
					db.LookupBatch(batch)
					for i := range batch {
						if !batch[i].Found || batch[i].Values[5] == "" {
							return false
						}
					}
					return true
				}
			}
			run(fmt.Sprintf("mac-cold-batch-%d", size), all(func(q *attr.Query, i uint64) { q.MAC = f.mac(i) }), true, len(order)-1)
			n = 0
			run(fmt.Sprintf("ip-cold-batch-%d", size), all(func(q *attr.Query, i uint64) { q.IP, q.MAC = f.ip(i), device.MAC{} }), true, len(order)-1)
		}
		run("unknown-cold", unknown, false, len(order)-1)
		runtime.KeepAlive(db)
	}
}

// The look-ups of a file that was just opened, which compare blocks with their sums first.
func BenchmarkLookupUnverified(b *testing.B) {
	f := &fleet{n: uint64(benchDevices(b))}
	db, err := Open(benchFile(b, f))
	if err != nil {
		b.Fatal(err)
	}
	dst := make([]string, 0, 6)
	r := rand.New(rand.NewPCG(1, 2))
	for b.Loop() {
		if _, ok := db.Lookup(f.mac(r.Uint64N(f.n)), dst); !ok {
			b.Fatal("not found")
		}
	}
	runtime.KeepAlive(db)
}
