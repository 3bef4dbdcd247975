package localdb

import (
	"encoding/binary"
	"math/bits"

	"dcs/render/device"
)

// MAC addresses are hashed by a bijection on 48 bits, so that a row's hash is its key. Each step is its own inverse, as a shift
// by half the width or more, or has an inverse, as a multiplication by an odd factor.
const (
	mask48   = 1<<48 - 1
	factor1  = 0xff51afd7ed55
	factor2  = 0xb9fe1a85ec53
	inverse1 = 0x87cd2ca8a7fd
	inverse2 = 0xb2f8129337db
)

func hashMAC(mac device.MAC) uint64 {
	x := uint64(binary.BigEndian.Uint32(mac[:]))<<16 | uint64(binary.BigEndian.Uint16(mac[4:]))
	x ^= x >> 25
	x = x * factor1 & mask48
	x ^= x >> 24
	x = x * factor2 & mask48
	x ^= x >> 26
	return x
}

// unhashMAC is the inverse of hashMAC.
func unhashMAC(x uint64) (mac device.MAC) {
	x ^= x >> 26
	x = x * inverse2 & mask48
	x ^= x >> 24
	x = x * inverse1 & mask48
	x ^= x >> 25
	binary.BigEndian.PutUint32(mac[:], uint32(x>>16))
	binary.BigEndian.PutUint16(mac[4:], uint16(x))
	return mac
}

// hashIP hashes an address to 64 bits. An IPv4 address and its IPv4-mapped IPv6 address are the same.
func hashIP(a [16]byte) uint64 {
	x := binary.BigEndian.Uint64(a[:]) + 0x9e3779b97f4a7c15
	x = mix64(x) ^ binary.BigEndian.Uint64(a[8:])
	return mix64(x)
}

// mix64 is the finalizer of MurmurHash3.
func mix64(x uint64) uint64 {
	x ^= x >> 33
	x *= 0xff51afd7ed558ccd
	x ^= x >> 33
	x *= 0xc4ceb9fe1a85ec53
	return x ^ x>>33
}

// home returns the first of n slots of a hash, given in the top bits of 64. It increases monotonically with the hash.
func home(hash, n uint64) uint64 {
	hi, _ := bits.Mul64(hash, n)
	return hi
}

// slotsFor returns the number of slots for n keys: a load factor of 0.8.
func slotsFor(n uint64) uint64 { return n + n/4 + 1 }
