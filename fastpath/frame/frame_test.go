package frame

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"net/netip"
	"strings"
	"testing"

	"dcs/fastpath/packet"
)

// The checksums were computed by a short program in another language, a word at a time, as in RFC 1071.
const (
	toServer = "02 00 c6 13 00 01" // 02:00:c6:13:00:01
	toClient = "02 00 c6 12 00 01"
	vlan5    = "81 00 60 05"
	vlan6    = "88 a8 00 06"
	// 198.18.0.1:1025 → 198.19.0.1:69, ACK 1, DF.
	ack4 = "45 00 00 20 00 00 40 00 40 11 ae a5 c6 12 00 01 c6 13 00 01" + "04 01 00 45 00 0c 6f 63" + "00 04 00 01"
	// fd00::2:1025 → fd00::1:69, ACK 1.
	ack6 = "60 00 00 00 00 0c 11 40 fd 00 00 00 00 00 00 00 00 00 00 00 00 00 00 02 fd 00 00 00 00 00 00 00 00 00 00 00 00 00 00 01" + "04 01 00 45 00 0c 01 87" + "00 04 00 01"
)

func octets(t testing.TB, parts ...string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(strings.Join(parts, ""), " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// checksum is RFC 1071's own, a word at a time.
func checksum(b []byte) uint16 {
	var s uint32
	for i := 0; i < len(b); i += 2 {
		w := uint32(b[i]) << 8
		if i+1 < len(b) {
			w |= uint32(b[i+1])
		}
		if s += w; s > 0xffff {
			s -= 0xffff
		}
	}
	return uint16(s)
}

// patch returns a copy of b with octets at an offset changed.
func patch(b []byte, at int, with ...byte) []byte {
	b = bytes.Clone(b)
	copy(b[at:], with)
	return b
}

// fix4 sets the checksum of the IPv4 header at 14.
func fix4(b []byte) []byte {
	b = bytes.Clone(b)
	n := int(b[14]&15) * 4
	b[24], b[25] = 0, 0
	binary.BigEndian.PutUint16(b[24:], ^checksum(b[14:14+n]))
	return b
}

func TestParse(t *testing.T) {
	v4, v6 := octets(t, toServer, toClient, "08 00", ack4), octets(t, toServer, toClient, "86 dd", ack6)
	insert := func(b []byte, at int, more ...byte) []byte {
		return append(append(bytes.Clone(b[:at]), more...), b[at:]...)
	}
	// An IPv6 datagram with an extension header of 8 octets.
	extended := func(kind byte, header ...byte) []byte {
		b := insert(v6, 54, header...)
		b[20], b[19] = kind, b[19]+byte(len(header))
		return b
	}
	for _, tt := range []struct {
		name  string
		frame []byte
		want  Verdict
		flags packet.Flags
	}{
		{name: "IPv4", frame: v4},
		{name: "IPv6", frame: v6},
		{name: "VLAN", frame: octets(t, toServer, toClient, vlan5, "08 00", ack4)},
		{name: "two tags", frame: octets(t, toServer, toClient, vlan6, vlan5, "08 00", ack4)},
		{name: "two tags, IPv6", frame: octets(t, toServer, toClient, vlan6, vlan5, "86 dd", ack6)},
		{name: "three tags", frame: octets(t, toServer, toClient, vlan6, vlan5, vlan5, "08 00", ack4), want: Foreign},
		{name: "padded", frame: append(bytes.Clone(v4), make([]byte, 14)...)},
		{name: "IPv4 options", frame: fix4(insert(patch(v4, 14, 0x46, 0, 0, 0x24), 34, 1, 1, 1, 0))},
		{name: "no UDP checksum", frame: patch(v4, 40, 0, 0)},
		{name: "UDP checksum left to a device", frame: patch(v4, 40, 0x8c, 0x45)},
		{name: "no UDP checksum over IPv6", frame: patch(v6, 60, 0, 0), want: Broken},
		{name: "UDP checksum wrong", frame: patch(v4, 40, 0x6f, 0x64), want: Broken},
		{name: "UDP checksum wrong, IPv6", frame: patch(v6, 60, 1, 0x88), want: Broken},
		{name: "payload changed", frame: patch(v4, 45, 2), want: Broken},
		{name: "IPv4 checksum wrong", frame: patch(v4, 24, 0xae, 0xa6), want: Broken},
		{name: "header length 16", frame: fix4(patch(v4, 14, 0x44)), want: Broken},
		{name: "IP longer than the frame", frame: fix4(patch(v4, 17, 0x21)), want: Broken},
		{name: "IP shorter than UDP's header", frame: fix4(patch(v4, 17, 0x1b)), want: Broken},
		{name: "UDP longer than IP", frame: patch(v4, 39, 0x0d), want: Broken},
		{name: "UDP shorter than its header", frame: patch(v4, 39, 7), want: Broken},
		{name: "IPv6 longer than the frame", frame: patch(v6, 19, 0x0d), want: Broken},
		{name: "IPv6 shorter than UDP's header", frame: patch(v6, 19, 7), want: Broken},
		{name: "more fragments", frame: fix4(patch(v4, 20, 0x20)), want: Foreign},
		{name: "later fragment", frame: fix4(patch(v4, 20, 0, 1)), want: Foreign},
		{name: "IPv6 fragment", frame: extended(44, 17, 0, 0, 1, 0, 0, 0, 1), want: Foreign},
		{name: "destination options", frame: extended(60, 17, 0, 1, 4, 0, 0, 0, 0)},
		{name: "hop by hop", frame: extended(0, 17, 0, 1, 4, 0, 0, 0, 0)},
		{name: "routing, arrived", frame: extended(43, 17, 0, 4, 0, 0, 0, 0, 0)},
		{name: "routing, on its way", frame: extended(43, 17, 0, 4, 1, 0, 0, 0, 0), want: Foreign},
		{name: "extension longer than the datagram", frame: extended(60, 17, 9, 1, 4, 0, 0, 0, 0), want: Broken},
		{name: "five extensions", frame: extended(60, bytes.Repeat([]byte{60, 0, 1, 4, 0, 0, 0, 0}, 5)...), want: Foreign},
		{name: "IPv4 in IPv6", frame: patch(v6, 22, append(make([]byte, 10), 0xff, 0xff, 1, 2, 3, 4)...), want: Broken},
		{name: "TCP", frame: fix4(patch(v4, 23, 6)), want: Foreign},
		{name: "ICMPv6", frame: patch(v6, 20, 58), want: Foreign},
		{name: "version 5", frame: patch(v4, 14, 0x55), want: Foreign},
		{name: "version 4 as IPv6", frame: patch(v6, 14, 0x40), want: Foreign},
		{name: "ARP", frame: patch(v4, 13, 6), want: Foreign},
		{name: "to all stations", frame: patch(v4, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff), flags: packet.Multicast},
		{name: "to all stations, IPv6", frame: patch(v6, 0, 0x33, 0x33), flags: packet.Multicast},
		{name: "to a group", frame: fix4(patch(patch(v4, 40, 0, 0), 30, 224)), flags: packet.Multicast},
		{name: "to all hosts", frame: fix4(patch(patch(v4, 40, 0, 0), 30, 255, 255, 255, 255)), flags: packet.Multicast},
		{name: "empty", want: Foreign},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var p packet.Packet
			if got := Parse(tt.frame, &p); got != tt.want {
				t.Fatalf("%d, want %d", got, tt.want)
			}
			if tt.want != Datagram {
				if p.Data != nil || p.Peer.IsValid() || p.Local.IsValid() || p.Link.Len != 0 {
					t.Errorf("touched: %+v", p)
				}
				return
			}
			if tt.flags != p.Flags {
				t.Errorf("flags %v, want %v", p.Flags, tt.flags)
			}
			if !bytes.HasPrefix(p.Data, []byte{0, 4, 0}) || len(p.Data) != 4 || p.Peer.Port() != 1025 || p.Local.Port() != 69 {
				t.Errorf("%x from %v to %v", p.Data, p.Peer, p.Local)
			}
			if tt.flags == 0 {
				if a, b := p.Peer.Addr().String(), p.Local.Addr().String(); a+b != "198.18.0.1198.19.0.1" && a+b != "fd00::2fd00::1" {
					t.Errorf("from %v to %v", a, b)
				}
			}
			h := p.Link.Header[:p.Link.Len]
			if !bytes.Equal(h[:6], tt.frame[6:12]) || !bytes.Equal(h[6:12], tt.frame[:6]) || !bytes.Equal(h[12:], tt.frame[12:len(h)]) {
				t.Errorf("link %x", h)
			}
		})
	}
}

