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

	"dcs/cmd/internal/spare"
)

// besideWorkers is the nice value of all threads except the workers' and those of [spare.Do], which come last. A thread of
// nice 10 has a tenth of the weight of a worker that wants the same CPU: enough to ask a database for devices that are not known yet, while
// all CPUs are taken. With 19, beside a backup that takes them all, 2,000 questions a second wait for more than 3 s.
const besideWorkers = 10

// spareCPUs returns the number of goroutines that may work beside the workers: one for each CPU without a worker, and at least one. Go queues
// goroutines behind one another whatever the priorities of their threads, so that a worker that has to wait for its turn waits for all of
// them. With one instead of two while 50,000 templates reload, 0.85 of the rate is left instead of 0.48.
func spareCPUs(workers int) int {
	// A CPU quota lowers GOMAXPROCS, and more workers than CPUs raise it.
	return max(1, min(runtime.NumCPU(), runtime.GOMAXPROCS(0))-workers)
}

// lowerThreads gives the CPU to the workers, whose threads are given, before everything else of the process: HTTP, questions to sources, the
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
			if err := spare.Lower(id, besideWorkers); err != nil && !errors.Is(err, unix.ESRCH) {
				return err
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
