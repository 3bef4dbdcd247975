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

// learnedMemory returns the memory for learned kinds of names, in octets.
func learnedMemory(cfg *config.Config) int {
	if cfg.LearnedMemory > 0 {
		return cfg.LearnedMemory
	}
	if limit, ok := cgroup.MemoryLimit(); ok {
		return min(library.DefaultLearned, int(limit/8))
	}
	return library.DefaultLearned
}

// A MemoryBound is the maximum memory of a part of the server.
type MemoryBound struct {
	what   string
	Octets int
	Heap   bool // managed by Go's collector
}

// WorkersOf returns the number of workers of a server without AF_XDP.
func WorkersOf(cfg *config.Config) int {
	if cfg.Workers > 0 {
		return cfg.Workers
	}
	return runtime.GOMAXPROCS(0)
}

// MemoryList lists the parts of the server whose memory the configuration limits. The library, its static files and the pages of
// mapped files come on top.
func MemoryList(cfg *config.Config) []MemoryBound {
	workers := WorkersOf(cfg)
	journal := 0
	if len(cfg.Admin) > 0 {
		journal = JournalSize
	}
	heap, bodies := fastpath.Config{Transfer: transfer.Config{Transfers: cfg.Transfers}}.Octets()
	list := []MemoryBound{
		{"learned kinds of names", learnedMemory(cfg), true},
		{"matching names", library.MatchOctets, true},
		{"running transfers", workers * heap, true},
		{"their files", workers * bodies, false},
		{"workers", workers * render.WorkerOctets(journal), true},
	}
	renderers := workers
	if cfg.HTTP != "" {
		renderers += httpWorkers()
		list = append(list, MemoryBound{"workers of HTTP", httpWorkers() * render.WorkerOctets(journal), true})
	}
	if len(cfg.Names.Rewrite) > 0 {
		list = append(list, MemoryBound{"rewritten names", renderers * naming.CacheOctets, true})
	}
	if cfg.Rate > 0 {
		list = append(list, MemoryBound{"rates of sources", guard.Octets + workers*guard.SieveOctets(workers), true})
	}
	if cfg.Transport != config.Socket {
		list = append(list, MemoryBound{"AF_XDP", workers * xsk.Octets, false}, MemoryBound{"packets for other workers", xsk.InboxOctets(workers), true})
	}
	if cfg.Secrets != "" {
		list = append(list, MemoryBound{"clones", render.CloneOctets, true})
	}
	if len(cfg.Devices.Sources) > 0 {
		list = append(list, MemoryBound{"devices", deviceMemory, true})
	}
	return list
}

// deviceMemory is the memory in octets for devices, without their mapped file: 64 MiB while the file is rebuilt, 32 MiB for the
// latest changes (65,536 devices of some 500 octets), and 8 MiB for pending look-ups.
const deviceMemory = 104 << 20

// Program is the memory of an idle server, octets: names of SNMP objects, built-in certificates and pages, Go's runtime.
const Program = 32 << 20

// MemoryBounds describes the memory limits on one line.
func MemoryBounds(cfg *config.Config) string {
	sum, parts := Program, []string{}
	for _, b := range MemoryList(cfg) {
		sum += b.Octets
		parts = append(parts, b.what+" "+Mebibytes(b.Octets))
	}
	return fmt.Sprintf("memory: at most %s beside the library: %s, the program %s", Mebibytes(sum), strings.Join(parts, ", "), Mebibytes(Program))
}

// Mebibytes formats a number of octets as MiB, rounded up.
func Mebibytes(octets int) string { return fmt.Sprintf("%.0f MiB", math.Ceil(float64(octets)/(1<<20))) }

// JournalSize is how many outcomes a worker records until the console fetches them, every tenth of a second.
const JournalSize = 2048

// httpWorkers returns the number of workers for HTTP, for GET and HEAD together.
func httpWorkers() int { return 2 * runtime.GOMAXPROCS(0) }
