package main

import (
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"dcs/cmd/internal/config"
	"dcs/fastpath"
	"dcs/render"
	"dcs/render/device"
	"dcs/render/mic"
)

// A batch goes through the adapter and the renderer without an allocation: names that
// are known and names that are not, files from templates and files as they are.
func TestAdapterNoAllocs(t *testing.T) {
	cfg := config.Default()
	cfg.Library, cfg.Static = []string{"../../testdata/library"}, []string{"../../testdata/static"}
	lib, err := libraryConfig(&cfg)
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

// A worker that waits keeps its processor only while the run-time has another one.
func TestKeepProcessor(t *testing.T) {
	had := runtime.GOMAXPROCS(0)
	defer runtime.GOMAXPROCS(had)
	for _, tt := range []struct {
		said          string // $GOMAXPROCS
		workers, want int
	}{
		{"", had, had + 1},
		{"", had + 3, had + 4},
		{"", had - 1, had},
		{fmt.Sprint(had), had, had}, // the operator's word holds
	} {
		runtime.GOMAXPROCS(had)
		t.Setenv("GOMAXPROCS", tt.said)
		if keepProcessor(tt.workers); runtime.GOMAXPROCS(0) != tt.want {
			t.Errorf("GOMAXPROCS=%q, %d workers: %d processors, want %d", tt.said, tt.workers, runtime.GOMAXPROCS(0), tt.want)
		}
	}
}

// The design's 20 ms for compiling one file are measured by "make bench". What starting costs is up to the machine: under one
// hypervisor a page fault takes some 40 µs, an empty Go program 6 ms. So the test compares with such a program: a package
// whose initialisation takes long shows, and so does a verb that reads what it does not need.
func TestStartup(t *testing.T) {
	if slowdown > 1 {
		t.Skip("the binary under test is the same without the race detector")
	}
	fastest := func(name string, args ...string) time.Duration {
		best := time.Hour
		for range 20 {
			cmd := exec.Command(name, args...)
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Fatalf("%v: %s", err, out)
			}
			best = min(best, cmd.ProcessState.UserTime()+cmd.ProcessState.SystemTime())
		}
		return best
	}
	ours := fastest(binary(t), "compile", "../../testdata/library/basic.cfg", "-o", os.DevNull)
	nothing := filepath.Join(t.TempDir(), "nothing")
	if err := os.WriteFile(nothing+".go", []byte("package main\n\nfunc main() {}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	build := exec.Command("go", "build", "-o", nothing, nothing+".go")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	idle := fastest(nothing)
	t.Logf("dcs compile %v, an empty program %v", ours, idle)
	if ours > max(20*time.Millisecond, 8*idle) {
		t.Errorf("the fastest of 20 runs took %v, an empty program's %v", ours, idle)
	}
}
