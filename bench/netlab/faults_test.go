package netlab

import (
	"encoding/binary"
	"slices"
	"testing"
)

func udpFrame(i int) []byte {
	f := make([]byte, 60)
	f[12], f[13], f[23] = 8, 0, 17
	binary.BigEndian.PutUint32(f[42:], uint32(i))
	return f
}

// played returns everything that comes out of a lane for 5000 packets.
func played(seed uint64, r Rates) []string {
	l := newLane(r, seed, 1, 1500)
	var out []string
	send := func(f []byte) { out = append(out, string(f)) }
	for i := range 5000 {
		l.pass(int64(i), udpFrame(i), send)
	}
	l.release(1<<60, send)
	return out
}

func TestFaultsRepeatWithTheSeed(t *testing.T) {
	r := Rates{Drop: 0.1, Duplicate: 0.1, Reorder: 0.1, Corrupt: 0.1}
	if !slices.Equal(played(1, r), played(1, r)) {
		t.Error("same seed, other faults")
	}
	if slices.Equal(played(1, r), played(2, r)) {
		t.Error("other seed, same faults")
	}
}

func TestRatesDoNotDisturbOneAnother(t *testing.T) {
	dropped := func(r Rates) []string {
		out := map[string]bool{}
		for _, f := range played(1, r) {
			out[f] = true
		}
		var missing []string
		for i := range 5000 {
			if f := string(udpFrame(i)); !out[f] {
				missing = append(missing, f)
			}
		}
		return missing
	}
	if !slices.Equal(dropped(Rates{Drop: 0.1}), dropped(Rates{Drop: 0.1, Duplicate: 0.5, Reorder: 0.2})) {
		t.Error("other packets are dropped when packets are duplicated too")
	}
}

func TestReorderedPacketComesAfterThreeOthers(t *testing.T) {
	l := newLane(Rates{Reorder: 1}, 1, 1, 1500)
	var out []uint32
	send := func(f []byte) { out = append(out, binary.BigEndian.Uint32(f[42:])) }
	l.pass(0, udpFrame(0), send)
	l.rates.Reorder = 0
	for i := 1; i < 6; i++ {
		l.pass(0, udpFrame(i), send)
	}
	if want := []uint32{1, 2, 3, 0, 4, 5}; !slices.Equal(out, want) {
		t.Errorf("order %v, want %v", out, want)
	}
}

func TestOnlyUDPIsHarmed(t *testing.T) {
	l := newLane(Rates{Drop: 1}, 1, 1, 1500)
	sent := 0
	send := func([]byte) { sent++ }
	arp := make([]byte, 42)
	arp[12], arp[13] = 8, 6
	icmp6 := make([]byte, 78)
	icmp6[12], icmp6[13], icmp6[20] = 0x86, 0xdd, 58
	for _, f := range [][]byte{arp, icmp6, nil, {1, 2, 3}} {
		l.pass(0, f, send)
	}
	if sent != 4 {
		t.Errorf("%d of 4 frames passed", sent)
	}
	l.pass(0, udpFrame(1), send)
	if sent != 4 {
		t.Error("a UDP packet passed")
	}
}
