package sandbox

import (
	"errors"
	"os"
	"runtime"
	"slices"
	"unsafe"

	"golang.org/x/sys/unix"
)

// denied are system calls that no part of the server makes, and that attacks on the kernel or on other processes use. They fail
// with EPERM. The unit's SystemCallFilter covers all system calls; this list protects servers without the unit, and adds calls
// that the server makes only at its start.
var denied = []uint32{
	unix.SYS_ACCT, unix.SYS_QUOTACTL, unix.SYS_QUOTACTL_FD, unix.SYS_REBOOT, unix.SYS_SWAPON, unix.SYS_SWAPOFF, unix.SYS_SYSLOG, unix.SYS_VHANGUP,
	unix.SYS_ADJTIMEX, unix.SYS_CLOCK_ADJTIME, unix.SYS_CLOCK_SETTIME, unix.SYS_SETTIMEOFDAY, unix.SYS_SETHOSTNAME, unix.SYS_SETDOMAINNAME,
	unix.SYS_INIT_MODULE, unix.SYS_FINIT_MODULE, unix.SYS_DELETE_MODULE, unix.SYS_KEXEC_LOAD,
	unix.SYS_ADD_KEY, unix.SYS_KEYCTL, unix.SYS_REQUEST_KEY,
	unix.SYS_MOUNT, unix.SYS_UMOUNT2, unix.SYS_MOVE_MOUNT, unix.SYS_MOUNT_SETATTR, unix.SYS_OPEN_TREE, unix.SYS_FSOPEN, unix.SYS_FSCONFIG,
	unix.SYS_FSMOUNT, unix.SYS_FSPICK, unix.SYS_PIVOT_ROOT, unix.SYS_CHROOT, unix.SYS_SETNS, unix.SYS_UNSHARE,
	unix.SYS_PTRACE, unix.SYS_PROCESS_VM_READV, unix.SYS_PROCESS_VM_WRITEV, unix.SYS_PROCESS_MADVISE, unix.SYS_PIDFD_GETFD, unix.SYS_KCMP,
	unix.SYS_USERFAULTFD, unix.SYS_IO_URING_SETUP, unix.SYS_IO_URING_ENTER, unix.SYS_IO_URING_REGISTER,
	unix.SYS_OPEN_BY_HANDLE_AT, unix.SYS_PERSONALITY, unix.SYS_MKNODAT, unix.SYS_FANOTIFY_INIT,
}

// starting are the system calls that start a program.
var starting = []uint32{unix.SYS_EXECVE, unix.SYS_EXECVEAT}

// families are the address families of sockets that a running server opens; AF_XDP and packet sockets are opened before.
var families = []uint32{unix.AF_UNIX, unix.AF_INET, unix.AF_INET6, unix.AF_NETLINK}

// x32 is set in the numbers of system calls of amd64's x32 ABI.
const x32 = 0x40000000

// Offsets in struct seccomp_data (linux/seccomp.h), for little-endian machines.
const (
	offNumber = 0
	offArch   = 4
	offArgs   = 16
)

// namespaces are the flags of clone(2) that create namespaces: all of linux/sched.h except CLONE_NEWTIME, whose bit is part of
// clone's signal number.
const namespaces = unix.CLONE_NEWNS | unix.CLONE_NEWCGROUP | unix.CLONE_NEWUTS | unix.CLONE_NEWIPC | unix.CLONE_NEWUSER | unix.CLONE_NEWPID | unix.CLONE_NEWNET

// An assembler builds a filter. Calls that fail jump to its end, which returns EPERM.
type assembler struct {
	code  []unix.SockFilter
	fails []int // jumps to EPERM if they are taken
	other []int // jumps to EPERM if they are not
}

func (a *assembler) load(offset uint32) {
	a.code = append(a.code, unix.SockFilter{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: offset})
}

// fail makes the call fail if the comparison of the loaded value with k holds.
func (a *assembler) fail(compare uint16, k uint32) {
	a.fails = append(a.fails, len(a.code))
	a.code = append(a.code, unix.SockFilter{Code: unix.BPF_JMP | compare | unix.BPF_K, K: k})
}

// failUnless makes the call fail if the loaded value is not k.
func (a *assembler) failUnless(k uint32) {
	a.other = append(a.other, len(a.code))
	a.code = append(a.code, unix.SockFilter{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: k})
}

