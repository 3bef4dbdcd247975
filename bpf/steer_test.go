package bpf

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"net"
	"net/netip"
	"slices"
	"testing"
	"time"

	"dcs/bench/require"

	"github.com/cilium/ebpf"
)

// What an XDP program returns (linux/bpf.h, enum xdp_action).
const (
	xdpDrop     = 1
	xdpPass     = 2
	xdpRedirect = 4
)

var actionOf = [NumVerdicts]uint32{
	PassOther: xdpPass, PassFragment: xdpPass, PassSocket: xdpPass, SteerXSK: xdpRedirect, SteerCPU: xdpRedirect,
	DropLength: xdpDrop, DropChecksum: xdpDrop, DropSource: xdpDrop, DropTFTP: xdpDrop, DropACL: xdpDrop, DropRate: xdpDrop,
}

var (
	server4 = netip.MustParseAddrPort("10.1.0.1:69")
	server6 = netip.MustParseAddrPort("[fd00:1::1]:69")
	modem4  = netip.MustParseAddrPort("10.32.1.2:2070")
	modem6  = netip.MustParseAddrPort("[fd00:32::1:2]:2070")

	rrq  = []byte("\x00\x01gold.bin\x00octet\x00")
	ack  = []byte("\x00\x04\x00\x01")
	tid4 = netip.AddrPortFrom(server4.Addr(), 40050)
	tid6 = netip.AddrPortFrom(server6.Addr(), 40050)
)

