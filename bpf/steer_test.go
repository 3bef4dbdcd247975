package bpf

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"dcs/bench/require"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"
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

// Frames of a VLAN that the host has no device for are the kernel's, which throws them away: nobody in another VLAN gets a file.
func TestUnknownVLANs(t *testing.T) {
	s := loadSteerForTest(t, testConfig())
	for _, tt := range []struct {
		name string
		tags []uint16 // type and control, the outer one first
		want Verdict
	}{
		{"none", nil, PassSocket},
		{"known", []uint16{0x8100, 100}, PassSocket},
		{"known, with a priority", []uint16{0x8100, 7<<13 | 100}, PassSocket},
		{"unknown", []uint16{0x8100, 99}, PassOther},
		{"known number of another kind", []uint16{0x88a8, 100}, PassOther},
		{"priority alone", []uint16{0x8100, 5 << 13}, PassSocket},
		{"known within priority", []uint16{0x8100, 5 << 13, 0x8100, 100}, PassSocket},
		{"two known", []uint16{0x88a8, 100, 0x8100, 101}, PassSocket},
		{"unknown within known", []uint16{0x88a8, 100, 0x8100, 102}, PassOther},
		{"known within unknown", []uint16{0x88a8, 99, 0x8100, 101}, PassOther},
		{"inner one alone", []uint16{0x8100, 101}, PassOther},
	} {
		for _, f := range []frame{{source: modem4, target: server4, payload: rrq}, {source: modem6, target: server6, payload: rrq}} {
			b := f.octets()
			tags := make([]byte, 0, 8)
			for _, v := range tt.tags {
				tags = binary.BigEndian.AppendUint16(tags, v)
			}
			if got := s.judged(t, slices.Concat(b[:12], tags, b[12:])); got != tt.want {
				t.Errorf("%s: %v, want %v", tt.name, got, tt.want)
			}
		}
	}
}

// A frame for an address of a VLAN whose tag stands beside it, if it had one, is the kernel's; one with its tag is steered, and so is one
// for another address.
func TestTagsBeside(t *testing.T) {
	s := loadSteerForTest(t, testConfig())
	if err := s.programs[0].objs.Tagged.Put(addressOf(server4.Addr()), uint8(1)); err != nil {
		t.Fatal(err)
	}
	if err := s.programs[0].objs.VLANAddresses.Set(true); err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		f    frame
		want Verdict
	}{
		"no tag":              {frame{source: modem4, target: server4, payload: rrq}, PassOther},
		"no tag, to a TID":    {frame{source: modem4, target: tid4, payload: ack}, PassOther},
		"tag":                 {frame{source: modem4, target: server4, payload: rrq, tags: []uint16{0x8100}}, PassSocket},
		"two tags":            {frame{source: modem4, target: server4, payload: rrq, tags: []uint16{0x88a8, 0x8100}}, PassSocket},
		"another address":     {frame{source: modem6, target: server6, payload: rrq}, PassSocket},
		"another one, tagged": {frame{source: modem6, target: server6, payload: rrq, tags: []uint16{0x8100}}, PassSocket},
	} {
		if got := s.judged(t, tt.f.octets()); got != tt.want {
			t.Errorf("%s: %v, want %v", name, got, tt.want)
		}
	}
}

