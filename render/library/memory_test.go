package library

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"dcs/bench/require"
	"dcs/render/ber/mib"
)

// fleets are libraries of many templates of some 1.5 KB in a file each, by what differs between them.
var fleets = []struct {
	name string
	head func(i int) string // replaces the header of modem.dcs
}{
	{"patterns", func(i int) string {
		return fmt.Sprintf(`Main ~ "^fleet%06d-(?P<cpe>[1-9]|1[0-6])-(?P<tier>[1-3])\.bin$" {`, i)
	}},
	{"names", func(i int) string {
		return fmt.Sprintf("Main \"fleet%06d.bin\" {\n default cpe %d; default tier %d;", i, 1+i%16, 1+i%3)
	}},
}

// modemSource is the template that the peers are compared with, without its header.
func modemSource(t testing.TB) string {
	t.Helper()
	src, err := os.ReadFile("../../bench/peers/library/modem.dcs")
	if err != nil {
		t.Fatal(err)
	}
	_, body, found := strings.Cut(string(src), "{\n")
	if !found {
		t.Fatal("modem.dcs has no body")
	}
	return body
}

// fleet writes n templates, a hundred to a directory.
func fleet(t testing.TB, n int, head func(i int) string) (dir string) {
	t.Helper()
	dir, body := t.TempDir(), modemSource(t)
	for i := range n {
		path := fleetFile(dir, i)
		if i%100 == 0 {
			if err := os.Mkdir(filepath.Dir(path), 0o755); err != nil {
				t.Fatal(err)
			}
		}
		if err := os.WriteFile(path, []byte(head(i)+"\n"+body), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func fleetFile(dir string, i int) string {
	return filepath.Join(dir, fmt.Sprintf("%04d/%06d.dcs", i/100, i))
}

// liveOctets is the memory in use after a garbage collection, in octets.
func liveOctets() int64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.GC()
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// BenchmarkFleet loads many templates, and again after one of them has changed.
func BenchmarkFleet(b *testing.B) {
	for _, f := range fleets {
		for _, n := range []int{1000, 10_000, 100_000} {
			b.Run(fmt.Sprintf("%s/%d", f.name, n), func(b *testing.B) {
				if n > 10_000 {
					require.Longest(b, "100,000 templates")
				}
				dir := fleet(b, n, f.head)
				cfg := Config{Dirs: []string{dir}, MIB: mib.Default()}
				var octets int64
				var load, reload, loadCPU, reloadCPU time.Duration
				for b.Loop() {
					before := liveOctets()
					start, used := time.Now(), cpuTime(b)
					s, err := Load(cfg, nil)
					if err != nil {
						b.Fatal(err)
					}
					load, loadCPU = load+time.Since(start), loadCPU+cpuTime(b)-used
					octets += liveOctets() - before

					if err := os.WriteFile(fleetFile(dir, n/2), []byte(f.head(n/2)+"\n MaxClassifiers 3;\n"+modemSource(b)), 0o644); err != nil {
						b.Fatal(err)
					}
					start, used = time.Now(), cpuTime(b)
					if s, err = Load(cfg, s); err != nil {
						b.Fatal(err)
					}
					reload, reloadCPU = reload+time.Since(start), reloadCPU+cpuTime(b)-used
					runtime.KeepAlive(s)
				}
				b.ReportMetric(float64(octets)/float64(b.N)/float64(n), "octets/template")
				b.ReportMetric(float64(load.Milliseconds())/float64(b.N), "ms/load")
				b.ReportMetric(float64(loadCPU.Milliseconds())/float64(b.N), "cpu-ms/load")
				b.ReportMetric(float64(reloadCPU.Milliseconds())/float64(b.N), "cpu-ms/reload")
				b.ReportMetric(float64(reload.Milliseconds())/float64(b.N), "ms/reload")
				b.ReportMetric(0, "ns/op")
			})
		}
	}
}

// TestMemory loads templates of 1.75 KB each, whose memory has a limit.
func TestMemory(t *testing.T) {
	require.Long(t, "2000 templates")
	const n, most = 2000, 6500 // octets
	for _, f := range fleets {
		cfg := Config{Dirs: []string{fleet(t, n, f.head)}, MIB: mib.Default(), Learned: 1 << 16}
		before := liveOctets()
		s, err := Load(cfg, nil)
		if err != nil {
			t.Fatal(err)
		}
		each := (liveOctets() - before) / n
		t.Logf("%s: %d octets each", f.name, each)
		if each > most {
			t.Errorf("%s: %d octets each, want at most %d", f.name, each, most)
		}
		s, err = Load(cfg, s) // what the library before held is let go
		if err != nil {
			t.Fatal(err)
		}
		if again := (liveOctets() - before) / n; again > most {
			t.Errorf("%s: %d octets each after a reload, want at most %d", f.name, again, most)
		}
		runtime.KeepAlive(s)
	}
}