func loadSteerForTest(t testing.TB, cfg Config) *Steer {
	t.Helper()
	require.Root(t)
	s, err := Load(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	for _, p := range s.programs {
		for _, tags := range [][2]uint32{{0x8100<<16 | 100}, {0x88a8<<16 | 100, 0x8100<<16 | 101}} { // those of frame.tags
			if err := p.objs.Vlans.Put(steerTags{Outer: tags[0], Inner: tags[1]}, uint8(1)); err != nil {
				t.Fatal(err)
			}
		}
	}
	return s
}

func testConfig() Config {
	return Config{Listen: []netip.AddrPort{server4, server6}, Transfers: testPorts()}
}

// testPorts are 40000 to 40100 of both families.
func testPorts() (ports []Port) {
	for p := range uint16(101) {
		ports = append(ports, Port{40000 + p, false}, Port{40000 + p, true})
	}
	return ports
}

func (s *Steer) stats(t testing.TB) Stats {
	t.Helper()
	all, err := s.Stats()
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// judged runs the program on a frame and returns the verdict that was counted, after a look at whether it was the only one
// and whether the action is that verdict's.
func (s *Steer) judged(t testing.TB, f []byte) Verdict {
	t.Helper()
	before := s.stats(t)
	action, err := s.programs[0].objs.Steer.Run(&ebpf.RunOptions{Data: f})
	if err != nil {
		t.Fatalf("run on %d octets: %v", len(f), err)
	}
	found := NumVerdicts
	for v, c := range s.stats(t) {
		switch d := (Count{c.Packets - before[v].Packets, c.Octets - before[v].Octets}); {
		case d == Count{}:
		case d == Count{1, uint64(len(f))} && found == NumVerdicts:
			found = Verdict(v)
		default:
			t.Fatalf("%v: counted %+v", Verdict(v), d)
		}
	}
	if found == NumVerdicts {
		t.Fatal("nothing was counted")
	}
	if action != actionOf[found] {
		t.Fatalf("%v: action %d, want %d", found, action, actionOf[found])
	}
	return found
}

func TestVerdicts(t *testing.T) {
	const (
		hopByHop  = 0
		routing   = 43
		fragment  = 44
		esp       = 50
		dstOption = 60
		udp       = 17
	)
	padN := []byte{udp, 0, 1, 4, 0, 0, 0, 0} // an options header of 8 octets
	v4 := func(edit func(*frame)) frame {
		f := frame{source: modem4, target: server4, payload: rrq}
		edit(&f)
		return f
	}
	v6 := func(edit func(*frame)) frame {
		f := frame{source: modem6, target: server6, payload: rrq}
		edit(&f)
		return f
	}
	port := netip.AddrPortFrom
	addr := netip.MustParseAddr
	nop := bytes.Repeat([]byte{1}, 40)
	cases := []struct {
		name string
		f    frame
		want Verdict
	}{
		{"RRQ", v4(func(f *frame) {}), PassSocket},
		{"RRQ, IPv6", v6(func(f *frame) {}), PassSocket},
		{"ACK to a TID", v4(func(f *frame) { f.target, f.payload = tid4, ack }), PassSocket},
		{"ACK to a TID, IPv6", v6(func(f *frame) { f.target, f.payload = tid6, ack }), PassSocket},
		{"ACK to the request port, as in a single-port transfer", v4(func(f *frame) { f.payload = ack }), PassSocket},
		{"first TID", v4(func(f *frame) { f.target, f.payload = port(server4.Addr(), 40000), ack }), PassSocket},
		{"last TID", v4(func(f *frame) { f.target, f.payload = port(server4.Addr(), 40100), ack }), PassSocket},
		{"WRQ, for which there is an answer", v4(func(f *frame) { f.payload = []byte("\x00\x02x\x00octet\x00") }), PassSocket},
		{"request without NULs, for which there is an answer", v4(func(f *frame) { f.payload = []byte("\x00\x01x") }), PassSocket},
		{"request of an opcode, for which there is an answer", v4(func(f *frame) { f.payload = []byte("\x00\x01") }), PassSocket},
		{"DATA", v4(func(f *frame) { f.payload = []byte("\x00\x03\x00\x01x") }), PassSocket},
		{"ERROR without text", v4(func(f *frame) { f.target, f.payload = tid4, []byte("\x00\x05\x00\x00") }), PassSocket},
		{"OACK", v4(func(f *frame) { f.payload = []byte("\x00\x06") }), PassSocket},
		{"padded by Ethernet", v4(func(f *frame) { f.target, f.payload, f.pad = tid4, ack, 14 }), PassSocket},
		{"802.1Q", v4(func(f *frame) { f.tags = []uint16{0x8100} }), PassSocket},
		{"802.1ad and 802.1Q", v4(func(f *frame) { f.tags = []uint16{0x88a8, 0x8100} }), PassSocket},
		{"802.1Q, IPv6", v6(func(f *frame) { f.tags = []uint16{0x8100} }), PassSocket},
		{"802.1ad and 802.1Q, IPv6", v6(func(f *frame) { f.tags = []uint16{0x88a8, 0x8100} }), PassSocket},
		{"IPv4 options", v4(func(f *frame) { f.options = nop[:4] }), PassSocket},
		{"all the IPv4 options that there can be", v4(func(f *frame) { f.options = nop }), PassSocket},
		{"hop-by-hop options", v6(func(f *frame) { f.firstExtension, f.extensions = hopByHop, padN }), PassSocket},
		{"destination options", v6(func(f *frame) { f.firstExtension, f.extensions = dstOption, padN }), PassSocket},
		{"routing header at its end", v6(func(f *frame) {
			f.firstExtension, f.extensions = routing, slices.Concat([]byte{udp, 2, 0, 0}, make([]byte, 20))
		}), PassSocket},
		{"every extension header", v6(func(f *frame) {
			f.firstExtension = hopByHop
			f.extensions = slices.Concat(
				[]byte{dstOption, 0, 1, 4, 0, 0, 0, 0}, []byte{routing, 1, 1, 12}, make([]byte, 12),
				[]byte{dstOption, 0, 4, 0, 0, 0, 0, 0}, padN)
		}), PassSocket},
		{"extension header of 2,048 octets", v6(func(f *frame) {
			f.firstExtension, f.extensions = dstOption, slices.Concat([]byte{udp, 255}, make([]byte, 2046))
		}), PassSocket},
		{"datagram shorter than IP says", v4(func(f *frame) { f.udpLength = -4 }), PassSocket},
		{"don't fragment", v4(func(f *frame) { f.fragment = 0x4000 }), PassSocket},
		{"frame of several buffers", v4(func(f *frame) { f.payload = slices.Concat(rrq, make([]byte, 8900)) }), PassSocket},

		{"ARP", v4(func(f *frame) { f.etherType = 0x0806 }), PassOther},
		{"802.3 length", v4(func(f *frame) { f.etherType = 46 }), PassOther},
		{"three VLAN tags", v4(func(f *frame) { f.tags = []uint16{0x88a8, 0x8100, 0x8100} }), PassOther},
		{"IPv6 under the type of IPv4", v6(func(f *frame) { f.etherType = 0x0800 }), PassOther},
		{"IPv4 under the type of IPv6", v4(func(f *frame) { f.etherType = 0x86dd }), PassOther},
		{"IPv4 header of 16 octets", v4(func(f *frame) { f.versionAndLength = 0x44 }), PassOther},
		{"TCP", v4(func(f *frame) { f.protocol = 6 }), PassOther},
		{"TCP, IPv6", v6(func(f *frame) { f.protocol = 6 }), PassOther},
		{"ICMPv6", v6(func(f *frame) { f.protocol = 58 }), PassOther},
		{"ESP", v6(func(f *frame) { f.firstExtension, f.extensions = esp, padN }), PassOther},
		{"broadcast", v4(func(f *frame) { f.to = net.HardwareAddr{255, 255, 255, 255, 255, 255} }), PassOther},
		{"multicast", v4(func(f *frame) { f.to = net.HardwareAddr{1, 0, 0x5e, 0, 0, 1} }), PassOther},
		{"another port", v4(func(f *frame) { f.target = port(server4.Addr(), 53) }), PassOther},
		{"port below the TIDs", v4(func(f *frame) { f.target = port(server4.Addr(), 39999) }), PassOther},
		{"port above the TIDs", v4(func(f *frame) { f.target = port(server4.Addr(), 40101) }), PassOther},
		{"port 0", v4(func(f *frame) { f.target = port(server4.Addr(), 0) }), PassOther},
		{"another address", v4(func(f *frame) { f.target = port(addr("10.1.0.2"), 69) }), PassOther},
		{"another address, TID", v4(func(f *frame) { f.target = port(addr("10.1.0.2"), 40050) }), PassOther},
		{"another address, IPv6", v6(func(f *frame) { f.target = port(addr("fd00:1::2"), 69) }), PassOther},
		{"lies, but to another port", v4(func(f *frame) { f.target, f.udpLength = port(server4.Addr(), 53), 100 }), PassOther},
		{"routing header with a station left", v6(func(f *frame) {
			f.firstExtension, f.extensions = routing, slices.Concat([]byte{udp, 2, 0, 1}, make([]byte, 20))
		}), PassOther},
		{"five extension headers", v6(func(f *frame) {
			f.firstExtension = dstOption
			f.extensions = slices.Concat(bytes.Repeat([]byte{dstOption, 0, 1, 4, 0, 0, 0, 0}, 4), padN)
		}), PassOther},
		{"extension header beyond the frame", v6(func(f *frame) { f.firstExtension, f.extensions = dstOption, []byte{udp, 255, 1, 4, 0, 0, 0, 0} }), PassOther},

		{"first fragment", v4(func(f *frame) { f.fragment = 0x2000 }), PassFragment},
		{"last fragment", v4(func(f *frame) { f.fragment = 185 }), PassFragment},
		{"fragment of TCP", v4(func(f *frame) { f.fragment, f.protocol = 0x2000, 6 }), PassFragment},
		{"fragment, IPv6", v6(func(f *frame) { f.firstExtension, f.extensions = fragment, []byte{udp, 0, 0, 1, 0, 0, 0, 1} }), PassFragment},
		{"fragment behind options", v6(func(f *frame) {
			f.firstExtension, f.extensions = hopByHop, slices.Concat([]byte{fragment, 0, 1, 4, 0, 0, 0, 0}, []byte{udp, 0, 0, 0, 0, 0, 0, 1})
		}), PassFragment},

		{"IP longer than the frame", v4(func(f *frame) { f.ipLength = 1 }), DropLength},
		{"IP longer than the frame, IPv6", v6(func(f *frame) { f.ipLength = 1 }), DropLength},
		{"IP too short for UDP", v4(func(f *frame) { f.ipLength = -len(rrq) - 1 }), DropLength},
		{"IP without a length", v4(func(f *frame) { f.ipLength = -len(rrq) - 28 }), DropLength},
		{"jumbogram, IPv6", v6(func(f *frame) { f.ipLength = -len(rrq) - 8 }), DropLength},
		{"UDP longer than IP", v4(func(f *frame) { f.udpLength = 1 }), DropLength},
		{"UDP longer than IP, padded", v4(func(f *frame) { f.udpLength, f.pad = 1, 20 }), DropLength},
		{"UDP longer than IP, IPv6", v6(func(f *frame) { f.udpLength = 1 }), DropLength},
		{"UDP shorter than its header", v4(func(f *frame) { f.udpLength = -len(rrq) - 1 }), DropLength},
		{"UDP without a length", v4(func(f *frame) { f.udpLength = -len(rrq) - 8 }), DropLength},
		{"UDP without a length, IPv6", v6(func(f *frame) { f.udpLength = -len(rrq) - 8 }), DropLength},
		{"UDP longer than IP, TID", v4(func(f *frame) { f.target, f.payload, f.udpLength = tid4, ack, 1 }), DropLength},

		{"checksum", v4(func(f *frame) { f.checksum = 1 }), DropChecksum},
		{"checksum with options", v4(func(f *frame) { f.options, f.checksum = nop, 0x100 }), DropChecksum},

		{"from port 0", v4(func(f *frame) { f.source = port(modem4.Addr(), 0) }), DropSource},
		{"from 0.0.0.0", v4(func(f *frame) { f.source = port(addr("0.0.0.0"), 2070) }), DropSource},
		{"from 0/8", v4(func(f *frame) { f.source = port(addr("0.1.2.3"), 2070) }), DropSource},
		{"from loopback", v4(func(f *frame) { f.source = port(addr("127.0.0.1"), 2070) }), DropSource},
		{"from multicast", v4(func(f *frame) { f.source = port(addr("224.0.0.1"), 2070) }), DropSource},
		{"from broadcast", v4(func(f *frame) { f.source = port(addr("255.255.255.255"), 2070) }), DropSource},
		{"from the last that is possible", v4(func(f *frame) { f.source = port(addr("223.255.255.255"), 2070) }), PassSocket},
		{"from port 0, IPv6", v6(func(f *frame) { f.source = port(modem6.Addr(), 0) }), DropSource},
		{"from ::", v6(func(f *frame) { f.source = port(addr("::"), 2070) }), DropSource},
		{"from ::1", v6(func(f *frame) { f.source = port(addr("::1"), 2070) }), DropSource},
		{"from multicast, IPv6", v6(func(f *frame) { f.source = port(addr("ff02::1"), 2070) }), DropSource},
		{"from an IPv4 address in IPv6", v6(func(f *frame) { f.source = port(addr("::ffff:10.32.1.2"), 2070) }), DropSource},
		{"from ::2:0:0:1", v6(func(f *frame) { f.source = port(addr("::2:0:0:1"), 2070) }), PassSocket},
		{"from a link-local address", v6(func(f *frame) { f.source = port(addr("fe80::1"), 2070) }), PassSocket},

		{"no payload", v4(func(f *frame) { f.payload = nil }), DropTFTP},
		{"no payload, padded", v4(func(f *frame) { f.payload, f.pad = nil, 18 }), DropTFTP},
		{"one octet", v4(func(f *frame) { f.payload = []byte{0} }), DropTFTP},
		{"one octet, padded", v4(func(f *frame) { f.payload, f.pad = []byte{0}, 18 }), DropTFTP},
		{"opcode 0", v4(func(f *frame) { f.payload = []byte("\x00\x00x\x00octet\x00") }), DropTFTP},
		{"opcode 7", v4(func(f *frame) { f.payload = []byte("\x00\x07x\x00octet\x00") }), DropTFTP},
		{"opcode 256 + 1", v4(func(f *frame) { f.payload = []byte("\x01\x01x\x00octet\x00") }), DropTFTP},
		{"ACK without its block", v4(func(f *frame) { f.target, f.payload = tid4, ack[:3] }), DropTFTP},
		{"ACK without its block, padded", v4(func(f *frame) { f.target, f.payload, f.pad = tid4, ack[:2], 16 }), DropTFTP},
		{"ERROR without its code", v4(func(f *frame) { f.payload = []byte("\x00\x05\x00") }), DropTFTP},
		{"DATA without its block", v4(func(f *frame) { f.payload = []byte("\x00\x03\x00") }), DropTFTP},
		{"opcode 9, IPv6", v6(func(f *frame) { f.payload = []byte("\x00\x09") }), DropTFTP},
	}
	s := loadSteerForTest(t, testConfig())
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			if got := s.judged(t, c.f.octets()); got != c.want {
				t.Errorf("%v, want %v", got, c.want)
			}
		})
	}
}