// A truncated frame is never taken for a datagram, nor read beyond its end.
func TestTruncated(t *testing.T) {
	for _, f := range [][]byte{
		octets(t, toServer, toClient, "08 00", ack4), octets(t, toServer, toClient, vlan6, vlan5, "86 dd", ack6),
		octets(t, toServer, toClient, vlan5, "08 00", ack4),
	} {
		for n := range f {
			cut := append(make([]byte, 0, n), f[:n]...)
			var p packet.Packet
			if Parse(cut[:n:n], &p) == Datagram {
				t.Errorf("%x is a datagram", cut)
			}
		}
	}
}

// The TOS or traffic class octet is read and written unchanged.
func TestTOS(t *testing.T) {
	buf := make([]byte, 256)
	for _, tos := range []byte{0, 1, 0x28, 0xb8, 0xfc, 0xff} {
		v4 := fix4(patch(octets(t, toServer, toClient, "08 00", ack4), 15, tos))
		v6 := patch(octets(t, toServer, toClient, "86 dd", ack6), 14, 6<<4|tos>>4, tos<<4) // RFC 8200, section 3
		for _, want := range [][]byte{v4, v6} {
			var p packet.Packet
			if v := Parse(want, &p); v != Datagram || p.TOS != tos {
				t.Errorf("%x: verdict %d, TOS %#x, want %#x", want, v, p.TOS, tos)
			}
			q := p
			q.SetBuffer(buf, 100)
			q.Data = append(q.Data, p.Data...)
			q.Peer, q.Local = p.Local, p.Peer
			copy(q.Link.Header[:], want[:14])
			if from, to, ok := Append(&q, buf, 100, 0); !ok || !bytes.Equal(buf[from:to], want) {
				t.Errorf("%v\n%x, want\n%x", ok, buf[from:to], want)
			}
		}
	}
}

