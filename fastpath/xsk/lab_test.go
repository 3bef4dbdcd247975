package xsk_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"github.com/cilium/ebpf/link"
	"golang.org/x/sys/unix"

	"dcs/bench/netlab"
	"dcs/bench/require"
	"dcs/fastpath"
	"dcs/fastpath/internal/conform"
	"dcs/fastpath/udp"
	"dcs/fastpath/xsk"
)

var start = time.Now()

func clock() (wall, mono int64) {
	now := time.Now()
	return now.UnixNano(), int64(now.Sub(start))
}

// A wire is a lab whose server has an XDP program that hands all of UDP to the AF_XDP sockets of an XSKMAP.
type wire struct {
	group   *xsk.Group
	sockets []*udp.Transport
	*netlab.Lab
	xsks *ebpf.Map
	link link.Link
}

func newWire(t testing.TB, cfg netlab.Config) *wire {
	t.Helper()
	w := &wire{Lab: netlab.ForTest(t, cfg)}
	w.xsks, w.link = redirect(t, w.Server)
	return w
}

// redirect attaches to a host's device a program that hands all of UDP to the sockets in the map.
func redirect(t testing.TB, h *netlab.Host) (xsks *ebpf.Map, attached link.Link) {
	t.Helper()
	xsks, err := ebpf.NewMap(&ebpf.MapSpec{Type: ebpf.XSKMap, KeySize: 4, ValueSize: 4, MaxEntries: 8})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = xsks.Close() })
	prog, err := ebpf.NewProgram(&ebpf.ProgramSpec{Type: ebpf.XDP, License: "GPL", Instructions: redirectUDP(xsks.FD())})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = prog.Close() })
	err = h.Do(func() error {
		l, err := net.InterfaceByName(netlab.Device)
		if err != nil {
			return err
		}
		attached, err = link.AttachXDP(link.XDPOptions{Program: prog, Interface: l.Index, Flags: link.XDPDriverMode})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = attached.Close() })
	return xsks, attached
}

// redirectUDP is a program that redirects every datagram of UDP that is no fragment, behind at most two VLAN tags.
func redirectUDP(xsks int) asm.Instructions {
	prog := asm.Instructions{
		asm.Mov.Reg(asm.R6, asm.R1),
		asm.LoadMem(asm.R7, asm.R1, 0, asm.Word), // data
		asm.LoadMem(asm.R8, asm.R1, 4, asm.Word), // data_end
	}
	const vlan, qinq, ipv4, ipv6 = 0x0081, 0xa888, 0x0008, 0xdd86 // as they are loaded on a little-endian machine
	for tags := range 3 {
		at := int16(12 + 4*tags)
		labels := []string{fmt.Sprint("v4_", tags), fmt.Sprint("v6_", tags)}
		more := "more_" + labels[0]
		block := asm.Instructions{
			asm.Mov.Reg(asm.R2, asm.R7),
			asm.Add.Imm(asm.R2, int32(at)+2+40),
			asm.JGT.Reg(asm.R2, asm.R8, "short_"+labels[0]),
			asm.LoadMem(asm.R3, asm.R7, at, asm.Half),
			asm.JEq.Imm(asm.R3, ipv6, labels[1]),
			asm.JNE.Imm(asm.R3, ipv4, "next_"+labels[0]),
			asm.Ja.Label(labels[0]),
			// An IPv4 datagram may be shorter than 40 octets behind the Ethernet header.
			asm.Mov.Reg(asm.R2, asm.R7).WithSymbol("short_" + labels[0]),
			asm.Add.Imm(asm.R2, int32(at)+2+20),
			asm.JGT.Reg(asm.R2, asm.R8, "pass"),
			asm.LoadMem(asm.R3, asm.R7, at, asm.Half),
			asm.JNE.Imm(asm.R3, ipv4, "next_"+labels[0]),
			asm.LoadMem(asm.R3, asm.R7, at+2+6, asm.Half).WithSymbol(labels[0]),
			asm.And.Imm(asm.R3, 0xff3f),
			asm.JNE.Imm(asm.R3, 0, "pass"),
			asm.LoadMem(asm.R3, asm.R7, at+2+9, asm.Byte),
			asm.JEq.Imm(asm.R3, unix.IPPROTO_UDP, "redirect"),
			asm.Ja.Label("pass"),
			asm.LoadMem(asm.R3, asm.R7, at+2+6, asm.Byte).WithSymbol(labels[1]),
			asm.JEq.Imm(asm.R3, unix.IPPROTO_UDP, "redirect"),
			asm.Ja.Label("pass"),
			asm.JEq.Imm(asm.R3, vlan, more).WithSymbol("next_" + labels[0]),
			asm.JNE.Imm(asm.R3, qinq, "pass"),
			asm.Mov.Imm(asm.R3, 0).WithSymbol(more),
		}
		prog = append(prog, block...)
	}
	return append(prog,
		// Behind three tags.
		asm.Mov.Imm(asm.R0, 2).WithSymbol("pass"), // XDP_PASS
		asm.Return(),
		asm.LoadMapPtr(asm.R1, xsks).WithSymbol("redirect"),
		asm.LoadMem(asm.R2, asm.R6, 16, asm.Word), // rx_queue_index
		asm.Mov.Imm(asm.R3, 2),                    // without a socket: XDP_PASS
		asm.FnRedirectMap.Call(),
		asm.Return(),
	)
}

