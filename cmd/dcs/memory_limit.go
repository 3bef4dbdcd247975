package main

import (
	"os"
	"runtime/debug"

	"dcs/cmd/internal/cgroup"
)

// limitMemory has Go's collector keep the heap to what the control group leaves for it. Where the environment
// says GOMEMLIMIT, that counts.
func (s *server) limitMemory() {
	limit, ok := cgroup.MemoryLimit()
	if !ok || os.Getenv("GOMEMLIMIT") != "" {
		return
	}
	heap, beside := program, 0
	for _, b := range memoryList(&s.cfg) {
		if b.heap {
			heap += b.octets
		} else {
			beside += b.octets
		}
	}
	// The kernel counts sockets and pages of files to the group, too.
	most := limit / 10 * 9
	goal := max(most-int64(beside), most/2)
	debug.SetMemoryLimit(goal)
	s.log.Info("memory is limited", "group", mebibytes(int(limit)), "heap", mebibytes(int(goal)))
	if int64(heap+beside) > most {
		s.log.Warn("the control group allows less memory than may be taken; lower learned_memory, transfers or workers",
			"group", mebibytes(int(limit)), "bounds", mebibytes(heap+beside))
	}
}
