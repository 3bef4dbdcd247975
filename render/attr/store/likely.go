package store

import (
	"hash/maphash"
	"sync/atomic"

	"dcs/render/device"
)

// likely knows what speaks for a device that no View has: others of its vendor are known (random MAC addresses are of vendors
// that nobody has), or it has been asked for before and was dropped (a modem tries again, a flood of random addresses does not).
type likely struct {
	vendors [1 << 24 / 64]atomic.Uint64 // a bit for each OUI: 2 MiB
	any     atomic.Bool                 // there is one

	seed    maphash.Seed
	dropped [1 << 16]uint32 // hashes of questions; of the dispatcher
}

func newLikely() *likely { return &likely{seed: maphash.MakeSeed()} }

// add notes that a device is known. nil notes nothing.
func (l *likely) add(mac device.MAC) {
	if l == nil {
		return
	}
	oui := uint32(mac[0])<<16 | uint32(mac[1])<<8 | uint32(mac[2])
	word, bit := &l.vendors[oui/64], uint64(1)<<(oui%64)
	if word.Load()&bit == 0 {
		word.Or(bit)
		l.any.Store(true)
	}
}

// is tells whether something speaks for the device, or nothing can since none is known.
func (l *likely) is(q question) bool {
	if !l.any.Load() {
		return true
	}
	oui := uint32(q.mac[0])<<16 | uint32(q.mac[1])<<8 | uint32(q.mac[2])
	if !q.mac.IsZero() && l.vendors[oui/64].Load()&(1<<(oui%64)) != 0 {
		return true
	}
	at, tag := l.place(q)
	return l.dropped[at] == tag
}

// drop notes that a question was dropped.
func (l *likely) drop(q question) {
	at, tag := l.place(q)
	l.dropped[at] = tag
}

func (l *likely) place(q question) (at int, tag uint32) {
	ip := q.ip.As16()
	var b [22]byte
	copy(b[:], q.mac[:])
	copy(b[6:], ip[:])
	h := maphash.Bytes(l.seed, b[:])
	return int(h % uint64(len(l.dropped))), uint32(h>>32) | 1
}
