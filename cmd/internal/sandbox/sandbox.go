// Package sandbox restricts a process, as far as the kernel supports it, to the directories that it writes to (Landlock) and to the
// system calls that it needs (seccomp). The restrictions cannot be undone, and apply to programs that the process starts.
package sandbox

import (
	"errors"
	"os"
	"runtime"
	"syscall"

	"golang.org/x/sys/unix"
)

// Config describes what a process needs.
type Config struct {
	// Write are the directories below which it creates, changes and removes files. A directory that is missing now stays
	// unwritable when it is created later. Reading is not restricted: at a reload the library may be behind another link or
	// mount than at the start.
	Write []string
	Free  error // why the process may write anywhere, without Landlock; nil: it may not
	// Start says that the process starts programs, which may write anywhere and make the system calls that their language
	// needs. Landlock is off then.
	Start bool
	BPF   bool // the process uses bpf(2) and perf_event_open(2)
}

// Result describes the restrictions in force. An error says why one is not; it wraps [errors.ErrUnsupported] if the kernel lacks it.
type Result struct {
	Landlock error
	ABI      int     // of Landlock
	Left     []error // one for each directory of Write that cannot be written to
	Seccomp  error
}

// absent says what a kernel lacks.
type absent string

func (a absent) Error() string { return string(a) }

// Is makes [errors.Is] report [errors.ErrUnsupported].
func (absent) Is(target error) bool { return target == errors.ErrUnsupported }

var (
	// ErrStart says that Landlock is off, as the process starts programs.
	ErrStart = errors.New("the server starts programs, to which it would apply as well")
	// ErrThreads is returned by a program that is linked with C, where a system call cannot be made on all threads.
	ErrThreads = errors.New("a program linked with C cannot change all of its threads")
)

// Apply restricts all threads of the process to cfg, and sets no_new_privs.
func Apply(cfg Config) Result {
	// seccomp synchronizes all threads with this one; Landlock has to be set on each.
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
