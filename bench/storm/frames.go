package storm

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math/bits"
	"net"
	"net/netip"
	"time"

	"dcs/bench/afpacket"
)

const (
	etherLen = 14
	ip4Len   = 20
	ip6Len   = 40
	udpLen   = 8

	etherIPv4 = 0x0800
	etherARP  = 0x0806
	etherIPv6 = 0x86dd

	protoUDP    = 17
	protoICMPv6 = 58

	neighbourSolicitation  = 135
	neighbourAdvertisement = 136
)

// packetFrames are in the receive ring of the link by AF_PACKET, at most.
const packetFrames = 1 << 15

// frames is the link by AF_PACKET: it builds and parses Ethernet, IP and UDP itself.
type frames struct {
	sock   *afpacket.Socket
	net    netip.Prefix
	target netip.Addr
	v6     bool
	head   int // bytes before the payload
	seed   uint64
	modems int
	// AF_XDP does not say whether a checksum has been left to a device, as a veth does. It is the sum of the pseudo-header then, but of
	// one right packet of 65,536 too: the kind of which there were more counts.
	mixed         bool
	full, partial uint64

	own, gateway [6]byte
	src, dst     [16]byte // addresses in network byte order; IPv4 in the first four bytes

	damaged, foreign uint64
}

// openFrames opens an AF_PACKET socket with so many frames in its receive ring.
func openFrames(cfg *Config, slots int) (*frames, error) {
	own := cfg.SourceMAC
	if len(own) == 0 {
		ifi, err := net.InterfaceByName(cfg.Interface)
		if err != nil {
			return nil, fmt.Errorf("interface %s: %w", cfg.Interface, err)
		}
		if own = ifi.HardwareAddr; len(own) != 6 {
			return nil, fmt.Errorf("interface %s: no Ethernet address; omit it to use plain sockets", cfg.Interface)
		}
	}
	sock, err := afpacket.Open(cfg.Interface, afpacket.Config{MTU: cfg.MTU, Slots: slots})
	if err != nil {
		return nil, err
	}
	f := newFrames(cfg)
	f.sock = sock
	copy(f.own[:], own)
	copy(f.gateway[:], cfg.GatewayMAC)
	if len(cfg.GatewayMAC) == 0 {
		if err := f.resolve(); err != nil {
			return nil, errors.Join(err, sock.Close())
		}
	}
	return f, nil
}

func newFrames(cfg *Config) *frames {
	f := &frames{
		net: cfg.Net, target: cfg.Target.Addr(), v6: cfg.Target.Addr().Is6(),
		head: etherLen + ip4Len + udpLen, seed: cfg.Seed, modems: cfg.Modems,
	}
	if f.v6 {
		f.head = etherLen + ip6Len + udpLen
		f.src, f.dst = cfg.Net.Addr().As16(), f.target.As16()
	} else {
		a, b := cfg.Net.Addr().As4(), f.target.As4()
		copy(f.src[:], a[:])
		copy(f.dst[:], b[:])
	}
	return f
}

func (f *frames) addr(modem int) netip.Addr { return modemAddr(f.net, modem) }

// port gives every download another port, from 1024 on, so that packets of an earlier one are recognised.
func (f *frames) port(modem, n int) uint16 {
	return uint16(1024 + (mix(f.seed^uint64(modem)<<20)+uint64(n))%(65536-1024))
}

func (f *frames) slot() []byte {
	s := f.sock.Slot()
	return s[f.head:f.head:cap(s)]
}

func (f *frames) send(modem int, from, to uint16, payload []byte) {
	frame := f.sock.Slot()
	n := f.head + len(payload) // payload is already after the head
	f.sock.Commit(f.header(frame[:n], modem, from, to))
}

