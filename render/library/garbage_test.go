package library

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"runtime/metrics"
	"testing"
	"time"

	"dcs/bench/require"
	"dcs/render/ber/mib"
)

// included is a fleet whose templates include a Block; change gives the Block another value.
type included struct {
	cfg    Config
	octets uint64 // allocated by the last reload
	allocs uint64 // their number
	values int
}

func includedFleet(t testing.TB, n int, head func(i int) string) *included {
	f := &included{}
	f.cfg = Config{Dirs: []string{fleet(t, n, func(i int) string { return head(i) + "\n include common;" })}, MIB: mib.Default(), Parallel: 1}
	f.change(t)
	return f
}

func (f *included) change(t testing.TB) {
	f.values++
	if err := os.WriteFile(filepath.Join(f.cfg.Dirs[0], "common.dcs"), []byte(f.common()), 0o644); err != nil {
		t.Fatal(err)
	}
}

func (f *included) common() string {
	return fmt.Sprintf("Block common { MaxClassifiers %d; }\n", f.values)
}

// fleetBody returns what template i of a fleet makes.
func fleetBody(t testing.TB, s *Snapshot, i int) []byte {
	name := fmt.Sprintf("fleet%06d.bin", i)
	if find(s, name) == nil {
		name = fmt.Sprintf("fleet%06d-2-1.bin", i)
	}
	return staticBody(t, s, name)
}

// load loads the fleet.
func (f *included) load(t testing.TB, prev *Snapshot) *Snapshot {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	s, err := Load(f.cfg, prev)
	if err != nil {
		t.Fatal(err)
	}
	runtime.ReadMemStats(&after)
	f.octets, f.allocs = after.TotalAlloc-before.TotalAlloc, after.Mallocs-before.Mallocs
	return s
}

// TestGarbage reloads templates of 1.75 KB each because of what they include. What that allocates is what the collector works for while the
// workers serve. Before there was memory for one template after the other, each of them took 54 KB.
func TestGarbage(t *testing.T) {
	require.Long(t, "1000 templates")
	const n, most = 1000, 12_000 // octets
	for _, f := range fleets {
		lib := includedFleet(t, n, f.head)
		s := lib.load(t, nil)
		lib.change(t)
		next := lib.load(t, s)
		for _, i := range []int{0, n / 2, n - 1} {
			alone := load(t, map[string]string{"a.dcs": f.head(i) + "\n include common;\n" + modemSource(t), "b.dcs": lib.common()})
			want, got := fleetBody(t, alone, i), fleetBody(t, next, i)
			if !bytes.Equal(got, want) || bytes.Equal(got, fleetBody(t, s, i)) {
				t.Errorf("%s: template %d makes what it made with the Block before, or another file than when it is alone", f.name, i)
			}
		}
		least := lib.octets
		for range 2 { // what the collector takes meanwhile, for other tests' sake, is made again
			lib.change(t)
			next = lib.load(t, next)
			least = min(least, lib.octets)
		}
		t.Logf("%s: %d octets each in %d allocations", f.name, least/n, lib.allocs/n)
		if least/n > most {
			t.Errorf("%s: %d octets each, want at most %d", f.name, least/n, most)
		}
	}
}

// BenchmarkReloadAll reloads many templates because of what they include.
func BenchmarkReloadAll(b *testing.B) {
	const n = 20_000
	for _, f := range fleets {
		b.Run(f.name, func(b *testing.B) {
			lib := includedFleet(b, n, f.head)
			s := lib.load(b, nil)
			var octets, allocs uint64
			var used time.Duration
			var collector float64
			for b.Loop() {
				lib.change(b)
				runtime.GC()
				began, collected := cpuTime(b), collectorTime()
				s = lib.load(b, s)
				used += cpuTime(b) - began
				octets, allocs = octets+lib.octets, allocs+lib.allocs
				runtime.GC() // after which the metric is up to date
				collector += collectorTime() - collected
			}
			each := func(x float64, unit string) { b.ReportMetric(x/float64(b.N)/n, unit) }
			each(float64(octets), "octets/template")
			each(float64(allocs), "allocs/template")
			each(float64(used.Microseconds()), "cpu-µs/template")
			each(1e6*collector, "gc-µs/template")
			b.ReportMetric(0, "ns/op")
			runtime.KeepAlive(s)
		})
	}
}

// collectorTime is the CPU time that the collector has taken, in seconds.
func collectorTime() float64 {
	sample := []metrics.Sample{{Name: "/cpu/classes/gc/total:cpu-seconds"}}
	metrics.Read(sample)
	return sample[0].Value.Float64()
}
