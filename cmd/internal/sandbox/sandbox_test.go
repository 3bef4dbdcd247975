package sandbox

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

const inChild = "DCS_TEST_SANDBOX"

// TestMain applies a sandbox in a process of its own, whose directory has open, closed and file, and says what it then can do.
func TestMain(m *testing.M) {
	mode := os.Getenv(inChild)
	if mode == "" {
		os.Exit(m.Run())
	}
	for range 4 {
		go func() { select {} }()
	}
	var free error
	if strings.Contains(mode, "free") {
		free = errors.New("free")
	}
	r := Apply(Config{Write: []string{"gone", "open", "closed/file"}, Free: free, Start: strings.Contains(mode, "start"), BPF: strings.Contains(mode, "bpf")})
	fmt.Printf("landlock: %v\nseccomp: %v\nleft: %v\n", r.Landlock, r.Seccomp, r.Left)
	for _, a := range attempts {
		done := make(chan error)
		go func() { done <- a.do() }() // on some thread
		fmt.Printf("%s: %v\n", a.name, <-done)
	}
	os.Exit(0)
}

func ignored(_ any, err error) error { return err }

// sys makes a system call with arguments that a kernel would refuse in another way.
func sys(number uintptr) func() error {
	return func() error {
		if _, _, errno := unix.Syscall(number, ^uintptr(0), 0, 0); errno != 0 {
			return errno
		}
		return nil
	}
}

func listen(family int, at unix.Sockaddr) error {
	fd, err := unix.Socket(family, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	return errors.Join(unix.Bind(fd, at), unix.Listen(fd, 1), unix.Close(fd))
}

func protect(prot int) func() error {
	return func() error {
		b, err := unix.Mmap(-1, 0, 4096, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANON|unix.MAP_PRIVATE)
		if err != nil {
			return err
		}
		return errors.Join(unix.Mprotect(b, prot), unix.Munmap(b))
	}
}

// clone asks for a thread that shares no signals, which no kernel makes: what comes back is EINVAL unless a filter has answered.
func clone(flags uintptr) func() error {
	return func() error {
		if _, _, errno := unix.RawSyscall6(unix.SYS_CLONE, flags|unix.CLONE_THREAD, 0, 0, 0, 0, 0); errno != unix.EINVAL {
			return errno
		}
		return nil
	}
}

// clone3 wants what has Go and the C library take clone instead.
func clone3() error {
	switch _, _, errno := unix.RawSyscall(unix.SYS_CLONE3, 0, 0, 0); errno {
	case unix.EINVAL:
		return nil
	case unix.EPERM:
		return errors.New("with this error nobody takes clone")
	default:
		return errno
	}
}

// Who cannot do an attempt.
const (
	nobody = 0
	locked = 1 << iota // with Landlock
	closed             // with what starts no programs
	noBPF              // with what uses no BPF
	noRoot             // without root
	all                // anyone
)

var attempts = []struct {
	name string
	do   func() error
	not  int
}{
	{"read", func() error { return ignored(os.ReadFile("closed/file")) }, nobody},
	{"list", func() error { return ignored(os.ReadDir("/")) }, nobody},
	{"make", func() error { return os.WriteFile("open/file", []byte("x"), 0o600) }, nobody},
	{"rename", func() error { return os.Rename("open/file", "open/other") }, nobody},
	{"truncate", func() error { return os.Truncate("open/other", 0) }, nobody},
	{"make a directory", func() error { return os.Mkdir("open/dir", 0o700) }, nobody},
	{"remove", func() error { return errors.Join(os.Remove("open/other"), os.Remove("open/dir")) }, nobody},
	{"a socket of the file system", func() error { return listen(unix.AF_UNIX, &unix.SockaddrUnix{Name: "open/socket"}) }, nobody},
	{"a socket of the network", func() error { return listen(unix.AF_INET, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}) }, nobody},
	{"change data's protection", protect(unix.PROT_READ), nobody},
	{"a netlink socket", func() error { return ignored(unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, 0)) }, nobody},
	{"clone without a namespace", clone(0), nobody},
	{"signal oneself", func() error { return syscall.Kill(os.Getpid(), 0) }, nobody},

	{"write elsewhere", func() error { return os.WriteFile("closed/new", nil, 0o600) }, locked},
	{"write over", func() error { return ignored(os.OpenFile("closed/file", os.O_WRONLY, 0)) }, locked},
	{"truncate elsewhere", func() error { return os.Truncate("closed/file", 0) }, locked},
	{"rename out", func() error {
		return errors.Join(os.WriteFile("open/a", nil, 0o600), os.Rename("open/a", "closed/a"))
	}, locked},
	{"write to what was missing", func() error {
		return errors.Join(os.Mkdir("open/gone", 0o700), os.Rename("open/gone", "gone"), os.WriteFile("gone/new", nil, 0o600))
	}, locked},
	{"write over a file in a directory's place", func() error { return os.WriteFile("closed/file", nil, 0o600) }, locked},
	{"through a link", func() error { return os.WriteFile("open/link/new", nil, 0o600) }, locked},
	{"remove elsewhere", func() error { return os.Remove("closed/old") }, locked},

	{"execute", func() error { return ignored(exec.Command("/bin/true").CombinedOutput()) }, closed},
	{"make data code", protect(unix.PROT_READ | unix.PROT_EXEC), closed},
	{"a packet socket", func() error { return ignored(unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, 0)) }, closed | noRoot},
	{"AF_ALG", func() error { return ignored(unix.Socket(unix.AF_ALG, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)) }, closed},

	{"bpf", sys(unix.SYS_BPF), noBPF},
	{"perf", sys(unix.SYS_PERF_EVENT_OPEN), noBPF},

	{"mount", sys(unix.SYS_MOUNT), all},
	{"unshare", func() error { return unix.Unshare(unix.CLONE_NEWUTS) }, all},
	{"clone with a namespace of users", clone(unix.CLONE_NEWUSER), all},
	{"clone with a namespace of mounts", clone(unix.CLONE_NEWNS), all},
	{"clone with namespaces of all else", clone(unix.CLONE_NEWCGROUP | unix.CLONE_NEWUTS | unix.CLONE_NEWIPC | unix.CLONE_NEWPID | unix.CLONE_NEWNET), all},
	{"clone3", clone3, all},
	{"ptrace", sys(unix.SYS_PTRACE), all},
	{"io_uring", sys(unix.SYS_IO_URING_SETUP), all},
	{"keyctl", sys(unix.SYS_KEYCTL), all},
	{"mknod", func() error { return unix.Mknod("open/device", unix.S_IFCHR|0o600, 1<<8|3) }, all},
}

