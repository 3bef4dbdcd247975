package assemble

import (
	"fmt"
	"math"
	"runtime"
	"strings"

	"dcs/cmd/internal/cgroup"
	"dcs/cmd/internal/config"
	"dcs/fastpath"
	"dcs/fastpath/guard"
	"dcs/fastpath/transfer"
	"dcs/fastpath/xsk"
	"dcs/render"
	"dcs/render/library"
	"dcs/render/naming"
)

// learnedMemory returns what the names learned may take, in octets.
func learnedMemory(cfg *config.Config) int {
	if cfg.LearnedMemory > 0 {
		return cfg.LearnedMemory
	}
	if limit, ok := cgroup.MemoryLimit(); ok {
		return min(library.DefaultLearned, int(limit/8))
	}
	return library.DefaultLearned
}

// memoryBound is the most that something takes.
type memoryBound struct {
	what   string
	Octets int
	Heap   bool // of it, Go's collector knows
}

// WorkersOf returns how many workers a server with sockets has.
func WorkersOf(cfg *config.Config) int {
	if cfg.Workers > 0 {
		return cfg.Workers
	}
	return runtime.GOMAXPROCS(0)
}

// MemoryList lists what is bounded of the memory that the server takes, by the configuration.
// What grows with the library and its static files, and the pages of mapped files, stand beside it.
func MemoryList(cfg *config.Config) []memoryBound {
	workers := WorkersOf(cfg)
	journal := 0
	if len(cfg.Admin) > 0 {
		journal = JournalSize
	}
	heap, bodies := fastpath.Config{Transfer: transfer.Config{Transfers: cfg.Transfers}}.Octets()
	list := []memoryBound{
		{"learned names", learnedMemory(cfg), true},
		{"running transfers", workers * heap, true},
		{"their files", workers * bodies, false},
		{"workers", workers * render.WorkerOctets(journal), true},
	}
	renderers := workers
	if cfg.HTTP != "" {
		renderers += httpWorkers()
		list = append(list, memoryBound{"workers of HTTP", httpWorkers() * render.WorkerOctets(journal), true})
	}
	if len(cfg.Names.Rewrite) > 0 {
		list = append(list, memoryBound{"rewritten names", renderers * naming.CacheOctets, true})
	}
	if cfg.Rate > 0 {
		list = append(list, memoryBound{"rates of sources", guard.Octets, true})
	}
	if cfg.Transport != config.Socket {
		list = append(list, memoryBound{"AF_XDP", workers * xsk.Octets, false})
	}
	if cfg.Secrets != "" {
		list = append(list, memoryBound{"clones", render.CloneOctets, true})
	}
	if len(cfg.Devices.Sources) > 0 {
		list = append(list, memoryBound{"devices", deviceMemory, true})
	}
	return list
}

// deviceMemory is what devices take beside their mapped file: 64 MiB while the file is made anew, 32 MiB of the latest
// changes (65,536 devices with some 500 octets each), and 8 MiB for devices that are asked for and who asked.
const deviceMemory = 104 << 20

// Program is what the server takes without anything to do: the names of SNMP objects, the
// certificates and pages that are built in, Go's runtime.
const Program = 32 << 20

// MemoryBounds tells what memory is bounded, and how.
func MemoryBounds(cfg *config.Config) string {
	sum, parts := Program, []string{}
	for _, b := range MemoryList(cfg) {
		sum += b.Octets
		parts = append(parts, b.what+" "+Mebibytes(b.Octets))
	}
	return fmt.Sprintf("memory: at most %s beside the library: %s, the program %s", Mebibytes(sum), strings.Join(parts, ", "), Mebibytes(Program))
}

// Mebibytes writes a number of octets as MiB, rounded up.
func Mebibytes(octets int) string { return fmt.Sprintf("%.0f MiB", math.Ceil(float64(octets)/(1<<20))) }

// JournalSize is how many outcomes a worker keeps until the console fetches them, every tenth of a second.
const JournalSize = 2048

// httpWorkers returns how many workers there are for HTTP, in both pools.
func httpWorkers() int { return 2 * runtime.GOMAXPROCS(0) }