func answer(link []byte, peer, local string, data []byte, buf []byte, at int) packet.Packet {
	var p packet.Packet
	p.SetBuffer(buf, at)
	p.Link.Len = uint8(copy(p.Link.Header[:], link))
	p.Peer, p.Local = netip.MustParseAddrPort(peer), netip.MustParseAddrPort(local)
	p.Data = append(p.Data, data...)
	return p
}

func TestAppend(t *testing.T) {
	ack := []byte{0, 4, 0, 1}
	for _, tt := range []struct {
		name, link, peer, local, want string
	}{
		{"IPv4", "08 00", "198.19.0.1:69", "198.18.0.1:1025", ack4},
		{"IPv6", "86 dd", "[fd00::1]:69", "[fd00::2]:1025", ack6},
		{"VLAN", vlan5 + "08 00", "198.19.0.1:69", "198.18.0.1:1025", ack4},
		{"two tags", vlan6 + vlan5 + "86 dd", "[fd00::1]:69", "[fd00::2]:1025", ack6},
	} {
		t.Run(tt.name, func(t *testing.T) {
			link := octets(t, toServer, toClient, tt.link)
			buf := bytes.Repeat([]byte{0xaa}, 256)
			p := answer(link, tt.peer, tt.local, ack, buf, 100)
			from, to, ok := Append(&p, buf, 100, 0)
			want := append(link, octets(t, tt.want)...)
			if !ok || !bytes.Equal(buf[from:to], want) {
				t.Errorf("%v\n%x, want\n%x", ok, buf[from:to], want)
			}
		})
	}
}

func TestAppendRefuses(t *testing.T) {
	eth := toServer + toClient
	for _, tt := range []struct {
		name, link, peer, local string
		at                      int
	}{
		{"no link", "", "198.19.0.1:69", "198.18.0.1:1025", 100},
		{"half a link", toServer, "198.19.0.1:69", "198.18.0.1:1025", 100},
		{"another family", eth + "08 00", "[fd00::1]:69", "[fd00::2]:1025", 100},
		{"another family, local", eth + "86 dd", "[fd00::1]:69", "198.18.0.1:1025", 100},
		{"ARP", eth + "08 06", "198.19.0.1:69", "198.18.0.1:1025", 100},
		{"no room", eth + "08 00", "198.19.0.1:69", "198.18.0.1:1025", Room - 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			buf := make([]byte, 256)
			p := answer(octets(t, tt.link), tt.peer, tt.local, []byte{0, 4, 0, 1}, buf, tt.at)
			if _, _, ok := Append(&p, buf, tt.at, 0); ok {
				t.Error("taken")
			}
		})
	}
}

