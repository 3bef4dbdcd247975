// Package localdb stores the attributes of millions of devices in one immutable file, which is memory-mapped and searched in
// place.
//
// # File format
//
//	header    version, counts, offsets of the sections, names of the attributes, metadata of the writer
//	rows      one for each device: MAC address, IP address, and for each attribute the offset of its value
//	index     IP address → row
//	v6        IPv6 addresses of rows
//	values    for each attribute its values, each once where they are shared
//	sums      a CRC-32C for each 4096 octets between header and sums
//
// Rows form a hash table that is sorted by hash, so that a look-up reads one place in memory, and building a table is a sort
// and a sequential write.
//
// # Integrity
//
// Open refuses a file if its length, header or sums have changed since it was written. Rows, index and values are compared with
// their sums before they are used for the first time, block by block, or all at once by Verify, so that octets that were altered
// or cut off before the file was opened never yield an answer: a change of up to 32 adjacent bits within a block is always
// detected, others with a probability of 1 - 2⁻³². Changes made in place while the file is open are not detected by look-ups.
// This package makes none: a file is written under a temporary name, synced, made read-only, and renamed.
//
// A file that was forged, with correct sums, may yield any answer, but cannot make a look-up panic, read outside of the file, or
// loop for ever.
package localdb

import (
	"errors"
)

// ErrDamaged is wrapped by errors about files that have changed since they were written.
var ErrDamaged = errors.New("damaged device file")

// Limits of the format.
const (
	MaxColumns = 4096      // attributes
	MaxValue   = 1<<16 - 1 // octets of one value
	MaxDevices = 1<<32 - 2 // rows
	maxName    = 1<<16 - 1
	maxMeta    = 1 << 20
	maxHeader  = 1 << 28
)

const (
	magic     = "dcsdevs\n"
	version   = 1
	blockSize = 4096
	hugePage  = 2 << 20 // of x86-64 and arm64, a multiple of blockSize
	preamble  = 24      // magic, version, length and checksum of the header
	// A row begins with the hash of its MAC address and its flags.
	rowFixed = 7
	slotSize = 8 // of the index: 32 bits of the hash, row number plus one
	// Longest probe sequence. At the load factor of Builder, sequences of more than some hundreds do not occur.
	probeLimit = 1 << 16
)

// Flags of a row.
const (
	flagUsed = 1 << iota
	flagMAC
	flagIPv4 // the address is in the row
	flagIPv6 // the row has the address's place in the section v6
)
