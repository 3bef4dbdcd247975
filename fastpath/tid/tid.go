// Package tid chooses the port from which each client is answered: who has not seen an answer cannot guess it.
package tid

import (
	"crypto/rand"
	"encoding/binary"
	"net/netip"

	"github.com/dchest/siphash"
)

// A Key is a secret of the server's: whoever knows it knows the port of every client.
type Key [2]uint64

// NewKey returns a random key.
func NewKey() Key {
	var b [16]byte
	rand.Read(b[:]) // it cannot fail
	return Key{binary.LittleEndian.Uint64(b[:]), binary.LittleEndian.Uint64(b[8:])}
}

// Hash returns SipHash-2-4 of a client: of the 16 octets of its address, an IPv4 address as ::ffff:a.b.c.d, then its port and
// six zeros, as three words in the order of x86. Its twin is client_hash in bpf/tid.h. The zone does not count.
func (k *Key) Hash(client netip.AddrPort) uint64 {
	var b [24]byte
	*(*[16]byte)(b[:]) = client.Addr().As16()
	binary.LittleEndian.PutUint16(b[16:], client.Port())
	return siphash.Hash(k[0], k[1], b[:])
}

// Pick returns the one of some ports, at least one, that the client with that hash is answered from: its lower half says
// which.
func Pick(ports []uint16, hash uint64) uint16 {
	return ports[uint64(uint32(hash))*uint64(len(ports))>>32]
}