// A sum of 0 is sent as 0xffff: 0 would mean no checksum.
func TestAppendZeroChecksum(t *testing.T) {
	buf := make([]byte, 256)
	p := answer(octets(t, toServer, toClient, "86 dd"), "[fd00::1]:69", "[fd00::2]:1025", []byte{0, 4, 1, 0x88}, buf, 100)
	if from, to, ok := Append(&p, buf, 100, 0); !ok || !bytes.Equal(buf[98:100], []byte{0xff, 0xff}) {
		t.Errorf("%v %x", ok, buf[from:to])
	}
}

func TestSum(t *testing.T) {
	b := make([]byte, 700)
	for i := range b {
		b[i] = byte(i*i) ^ byte(i>>3)
	}
	same := func(x, y uint16) bool { return x == y || x%0xffff == 0 && y%0xffff == 0 }
	for n := range b {
		if got, want := swap(fold(sum(b[:n], 0))), checksum(b[:n]); !same(got, want) {
			t.Fatalf("%d octets: %04x, want %04x", n, got, want)
		}
	}
	// Carries out of the highest word everywhere.
	for i := range b {
		b[i] = 0xff
	}
	for n := range b {
		if got, want := swap(fold(sum(b[:n], 1<<64-1))), checksum(b[:n]); !same(got, want) {
			t.Fatalf("%d octets: %04x, want %04x", n, got, want)
		}
	}
}

func TestNoAllocs(t *testing.T) {
	buf := make([]byte, 1024)
	for _, tt := range []struct{ name, proto, ip string }{{"IPv4", "08 00", ack4}, {"IPv6", "86 dd", ack6}} {
		f := octets(t, toServer, toClient, vlan5, tt.proto, tt.ip)
		var p packet.Packet
		p.SetBuffer(buf, 128)
		n := testing.AllocsPerRun(1000, func() {
			if Parse(f, &p) != Datagram {
				t.Fatal("not a datagram")
			}
			p.Data = append(p.Room()[:0], p.Data...)
			if _, _, ok := Append(&p, buf, 128, 0); !ok {
				t.Fatal("not taken")
			}
		})
		if n != 0 {
			t.Errorf("%s: %v allocations", tt.name, n)
		}
	}
}

// FuzzParse checks that every datagram that is accepted can be answered, and that the answer is accepted.
func FuzzParse(f *testing.F) {
	f.Add(octets(f, toServer, toClient, "08 00", ack4))
	f.Add(octets(f, toServer, toClient, vlan6, vlan5, "86 dd", ack6))
	f.Fuzz(func(t *testing.T, b []byte) {
		var p packet.Packet
		if Parse(b, &p) != Datagram {
			return
		}
		data := bytes.Clone(p.Data)
		buf := make([]byte, Room+len(data))
		q := p
		q.SetBuffer(buf, Room)
		q.Data = append(q.Data, data...)
		from, to, ok := Append(&q, buf, Room, 0)
		if !ok {
			t.Fatalf("no answer to %+v", p)
		}
		var r packet.Packet
		if v := Parse(buf[from:to], &r); v != Datagram {
			t.Fatalf("%x: verdict %d", buf[from:to], v)
		}
		if !bytes.Equal(r.Data, data) || r.Peer != p.Local || r.Local != p.Peer {
			t.Fatalf("%+v answered as %+v", p, r)
		}
	})
}

func BenchmarkParse(b *testing.B) {
	f := octets(b, toServer, toClient, "08 00", ack4)
	var p packet.Packet
	for b.Loop() {
		Parse(f, &p)
	}
}

func BenchmarkAppend(b *testing.B) {
	buf := make([]byte, 1024)
	p := answer(octets(b, toServer, toClient, "08 00"), "198.19.0.1:69", "198.18.0.1:1025", make([]byte, 404), buf, 124)
	for b.Loop() {
		Append(&p, buf, 124, 0)
	}
}