// What interfaces have in common is one for all their programs, and what is one interface's is no other's.
func TestPrograms(t *testing.T) {
	cfg := testConfig()
	cfg.Interfaces = 3
	s := loadSteerForTest(t, cfg)
	if len(s.Programs()) != 3 {
		t.Fatalf("%d programs", len(s.Programs()))
	}
	f := frame{source: modem4, target: server4, payload: rrq}
	judge := func(want ...Verdict) {
		t.Helper()
		for i, p := range s.Programs() {
			before, err := p.Stats()
			if err != nil {
				t.Fatal(err)
			}
			if _, err := p.objs.Steer.Run(&ebpf.RunOptions{Data: f.octets()}); err != nil {
				t.Fatal(err)
			}
			after, err := p.Stats()
			if err != nil {
				t.Fatal(err)
			}
			if after[want[i]].Packets != before[want[i]].Packets+1 {
				t.Errorf("program %d: %v, want one more %v", i, after, want[i])
			}
		}
	}
	judge(PassSocket, PassSocket, PassSocket)
	if err := s.Programs()[1].SetStandby(true); err != nil {
		t.Fatal(err)
	}
	judge(PassSocket, PassOther, PassSocket)
	if err := s.SetACL([]netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}); err != nil {
		t.Fatal(err)
	}
	judge(DropACL, PassOther, DropACL)
	if all, err := s.Stats(); err != nil || all[DropACL].Packets != 2 || all[PassSocket].Packets != 5 || all[PassOther].Packets != 2 {
		t.Errorf("%v, %v", all, err)
	}
}

func TestSetListen(t *testing.T) {
	s := loadSteerForTest(t, testConfig())
	other := netip.MustParseAddrPort("10.1.0.9:6969")
	judge := func(want Verdict, to netip.AddrPort, payload []byte) {
		t.Helper()
		from := modem4
		if to.Addr().Is6() {
			from = modem6
		}
		if got := s.judged(t, frame{source: from, target: to, payload: payload}.octets()); got != want {
			t.Errorf("to %v: %v, want %v", to, got, want)
		}
	}
	judge(PassSocket, server4, rrq)
	judge(PassSocket, tid4, ack)
	judge(PassOther, other, rrq)

	if err := s.setListen([]netip.AddrPort{other}, []Port{{40000, true}, {1024, false}, {65535, false}}); err != nil {
		t.Fatal(err)
	}
	judge(PassOther, netip.AddrPortFrom(other.Addr(), 40000), ack) // of the other family
	judge(PassSocket, netip.AddrPortFrom(other.Addr(), 1024), ack)
	judge(PassOther, netip.AddrPortFrom(other.Addr(), 1025), ack) // another program may have it
	judge(PassOther, server4, rrq)
	judge(PassOther, tid4, ack)
	judge(PassSocket, other, rrq)
	judge(PassSocket, netip.AddrPortFrom(other.Addr(), 65535), ack)
	judge(PassOther, netip.AddrPortFrom(other.Addr(), 1023), ack)

	if err := s.setListen([]netip.AddrPort{other, server6}, nil); err != nil {
		t.Fatal(err)
	}
	judge(PassSocket, other, ack)
	judge(PassSocket, server6, rrq)
	judge(PassOther, tid6, ack)
	judge(PassOther, netip.AddrPortFrom(other.Addr(), 0), ack)

	for _, c := range []struct {
		listen    []netip.AddrPort
		transfers []Port
	}{
		{[]netip.AddrPort{other}, []Port{{}}},
		{[]netip.AddrPort{netip.AddrPortFrom(other.Addr(), 0)}, nil},
		{[]netip.AddrPort{{}}, nil},
	} {
		if err := s.setListen(c.listen, c.transfers); err == nil {
			t.Errorf("listen at %v, transfers from %v: no error", c.listen, c.transfers)
		}
	}
	judge(PassSocket, other, ack)
}

func TestTooManyPlaces(t *testing.T) {
	s := loadSteerForTest(t, testConfig())
	many := make([]netip.AddrPort, s.objs.Places.MaxEntries())
	for i := range many {
		many[i] = netip.AddrPortFrom(server4.Addr(), uint16(i+1))
	}
	if err := s.setListen(many, nil); err == nil || !strings.Contains(err.Error(), "4097 addresses and ports to listen on, at most 4096") {
		t.Errorf("%d listeners: %v", len(many), err)
	}
	if got := s.judged(t, frame{source: modem6, target: tid6, payload: ack}.octets()); got != PassSocket {
		t.Errorf("where it listened before: %v", got)
	}
	if err := s.setListen(many[1:], nil); err != nil {
		t.Error(err)
	}
}

