// Package sandbox holds a process to what it needs from some moment on, as far as the kernel can: where it writes (Landlock) and
// which system calls it makes (seccomp). Neither can be undone, and programs that the process starts are held to the same.
package sandbox

import (
	"errors"
	"os"
	"runtime"
	"syscall"

	"golang.org/x/sys/unix"
)

// Config says what a process needs.
type Config struct {
	// Write are the directories below which it makes, changes and removes files. One that is missing cannot be written to once it
	// is there. What it reads is not restricted: a reload may find the library behind another link or mount than at the start.
	Write []string
	Free  error // why it may write anywhere all the same, without Landlock; nil: it may not
	// Start says that it starts programs, which may write anywhere, and use what their language needs. There is then no
	// Landlock.
	Start bool
	BPF   bool // it uses bpf(2) and perf_event_open(2)
}

// Result says what a process is held to. An error is why it is not, [errors.ErrUnsupported] if the kernel cannot.
type Result struct {
	Landlock error
	ABI      int     // of Landlock
	Left     []error // why a directory of Write cannot be written to, each
	Seccomp  error
}

// absent is why a kernel cannot.
type absent string

func (a absent) Error() string { return string(a) }

// Is implements what [errors.Is] looks for.
func (absent) Is(target error) bool { return target == errors.ErrUnsupported }

var (
	// ErrStart is why there is no Landlock for one that starts programs.
	ErrStart = errors.New("it starts programs, which would be held to the same")
	// ErrThreads is returned where a thread cannot act for the others.
	ErrThreads = errors.New("a program that is linked with C cannot change all of its threads")
)

// Apply holds all threads of the process to cfg, and sets no_new_privs.
func Apply(cfg Config) Result {
	// seccomp brings other threads to the state of its own, which Landlock wants of each.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		err = os.NewSyscallError("prctl", err)
		return Result{Landlock: err, Seccomp: err}
	}
	_, _, errno := syscall.AllThreadsSyscall6(unix.SYS_PRCTL, unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0, 0)
	r := Result{Seccomp: seccomp(filter(&cfg))}
	switch {
	case cfg.Start:
		r.Landlock = ErrStart
	case cfg.Free != nil:
		r.Landlock = cfg.Free
	case errno != 0:
		r.Landlock = threadsError("prctl", errno)
	default:
		r.ABI, r.Left, r.Landlock = landlock(cfg.Write)
	}
	return r
}

// threadsError is the error of [syscall.AllThreadsSyscall].
func threadsError(name string, errno syscall.Errno) error {
	if errno == syscall.ENOTSUP {
		return ErrThreads
	}
	return os.NewSyscallError(name, errno)
}
