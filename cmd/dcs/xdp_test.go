package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"github.com/cilium/ebpf/link"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"dcs/bench/netlab"
	"dcs/bench/require"
	"dcs/bench/storm"
	"dcs/cmd/internal/adminapi"
)

// VLANs on a device that would hide their tags: it is told to leave them on while the server runs.
func TestXDPHiddenTags(t *testing.T) {
	t.Parallel()
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
	t.Parallel()
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
	t.Parallel()
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
	t.Parallel()
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

func TestXDPInterfaceDownAndUp(t *testing.T) {
	t.Parallel()
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
