package server

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"

	"golang.org/x/sys/unix"
)

// besideWorkers is the nice value of all threads but the workers'. A thread of nice 19 has 1.5 % of the weight of a worker that wants the
// same CPU. The collector, which stops the workers at times, must not wait long for such a thread either: while the workers stand still,
// their CPU is its own. While 40,000 templates reload, a worker on the same CPU keeps 0.5 of its rate over AF_XDP; it was 0.38.
const besideWorkers = 19

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
			if err := unix.Setpriority(unix.PRIO_PROCESS, id, besideWorkers); err != nil && !errors.Is(err, unix.ESRCH) {
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
