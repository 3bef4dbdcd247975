package fastpath

import "sync/atomic"

// Blksizes holds the largest block sizes granted over IPv4 and IPv6. Workers load them once per batch.
type Blksizes struct{ both atomic.Uint64 }

// Store sets the largest block sizes over IPv4 and IPv6, in octets.
func (b *Blksizes) Store(v4, v6 int) { b.both.Store(uint64(uint32(v4))<<32 | uint64(uint32(v6))) }

// Load returns the largest block sizes over IPv4 and IPv6, in octets.
func (b *Blksizes) Load() (v4, v6 int) {
	both := b.both.Load()
	return int(both >> 32), int(uint32(both))
}