// header writes everything before the payload and returns the length of the frame.
func (f *frames) header(frame []byte, modem int, from, to uint16) int {
	e := (*[etherLen]byte)(frame)
	copy(e[0:6], f.gateway[:])
	copy(e[6:12], f.own[:])
	udp := frame[f.head-udpLen:]
	var addresses []byte
	if f.v6 {
		e[12], e[13] = etherIPv6>>8, etherIPv6&255
		h := (*[ip6Len]byte)(frame[etherLen:])
		h[0], h[1], h[2], h[3] = 6<<4, 0, 0, 0
		binary.BigEndian.PutUint16(h[4:], uint16(len(udp)))
		h[6], h[7] = protoUDP, 64
		copy(h[8:24], f.src[:])
		low := binary.BigEndian.Uint16(h[22:]) + uint16(modem)
		binary.BigEndian.PutUint16(h[22:], low)
		copy(h[24:40], f.dst[:])
		addresses = h[8:40]
	} else {
		e[12], e[13] = etherIPv4>>8, etherIPv4&255
		h := (*[ip4Len]byte)(frame[etherLen:])
		*h = [ip4Len]byte{0: 4<<4 | 5, 6: 0x40, 8: 64, 9: protoUDP}
		binary.BigEndian.PutUint16(h[2:], uint16(ip4Len+len(udp)))
		binary.BigEndian.PutUint32(h[12:], binary.BigEndian.Uint32(f.src[:])+uint32(modem))
		copy(h[16:20], f.dst[:4])
		binary.BigEndian.PutUint16(h[10:], ^fold(sum(h[:], 0)))
		addresses = h[12:20]
	}
	u := (*[udpLen]byte)(udp)
	binary.BigEndian.PutUint16(u[0:], from)
	binary.BigEndian.PutUint16(u[2:], to)
	binary.BigEndian.PutUint16(u[4:], uint16(len(udp)))
	u[6], u[7] = 0, 0
	check := ^fold(sum(udp, sum(addresses, uint64(protoUDP+len(udp)))))
	if check == 0 {
		check = 0xffff
	}
	binary.BigEndian.PutUint16(u[6:], check)
	return len(frame)
}

func (f *frames) flush() { f.sock.Flush() }

// receiveMax bounds what is received before sending goes on.
const receiveMax = 128

func (f *frames) receive(now int64, e *engine) int {
	n := 0
	for ; n < receiveMax; n++ {
		frame, whole, ok := f.sock.Next()
		if !ok {
			break
		}
		f.take(now, e, frame, whole)
	}
	return n
}

// take takes one received frame, which it may change.
func (f *frames) take(now int64, e *engine, frame []byte, whole bool) {
	modem, to, from, payload, v := f.parse(frame, whole)
	switch v {
	case ours:
		e.handle(now, modem, to, from, payload)
	case damaged:
		f.damaged++
	case foreign:
		f.foreign++
	case question:
		if len(payload) > 0 {
			f.sock.Commit(len(append(f.sock.Slot(), payload...)))
		}
	}
}

type verdict uint8

const (
	foreign  verdict = iota // not UDP from the server to a modem
	damaged                 // a checksum is wrong
	ours                    // for the engine
	question                // asks for a modem's hardware address; payload is the answer, made in place
)

