package rig

import (
	"os"
	"os/exec"
	"runtime"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// A thread's and a child's time remain counted after their end.
func TestCPUTime(t *testing.T) {
	const work = 50 * time.Millisecond
	before, err := CPUTime(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread()         // never unlocked: the thread ends with the goroutine
		var own, earlier unix.Timespec // the thread may have worked for others before
		if err := unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &earlier); err != nil {
			t.Error(err)
			return
		}
		for begin := time.Now(); own.Nano()-earlier.Nano() < int64(work) && time.Since(begin) < 30*time.Second; {
			if err := unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &own); err != nil {
				t.Error(err)
				return
			}
		}
	}()
	<-done
	own, err := CPUTime(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	if own -= before; own < work {
		t.Errorf("a thread that was busy for %v took %v", work, own)
	}
	cmd := exec.Command("sh", "-c", "i=0; while [ $i -lt 100000 ]; do i=$((i+1)); done")
	if err := cmd.Run(); err != nil {
		t.Fatal(err)
	}
	all, err := CPUTime(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	child := cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
	if all -= before; all < own+child-20*time.Millisecond {
		t.Errorf("%v with a child that took %v, %v before", all, child, own)
	}
	if _, err := CPUTime(1 << 22); err == nil {
		t.Error("a process that does not exist has a CPU time")
	}
}
