// Package ports finds out which processes use an address of this host, or have an XDP program attached.
package ports

import (
	"bufio"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// A Process is a running program.
type Process struct {
	PID  int
	Name string // comm of the process, at most 15 octets
}

func (p Process) String() string { return fmt.Sprintf("%s (pid %d)", p.Name, p.PID) }

// An Owner is the user of a socket and the processes that have it open.
type Owner struct {
	UID       int
	Processes []Process // none if they are not visible: those of other users are visible to root only
}

func (o Owner) String() string {
	var all []string
	for _, p := range o.Processes {
		all = append(all, p.String())
	}
	if len(all) == 0 {
		return fmt.Sprintf("a process of user %d", o.UID)
	}
	return strings.Join(all, ", ")
}

// IsServer reports whether a process of the owner is called dcs.
func (o Owner) IsServer() bool {
	return slices.ContainsFunc(o.Processes, func(p Process) bool { return p.Name == "dcs" })
}

// LowPortAdvice is the advice after the error of a port that may not be opened.
const LowPortAdvice = "; a port below 1024 needs root or CAP_NET_BIND_SERVICE"

// By returns the owners of an address as a suffix to "in use"; "" if none is known.
func By(owners []Owner) string {
	var all []string
	for _, o := range owners {
		if text := o.String(); !slices.Contains(all, text) {
			all = append(all, text)
		}
	}
	if len(all) == 0 {
		return ""
	}
	return " by " + strings.Join(all, ", ")
}

// Owners returns who has sockets of network, "udp" or "tcp", that conflict with addr: sockets on the address itself, on the
// wildcard or, if addr is the wildcard, on any address. Sockets of the address's own family come first.
func Owners(network string, addr netip.AddrPort) []Owner {
	files := []string{network, network + "6"}
	if addr.Addr().Is6() && !addr.Addr().Is4In6() {
		slices.Reverse(files)
	}
	for _, file := range files {
		var owners []Owner
		for _, s := range read(file) {
			if s.overlaps(addr) {
				owners = append(owners, Owner{s.uid, processes(fmt.Sprintf("socket:[%s]", s.inode))})
			}
		}
		if len(owners) > 0 {
			return owners
		}
	}
	return nil
}

// UnixOwner returns who listens at the path of a Unix socket. It does not find processes of other network namespaces.
func UnixOwner(path string) Owner {
	var o Owner
	var st unix.Stat_t
	if unix.Stat(path, &st) == nil {
		o.UID = int(st.Uid)
	}
	f, err := os.Open("/proc/thread-self/net/unix")
	if err != nil {
		return o
	}
	defer f.Close()
	for sc := bufio.NewScanner(f); sc.Scan(); {
		const flags, inode, name, listens = 3, 6, 7, "00010000"
		if fields := strings.Fields(sc.Text()); len(fields) > name && fields[flags] == listens && fields[name] == path {
			o.Processes = append(o.Processes, processes(fmt.Sprintf("socket:[%s]", fields[inode]))...)
		}
	}
	return o
}

// socket is a line of /proc/net/udp or its like (proc_pid_net(5)).
type socket struct {
	local netip.AddrPort
	uid   int
	inode string
}

func (s *socket) overlaps(a netip.AddrPort) bool {
	return s.local.Port() == a.Port() && (s.local.Addr().IsUnspecified() || a.Addr().IsUnspecified() || s.local.Addr().Unmap() == a.Addr().Unmap().WithZone(""))
}

// read returns the bound sockets; of TCP the listening ones.
func read(file string) (all []socket) {
	f, err := os.Open("/proc/thread-self/net/" + file) // of the network namespace that the thread is in
	if err != nil {
		return nil
	}
	defer f.Close()
	for sc := bufio.NewScanner(f); sc.Scan(); {
		const local, state, uid, inode, listens = 1, 3, 7, 9, "0A"
		fields := strings.Fields(sc.Text())
		if len(fields) <= inode || strings.HasPrefix(file, "tcp") && fields[state] != listens {
			continue
		}
		at, err := parse(fields[local])
		if err != nil {
			continue // the heading
		}
		s := socket{local: at, inode: fields[inode]}
		s.uid, _ = strconv.Atoi(fields[uid])
		all = append(all, s)
	}
	return all
}

// parse reads an address as the kernel writes it: words of 32 bits in the host's order, a colon, the port.
func parse(s string) (netip.AddrPort, error) {
	words, port, _ := strings.Cut(s, ":")
	b, err := hex.DecodeString(words)
	if err != nil {
		return netip.AddrPort{}, err
	}
	for i := 0; i+4 <= len(b); i += 4 {
		binary.NativeEndian.PutUint32(b[i:], binary.BigEndian.Uint32(b[i:]))
	}
	addr, ok := netip.AddrFromSlice(b)
	n, err := strconv.ParseUint(port, 16, 16)
	if !ok || err != nil {
		return netip.AddrPort{}, fmt.Errorf("%q is not an address", s)
	}
	return netip.AddrPortFrom(addr, uint16(n)), nil
}

// processes returns the processes with a descriptor that links to target.
func processes(target string) (all []Process) {
	links, _ := filepath.Glob("/proc/[0-9]*/fd/*")
	for _, link := range links {
		if to, err := os.Readlink(link); err != nil || to != target {
			continue
		}
		pid, _ := strconv.Atoi(strings.Split(link, "/")[2])
		if p := (Process{pid, name(pid)}); !slices.Contains(all, p) {
			all = append(all, p)
		}
	}
	return all
}

func name(pid int) string {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/comm", pid))
	if err != nil {
		return "?"
	}
	return strings.TrimSpace(string(b))
}

// HasProgram reports whether a process has a descriptor of the BPF program with the ID program, or of a link to it.
func HasProgram(pid int, program uint32) bool {
	infos, _ := filepath.Glob(fmt.Sprintf("/proc/%d/fdinfo/*", pid))
	for _, info := range infos {
		b, _ := os.ReadFile(info)
		for line := range strings.Lines(string(b)) {
			if id, ok := strings.CutPrefix(line, "prog_id:"); ok && strings.TrimSpace(id) == strconv.FormatUint(uint64(program), 10) {
				return true
			}
		}
	}
	return false
}

// Running returns the processes whose arguments pass a test, by PID, except for the calling one.
func Running(test func(pid int, args []string) bool) (all []int) {
	files, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil || len(b) == 0 {
			continue
		}
		pid, _ := strconv.Atoi(strings.Split(file, "/")[2])
		if pid != os.Getpid() && test(pid, strings.Split(strings.TrimSuffix(string(b), "\x00"), "\x00")) {
			all = append(all, pid)
		}
	}
	slices.Sort(all)
	return all
}