func TestACL(t *testing.T) {
	s := loadSteerForTest(t, testConfig())
	prefix := netip.MustParsePrefix
	for _, step := range []struct {
		allow   []netip.Prefix
		in, out []string
	}{
		{nil, []string{"10.32.1.2", "192.0.2.1", "fd00:32::1", "2001:db8::1"}, nil},
		{
			[]netip.Prefix{prefix("10.32.0.0/15"), prefix("fd00:32::/64")},
			[]string{"10.32.0.0", "10.33.255.255", "fd00:32::1", "fd00:32::ffff:ffff:ffff:ffff"},
			[]string{"10.31.255.255", "10.34.0.0", "fd00:32:0:1::1", "fd00:31::1", "2001:db8::1"},
		},
		{
			[]netip.Prefix{prefix("10.33.7.7/32"), prefix("fd00:33::7/128")},
			[]string{"10.33.7.7", "fd00:33::7"},
			[]string{"10.33.7.6", "10.32.0.0", "fd00:33::8", "fd00:32::1"},
		},
		{[]netip.Prefix{prefix("0.0.0.0/0")}, []string{"10.32.1.2", "192.0.2.1"}, []string{"fd00:32::1", "2001:db8::1"}},
		{[]netip.Prefix{prefix("::/0")}, []string{"fd00:32::1", "a00::1"}, []string{"10.32.1.2", "192.0.2.1"}},
		{[]netip.Prefix{prefix("10.32.1.2/8")}, []string{"10.99.0.1"}, []string{"11.0.0.1"}},
		{[]netip.Prefix{prefix("10.0.0.0/8"), prefix("10.1.0.0/16"), prefix("10.0.0.0/8")}, []string{"10.1.2.3", "10.2.2.3"}, []string{"11.0.0.1"}},
		{nil, []string{"10.32.1.2", "11.0.0.1", "fd00:32::1"}, nil},
	} {
		if err := s.SetACL(step.allow); err != nil {
			t.Fatal(err)
		}
		for _, list := range []struct {
			sources []string
			want    Verdict
		}{{step.in, PassSocket}, {step.out, DropACL}} {
			for _, a := range list.sources {
				f := frame{source: netip.AddrPortFrom(netip.MustParseAddr(a), 2070), target: server6, payload: rrq}
				if f.source.Addr().Is4() {
					f.target = server4
				}
				if got := s.judged(t, f.octets()); got != list.want {
					t.Errorf("%v: %s: %v, want %v", step.allow, a, got, list.want)
				}
			}
		}
	}
}

// A list with a mistake in it, or too long, changes nothing.
func TestACLThatIsRefused(t *testing.T) {
	s := loadSteerForTest(t, testConfig())
	good := []netip.Prefix{netip.MustParsePrefix("10.32.0.0/16")}
	if err := s.SetACL(good); err != nil {
		t.Fatal(err)
	}
	long := make([]netip.Prefix, s.objs.AclOdd.MaxEntries()+1)
	a := netip.MustParseAddr("11.0.0.0")
	for i := range long {
		long[i] = netip.PrefixFrom(a, 32)
		a = a.Next()
	}
	for name, bad := range map[string][]netip.Prefix{
		"no prefix":      {netip.MustParsePrefix("11.0.0.0/8"), {}},
		"IPv4 in IPv6":   {netip.MustParsePrefix("::ffff:11.0.0.0/104")},
		"too many":       long,
		"after too many": append(long[:1:1], netip.Prefix{}),
	} {
		if err := s.SetACL(bad); err == nil {
			t.Errorf("%s: no error", name)
		}
		if got := s.judged(t, frame{source: modem4, target: server4, payload: rrq}.octets()); got != PassSocket {
			t.Errorf("%s: %v", name, got)
		}
		if got := s.judged(t, frame{source: netip.MustParseAddrPort("11.0.0.0:9"), target: server4, payload: rrq}.octets()); got != DropACL {
			t.Errorf("%s: %v of a prefix that was refused", name, got)
		}
	}
	if err := s.SetACL(long[1:]); err != nil {
		t.Error(err)
	}
}

