package server

import (
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"

	"golang.org/x/sys/unix"
)

const inLowered = "DCS_TEST_LOWERED"

// All threads but those given have the lower priority, also those that are created later. There is no way back, so the test runs in a
// process of its own.
func TestLowerThreads(t *testing.T) {
	if os.Getenv(inLowered) == "" {
		cmd := exec.Command(os.Args[0], "-test.run=^TestLowerThreads$", "-test.v")
		cmd.Env = append(os.Environ(), inLowered+"=1")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("%v:\n%s", err, out)
		}
		return
	}
	before, err := unix.Getpriority(unix.PRIO_PROCESS, 0) // 20 less the nice value: getpriority(2)
	if err != nil {
		t.Fatal(err)
	}
	id, end := make(chan int), make(chan struct{})
	go func() {
		runtime.LockOSThread()
		id <- unix.Gettid()
		<-end
	}()
	worker := <-id
	if err := lowerThreads([]int{worker}); err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	for range 20 {
		all.Add(1)
		go func() {
			runtime.LockOSThread()
			all.Done()
			<-end
		}()
	}
	all.Wait()
	stats, _ := filepath.Glob("/proc/self/task/*/status")
	kept := 0
	for _, status := range stats {
		tid, err := threadID(status)
		if err != nil {
			continue // it has ended
		}
		got, err := unix.Getpriority(unix.PRIO_PROCESS, tid)
		want := 20 - besideWorkers
		if tid == worker {
			want = before
			kept++
		}
		if err != nil || got != want {
			t.Errorf("thread %d has priority %d (%v), not %d", tid, got, err, want)
		}
	}
	if kept != 1 || len(stats) < 20 {
		t.Errorf("%d workers among %s", kept, strings.Join(stats, " "))
	}
	close(end)
}
