package render

import (
	"sync/atomic"
	"time"

	"dcs/render/device"
)

const (
	// cloneWindow is the time in seconds within which a device behind two CMTSes counts as two devices. A modem cannot
	// be moved, range and send a request in less.
	cloneWindow = 60
	cloneSets   = 1 << 16
	cloneSlots  = 8 // a cache line
)

// CloneOctets is the memory in octets that an Engine takes to recognise clones, if its keyring has prefixes.
const CloneOctets = cloneSets * cloneSlots * 8

// clones remembers the CMTS that each device was last seen behind. Its size is fixed; in a full set, the entry seen
// longest ago is replaced. Any number of goroutines may use it without waiting; of two concurrent writes to a slot, one
// wins.
//
// A slot is one word, read and written atomically: 32 bits of the device, whose other bits choose the set, 16 bits of
// the second when it was seen, one bit for IPv6, and 15 bits for the CMTS.
type clones struct {
	sets [cloneSets][cloneSlots]atomic.Uint64
}

const (
	cloneTag    = 0xffffffff << 32
	cloneFamily = 1 << 15
	cloneCMTS   = cloneFamily - 1
)

// seen reports whether the device was seen behind another CMTS within the last minute, by an address of the same family: if a modem
// has both, one may be in a prefix without a CMTS. With note, the device is recorded as being behind this one.
func (c *clones) seen(now int64, mac device.MAC, ipv6 bool, cmts uint32, note bool) (clone bool) {
	x := mixMAC(mac)
	set := &c.sets[x&(cloneSets-1)]
	second := uint64(now/int64(time.Second)) & 0xffff
	word := x>>16<<32 | second<<16 | uint64(cmts>>1)&cloneCMTS
	if ipv6 {
		word |= cloneFamily
	}
	at, oldest := 0, uint64(0)
	for i := range set {
		w := set[i].Load()
		age := (second - w>>16) & 0xffff
		if w == 0 {
			age = 0xffff
		}
		if w != 0 && (w^word)&(cloneTag|cloneFamily) == 0 {
			clone = age <= cloneWindow && (w^word)&cloneCMTS != 0
			if at = i; w == word {
				return clone // a store would take the line from the other workers
			}
			break
		}
		if age >= oldest {
			at, oldest = i, age
		}
	}
	if note {
		set[at].Store(word)
	}
	return clone
}

// mixMAC permutes the 48-bit addresses.
func mixMAC(mac device.MAC) uint64 {
	const mask = 1<<48 - 1
	x := uint64(mac[0])<<40 | uint64(mac[1])<<32 | uint64(mac[2])<<24 | uint64(mac[3])<<16 | uint64(mac[4])<<8 | uint64(mac[5])
	// Each step is invertible: a shift by more than half the bits, a product with an odd number.
	x ^= x >> 25
	x = x * 0x9e3779b185eb & mask
	x ^= x >> 25
	x = x * 0xc2b2ae3d27d5 & mask
	return x ^ x>>25
}