// While the list is exchanged there is no moment at which one that is on both is shut out, nor one at which one that is on
// neither gets in.
func TestACLChangesAtOnce(t *testing.T) {
	s := loadSteerForTest(t, testConfig())
	lists := [][]netip.Prefix{
		{netip.MustParsePrefix("10.32.0.0/16"), netip.MustParsePrefix("192.0.2.0/24")},
		{netip.MustParsePrefix("198.51.100.0/24"), netip.MustParsePrefix("10.32.1.0/24")},
	}
	if err := s.SetACL(lists[0]); err != nil {
		t.Fatal(err)
	}
	stop, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		in := frame{source: modem4, target: server4, payload: rrq}.octets()
		out := frame{source: netip.MustParseAddrPort("203.0.113.1:9"), target: server4, payload: rrq}.octets()
		for {
			select {
			case <-stop:
				return
			default:
			}
			if got := s.judged(t, in); got != PassSocket {
				t.Errorf("on both lists: %v", got)
			}
			if got := s.judged(t, out); got != DropACL {
				t.Errorf("on neither list: %v", got)
			}
		}
	}()
	for i := range 200 {
		if err := s.SetACL(lists[i%2]); err != nil {
			t.Error(err)
		}
	}
	close(stop)
	<-done
}

func TestRate(t *testing.T) {
	s := loadSteerForTest(t, testConfig())
	ask := frame{source: modem4, target: server4, payload: rrq}
	expect := func(f frame, want ...Verdict) {
		t.Helper()
		for i, w := range want {
			if got := s.judged(t, f.octets()); got != w {
				t.Errorf("packet %d: %v, want %v", i, got, w)
			}
		}
	}
	// A token in 4 s: none comes while this test runs.
	if err := s.SetRate(0.25, 2); err != nil {
		t.Fatal(err)
	}
	expect(ask, PassSocket, PassSocket, DropRate, DropRate)
	write := ask
	write.payload = []byte("\x00\x02x\x00octet\x00")
	expect(write, DropRate)
	// Packets of running transfers cost nothing, and are not held back.
	running := ask
	running.target, running.payload = tid4, ack
	expect(running, PassSocket, PassSocket, PassSocket, PassSocket)
	single := ask
	single.payload = ack
	expect(single, PassSocket, PassSocket, PassSocket, PassSocket)
	// A request at the port of a running transfer is a stray packet, not a request.
	stray := running
	stray.payload = rrq
	expect(stray, PassSocket, PassSocket, PassSocket)
	neighbour := ask
	neighbour.source = netip.AddrPortFrom(modem4.Addr().Next(), modem4.Port())
	expect(neighbour, PassSocket, PassSocket, DropRate)
	ask6 := frame{source: modem6, target: server6, payload: rrq}
	expect(ask6, PassSocket, PassSocket, DropRate)
	// What is dropped for another reason costs nothing.
	bad := frame{source: netip.MustParseAddrPort("10.32.9.9:9"), target: server4, payload: rrq, checksum: 1}
	expect(bad, DropChecksum, DropChecksum, DropChecksum)
	bad.checksum = 0
	expect(bad, PassSocket, PassSocket, DropRate)

	if err := s.SetRate(0, 0); err != nil {
		t.Fatal(err)
	}
	expect(ask, PassSocket, PassSocket, PassSocket, PassSocket)
	// Those who have spent all by the old rate begin with an empty bucket, and wait no longer than the new one says.
	if err := s.SetRate(1e6, 1000); err != nil {
		t.Fatal(err)
	}
	expect(ask, DropRate)
	for end := time.Now().Add(3 * time.Second); s.judged(t, ask.octets()) != PassSocket; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("no token within 3 s; by the old rate it takes 4")
		}
	}
	expect(ask, PassSocket, PassSocket, PassSocket)
	if err := s.SetRate(0.1, 1); err == nil {
		t.Error("a rate that has no room: no error")
	}
}