// index returns the index of the server's device.
func (w *wire) index(t testing.TB) (index int) {
	t.Helper()
	err := w.Server.Do(func() error {
		i, err := net.InterfaceByName(netlab.Device)
		if err == nil {
			index = i.Index
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return index
}

// device is the lab's interface, with all of its queues.
func (w *wire) device() xsk.Interface {
	return xsk.Interface{Name: netlab.Device, Attach: func(queue, fd int) error { return w.xsks.Put(uint32(queue), uint32(fd)) }}
}

// open opens a server's transports on the wire.
func (w *wire) open(t testing.TB, at []netip.AddrPort, queues int, change func(*xsk.Config)) []*xsk.Transport {
	t.Helper()
	var ts []*xsk.Transport
	err := w.Server.Do(func() error {
		// Of this thread alone, which ends with the function: /sys shows the devices of the namespace that mounted it.
		err := errors.Join(unix.Unshare(unix.CLONE_NEWNS), unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""), unix.Mount("sysfs", "/sys", "sysfs", 0, ""))
		if err != nil {
			return err
		}
		cfg := xsk.Config{Interfaces: []xsk.Interface{w.device()}, Frames: 1024, Tick: 5 * time.Millisecond}
		if change != nil {
			change(&cfg)
		}
		us, err := udp.Open(udp.Config{Listen: at, SinglePort: cfg.SinglePort}, queues)
		if err != nil {
			return err
		}
		cfg.Listen = us[0].Addrs()
		w.sockets = us
		for _, u := range us {
			cfg.Sockets = append(cfg.Sockets, u)
		}
		// The kernel frees the queue of the test before in the background, on a busy machine after more than Open waits for.
		for end := time.Now().Add(30 * time.Second); ; {
			if w.group, err = xsk.Open(cfg); !errors.Is(err, unix.EBUSY) || time.Now().After(end) {
				break
			}
		}
		if err != nil {
			for _, u := range us {
				_ = u.Close()
			}
			return err
		}
		ts = w.group.Transports
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		for _, tr := range ts {
			_ = tr.Close()
		}
	})
	return ts
}

func run(t testing.TB, s *fastpath.Server) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

// network is a wire for the conformance tests. Its clients are the kernel's sockets, or a station's.
type network struct {
	*wire
	server, client netip.Addr
	workers        int
	busy           bool
	station        *station

	transports []*xsk.Transport
	stats      func() fastpath.Stats
	handed     uint64 // to another worker, by the servers that have ended
}

const port = 6969

func (n *network) Serve(t testing.TB, cfg conform.Setup) (netip.AddrPort, func() fastpath.Stats) {
	workers := n.workers
	if cfg.OneWorker {
		workers = 1
	}
	n.transports = n.open(t, []netip.AddrPort{netip.AddrPortFrom(n.server, port)}, workers, func(c *xsk.Config) {
		c.SinglePort, c.BusyPoll, c.Marking = cfg.SinglePort, n.busy, cfg.Marking
		for q := range workers {
			c.Interfaces[0].Queues = append(c.Interfaces[0].Queues, q)
		}
	})
	if w := n.group.Warnings; len(w) > 0 {
		t.Error(w)
	}
	var ts []fastpath.Transport
	for _, x := range n.transports {
		ts = append(ts, x)
	}
	cfg.Server.Drain = -1
	s := fastpath.NewServer(cfg.Server, ts, func(int) fastpath.Renderer { return cfg.Renderer }, clock)
	t.Cleanup(func() {
		for _, x := range n.transports {
			st := x.Stats()
			n.handed += st.HandedOver
			if st.HandLost+st.Malformed+st.Lost > 0 {
				t.Errorf("%+v", st)
			}
		}
	})
	run(t, s)
	n.stats = func() (sum fastpath.Stats) {
		for _, st := range s.Stats() {
			sum.Add(&st)
		}
		return sum
	}
	if n.station != nil {
		n.station.restart(n.stats)
	}
	return netip.AddrPortFrom(n.server, port), n.stats
}

func (n *network) Client(t testing.TB) conform.Client {
	if n.station != nil {
		return n.station.client()
	}
	return newClient(t, n.Load, n.client)
}

// newClient returns a socket at an address of a host.
func newClient(t testing.TB, h *netlab.Host, at netip.Addr) *conform.Socket {
	t.Helper()
	var c *net.UDPConn
	err := h.Do(func() (err error) {
		c, err = net.ListenUDP("udp", net.UDPAddrFromAddrPort(netip.AddrPortFrom(at, 0)))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return conform.NewSocket(t, c)
}

// TestConform runs the conformance tests over a veth pair.
func TestConform(t *testing.T) {
	tag5, tag6 := []byte{0x81, 0, 0x20, 5}, []byte{0x88, 0xa8, 0, 6}
	for _, tt := range []struct {
		name   string
		queues int
		v6     bool
		busy   bool
		tags   []byte // with any, or with several queues, the client makes its own frames
		handed bool
	}{
		{name: "IPv4", queues: 1},
		{name: "IPv4, busy polling", queues: 1, busy: true},
		{name: "IPv6", queues: 1, v6: true},
		{name: "VLAN", queues: 1, tags: tag5},
		{name: "two VLAN tags, IPv6", queues: 1, tags: append(tag6, tag5...), v6: true},
		{name: "two queues, requests to one, the rest to the other", queues: 2, handed: true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel() // each has a wire of its own, and waits most of the time
			own := tt.tags != nil || tt.queues > 1
			cfg := netlab.Config{Queues: tt.queues}
			if own {
				cfg.MTU = 3400 // for the longest packet of the tests, as the client does not cut it into fragments
			}
			w := newWire(t, cfg)
			n := &network{wire: w, server: netlab.ServerAddr4, client: netlab.LoadAddr4, workers: tt.queues, busy: tt.busy}
			if tt.v6 {
				n.server, n.client = netlab.ServerAddr6, netlab.LoadAddr6
			}
			if own {
				n.station = newStation(t, w, n.client, tt.tags, tt.queues)
			}
			conform.Run(t, n, require.AllTime() && tt.name == "IPv4")
			if tt.handed != (n.handed > 0) {
				t.Errorf("%d packets were handed over", n.handed)
			}
		})
	}
}

// TestMarking reads the DSCP of answers that leave by AF_XDP sockets.
func TestMarking(t *testing.T) {
	for _, tt := range []struct {
		name   string
		queues int
		v6     bool
		tags   []byte
	}{
		{name: "IPv4", queues: 1},
		{name: "IPv6", queues: 1, v6: true},
		{name: "VLAN, packets handed over", queues: 2, tags: []byte{0x81, 0, 0x20, 5}},
		{name: "VLAN, IPv6", queues: 1, v6: true, tags: []byte{0x81, 0, 0x20, 5}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := newWire(t, netlab.Config{Queues: tt.queues})
			n := &network{wire: w, server: netlab.ServerAddr4, client: netlab.LoadAddr4, workers: tt.queues}
			if tt.v6 {
				n.server, n.client = netlab.ServerAddr6, netlab.LoadAddr6
			}
			if tt.tags != nil {
				n.station = newStation(t, w, n.client, tt.tags, tt.queues)
			}
			conform.RunMarking(t, n)
		})
	}
}
