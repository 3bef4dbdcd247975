package rig

import (
	"os"
	"os/exec"
	"runtime"
	"testing"
	"time"
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
		runtime.LockOSThread() // never unlocked: the thread ends with the goroutine
		for begin := time.Now(); time.Since(begin) < work; {
		}
	}()
	<-done
	own, err := CPUTime(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	// The thread may have had to share its CPU.
	if own -= before; own < work/10 {
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