// A frame that ends too early is dropped as soon as one can see that it was meant for us.
func TestEveryTruncation(t *testing.T) {
	s := loadSteerForTest(t, testConfig())
	for name, f := range map[string]frame{
		"IPv4":             {source: modem4, target: server4, payload: rrq},
		"IPv4 options":     {source: modem4, target: server4, payload: rrq, options: bytes.Repeat([]byte{1}, 8)},
		"IPv4 two tags":    {source: modem4, target: server4, payload: rrq, tags: []uint16{0x88a8, 0x8100}},
		"IPv6":             {source: modem6, target: server6, payload: rrq},
		"IPv6 extensions":  {source: modem6, target: server6, payload: rrq, firstExtension: 60, extensions: []byte{0, 0, 1, 4, 0, 0, 0, 0, 17, 0, 1, 4, 0, 0, 0, 0}},
		"IPv6 TID one tag": {source: modem6, target: tid6, payload: ack, tags: []uint16{0x8100}},
	} {
		t.Run(name, func(t *testing.T) {
			whole := f.octets()
			ports := len(whole) - len(f.payload)
			for n := 14; n <= len(whole); n++ {
				want := DropLength
				switch {
				case n == len(whole):
					want = PassSocket
				case n < ports:
					want = PassOther
				}
				if got := s.judged(t, whole[:n]); got != want {
					t.Errorf("%d of %d octets: %v, want %v", n, len(whole), got, want)
				}
			}
		})
	}
}

