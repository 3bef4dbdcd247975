package store

import (
	"hash/maphash"
	"sync/atomic"

	"dcs/render/device"
)

// likely judges whether a device that no View has may exist: other devices of its vendor are known (random MAC addresses have
// unknown vendors), or a question about it was dropped before (a modem tries again, a flood of random addresses does not).
type likely struct {
	vendors [1 << 24 / 64]atomic.Uint64 // one bit for each OUI: 2 MiB
	any     atomic.Bool                 // a bit is set

	seed    maphash.Seed
	dropped [1 << 16]uint32 // hashes of questions; used by the dispatcher only
}

func newLikely() *likely { return &likely{seed: maphash.MakeSeed()} }

// add records a known device. It has no effect on a nil likely.
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

// is reports whether the device may exist. Without any known device, all may.
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

// drop records a dropped question.
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
