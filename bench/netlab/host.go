package netlab

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"syscall"

	"golang.org/x/sys/unix"
)

// Host is an anonymous network namespace: it ends with the last process in it, so nothing is left behind, not even
// after SIGKILL. All methods may be called from any goroutine.
type Host struct {
	ns      *os.File
	work    chan func()
	done    chan struct{}
	started []*os.Process // accessed by the host's own thread only
}

func newHost() (*Host, error) {
	h := &Host{work: make(chan func()), done: make(chan struct{})}
	ready := make(chan error)
	go h.live(ready)
	if err := <-ready; err != nil {
		return nil, err
	}
	return h, nil
}

// live is the host's own thread. It owns the namespace and is the parent thread of every process started in it: the
// kernel's parent-death signal is tied to the thread, not the process. It is never unlocked, so it ends with the
// goroutine, and no other goroutine inherits its namespaces.
func (h *Host) live(ready chan<- error) {
	runtime.LockOSThread()
	defer close(h.done)
	if err := h.enter(); err != nil {
		ready <- err
		return
	}
	ready <- nil
	for f := range h.work {
		f()
	}
	for _, p := range h.started {
		_ = p.Kill() // a process that was reaped already returns an error, and no other is hit
	}
}

func (h *Host) enter() error {
	if err := unix.Unshare(unix.CLONE_NEWNET | unix.CLONE_NEWNS); err != nil {
		return fmt.Errorf("new network namespace: %w", err)
	}
	// A sysfs shows the devices of the namespace it was mounted in.
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("private mounts: %w", err)
	}
	if err := unix.Mount("sysfs", "/sys", "sysfs", 0, ""); err != nil {
		return fmt.Errorf("sysfs: %w", err)
	}
	ns, err := os.Open(fmt.Sprintf("/proc/self/task/%d/ns/net", unix.Gettid()))
	if err != nil {
		return err
	}
	h.ns = ns
	return nil
}

// run runs f on the host's own thread. f must not block for long.
func (h *Host) run(f func() error) error {
	errc := make(chan error, 1)
	h.work <- func() { errc <- f() }
	return <-errc
}

func (h *Host) close() error {
	close(h.work)
	<-h.done
	return h.ns.Close()
}

// Do runs f in the host's network namespace, on a thread that is used for nothing else. Sockets that f opens stay in
// the namespace wherever they are used later; goroutines that f starts do not.
func (h *Host) Do(f func() error) error {
	errc := make(chan error, 1)
	go func() {
		runtime.LockOSThread() // never unlocked: the thread ends with this goroutine
		if err := unix.Setns(int(h.ns.Fd()), unix.CLONE_NEWNET); err != nil {
			errc <- fmt.Errorf("enter network namespace: %w", err)
			return
		}
		errc <- f()
	}()
	return <-errc
}

// Start starts cmd in the host on the given CPUs (all of them if none is given). The process is killed with all its
// children when the lab is closed, and when the calling process ends, unless it has changed its credentials since,
// which clears the parent-death signal. It is the first process of a PID namespace, so that its children end with it;
// signals that it does not handle do not reach it, except SIGKILL.
func (h *Host) Start(cmd *exec.Cmd, cpus ...int) error {
	return h.run(func() error {
		if cmd.SysProcAttr == nil {
			cmd.SysProcAttr = &syscall.SysProcAttr{}
		}
		cmd.SysProcAttr.Pdeathsig = syscall.SIGKILL
		cmd.SysProcAttr.Cloneflags |= syscall.CLONE_NEWPID
		if len(cpus) > 0 {
			var before unix.CPUSet
			if err := unix.SchedGetaffinity(0, &before); err != nil {
				return err
			}
			if err := pin(cpus...); err != nil {
				return err
			}
			defer func() { _ = unix.SchedSetaffinity(0, &before) }() // restores a mask that was permitted before
		}
		if err := cmd.Start(); err != nil {
			return err
		}
		h.started = append(h.started, cmd.Process)
		return nil
	})
}

// Run starts cmd as Start does and waits for it.
func (h *Host) Run(cmd *exec.Cmd, cpus ...int) error {
	if err := h.Start(cmd, cpus...); err != nil {
		return err
	}
	return cmd.Wait()
}

// WriteFile writes a file under /sys or /proc/sys/net of the host.
func (h *Host) WriteFile(name, value string) error {
	return h.run(func() error { return os.WriteFile(name, []byte(value), 0o644) })
}

// ReadFile reads a file as WriteFile writes it.
func (h *Host) ReadFile(name string) (value string, err error) {
	err = h.run(func() error {
		b, err := os.ReadFile(name)
		value = string(b)
		return err
	})
	return value, err
}

// pin binds the calling thread to the given CPUs; the goroutine must have locked its thread.
func pin(cpus ...int) error {
	var set unix.CPUSet
	for _, c := range cpus {
		set.Set(c)
	}
	if err := unix.SchedSetaffinity(0, &set); err != nil {
		return fmt.Errorf("pin to CPU %v: %w", cpus, err)
	}
	return nil
}

// PinProcess binds all threads of the calling process, including future ones, to the given CPUs.
func PinProcess(cpus ...int) error {
	tasks, err := os.ReadDir("/proc/self/task")
	if err != nil {
		return err
	}
	var set unix.CPUSet
	for _, c := range cpus {
		set.Set(c)
	}
	for _, t := range tasks {
		var tid int
		if _, err := fmt.Sscan(t.Name(), &tid); err != nil {
			continue
		}
		if err := unix.SchedSetaffinity(tid, &set); err != nil && !errors.Is(err, unix.ESRCH) {
			return fmt.Errorf("pin to CPU %v: %w", cpus, err)
		}
	}
	return nil
}
