package storm

import (
	"encoding/binary"
	"fmt"
	"time"
)

// answerARP turns a request for a modem's address into the reply, in place (RFC 826).
func (f *frames) answerARP(frame []byte) ([]byte, bool) {
	if len(frame) < etherLen+28 {
		return nil, false
	}
	p := frame[etherLen : etherLen+28]
	if p[7] != 1 || !f.isModem(p[24:28]) {
		return nil, false
	}
	asker, wanted := [10]byte(p[8:18]), [4]byte(p[24:28])
	p[7] = 2
	copy(p[8:14], f.own[:])
	copy(p[14:18], wanted[:])
	copy(p[18:28], asker[:])
	copy(frame[0:6], asker[:6])
	copy(frame[6:12], f.own[:])
	return frame[:etherLen+28], true
}

// advertise turns a neighbour solicitation for a modem's address into the advertisement, in place (RFC 4861, section
// 4.4).
func (f *frames) advertise(frame []byte, length int) ([]byte, bool) {
	body := frame[etherLen:]
	icmp := body[ip6Len : ip6Len+length]
	if length < 32 || icmp[0] != neighbourSolicitation || !f.isModem(icmp[8:24]) {
		return nil, false
	}
	icmp = icmp[:32]
	icmp[0], icmp[4] = neighbourAdvertisement, 0x60 // solicited, override
	icmp[24], icmp[25] = 2, 1                       // target link-layer address
	copy(icmp[26:32], f.own[:])
	copy(body[24:40], body[8:24])
	copy(body[8:24], icmp[8:24])
	binary.BigEndian.PutUint16(body[4:], 32)
	body[7] = 255
	checksumICMPv6(body, icmp)
	copy(frame[0:6], frame[6:12])
	copy(frame[6:12], f.own[:])
	return frame[:etherLen+ip6Len+32], true
}

func checksumICMPv6(ip, icmp []byte) {
	icmp[2], icmp[3] = 0, 0
	binary.BigEndian.PutUint16(icmp[2:], ^fold(sum(icmp, sum(ip[8:40], uint64(protoICMPv6+len(icmp))))))
}

// resolve asks for the target's hardware address on behalf of the first modem.
func (f *frames) resolve() error {
	f.gateway = [6]byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}
	for range 10 {
		frame := append(append(f.sock.Slot(), f.gateway[:]...), f.own[:]...)
		if f.v6 {
			frame = f.solicit(frame)
		} else {
			frame = append(frame, etherARP>>8, etherARP&255, 0, 1, etherIPv4>>8, etherIPv4&255, 6, 4, 0, 1)
			frame = append(append(frame, f.own[:]...), f.src[:4]...)
			frame = append(append(frame, make([]byte, 6)...), f.dst[:4]...)
		}
		f.sock.Commit(len(frame))
		f.sock.Flush()
		f.sock.Wait(100 * time.Millisecond)
		for {
			got, _, ok := f.sock.Next()
			if !ok {
				break
			}
			if mac, ok := f.resolved(got); ok {
				f.gateway = mac
				return nil
			}
		}
	}
	return fmt.Errorf("no answer for %s by ARP or neighbour discovery; give the gateway's hardware address", f.target)
}

func (f *frames) solicit(frame []byte) []byte {
	group := [16]byte{0: 0xff, 1: 2, 11: 1, 12: 0xff, 13: f.dst[13], 14: f.dst[14], 15: f.dst[15]}
	copy(frame, []byte{0x33, 0x33, 0xff, f.dst[13], f.dst[14], f.dst[15]})
	frame = append(frame, etherIPv6>>8, etherIPv6&255, 6<<4, 0, 0, 0, 0, 32, protoICMPv6, 255)
	frame = append(append(frame, f.src[:]...), group[:]...)
	frame = append(frame, neighbourSolicitation, 0, 0, 0, 0, 0, 0, 0)
	frame = append(frame, f.dst[:]...)
	frame = append(append(frame, 1, 1), f.own[:]...)
	checksumICMPv6(frame[etherLen:], frame[etherLen+ip6Len:])
	return frame
}

// resolved returns the target's hardware address from an answer.
func (f *frames) resolved(frame []byte) (mac [6]byte, ok bool) {
	if f.v6 {
		const icmp = etherLen + ip6Len
		if len(frame) < icmp+24 || frame[etherLen+6] != protoICMPv6 || frame[icmp] != neighbourAdvertisement || [16]byte(frame[icmp+8:]) != f.dst {
			return mac, false
		}
		return [6]byte(frame[6:12]), true
	}
	if len(frame) < etherLen+28 || binary.BigEndian.Uint16(frame[12:]) != etherARP || frame[etherLen+7] != 2 || [4]byte(frame[etherLen+14:]) != [4]byte(f.dst[:]) {
		return mac, false
	}
	return [6]byte(frame[etherLen+8:]), true
}
