package server

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"

	"golang.org/x/sys/unix"

	"dcs/cmd/internal/assemble"
	"dcs/cmd/internal/config"
)

// besideWorkers is the nice value of all threads but the workers'. A thread of nice 19 has 1.5 % of the weight of a worker that wants the
// same CPU. The collector, which stops the workers at times, may have to wait for such a thread, but not for the workers then.
const besideWorkers = 19

// turn is how long such a thread runs before the kernel (6.12 or later, others ignore it) considers who else wants its CPU, in ns; it is
// the shortest that there is. Otherwise, and however low its priority, a thread that has got a CPU keeps it for some 3 ms, while 500
// requests arrive. Beside 2 million devices that load on the same CPU, 0.92 of the rate over AF_XDP is left with it, and 0.70 without.
const turn = 100_000

// spareCPUs returns the number of goroutines that may work beside the workers: one for each CPU without a worker, and at least one. Go queues
// goroutines behind one another whatever the priorities of their threads, so that a worker that has to wait for its turn waits for all of
// them. With one instead of two while 50,000 templates reload, 0.85 of the rate is left instead of 0.48.
func spareCPUs(cfg *config.Config) int {
	// A CPU quota lowers GOMAXPROCS, and more workers than CPUs raise it.
	return max(1, min(runtime.NumCPU(), runtime.GOMAXPROCS(0))-assemble.WorkersOf(cfg))
}

// lowerThreads gives the CPU to the workers, whose threads are given, before everything else of the process: loading, merging, and the
// collector. Go cannot give goroutines a priority, but a thread has that of the thread that creates it, and none is created by a worker's,
// which is locked. So it suffices to lower the threads that there are, which takes no privilege. There is no way back up without one:
// it must be called once all workers run.
func lowerThreads(workers []int) error {
	const tasks = "/proc/self/task"
	lowered := map[int]bool{}
	for more := true; more; { // a thread may have created another meanwhile
		more = false
		list, err := os.ReadDir(tasks)
		if err != nil {
			return err
		}
		for _, t := range list {
			id, err := threadID(filepath.Join(tasks, t.Name(), "status"))
			if errors.Is(err, os.ErrNotExist) || errors.Is(err, unix.ESRCH) {
				continue // it has ended
			}
			if err != nil {
				return err
			}
			if lowered[id] || slices.Contains(workers, id) {
				continue
			}
			attr := unix.SchedAttr{Size: unix.SizeofSchedAttr, Policy: unix.SCHED_NORMAL, Nice: besideWorkers, Runtime: turn}
			err = unix.SchedSetAttr(id, &attr, 0)
			if err != nil { // a container may forbid the call
				err = unix.Setpriority(unix.PRIO_PROCESS, id, besideWorkers)
			}
			if err != nil && !errors.Is(err, unix.ESRCH) {
				return fmt.Errorf("setpriority: %w", err)
			}
			lowered[id], more = true, true
		}
	}
	return nil
}

// threadID returns the number of a thread in the innermost PID namespace, in which the process is, out of its status file. The name of
// its directory is the one in the namespace of /proc.
func threadID(status string) (int, error) {
	b, err := os.ReadFile(status)
	if err != nil {
		return 0, err
	}
	for line := range bytes.Lines(b) {
		if ids, ok := bytes.CutPrefix(line, []byte("NSpid:")); ok {
			f := bytes.Fields(ids)
			return strconv.Atoi(string(f[len(f)-1]))
		}
	}
	return 0, fmt.Errorf("%s: no NSpid", status)
}