// A flood from sources that nobody has heard of leaves memory flat, and others are served.
func TestRateUnderManySources(t *testing.T) {
	cfg := testConfig()
	cfg.Sources = 1000
	s := loadSteerForTest(t, cfg)
	if err := s.SetRate(0.25, 2); err != nil {
		t.Fatal(err)
	}
	a := netip.MustParseAddr("11.0.0.1")
	for range 5000 {
		f := frame{source: netip.AddrPortFrom(a, 9), target: server4, payload: rrq}
		if got := s.judged(t, f.octets()); got != PassSocket {
			t.Fatalf("first request of %v: %v", a, got)
		}
		a = a.Next()
	}
	if n := s.objs.Sources.MaxEntries() * ways; n != 1024 {
		t.Errorf("%d sources can be remembered", n)
	}
}

// A source that has been caught is not forgotten for a flood of others.
func TestFloodForgetsTheQuietFirst(t *testing.T) {
	cfg := testConfig()
	cfg.Sources = 64
	s := loadSteerForTest(t, cfg)
	if err := s.SetRate(0.25, 10); err != nil {
		t.Fatal(err)
	}
	ask := frame{source: modem4, target: server4, payload: rrq}.octets()
	for range 12 {
		s.judged(t, ask)
	}
	a := netip.MustParseAddr("11.0.0.1")
	for range 1000 {
		s.judged(t, frame{source: netip.AddrPortFrom(a, 9), target: server4, payload: rrq}.octets())
		a = a.Next()
	}
	if got := s.judged(t, ask); got != DropRate {
		t.Errorf("the flooder is judged %v", got)
	}
}