// parse parses a frame. whole is false if its checksum is not filled in yet.
func (f *frames) parse(frame []byte, whole bool) (modem int, to, from uint16, payload []byte, v verdict) {
	if len(frame) < etherLen+ip4Len {
		return 0, 0, 0, nil, foreign
	}
	var addresses, udp []byte
	var source, dest netip.Addr
	body := frame[etherLen:]
	switch kind := binary.BigEndian.Uint16(frame[12:]); {
	case kind == etherIPv4 && !f.v6:
		length, hl := int(binary.BigEndian.Uint16(body[2:])), int(body[0]&15)*4
		if body[0]>>4 != 4 || hl < ip4Len || length < hl+udpLen || length > len(body) {
			return 0, 0, 0, nil, damaged
		}
		if whole && fold(sum(body[:hl], 0)) != 0xffff {
			return 0, 0, 0, nil, damaged
		}
		if body[9] != protoUDP || binary.BigEndian.Uint16(body[6:])&0x3fff != 0 {
			return 0, 0, 0, nil, foreign
		}
		addresses, udp = body[12:20], body[hl:length]
		source, dest = netip.AddrFrom4([4]byte(body[12:])), netip.AddrFrom4([4]byte(body[16:]))
		modem = int(int64(binary.BigEndian.Uint32(body[16:])) - int64(binary.BigEndian.Uint32(f.src[:])))
	case kind == etherIPv6 && f.v6:
		if len(body) < ip6Len {
			return 0, 0, 0, nil, foreign
		}
		length := int(binary.BigEndian.Uint16(body[4:]))
		if body[0]>>4 != 6 || length < udpLen || ip6Len+length > len(body) {
			return 0, 0, 0, nil, damaged
		}
		if body[6] == protoICMPv6 {
			answer, ok := f.advertise(frame, length)
			if !ok {
				return 0, 0, 0, nil, foreign
			}
			return 0, 0, 0, answer, question
		}
		if body[6] != protoUDP {
			return 0, 0, 0, nil, foreign
		}
		addresses, udp = body[8:40], body[ip6Len:ip6Len+length]
		source, dest = netip.AddrFrom16([16]byte(body[8:])), netip.AddrFrom16([16]byte(body[24:]))
		modem = int(binary.BigEndian.Uint16(body[38:])) - int(binary.BigEndian.Uint16(f.src[14:]))
	case kind == etherARP && !f.v6:
		answer, ok := f.answerARP(frame)
		if !ok {
			return 0, 0, 0, nil, foreign
		}
		return 0, 0, 0, answer, question
	default:
		return 0, 0, 0, nil, foreign
	}
	length := int(binary.BigEndian.Uint16(udp[4:]))
	if length < udpLen || length > len(udp) {
		return 0, 0, 0, nil, damaged
	}
	udp = udp[:length]
	if check := binary.BigEndian.Uint16(udp[6:]); whole && check != 0 {
		pseudo := sum(addresses, uint64(protoUDP+length))
		switch {
		case fold(sum(udp, pseudo)) == 0xffff:
			f.full++
		case f.mixed && check == fold(pseudo):
			// A damaged packet looks so once in 65,536: if more do, checksums are left to a device.
			if f.partial++; f.partial<<10 < f.full {
				return 0, 0, 0, nil, damaged
			}
		default:
			return 0, 0, 0, nil, damaged
		}
	}
	if source != f.target || !f.net.Contains(dest) || modem < 0 || modem >= f.modems {
		return 0, 0, 0, nil, foreign
	}
	return modem, binary.BigEndian.Uint16(udp[2:]), binary.BigEndian.Uint16(udp[0:]), udp[udpLen:], ours
}

// isModem reports whether an address in network byte order is one of the modems'.
func (f *frames) isModem(b []byte) bool {
	a, ok := netip.AddrFromSlice(b)
	if !ok || !f.net.Contains(a) {
		return false
	}
	if f.v6 {
		return [14]byte(b) == [14]byte(f.src[:]) && int(binary.BigEndian.Uint16(b[14:]))-int(binary.BigEndian.Uint16(f.src[14:])) < f.modems
	}
	return int(binary.BigEndian.Uint32(b)-binary.BigEndian.Uint32(f.src[:])) < f.modems
}

func (f *frames) wait(d time.Duration) { f.sock.Wait(d) }

func (f *frames) stats() linkStats {
	st := f.sock.Stats()
	return linkStats{
		sent: st.Sent, unsent: st.Unsent, received: st.Received, lost: st.Lost,
		damaged: f.damaged, foreign: f.foreign,
	}
}

func (f *frames) close() error { return f.sock.Close() }

// sum adds b to an Internet checksum (RFC 1071), eight bytes at a time; start must be small. Only the last piece may
// have an odd number of bytes.
func sum(b []byte, start uint64) uint64 {
	s, carry := start, uint64(0)
	for len(b) >= 8 {
		s, carry = bits.Add64(s, binary.BigEndian.Uint64(b), carry)
		b = b[8:]
	}
	var rest uint64
	for i, c := range b {
		rest |= uint64(c) << (56 - 8*i)
	}
	s, carry = bits.Add64(s, rest, carry)
	s, carry = bits.Add64(s, 0, carry)
	return s + carry
}

// fold reduces a sum to 16 bits.
func fold(s uint64) uint16 {
	s = s>>32 + s&0xffffffff
	s = s>>32 + s&0xffffffff
	s = s>>16 + s&0xffff
	s = s>>16 + s&0xffff
	return uint16(s)
}