// Whatever comes, one verdict is counted and it is that of the action: judged looks.
func TestRandomFrames(t *testing.T) {
	require.Long(t, "20,000 frames")
	s := loadSteerForTest(t, testConfig())
	r := rand.New(rand.NewPCG(5, 6))
	seen := map[Verdict]int{}
	for range 20000 {
		f := frame{source: modem4, target: server4, payload: rrq, options: bytes.Repeat([]byte{1}, 4*r.IntN(11))}
		if r.IntN(2) == 0 {
			f = frame{source: modem6, target: server6, payload: ack, firstExtension: byte(r.IntN(3) * 60), extensions: []byte{17, 0, 1, 4, 0, 0, 0, 0}}
		}
		f.tags = []uint16{0x88a8, 0x8100}[:r.IntN(3)]
		b := f.octets()
		for range r.IntN(4) {
			b[12+r.IntN(len(b)-12)] = byte(r.Uint32())
		}
		seen[s.judged(t, b[:14+r.IntN(len(b)-13)])]++
	}
	for _, v := range []Verdict{PassOther, PassFragment, PassSocket, DropLength, DropChecksum, DropTFTP} {
		if seen[v] == 0 {
			t.Errorf("no frame led to %v: %v", v, seen)
		}
	}
}

func TestOwnMAC(t *testing.T) {
	s := loadSteerForTest(t, testConfig())
	bondMAC := net.HardwareAddr{2, 0, 0, 0, 7, 7}
	number := func(mac net.HardwareAddr) uint64 {
		return binary.LittleEndian.Uint64(append(slices.Clone(mac), 0, 0))
	}
	if err := errors.Join(s.programs[0].objs.OwnMac.Set(number(hostMAC)), s.programs[0].objs.BondMac.Set(number(bondMAC))); err != nil {
		t.Fatal(err)
	}
	for i := range hostMAC {
		f := frame{source: modem4, target: server4, payload: rrq}
		for _, mac := range []net.HardwareAddr{bondMAC, hostMAC} {
			f.to = slices.Clone(mac)
			if got := s.judged(t, f.octets()); got != PassSocket {
				t.Errorf("to this host, %v: %v", mac, got)
			}
		}
		f.to[i] ^= 0x10
		if got := s.judged(t, f.octets()); got != PassOther {
			t.Errorf("to a host that differs in octet %d: %v", i, got)
		}
	}
}

