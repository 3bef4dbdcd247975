// Package localdb keeps the attributes of millions of devices in one immutable file that is looked up in place.
//
// # What is in a file
//
//	header    version, counts, places of the sections, names of the attributes, the maker's own words
//	rows      one for each device: the MAC address, the IP address, and for each attribute the place of its value
//	index     IP address → row
//	v6        the IPv6 addresses of rows
//	values    for each attribute its values, each once where they are shared
//	sums      a CRC-32C for each 4096 octets between header and sums
//
// Rows are a hash table that is kept sorted by hash, so that a look-up reads one place in
// memory, and building one is a sort and a sequential write.
//
// # What is promised
//
// A file is refused by Open if its length, header or sums are not as they were written.
// Rows, index and values are compared with their sums before the first answer is taken
// from them, block by block, or all at once by Verify. An octet that was altered or cut
// off before the file was opened thus never gives an answer: any change of up to 32
// adjacent bits within a block is found for certain, others but for one in 2³². What is
// changed in place while the file is open is not looked for. Nothing of ours does that: a
// file is written under another name, synced, made read-only, and renamed.
//
// A file that was made to deceive, with sums that are right, may give any answer; it
// cannot make a look-up panic, read outside of the file, or go on for ever.
package localdb

import (
	"errors"
)

// ErrDamaged is wrapped by errors that say that a file is not what was written.
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
	// Longest way from where a key's hash points to where it is. At the load that Builder keeps
	// to, ways longer than some hundreds do not occur.
	probeLimit = 1 << 16
)

// Flags of a row.
const (
	flagUsed = 1 << iota
	flagMAC
	flagIPv4 // the address is in the row
	flagIPv6 // the row has the address's place in the section v6
)
