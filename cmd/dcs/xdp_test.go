package main

import (
	"bytes"
	"context"
	be "encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"github.com/cilium/ebpf/link"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"dcs/bench/afpacket"
	"dcs/bench/netlab"
	"dcs/bench/require"
	"dcs/bench/storm"
	"dcs/cmd/internal/adminapi"
)

// labServe starts the server in a lab and waits until it is ready.
func labServe(t *testing.T, lab *netlab.Lab, args ...string) *process {
	t.Helper()
	p := labStart(t, lab, args...)
	p.await("msg=serving")
	return p
}

func labStart(t *testing.T, lab *netlab.Lab, args ...string) *process {
	t.Helper()
	return labRun(t, lab, exec.Command(binary(t), append([]string{"serve", "--drain", "1s"}, args...)...))
}

// labRun runs a command that becomes the server.
func labRun(t *testing.T, lab *netlab.Lab, cmd *exec.Cmd) *process {
	t.Helper()
	stderr, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := lab.Server.Start(cmd); err != nil {
		t.Fatal(err)
	}
	p := &process{t: t, cmd: cmd, port: "69", log: &lines{}, exit: make(chan error, 1)}
	read := make(chan struct{})
	go func() {
		p.log.read(stderr)
		close(read)
	}()
	go func() {
		<-read
		p.exit <- cmd.Wait()
	}()
	t.Cleanup(func() {
		_ = p.stop(syscall.SIGKILL) // it ends as it may
		if t.Failed() {
			t.Logf("the server said:\n%s", p.log)
		}
	})
	return p
}

// said waits until the server has said a line with all of the words.
func (p *process) said(words ...string) {
	p.t.Helper()
	eventually(p.t, "the server says "+strings.Join(words, " … "), func() bool { return p.count(words...) > 0 })
}

// count returns how many lines of the log have all of the words.
func (p *process) count(words ...string) int {
	n := 0
	for line := range strings.Lines(p.log.String() + "\n") {
		all := true
		for _, w := range words {
			all = all && strings.Contains(line, w)
		}
		if all {
			n++
		}
	}
	return n
}

// labFetch gets a file with our own client from the lab's other end.
func labFetch(t *testing.T, lab *netlab.Lab, host, name string, args ...string) (string, error) {
	t.Helper()
	var stdout, stderr bytes.Buffer
	cmd := exec.Command(binary(t), append([]string{"get", net.JoinHostPort(host, "69"), name, "--timeout", "2s", "--tries", "2"}, args...)...)
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := lab.Load.Run(cmd); err != nil {
		return "", fmt.Errorf("%w: %s", err, stderr.String())
	}
	return stdout.String(), nil
}

func want(t *testing.T, lab *netlab.Lab, host, name, body string) {
	t.Helper()
	if got, err := labFetch(t, lab, host, name); err != nil || got != body {
		t.Errorf("%s from %s: %d octets, %v; want %d", name, host, len(got), err, len(body))
	}
}

func wantSilence(t *testing.T, lab *netlab.Lab, host, name string) {
	t.Helper()
	if got, err := labFetch(t, lab, host, name, "--timeout", "500ms"); err == nil {
		t.Errorf("%s from %s: %d octets, and should be silence", name, host, len(got))
	}
}

// static makes a directory of files to be served as they are.
func static(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, body := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(body), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// ethtoolFlags turns flags of a device in a host on or off (linux/ethtool.h, ETH_FLAG_…).
func ethtoolFlags(h *netlab.Host, name string, on, off uint32) error {
	return h.Do(func() error {
		fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			return err
		}
		defer unix.Close(fd)
		value := struct{ cmd, data uint32 }{cmd: unix.ETHTOOL_GFLAGS}
		var ifr struct {
			name [unix.IFNAMSIZ]byte
			data unsafe.Pointer
			_    [16]byte
		}
		copy(ifr.name[:unix.IFNAMSIZ-1], name)
		ifr.data = unsafe.Pointer(&value)
		for _, cmd := range []uint32{unix.ETHTOOL_GFLAGS, unix.ETHTOOL_SFLAGS} {
			if value.cmd = cmd; cmd == unix.ETHTOOL_SFLAGS {
				value.data = value.data&^off | on
			}
			if _, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), unix.SIOCETHTOOL, uintptr(unsafe.Pointer(&ifr))); errno != 0 {
				return errno
			}
		}
		runtime.KeepAlive(&value)
		return nil
	})
}

