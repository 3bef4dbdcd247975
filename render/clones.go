package render

import (
	"sync/atomic"
	"time"

	"dcs/render/device"
)

const (
	// cloneWindow is within how long a device that is seen behind two CMTSes is two devices, in seconds. No modem is moved,
	// ranges and asks again within that.
	cloneWindow = 60
	cloneSets   = 1 << 16
	cloneWays   = 8 // one line of the processor's cache
)

// CloneOctets is what an Engine takes to recognise clones, if its keyring has prefixes.
const CloneOctets = cloneSets * cloneWays * 8

// clones remembers behind which CMTS a device was seen last. It takes CloneOctets whatever is seen; where a set is full, the
// device that was seen longest ago makes room. Any number of goroutines may use it: none waits, and what two
// of them write at once to one place is one or the other.
//
// A place is a word, so that it is read and written in one piece: 32 bits of the device, whose other bits choose the set,
// 16 of the second when it was seen, one for IPv6, 15 for the CMTS.
type clones struct {
	sets [cloneSets][cloneWays]atomic.Uint64
}

const (
	cloneTag    = 0xffffffff << 32
	cloneFamily = 1 << 15
	cloneCMTS   = cloneFamily - 1
)

// seen tells whether the device was seen behind another CMTS within the last minute, by an address of the same family: of a modem
// that has both, one may come from a prefix whose CMTS is not named. With note the device is remembered to be behind this one.
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

// mixMAC turns the 48 bits of an address into 48 others, different for different addresses.
func mixMAC(mac device.MAC) uint64 {
	const mask = 1<<48 - 1
	x := uint64(mac[0])<<40 | uint64(mac[1])<<32 | uint64(mac[2])<<24 | uint64(mac[3])<<16 | uint64(mac[4])<<8 | uint64(mac[5])
	// Each step can be undone: a shift of more than half the bits, a product with an odd number.
	x ^= x >> 25
	x = x * 0x9e3779b185eb & mask
	x ^= x >> 25
	x = x * 0xc2b2ae3d27d5 & mask
	return x ^ x>>25
}
