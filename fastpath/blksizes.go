package fastpath

import "sync/atomic"

// Blksizes are the largest blocks that clients are granted. Workers load them once a batch.
type Blksizes struct{ both atomic.Uint64 }

// Store sets the largest blocks over IPv4 and over IPv6, octets.
func (b *Blksizes) Store(v4, v6 int) { b.both.Store(uint64(uint32(v4))<<32 | uint64(uint32(v6))) }

// Load returns them.
func (b *Blksizes) Load() (v4, v6 int) {
	both := b.both.Load()
	return int(both >> 32), int(uint32(both))
}