func TestSteersToSocketThenProcessorThenKernel(t *testing.T) {
	s := loadSteerForTest(t, testConfig())
	f := frame{source: modem4, target: server4, payload: rrq}.octets()
	f6 := frame{source: modem6, target: tid6, payload: ack}.octets()
	other := frame{source: modem4, target: netip.AddrPortFrom(server4.Addr(), 53), payload: rrq}.octets()
	expect := func(want Verdict) {
		t.Helper()
		for _, b := range [][]byte{f, f6} {
			if got := s.judged(t, b); got != want {
				t.Errorf("%v, want %v", got, want)
			}
		}
		if got := s.judged(t, other); got != PassOther {
			t.Errorf("another's: %v", got)
		}
	}
	expect(PassSocket)
	if err := s.SetWorkers([]int{0}); err != nil {
		t.Fatal(err)
	}
	expect(SteerCPU)
	fd, err := unix.Socket(unix.AF_XDP, unix.SOCK_RAW|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.programs[0].SetXSK(1, fd); err != nil {
		t.Fatal(err)
	}
	expect(SteerCPU) // a test runs as queue 0
	if err := s.programs[0].SetXSK(0, fd); err != nil {
		t.Fatal(err)
	}
	expect(SteerXSK)
	if err := s.programs[0].ClearXSK(0); err != nil {
		t.Fatal(err)
	}
	expect(SteerCPU)
	if err := s.programs[0].ClearXSK(0); err != nil {
		t.Errorf("clear an empty queue: %v", err)
	}
	if err := s.programs[0].SetXSK(0, fd); err != nil {
		t.Fatal(err)
	}
	if err := unix.Close(fd); err != nil {
		t.Fatal(err)
	}
	expect(SteerCPU)
	if err := s.SetWorkers(nil); err != nil {
		t.Fatal(err)
	}
	expect(PassSocket)

	for _, queue := range []int{-1, 512} {
		if err := s.programs[0].SetXSK(queue, 0); err == nil {
			t.Errorf("queue %d: no error", queue)
		}
	}
	for _, cpus := range [][]int{{-1}, {1 << 20}, make([]int, 513)} {
		if err := s.SetWorkers(cpus); err == nil {
			t.Errorf("workers %v: no error", cpus)
		}
	}
}

func TestDrops(t *testing.T) {
	s := loadSteerForTest(t, testConfig())
	long := slices.Concat([]byte("\x00\x00"), bytes.Repeat([]byte("0123456789"), 20))
	const flood = 1000
	sent := []struct {
		f       frame
		times   int
		verdict Verdict
		payload []byte
		length  int
	}{
		{frame{source: modem4, target: server4, payload: long}, flood, DropTFTP, long[:64], len(long)},
		{frame{source: modem6, target: tid6, payload: ack, udpLength: 50}, 1, DropLength, ack, 54},
		{frame{source: modem4, target: server4, payload: rrq, udpLength: -len(rrq) - 1}, 1, DropLength, nil, 0},
		{frame{source: modem4, target: server4, payload: rrq, checksum: 9, pad: 30}, 1, DropChecksum, rrq, len(rrq)},
	}
	for _, c := range sent {
		for range c.times {
			if got := s.judged(t, c.f.octets()); got != c.verdict {
				t.Fatalf("%v, want %v", got, c.verdict)
			}
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	got := map[Verdict][]Drop{}
	for d, err := range s.Drops(ctx) {
		if err != nil {
			t.Fatal(err)
		}
		got[d.Verdict] = append(got[d.Verdict], d)
		if d.Verdict == DropChecksum {
			break // the last that was sent
		}
	}
	// A thousand run within a second on any machine: the burst, on each processor, and what comes with the time.
	if n := len(got[DropTFTP]); n < 8 || n > flood/2 {
		t.Errorf("%d samples of a flood of %d", n, flood)
	}
	if n := len(got[DropLength]); n != 2 {
		t.Fatalf("%d samples of DropLength, want 2", n)
	}
	i := 0
	for _, c := range sent {
		d := got[c.verdict][0]
		if c.verdict == DropLength {
			d = got[c.verdict][i]
			i++
		}
		want := Drop{c.verdict, d.Time, c.f.source, c.f.target, c.length, c.payload}
		if fmt.Sprint(d) != fmt.Sprint(want) {
			t.Errorf("%v, want %v", d, want)
		}
		if d.Time == 0 {
			t.Error("no time")
		}
	}
	if n := s.stats(t)[DropTFTP].Packets; n != flood {
		t.Errorf("counted %d, want %d", n, flood)
	}
}

func TestDropsEndWithTheContext(t *testing.T) {
	s := loadSteerForTest(t, testConfig())
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	for d, err := range s.Drops(ctx) {
		t.Errorf("%v, %v", d, err)
	}
	ctx, cancel = context.WithCancel(t.Context())
	cancel()
	for d, err := range s.Drops(ctx) {
		t.Errorf("%v, %v", d, err)
	}
}

// Nobody reads: samples are lost, counters are not, and the program goes on.
func TestDropsThatNobodyReads(t *testing.T) {
	cfg := testConfig()
	cfg.Samples = 1e9
	s := loadSteerForTest(t, cfg)
	f := frame{source: modem4, target: server4}.octets()
	const n = 20000
	if _, _, err := s.programs[0].objs.Steer.Benchmark(f, n, nil); err != nil {
		t.Fatal(err)
	}
	if got := s.stats(t)[DropTFTP].Packets; got != n {
		t.Errorf("counted %d, want %d", got, n)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	samples := 0
	for _, err := range s.Drops(ctx) {
		if err != nil {
			t.Fatal(err)
		}
		samples++
	}
	if samples < 100 || samples > n/2 {
		t.Errorf("%d samples", samples)
	}

	cfg.Samples = -1
	s = loadSteerForTest(t, cfg)
	s.judged(t, f)
	ctx, cancel = context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	for d, err := range s.Drops(ctx) {
		t.Errorf("samples are off: %v, %v", d, err)
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