// A member of a bond that waits takes nothing: the kernel throws away what comes by it.
func TestStandby(t *testing.T) {
	s := loadSteerForTest(t, testConfig())
	good := frame{source: modem4, target: server4, payload: rrq}
	bad := frame{source: modem4, target: server4, payload: rrq, udpLength: 1}
	for _, on := range []bool{true, false} {
		if err := s.programs[0].SetStandby(on); err != nil {
			t.Fatal(err)
		}
		want := [2]Verdict{PassSocket, DropLength}
		if on {
			want = [2]Verdict{PassOther, PassOther}
		}
		if got := [2]Verdict{s.judged(t, good.octets()), s.judged(t, bad.octets())}; got != want {
			t.Errorf("standby %v: %v, want %v", on, got, want)
		}
	}
}

func TestVerdictNames(t *testing.T) {
	seen := map[string]bool{}
	for v := range NumVerdicts {
		name := v.String()
		if name == "" || seen[name] {
			t.Errorf("verdict %d: name %q", v, name)
		}
		seen[name] = true
	}
	if NumVerdicts.String() != "unknown" {
		t.Error("a verdict that there is not has a name")
	}
}

// What a frame costs, without the driver's part.
func BenchmarkSteer(b *testing.B) {
	for _, c := range []struct {
		name  string
		f     frame
		setup func(*Steer) error
	}{
		{"rrq", frame{source: modem4, target: server4, payload: rrq}, nil},
		{"rrq6", frame{source: modem6, target: server6, payload: rrq}, nil},
		{"rrq_rate", frame{source: modem4, target: server4, payload: rrq}, func(s *Steer) error { return s.SetRate(1e9, 1000) }},
		{"rrq_acl_rate_cpu", frame{source: modem4, target: server4, payload: rrq}, func(s *Steer) error {
			if err := s.SetACL([]netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("fd00::/16")}); err != nil {
				return err
			}
			if err := s.SetRate(1e9, 1000); err != nil {
				return err
			}
			return s.SetWorkers([]int{0, 1})
		}},
		{"ack", frame{source: modem4, target: tid4, payload: ack}, nil},
		{"other", frame{source: modem4, target: netip.AddrPortFrom(server4.Addr(), 53), payload: rrq}, nil},
		{"malformed", frame{source: modem4, target: server4, udpLength: 9, payload: rrq}, nil},
	} {
		b.Run(c.name, func(b *testing.B) {
			s := loadSteerForTest(b, testConfig())
			if c.setup != nil {
				if err := c.setup(s); err != nil {
					b.Fatal(err)
				}
			}
			f := c.f.octets()
			var each time.Duration
			for b.Loop() {
				var err error
				if _, each, err = s.programs[0].objs.Steer.Benchmark(f, 100000, nil); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(each.Nanoseconds()), "ns/packet")
		})
	}
}