// skipUnless skips the next n instructions if the loaded value is not k.
func (a *assembler) skipUnless(k uint32, n int) {
	a.code = append(a.code, unix.SockFilter{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: k, Jf: uint8(n)})
}

func (a *assembler) ret(k uint32) {
	a.code = append(a.code, unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: k})
}

// finish returns the filter. It allows what has not failed.
func (a *assembler) finish() []unix.SockFilter {
	a.ret(unix.SECCOMP_RET_ALLOW)
	end := len(a.code)
	a.ret(unix.SECCOMP_RET_ERRNO | uint32(unix.EPERM))
	for _, i := range a.fails {
		a.code[i].Jt = uint8(end - i - 1)
	}
	for _, i := range a.other {
		a.code[i].Jf = uint8(end - i - 1)
	}
	return a.code
}

// filter returns the seccomp filter; nil: there is none for this architecture.
func filter(cfg *Config) []unix.SockFilter {
	arch := map[string]uint32{"amd64": unix.AUDIT_ARCH_X86_64, "arm64": unix.AUDIT_ARCH_AARCH64}[runtime.GOARCH]
	if arch == 0 {
		return nil
	}
	var a assembler
	a.load(offArch)
	a.failUnless(arch)
	a.load(offNumber)
	if runtime.GOARCH == "amd64" {
		a.fail(unix.BPF_JGE, x32)
	}
	for _, n := range slices.Concat(denied, deniedHere) {
		a.fail(unix.BPF_JEQ, n)
	}
	// clone3 has its flags in memory, which a filter cannot read. Go and the C library fall back to clone on ENOSYS.
	a.skipUnless(unix.SYS_CLONE3, 1)
	a.ret(unix.SECCOMP_RET_ERRNO | uint32(unix.ENOSYS))
	a.skipUnless(unix.SYS_CLONE, 3)
	a.load(offArgs)
	a.fail(unix.BPF_JSET, namespaces)
	a.load(offNumber)
	if !cfg.BPF {
		a.fail(unix.BPF_JEQ, unix.SYS_BPF)
		a.fail(unix.BPF_JEQ, unix.SYS_PERF_EVENT_OPEN)
	}
	if !cfg.Start {
		for _, n := range starting {
			a.fail(unix.BPF_JEQ, n)
		}
		for _, n := range []uint32{unix.SYS_MMAP, unix.SYS_MPROTECT, unix.SYS_PKEY_MPROTECT} {
			a.skipUnless(n, 3)
			a.load(offArgs + 8*2)
			a.fail(unix.BPF_JSET, unix.PROT_EXEC)
			a.load(offNumber)
		}
		a.skipUnless(unix.SYS_SOCKET, 2+len(families))
		a.load(offArgs)
		a.oneOf(families)
	}
	return a.finish()
}

// oneOf allows the call if the loaded value is one of k, else makes it fail.
func (a *assembler) oneOf(k []uint32) {
	for i, v := range k[:len(k)-1] {
		a.code = append(a.code, unix.SockFilter{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: v, Jt: uint8(len(k) - 1 - i)})
	}
	a.failUnless(k[len(k)-1])
	a.ret(unix.SECCOMP_RET_ALLOW)
}

// seccomp installs the filter on all threads.
func seccomp(code []unix.SockFilter) error {
	if code == nil {
		return absent("no filter for this architecture")
	}
	prog := unix.SockFprog{Len: uint16(len(code)), Filter: &code[0]}
	thread, _, errno := unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, unix.SECCOMP_FILTER_FLAG_TSYNC, uintptr(unsafe.Pointer(&prog)))
	switch {
	case errno == unix.ENOSYS, errno == unix.EINVAL && !filters():
		return absent("not in this kernel")
	case errno != 0:
		return os.NewSyscallError("seccomp", errno)
	case thread != 0:
		return errors.New("seccomp: a thread has a filter of its own")
	}
	runtime.KeepAlive(code)
	return nil
}

// filters reports whether the kernel supports filters: if so, reading one at address 0 fails with EFAULT.
func filters() bool {
	_, _, errno := unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, 0, 0)
	return errno == unix.EFAULT
}
