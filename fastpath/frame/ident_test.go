package frame

import (
	"encoding/binary"
	"net/netip"
	"testing"

	"dcs/fastpath/packet"
)

// Packets that may be fragmented have a non-zero identification that differs from the previous one; shorter ones have
// DF.
func TestIdent(t *testing.T) {
	var id Ident
	buf := make([]byte, 2048)
	seen := map[uint16]int{}
	for i := range 1 << 17 {
		p := packet.Packet{Data: buf[128:644], Peer: netip.MustParseAddrPort("198.18.0.1:1025"), Local: netip.MustParseAddrPort("198.19.0.1:69")}
		p.Link.Len = 14
		p.Link.Header[12] = 8
		short := i%2 == 0
		if !short {
			p.Data = buf[128:645]
		}
		from, to, ok := Append(&p, buf, 128, id.Next(len(p.Data)))
		if !ok {
			t.Fatal("not appended")
		}
		ip := buf[from+14 : to]
		n, flags := binary.BigEndian.Uint16(ip[4:]), binary.BigEndian.Uint16(ip[6:])
		if sum := checksum(ip[:20]); sum != 0xffff {
			t.Fatalf("packet %d: checksum of the header %#x", i, sum)
		}
		if short {
			if n != 0 || flags != 0x4000 {
				t.Fatalf("packet %d: identification %d, flags %#x", i, n, flags)
			}
			continue
		}
		if n == 0 || flags != 0 {
			t.Fatalf("packet %d: identification %d, flags %#x", i, n, flags)
		}
		seen[n]++
	}
	if len(seen) != 1<<16-1 {
		t.Errorf("%d identifications", len(seen))
	}
}