const flagsVLAN = 1<<7 | 1<<8 // ETH_FLAG_TXVLAN, ETH_FLAG_RXVLAN

// tagsOnFrames has the devices of a lab leave the tags of VLANs on frames, and put them there.
func tagsOnFrames(t *testing.T, lab *netlab.Lab) {
	t.Helper()
	for _, h := range []*netlab.Host{lab.Server, lab.Load} {
		if err := ethtoolFlags(h, netlab.Device, 0, flagsVLAN); err != nil {
			t.Fatal(err)
		}
	}
}

// addVLAN puts a VLAN with addresses of its own on both ends of the lab: 198.19.id.1 and .2, fd00:198:id::1 and ::2. It
// returns false where the kernel has no VLANs; frames with tags are tested in package xsk too, without.
func addVLAN(t *testing.T, lab *netlab.Lab, id int) (four, six string, ok bool) {
	t.Helper()
	for i, h := range []*netlab.Host{lab.Server, lab.Load} {
		err := h.Do(func() error {
			parent, err := netlink.LinkByName(netlab.Device)
			if err != nil {
				return err
			}
			attrs := netlink.NewLinkAttrs()
			attrs.Name, attrs.ParentIndex = fmt.Sprintf("%s.%d", netlab.Device, id), parent.Attrs().Index
			v := &netlink.Vlan{LinkAttrs: attrs, VlanId: id, VlanProtocol: netlink.VLAN_PROTOCOL_8021Q}
			if err := netlink.LinkAdd(v); err != nil {
				return err
			}
			for _, text := range []string{fmt.Sprintf("198.19.%d.%d/24", id, i+1), fmt.Sprintf("fd00:198:%d::%d/64", id, i+1)} {
				a, err := netlink.ParseAddr(text)
				if err != nil {
					return err
				}
				if a.IP.To4() == nil {
					a.Flags = unix.IFA_F_NODAD
				}
				if err := netlink.AddrAdd(v, a); err != nil {
					return err
				}
			}
			return netlink.LinkSetUp(v)
		})
		if errors.Is(err, unix.EOPNOTSUPP) {
			return "", "", false
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return fmt.Sprintf("198.19.%d.1", id), fmt.Sprintf("fd00:198:%d::1", id), true
}

// xdpOf returns the id of the XDP program on the lab's server, 0 if there is none.
func xdpOf(t *testing.T, lab *netlab.Lab) (id uint32) {
	t.Helper()
	err := lab.Server.Do(func() error {
		l, err := netlink.LinkByName(netlab.Device)
		if err == nil && l.Attrs().Xdp != nil && l.Attrs().Xdp.Attached {
			id = l.Attrs().Xdp.ProgId
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return id
}

// VLANs on a device that would hide their tags: it is told to leave them on while the server runs.
func TestXDPHiddenTags(t *testing.T) {
	lab := netlab.ForTest(t, netlab.Config{})
	if err := ethtoolFlags(lab.Server, netlab.Device, flagsVLAN, 0); err != nil {
		t.Fatal(err)
	}
	hosts := []string{netlab.ServerAddr4.String(), netlab.ServerAddr6.String()}
	four, six, vlans := addVLAN(t, lab, 5)
	if vlans { // else package bpf's tests of tags are all there is
		hosts = append(hosts, four, six)
	}
	dir := static(t, map[string]string{"x": "text"})
	p := labServe(t, lab, "--static", dir)
	p.said("msg=serving", "transport=xdp", "mode=native")
	if hidesTags(t, lab) {
		t.Error("tags are taken off")
	}
	for _, host := range hosts {
		want(t, lab, host, "x", "text")
	}
	if err := p.stop(syscall.SIGTERM); err != nil {
		t.Error(err)
	}
	if !hidesTags(t, lab) {
		t.Error("the device is left with another setting than it had")
	}
	if vlans {
		refused(t, lab, "lab0.5 is a VLAN; name its parent interface, lab0", "--static", dir, "--transport", "xdp", "--interface", "lab0.5")
	}
}

// hidesTags reports whether the server's device takes the tags of VLANs off.
func hidesTags(t *testing.T, lab *netlab.Lab) bool {
	t.Helper()
	var out strings.Builder
	cmd := exec.Command("ethtool", "-k", netlab.Device)
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := lab.Server.Run(cmd); err != nil {
		t.Fatalf("%v: %s", err, out.String())
	}
	return strings.Contains(out.String(), "rx-vlan-offload: on")
}

// refused starts a server that must not start, and holds its reason against a part of it.
func refused(t *testing.T, lab *netlab.Lab, why string, args ...string) {
	t.Helper()
	p := labStart(t, lab, args...)
	if err := p.wait(); err == nil {
		t.Errorf("%v: no error", args)
	}
	if !strings.Contains(p.log.String(), why) {
		t.Errorf("%v: it said %s; want %s", args, p.log, why)
	}
}

// holdXDP attaches a program of somebody else's.
func holdXDP(t *testing.T, lab *netlab.Lab) link.Link {
	t.Helper()
	prog, err := ebpf.NewProgram(&ebpf.ProgramSpec{
		Name: "another", Type: ebpf.XDP, AttachType: ebpf.AttachXDP, License: "GPL",
		Instructions: asm.Instructions{asm.Mov.Imm(asm.R0, 2), asm.Return()}, // XDP_PASS
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { prog.Close() })
	var l link.Link
	err = lab.Server.Do(func() error {
		ifi, err := net.InterfaceByName(netlab.Device)
		if err != nil {
			return err
		}
		l, err = link.AttachXDP(link.XDPOptions{Program: prog, Interface: ifi.Index})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

func TestXDPRefusals(t *testing.T) {
	lab := netlab.ForTest(t, netlab.Config{})
	dir := static(t, map[string]string{"x": "text"})
	refused(t, lab, "transport xdp: interface eth9 does not exist", "--static", dir, "--transport", "xdp", "--interface", "eth9")
	refused(t, lab, "only the loopback interface has addresses of listen", "--static", dir, "--transport", "xdp", "--listen", "127.0.0.1:69")
	held := holdXDP(t, lab)
	refused(t, lab, "(another) holds lab0", "--static", dir, "--transport", "xdp")
	p := labServe(t, lab, "--static", dir)
	p.said("msg=serving", "transport=socket", "(another) holds lab0")
	want(t, lab, netlab.ServerAddr4.String(), "x", "text")
	if err := held.Close(); err != nil {
		t.Error(err)
	}
	if err := p.stop(syscall.SIGTERM); err != nil {
		t.Error(err)
	}
}

// What the server gives up, and what it does without.
func TestPrivileges(t *testing.T) {
	lab := netlab.ForTest(t, netlab.Config{})
	dir := static(t, map[string]string{"x": "text"})
	capabilities := func(p *process) (all []uint64) {
		tasks, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/status", p.cmd.Process.Pid))
		for _, task := range tasks {
			b, err := os.ReadFile(task)
			if err != nil {
				continue // a thread that has ended
			}
			for line := range strings.Lines(string(b)) {
				if hex, ok := strings.CutPrefix(line, "CapPrm:\t"); ok {
					n, err := strconv.ParseUint(strings.TrimSpace(hex), 16, 64)
					if err != nil {
						t.Fatal(err)
					}
					all = append(all, n)
				}
			}
		}
		return all
	}
	const files = 1<<unix.CAP_CHOWN | 1<<unix.CAP_DAC_OVERRIDE | 1<<unix.CAP_DAC_READ_SEARCH | 1<<unix.CAP_FOWNER
	for transport, left := range map[string]uint64{"auto": files | 1<<unix.CAP_NET_ADMIN, "socket": files} {
		p := labServe(t, lab, "--static", dir, "--transport", transport)
		threads := capabilities(p)
		for _, got := range threads {
			if got&^left != 0 {
				t.Errorf("%s: a thread has %#x, want no more than %#x", transport, got, left)
			}
		}
		if len(threads) < 2 {
			t.Errorf("%s: %d threads", transport, len(threads))
		}
		want(t, lab, netlab.ServerAddr4.String(), "x", "text")
		if err := p.stop(syscall.SIGTERM); err != nil {
			t.Error(err)
		}
	}
	require.Program(t, "setpriv")
	bin := binary(t)
	if err := os.Chmod(filepath.Dir(bin), 0o755); err != nil {
		t.Fatal(err)
	}
	poor := func(transport string) *exec.Cmd {
		return exec.Command("setpriv", "--bounding-set", "-net_raw,-bpf,-perfmon,-sys_admin", bin, "serve", "--static", dir, "--transport", transport)
	}
	cmd := poor("xdp")
	var said bytes.Buffer
	cmd.Stderr = &said
	if err := lab.Server.Run(cmd); err == nil || !strings.Contains(said.String(), "missing CAP_BPF, CAP_PERFMON, CAP_NET_RAW") {
		t.Errorf("%v: %s", err, said.String())
	}
}

// The program is detached by somebody else while modems ask, and attached again.
func TestXDPLost(t *testing.T) {
	t.Parallel()
	lab := netlab.ForTest(t, netlab.Config{})
	dir := static(t, map[string]string{"x": strings.Repeat("text", 400)})
	socket := filepath.Join(t.TempDir(), "admin.sock")
	p := labServe(t, lab, "--static", dir, "--transport", "xdp", "--admin", "unix:"+socket)
	before := xdpOf(t, lab)
	if before == 0 {
		t.Fatal("there is no program")
	}
	cfg := storm.Default()
	cfg.Target = netip.AddrPortFrom(netlab.ServerAddr4, 69)
	cfg.Name, cfg.Modems, cfg.Within = "x", 4000, 2*time.Second
	cfg.Interface, cfg.SourceMAC, cfg.GatewayMAC = netlab.Device, netlab.GatewayMAC, netlab.ServerMAC
	cfg.Backoff = []time.Duration{500 * time.Millisecond, time.Second, 2 * time.Second}
	var res *storm.Result
	ended := make(chan error, 1)
	go func() {
		ended <- lab.Load.Do(func() (err error) {
			res, err = storm.Run(context.Background(), cfg)
			return err
		})
	}()
	stormy(t, socket)
	if err := detachAll(lab, before); err != nil {
		t.Fatal(err)
	}
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	if res.Served != cfg.Modems || res.FailedDownloads+res.Wrong+res.Failed+res.Unfinished != 0 {
		t.Errorf("served %d, failed downloads %d, wrong %d, failed %d, unfinished %d", res.Served, res.FailedDownloads, res.Wrong, res.Failed, res.Unfinished)
	}
	p.said("XDP program detached, sockets take all requests", "detached by another process")
	want(t, lab, netlab.ServerAddr6.String(), "x", strings.Repeat("text", 400))
	p.said("XDP program re-attached")
	if xdpOf(t, lab) != before {
		t.Error("another program came")
	}
	want(t, lab, netlab.ServerAddr4.String(), "x", strings.Repeat("text", 400))
}

// stormy waits until a server has had hundreds of requests.
func stormy(t *testing.T, socket string) {
	t.Helper()
	eventually(t, "the storm has begun", func() bool { return sum(samples(t, getAt(t, socket, "/metrics")), "dcs_requests_total") >= 300 })
}

// labModem is a TFTP client that does what it is told, block by block.
type labModem struct {
	t    *testing.T
	c    *net.UDPConn
	to   netip.AddrPort
	next uint16 // block
}

// labModems gives the lab's load so many addresses of both families, with a client at each.
func labModems(t *testing.T, lab *netlab.Lab, n int) (all []*labModem) {
	t.Helper()
	if err := lab.Load.Do(func() error {
		l, err := netlink.LinkByName(netlab.Device)
		if err != nil {
			return err
		}
		for i := range n {
			for _, host := range []struct {
				addr   string
				server netip.Addr
			}{{fmt.Sprintf("198.19.0.%d/24", 10+i), netlab.ServerAddr4}, {fmt.Sprintf("fd00:198:19::%x/64", 16+i), netlab.ServerAddr6}} {
				a, err := netlink.ParseAddr(host.addr)
				if err != nil {
					return err
				}
				a.Flags = unix.IFA_F_NODAD
				if err := netlink.AddrAdd(l, a); err != nil {
					return err
				}
				c, err := net.ListenUDP("udp", &net.UDPAddr{IP: a.IP})
				if err != nil {
					return err
				}
				t.Cleanup(func() { _ = c.Close() })
				all = append(all, &labModem{t: t, c: c, to: netip.AddrPortFrom(host.server, 69)})
			}
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	return all
}

func (m *labModem) send(b []byte) {
	m.t.Helper()
	if _, err := m.c.WriteToUDPAddrPort(b, m.to); err != nil {
		m.t.Error(err)
	}
}

// read waits until a packet comes that begins so. Others are repetitions.
func (m *labModem) read(begin string) bool {
	m.t.Helper()
	_ = m.c.SetReadDeadline(time.Now().Add(20 * time.Second))
	buf := make([]byte, 4096)
	for {
		n, from, err := m.c.ReadFromUDPAddrPort(buf)
		if err != nil {
			m.t.Errorf("%v: no %q: %v", m.c.LocalAddr(), begin, err)
			return false
		}
		if n > 1 && buf[1] == 5 {
			m.t.Errorf("%v: %q", m.c.LocalAddr(), buf[:n])
			return false
		}
		if strings.HasPrefix(string(buf[:n]), begin) {
			m.to = from
			return true
		}
	}
}

// block acknowledges the last block, and waits for the next.
func (m *labModem) block() bool {
	m.t.Helper()
	m.send([]byte{0, 4, byte(m.next >> 8), byte(m.next)})
	m.next++
	return m.read(string([]byte{0, 3, byte(m.next >> 8), byte(m.next)}))
}

// A transfer goes on when the program goes and when it comes back, whichever worker has it, and however large its blocks are.
func TestXDPTransfersOutliveTheProgram(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		queues int
		args   []string
	}{
		"fewer queues than workers": {1, []string{"--workers", "3"}},
		"single port":               {2, []string{"--single-port"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			lab := netlab.ForTest(t, netlab.Config{Queues: tt.queues})
			dir := static(t, map[string]string{"x": strings.Repeat("text", 10_000)})
			p := labServe(t, lab, append([]string{"--static", dir, "--transport", "xdp"}, tt.args...)...)
			all := labModems(t, lab, 6)
			begin := func(ms []*labModem) {
				for _, m := range ms {
					m.send([]byte("\x00\x01x\x00octet\x00blksize\x001468\x00"))
					if m.read("\x00\x06blksize\x001") {
						m.block()
					}
				}
			}
			begin(all[:4])
			if err := detachAll(lab, xdpOf(t, lab)); err != nil {
				t.Fatal(err)
			}
			p.said("XDP program detached")
			begin(all[4:])
			for _, m := range all {
				m.block()
			}
			p.said("XDP program re-attached")
			for range 2 {
				for _, m := range all {
					m.block()
				}
			}
		})
	}
}

// The program leaves alone what comes to others' ports, though they lie among ours.
func TestXDPOthersPorts(t *testing.T) {
	lab := netlab.ForTest(t, netlab.Config{})
	var other net.PacketConn
	if err := lab.Server.Do(func() (err error) {
		other, err = net.ListenPacket("udp4", "0.0.0.0:61001")
		return err
	}); err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	labServe(t, lab, "--static", static(t, map[string]string{"x": "text"}), "--transport", "xdp", "--workers", "1", "--tid-ports", "61000-61010")
	m := labModems(t, lab, 1)[0]
	m.to = netip.AddrPortFrom(netlab.ServerAddr4, 61001)
	m.send([]byte("no TFTP at all"))
	_ = other.SetReadDeadline(time.Now().Add(20 * time.Second))
	buf := make([]byte, 100)
	if n, _, err := other.ReadFrom(buf); err != nil || string(buf[:n]) != "no TFTP at all" {
		t.Errorf("%q, %v", buf[:n], err)
	}
	want(t, lab, netlab.ServerAddr4.String(), "x", "text")
}

// detachAll detaches every link of a program, as bpftool does.
func detachAll(lab *netlab.Lab, program uint32) error {
	return lab.Server.Do(func() error {
		for it := new(link.Iterator); it.Next(); {
			info, err := it.Link.Info()
			if err != nil || uint32(info.Program) != program {
				continue
			}
			return it.Link.Detach()
		}
		return errors.New("the program has no link")
	})
}

func TestXDPInterfaceDownAndUp(t *testing.T) {
	lab := netlab.ForTest(t, netlab.Config{})
	dir := static(t, map[string]string{"x": "text"})
	p := labServe(t, lab, "--static", dir, "--transport", "xdp")
	four, six := netlab.ServerAddr4.String(), netlab.ServerAddr6.String()
	want(t, lab, four, "x", "text")
	set := func(f func(netlink.Link) error) {
		t.Helper()
		err := lab.Server.Do(func() error {
			l, err := netlink.LinkByName(netlab.Device)
			if err != nil {
				return err
			}
			return f(l)
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	set(netlink.LinkSetDown)
	p.said("interface down", "lab0")
	set(netlink.LinkSetUp)
	p.said("interface up", "lab0")
	// The kernel forgot its IPv6 address and the neighbours; the address of IPv4 is still there.
	set(func(l netlink.Link) error {
		err := netlink.NeighSet(&netlink.Neigh{LinkIndex: l.Attrs().Index, State: netlink.NUD_PERMANENT, IP: netlab.LoadAddr4.AsSlice(), HardwareAddr: netlab.LoadMAC})
		a := &netlink.Addr{IPNet: &net.IPNet{IP: netlab.ServerAddr6.AsSlice(), Mask: net.CIDRMask(64, 128)}, Flags: unix.IFA_F_NODAD}
		return errors.Join(err, netlink.AddrReplace(l, a))
	})
	for _, host := range []string{four, six} {
		eventually(t, "the server answers at "+host, func() bool {
			got, err := labFetch(t, lab, host, "x")
			return err == nil && got == "text"
		})
	}
	if p.count("XDP program detached") > 0 {
		t.Error("the program was lost")
	}
}

// The interface is deleted, and another of its name is made: the server goes on, and filters there.
func TestXDPInterfaceGone(t *testing.T) {
	t.Parallel()
	lab := netlab.ForTest(t, netlab.Config{})
	dir := static(t, map[string]string{"x": "text"})
	p := labServe(t, lab, "--static", dir, "--transport", "xdp")
	want(t, lab, netlab.ServerAddr4.String(), "x", "text")
	locally := func() {
		t.Helper()
		var stdout, stderr bytes.Buffer
		cmd := exec.Command(binary(t), "get", "127.0.0.1:69", "x", "--timeout", "2s", "--tries", "5")
		cmd.Stdout, cmd.Stderr = &stdout, &stderr
		if err := lab.Server.Run(cmd); err != nil || stdout.String() != "text" {
			t.Errorf("%v: %q %s", err, stdout.String(), stderr.String())
		}
	}
	err := lab.Server.Do(func() error {
		l, err := netlink.LinkByName(netlab.Device)
		if err != nil {
			return err
		}
		return netlink.LinkDel(l)
	})
	if err != nil {
		t.Fatal(err)
	}
	p.said("XDP program detached")
	locally()
	err = lab.Server.Do(func() error {
		attrs := netlink.NewLinkAttrs()
		attrs.Name = netlab.Device
		if err := netlink.LinkAdd(&netlink.Veth{LinkAttrs: attrs, PeerName: "peer0"}); err != nil {
			return err
		}
		for _, name := range []string{netlab.Device, "peer0"} {
			l, err := netlink.LinkByName(name)
			if err == nil {
				err = netlink.LinkSetUp(l)
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	p.said("interface was re-created")
	p.said("XDP program re-attached")
	locally()
	if err := p.stop(syscall.SIGTERM); err != nil {
		t.Error(err)
	}
}

// An ACL and a rate hold whatever the transport, at the start, by the API, and by SIGHUP.
func TestLimits(t *testing.T) {
	t.Parallel()
	for _, transport := range []string{"xdp", "socket"} {
		t.Run(transport, func(t *testing.T) {
			t.Parallel()
			lab := netlab.ForTest(t, netlab.Config{})
			dir := static(t, map[string]string{"x": "text"})
			file := filepath.Join(t.TempDir(), "dcs.yaml")
			configure := func(keys string) {
				t.Helper()
				if err := os.WriteFile(file, []byte("static: "+dir+"\n"+keys), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			configure("allow: ['fd00::/8', 198.18.0.0/16]\n")
			socket := filepath.Join(t.TempDir(), "admin.sock")
			p := labServe(t, lab, "--config", file, "--transport", transport, "--admin", "unix:"+socket)
			four, six := netlab.ServerAddr4.String(), netlab.ServerAddr6.String()
			wantSilence(t, lab, four, "x")
			want(t, lab, six, "x", "text")

			api := &http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
				return new(net.Dialer).DialContext(ctx, "unix", socket)
			}}}
			call := func(method, body string, status int) (v adminapi.Limits) {
				t.Helper()
				req, err := http.NewRequest(method, "http://localhost/api/limits", strings.NewReader(body))
				if err != nil {
					t.Fatal(err)
				}
				res, err := api.Do(req)
				if err != nil {
					t.Fatal(err)
				}
				defer res.Body.Close()
				if res.StatusCode != status {
					t.Errorf("%s %s: status %d, want %d", method, body, res.StatusCode, status)
				}
				if err := json.NewDecoder(res.Body).Decode(&v); err != nil {
					t.Error(err)
				}
				return v
			}
			if v := call("GET", "", 200); strings.Join(*v.Allow, " ") != "fd00::/8 198.18.0.0/16" || *v.Rate != 2000 || *v.Burst != 120000 || *v.PrefixV4 != 32 || *v.PrefixV6 != 64 {
				t.Errorf("%v %v %v %v %v", *v.Allow, *v.Rate, *v.Burst, *v.PrefixV4, *v.PrefixV6)
			}
			for _, bad := range []string{`{"allow": ["ten"]}`, `{"rate": -1}`, `{"burst": 0}`, `{"prefix_v4": 0}`, `{"prefix_v6": 129}`, `{"rates": 1}`, `[`} {
				call("POST", bad, 400)
			}
			wantSilence(t, lab, four, "x")
			call("POST", `{"allow": ["198.19.0.0/16"], "rate": 0.25, "burst": 2}`, 200)
			for range 2 {
				want(t, lab, four, "x", "text")
			}
			wantSilence(t, lab, four, "x")
			wantSilence(t, lab, six, "x")
			call("POST", `{"rate": 0, "allow": []}`, 200)
			want(t, lab, four, "x", "text")
			want(t, lab, six, "x", "text")

			configure("allow: 198.19.0.0/16\nrate: 0.1\n")
			p.reload()
			p.said("keeping the previous configuration")
			want(t, lab, six, "x", "text")
			configure("allow: 198.19.0.0/16\n")
			p.reload()
			p.said("msg=\"limits set\"")
			if strings.Contains(p.log.String(), "need a restart") {
				t.Error("limits wait for a restart")
			}
			want(t, lab, four, "x", "text")
			wantSilence(t, lab, six, "x")
			if transport == "xdp" {
				p.said("msg=dropped", "verdict=drop_acl", "source=198.19.0.2:")
			}
		})
	}
}

// floodFrames sends n requests, each from a random address and port, to the lab's server.
func floodFrames(lab *netlab.Lab, n int) error {
	return lab.Load.Do(func() error {
		s, err := afpacket.Open(netlab.Device, afpacket.Config{Slots: 64})
		if err != nil {
			return err
		}
		defer s.Close()
		const ip, udp, payload = 14, 34, 42
		f := make([]byte, payload, 64)
		f = append(f, "\x00\x01x\x00octet\x00"...)
		copy(f, netlab.ServerMAC)
		copy(f[6:], netlab.GatewayMAC)
		be.BigEndian.PutUint16(f[12:], unix.ETH_P_IP)
		f[ip], f[ip+8], f[ip+9] = 0x45, 64, unix.IPPROTO_UDP
		be.BigEndian.PutUint16(f[ip+2:], uint16(len(f)-ip))
		copy(f[ip+16:], netlab.ServerAddr4.AsSlice())
		be.BigEndian.PutUint16(f[udp+2:], 69)
		be.BigEndian.PutUint16(f[udp+4:], uint16(len(f)-udp)) // without a checksum, which IPv4 allows
		rnd := rand.New(rand.NewPCG(1, 2))
		for range n {
			source := 1<<24 + rnd.Uint32N(126<<24-1<<24) // 1.0.0.0 to 125.255.255.255
			be.BigEndian.PutUint32(f[ip+12:], source)
			be.BigEndian.PutUint16(f[udp:], 1024+uint16(rnd.Uint32N(60000)))
			f[ip+10], f[ip+11] = 0, 0
			var sum uint32
			for i := ip; i < udp; i += 2 {
				sum += uint32(be.BigEndian.Uint16(f[i:]))
			}
			sum = sum&0xffff + sum>>16
			be.BigEndian.PutUint16(f[ip+10:], ^uint16(sum+sum>>16))
			slot := s.Slot()
			s.Commit(copy(slot[:cap(slot)], f))
		}
		s.Flush()
		return nil
	})
}

// rss returns the memory of the server in octets.
func (p *process) rss() int {
	p.t.Helper()
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", p.cmd.Process.Pid))
	if err != nil {
		p.t.Fatal(err)
	}
	pages, err := strconv.Atoi(strings.Fields(string(b))[1])
	if err != nil {
		p.t.Fatal(err)
	}
	return pages * os.Getpagesize()
}

// A million requests from random sources: the modems that may ask are served, and the memory stays as it is. With a rate
// instead of an ACL, which remembers sources, it is bounded too.
func TestRandomSources(t *testing.T) {
	for _, transport := range []string{"xdp", "socket"} {
		for _, limit := range [][]string{{"--allow", netlab.ModemNet4.String()}, {"--rate", "100"}} {
			t.Run(transport+limit[0], func(t *testing.T) {
				lab := netlab.ForTest(t, netlab.Config{})
				dir := static(t, map[string]string{"modem": strings.Repeat("text", 2000), "x": "x"})
				p := labServe(t, lab, append([]string{"--static", dir, "--transport", transport, "--transfers", "4096"}, limit...)...)
				if err := floodFrames(lab, 50_000); err != nil { // whatever grows with the first packets has grown
					t.Fatal(err)
				}
				before := p.rss()
				flood := make(chan error, 1)
				go func() { flood <- floodFrames(lab, 1_000_000) }()
				if limit[0] == "--allow" {
					cfg := storm.Default()
					cfg.Target = netip.AddrPortFrom(netlab.ServerAddr4, 69)
					cfg.Name, cfg.Modems, cfg.Within, cfg.CPU = "modem", 1000, 2*time.Second, -1
					cfg.Interface, cfg.SourceMAC, cfg.GatewayMAC = netlab.Device, netlab.GatewayMAC, netlab.ServerMAC
					cfg.Backoff = []time.Duration{500 * time.Millisecond, time.Second, 2 * time.Second}
					var res *storm.Result
					err := lab.Load.Do(func() (err error) {
						res, err = storm.Run(context.Background(), cfg)
						return err
					})
					if err != nil {
						t.Fatal(err)
					}
					if res.Served != cfg.Modems || res.Failed+res.Wrong+res.Unfinished != 0 {
						t.Errorf("served %d, wrong %d, failed %d, unfinished %d", res.Served, res.Wrong, res.Failed, res.Unfinished)
					}
				}
				if err := <-flood; err != nil {
					t.Fatal(err)
				}
				after := p.rss()
				t.Logf("memory: %.1f MB before a million requests, %.1f MB after", float64(before)/1e6, float64(after)/1e6)
				if after > before+16<<20 {
					t.Errorf("memory grew from %d to %d octets", before, after)
				}
				if err := p.stop(syscall.SIGTERM); err != nil {
					t.Error(err)
				}
			})
		}
	}
}
