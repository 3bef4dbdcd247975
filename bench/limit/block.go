package main

import "encoding/binary"

const headers = 14 + 20 + 8 // Ethernet without tags, IPv4 without options, UDP: what netlab's load sends

// block is the answer to every request.
type block struct {
	octets  []byte // the DATA packet
	ip, udp uint32 // sums of what never changes in the headers, for their checksums (RFC 1071)
}

// newBlock returns a block of size octets, which count from 0.
func newBlock(size int) *block {
	b := &block{octets: append([]byte{0, opDATA, 0, 1}, make([]byte, size)...)}
	for i := range size {
		b.octets[4+i] = byte(i)
	}
	n := uint32(8 + len(b.octets))
	b.ip = 0x4500 + 20 + n + 0x4000 + 64<<8 + 17
	b.udp = 17 + 2*n
	for i, o := range b.octets {
		b.udp += uint32(o) << (8 * (1 - i%2))
	}
	return b
}

// address turns the headers of a request into those of its answer, which already follows them, and returns the length
// of the frame.
func (b *block) address(f []byte) int {
	h := (*[headers]byte)(f)
	var mac [6]byte
	copy(mac[:], h[:6])
	copy(h[:6], h[6:12])
	copy(h[6:12], mac[:])
	src, dst := binary.BigEndian.Uint32(h[26:]), binary.BigEndian.Uint32(h[30:])
	ports := binary.BigEndian.Uint32(h[34:])
	n := uint32(8 + len(b.octets))
	ends := src>>16 + src&0xffff + dst>>16 + dst&0xffff
	binary.BigEndian.PutUint32(h[14:], 0x4500<<16|20+n)
	binary.BigEndian.PutUint32(h[18:], 0x4000) // DF
	binary.BigEndian.PutUint32(h[22:], 64<<24|17<<16|uint32(fold(b.ip+ends)))
	binary.BigEndian.PutUint32(h[26:], dst)
	binary.BigEndian.PutUint32(h[30:], src)
	binary.BigEndian.PutUint32(h[34:], ports<<16|ports>>16)
	binary.BigEndian.PutUint32(h[38:], n<<16|uint32(fold(b.udp+ends+ports>>16+ports&0xffff)))
	return headers + len(b.octets)
}

// fold returns the checksum for a sum of words.
func fold(s uint32) uint16 {
	s = s>>16 + s&0xffff
	s = s>>16 + s&0xffff
	if s == 0xffff {
		return 0xffff // 0 would mean no checksum
	}
	return ^uint16(s)
}
