package server

import (
	"os"
	"runtime/debug"

	"dcs/cmd/internal/assemble"
	"dcs/cmd/internal/cgroup"
)

// limitMemory sets the heap limit of Go's collector to what the control group leaves for the heap. GOMEMLIMIT in the
// environment takes precedence.
func (p *process) limitMemory() {
	limit, ok := cgroup.MemoryLimit()
	if !ok || os.Getenv("GOMEMLIMIT") != "" {
		return
	}
	heap, beside := assemble.Program, 0
	for _, b := range assemble.MemoryList(p.cfg) {
		if b.Heap {
			heap += b.Octets
		} else {
			beside += b.Octets
		}
	}
	// The kernel charges sockets and page cache to the group, too.
	most := limit / 10 * 9
	goal := max(most-int64(beside), most/2)
	debug.SetMemoryLimit(goal)
	p.log.Info("memory limit set", "group", assemble.Mebibytes(int(limit)), "heap", assemble.Mebibytes(int(goal)))
	if int64(heap+beside) > most {
		p.log.Warn("the control group allows less memory than may be taken; lower learned_memory, transfers or workers",
			"group", assemble.Mebibytes(int(limit)), "bounds", assemble.Mebibytes(heap+beside))
	}
}
