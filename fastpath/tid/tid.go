// Package tid chooses the port from which each client is answered, so that nobody who has not seen an answer can guess
// it.
package tid

import (
	"crypto/rand"
	"encoding/binary"
	"net/netip"

	"github.com/dchest/siphash"
)

// A Key is a secret of the server. Whoever has it can compute the port of every client.
type Key [2]uint64

// NewKey returns a random key.
func NewKey() Key {
	var b [16]byte
	rand.Read(b[:]) // never fails
	return Key{binary.LittleEndian.Uint64(b[:]), binary.LittleEndian.Uint64(b[8:])}
}

// Hash returns SipHash-2-4 of a client's address and port: of 24 octets, which are the address, IPv4 as ::ffff:a.b.c.d,
// the port, little-endian, and six zeros. client_hash in bpf/tid.h computes the same. The zone is not included.
func (k *Key) Hash(client netip.AddrPort) uint64 {
	var b [24]byte
	*(*[16]byte)(b[:]) = client.Addr().As16()
	binary.LittleEndian.PutUint16(b[16:], client.Port())
	return siphash.Hash(k[0], k[1], b[:])
}

// Pick returns the port out of ports, which must not be empty, that the client with that hash is answered from. It uses
// the lower half of the hash.
func Pick(ports []uint16, hash uint64) uint16 {
	return ports[uint64(uint32(hash))*uint64(len(ports))>>32]
}
