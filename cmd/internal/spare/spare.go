// Package spare does work in the CPU time that others leave.
package spare

import (
	"os"
	"runtime"

	"golang.org/x/sys/unix"
)

// nice is the nice value of threads of such work: 3.4 % of the weight of a worker that wants the same CPU. While 2 million devices load on a
// worker's CPU, 0.9 to 1 of the rate is left to it with nice 19, 0.74 to 0.89 with 10 and 0.36 to 0.62 with 5. 19 is less than a load may
// have: a backup that takes all CPUs leaves it 1.5 % of them.
const nice = 15

// turn is how long a lowered thread runs before the kernel (6.12 or later, others ignore it) considers who else wants its CPU, in ns; it is
// the shortest that there is. Otherwise, and however low its priority, a thread that has got a CPU keeps it for some 3 ms, while 500
// requests arrive. Beside 2 million devices that load on the same CPU, 0.92 of the rate over AF_XDP is left with it, and 0.70 without.
const turn = 100_000

// Do calls f on a thread that gives way to all others of the process, and returns when f does. f must not expect the rights of the
// caller's thread, where these differ from the process's. The thread cannot be raised again without a privilege, so it ends with f, or is not
// used again if it is the process's first. A child that this thread started earlier, as one of Go's pool, gets its Pdeathsig then: such
// children are started from threads that are locked for as long as the child lives.
func Do(f func()) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread() // for good
		_ = Lower(0, nice)     // where it is forbidden, the work competes with others; the server says so at its start
		f()
	}()
	<-done
}

// Lower gives a thread (0: the caller's) short turns and a nice value, unless its own is higher. This takes no privilege.
func Lower(thread, nice int) error {
	own, err := unix.Getpriority(unix.PRIO_PROCESS, thread)
	if err != nil {
		return os.NewSyscallError("getpriority", err)
	}
	nice = max(nice, 20-own) // the system call returns 20 less the nice value
	attr := unix.SchedAttr{Size: unix.SizeofSchedAttr, Policy: unix.SCHED_NORMAL, Nice: int32(nice), Runtime: turn}
	err = unix.SchedSetAttr(thread, &attr, 0)
	if err != nil { // a container may forbid the call
		err = os.NewSyscallError("setpriority", unix.Setpriority(unix.PRIO_PROCESS, thread, nice))
	}
	return err
}