// Each attempt is refused with the sandboxes that are meant to, on whichever thread it is made, and is not with the others.
func TestSandbox(t *testing.T) {
	for _, mode := range []string{"closed", "bpf", "free", "start", "start bpf"} {
		t.Run(mode, func(t *testing.T) {
			dir := t.TempDir()
			for _, err := range []error{
				os.Mkdir(filepath.Join(dir, "open"), 0o700), os.Mkdir(filepath.Join(dir, "closed"), 0o700),
				os.WriteFile(filepath.Join(dir, "closed/file"), []byte("x"), 0o600), os.WriteFile(filepath.Join(dir, "closed/old"), nil, 0o600),
				os.Symlink("../closed", filepath.Join(dir, "open/link")),
			} {
				if err != nil {
					t.Fatal(err)
				}
			}
			cmd := exec.Command(os.Args[0])
			cmd.Dir, cmd.Env = dir, append(os.Environ(), inChild+"="+mode)
			out, err := cmd.CombinedOutput()
			if err != nil {
				t.Fatalf("%v: %s", err, out)
			}
			said := make(map[string]string)
			for line := range strings.Lines(string(out)) {
				name, result, _ := strings.Cut(strings.TrimSpace(line), ": ")
				said[name] = result
			}
			start := strings.Contains(mode, "start")
			applies := all
			if os.Geteuid() != 0 {
				applies |= noRoot
			}
			switch landlock := said["landlock"]; {
			case landlock == "<nil>":
				applies |= locked
				if got := said["left"]; got != "[open gone: no such file or directory open closed/file: not a directory]" {
					t.Errorf("directories left out: %s", got)
				}
			case start && landlock == ErrStart.Error(), mode == "free" && landlock == mode:
			case !start && landlock == ErrThreads.Error(): // the race detector is C
			case os.Getenv("DCS_REQUIRE_ROOT") == "" && strings.Contains(landlock, "this kernel"):
			default:
				t.Errorf("landlock: %s", landlock)
			}
			if said["seccomp"] != "<nil>" {
				t.Fatalf("seccomp: %s", said["seccomp"])
			}
			if !start {
				applies |= closed
			}
			if !strings.Contains(mode, "bpf") {
				applies |= noBPF
			}
			for _, a := range attempts {
				got, refused := said[a.name], false
				for _, errno := range []syscall.Errno{unix.EPERM, unix.EACCES, unix.EXDEV, unix.ENOSYS} {
					refused = refused || strings.Contains(got, errno.Error())
				}
				if want := a.not&applies != 0; want != refused {
					t.Errorf("%s: %s; want it refused: %v", a.name, got, want)
				}
				if a.not == nobody && got != "<nil>" {
					t.Errorf("%s: %s", a.name, got)
				}
			}
		})
	}
}

// The filter of either architecture fits its jumps.
func TestFilterLength(t *testing.T) {
	if n := len(filter(&Config{})); n == 0 || n > 255 {
		t.Errorf("%d instructions", n)
	}
}

// What a kernel cannot is told apart from what has failed.
func TestAbsent(t *testing.T) {
	if err := seccomp(nil); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("no filter for an architecture: %v", err)
	}
	if err := seccomp([]unix.SockFilter{{Code: 0xffff}}); err == nil || errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("a filter that is none: %v", err)
	}
}
