package storm

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"
)

func testFrames(target, modems string) *frames {
	cfg := Default()
	cfg.Target = netip.AddrPortFrom(netip.MustParseAddr(target), 69)
	cfg.Net = netip.MustParsePrefix(modems)
	f := newFrames(&cfg)
	f.own, f.gateway = [6]byte{2, 0, 0, 0, 0, 1}, [6]byte{2, 0, 0, 0, 0, 2}
	return f
}

// naive is the checksum as RFC 1071 writes it.
func naive(b []byte) uint16 {
	var s uint32
	for i, c := range b {
		s += uint32(c) << (8 * (1 - i%2))
		s = s&0xffff + s>>16
	}
	return uint16(s)
}

func TestChecksum(t *testing.T) {
	// The example of RFC 1071, section 3.
	if got := fold(sum([]byte{0, 1, 0xf2, 3, 0xf4, 0xf5, 0xf6, 0xf7}, 0)); got != 0xddf2 {
		t.Errorf("%#x, want 0xddf2", got)
	}
	rnd := rand.New(rand.NewPCG(1, 1))
	for n := range 200 {
		b := make([]byte, n)
		for i := range b {
			b[i] = byte(rnd.Uint32())
		}
		even := n &^ 1 / 2 &^ 1
		if got := fold(sum(b[even:], sum(b[:even], 0))); got != naive(b) {
			t.Errorf("%d bytes: %#x, want %#x", n, got, naive(b))
		}
	}
	if got := fold(sum(bytes.Repeat([]byte{0xff}, 64), ^uint64(0))); got != 0xffff {
		t.Errorf("all ones: %#x, want 0xffff", got)
	}
}

// TestFrameOnTheWire compares a frame with one put together by hand; its checksums were added up on paper.
func TestFrameOnTheWire(t *testing.T) {
	f := testFrames("198.19.0.1", "198.18.0.0/16")
	frame := append(make([]byte, f.head), 0, opACK, 0, 1)
	f.header(frame, 0x0102, 0x1234, 69)
	const want = "020000000002" + "020000000001" + "0800" +
		"4500" + "0020" + "0000" + "4000" + "40" + "11" + "ada4" + "c6120102" + "c6130001" +
		"1234" + "0045" + "000c" + "602f" + "00040001"
	if got := hex.EncodeToString(frame); got != want {
		t.Errorf("%s\nwant %s", got, want)
	}
	if naive(frame[14:34]) != 0xffff {
		t.Error("the IP checksum is wrong")
	}
}

// turn makes the server's answer out of a modem's packet.
func turn(f *frames, modem int, payload []byte) []byte {
	frame := append(make([]byte, f.head), payload...)
	f.header(frame, modem, 2000, 3000)
	n, at := 4, etherLen+12
	if f.v6 {
		n, at = 16, etherLen+8
	}
	src := bytes.Clone(frame[at : at+n])
	copy(frame[at:], frame[at+n:at+2*n])
	copy(frame[at+n:], src)
	ports := frame[f.head-udpLen:]
	ports[0], ports[1], ports[2], ports[3] = ports[2], ports[3], ports[0], ports[1]
	return frame // sums do not mind the order
}

func TestParse(t *testing.T) {
	for name, f := range map[string]*frames{
		"IPv4": testFrames("198.19.0.1", "198.18.0.0/16"),
		"IPv6": testFrames("fd00:198:19::1", "fd00:198:18::/64"),
	} {
		t.Run(name, func(t *testing.T) {
			for _, modem := range []int{0, 1, 255, 256, 65535} {
				got, to, from, payload, v := f.parse(turn(f, modem, data(1, 33)), true)
				if v != ours || got != modem || to != 2000 || from != 3000 || !bytes.Equal(payload, data(1, 33)) {
					t.Errorf("modem %d: %d %d %d %x %d", modem, got, to, from, payload, v)
				}
			}
			good := turn(f, 7, data(1, 33))
			for bit := etherLen * 8; bit < len(good)*8; bit++ {
				bad := bytes.Clone(good)
				bad[bit/8] ^= 1 << (bit % 8)
				if modem, to, _, payload, v := f.parse(bad, true); v == ours && (modem != 7 || to != 2000 || !bytes.Equal(payload, data(1, 33))) {
					t.Errorf("bit %d flipped: taken for another packet", bit)
				}
			}
			for n := range good {
				if _, _, _, _, v := f.parse(good[:n], true); v == ours {
					t.Errorf("cut to %d bytes: taken", n)
				}
			}
			stranger := testFrames("198.19.0.9", "198.18.0.0/16")
			if f.v6 {
				stranger = testFrames("fd00:198:19::9", "fd00:198:18::/64")
			}
			if _, _, _, _, v := f.parse(turn(stranger, 7, data(1, 3)), true); v != foreign {
				t.Error("a packet of another server was taken")
			}
		})
	}
}

// A checksum that was left to a device is taken where the link does not say so, unless other packets have theirs.
func TestPartialChecksum(t *testing.T) {
	f := testFrames("198.19.0.1", "198.18.0.0/16")
	whole := turn(f, 7, data(1, 33))
	left := bytes.Clone(whole)
	at := f.head - udpLen + 6
	udp := left[f.head-udpLen:]
	pseudo := slices.Concat(left[etherLen+12:etherLen+20], []byte{0, protoUDP}, udp[4:6]) // RFC 768
	binary.BigEndian.PutUint16(left[at:], naive(pseudo))
	parse := func(frame []byte) verdict {
		_, _, _, _, v := f.parse(bytes.Clone(frame), true)
		return v
	}
	if v := parse(left); v != damaged {
		t.Errorf("AF_PACKET: %d, want damaged", v)
	}
	f.mixed = true
	for range 3 {
		if v := parse(left); v != ours {
			t.Errorf("left to a device: %d, want ours", v)
		}
	}
	for range 5000 {
		if v := parse(whole); v != ours {
			t.Errorf("whole: %d, want ours", v)
		}
	}
	if v := parse(left); v != damaged {
		t.Errorf("the sum of the pseudo-header among whole ones: %d, want damaged", v)
	}
}

func FuzzParse(f *testing.F) {
	v4, v6 := testFrames("198.19.0.1", "198.18.0.0/16"), testFrames("fd00:198:19::1", "fd00:198:18::/64")
	f.Add(turn(v4, 1, data(1, 3)), true)
	f.Add(turn(v6, 1, data(1, 3)), false)
	f.Fuzz(func(t *testing.T, frame []byte, whole bool) {
		for _, l := range []*frames{v4, v6} {
			if modem, _, _, _, v := l.parse(bytes.Clone(frame), whole); v == ours && (modem < 0 || modem >= maxModems) {
				t.Errorf("modem %d", modem)
			}
			l.resolved(frame)
		}
	})
}
