package transfer

import (
	"time"
	"unsafe"

	"dcs/fastpath/tftp"
	"dcs/render/device"
)

// Config configures a Table. Zero fields take their defaults.
type Config struct {
	Transfers  int           // most transfers at once; default 65,536
	Memory     int           // octets for bodies that transfers own; default 64 MiB
	Timeout    time.Duration // first wait for an ACK; default 1 s. The timeout option replaces it and its back-off once the client has answered.
	MaxTimeout time.Duration // limit of the back-off and of the timeout option; default 8 s
	Retries    int           // retransmissions of a block before a transfer is given up; default 5
	Pace       time.Duration // time allowed per block on average, beyond one minute for the whole file; default 1 s
	MaxBlksize int           // largest block size granted, octets; default 65,464
	MaxWindow  int           // largest window granted, blocks; default 64
	Refuse     tftp.Set      // options that are never granted

	// OnFailure, if not nil, is called with each transfer that ends before its client has acknowledged the whole file. Name has at
	// most 63 octets; Err is a [Failure], Reason its name, Value how far the transfer came and the text of the client's ERROR. The
	// outcome is valid during the call.
	OnFailure func(*device.Outcome)
}

func (c Config) withDefaults() Config {
	def := func(v *int, d int) {
		if *v <= 0 {
			*v = d
		}
	}
	def(&c.Transfers, 1<<16)
	def(&c.Memory, 64<<20)
	def(&c.Retries, 5)
	def(&c.MaxBlksize, tftp.MaxBlksize)
	def(&c.MaxWindow, 64)
	if c.Timeout <= 0 {
		c.Timeout = time.Second
	}
	if c.MaxTimeout <= 0 {
		c.MaxTimeout = 8 * time.Second
	}
	if c.Pace <= 0 {
		c.Pace = time.Second
	}
	c.MaxTimeout = max(c.MaxTimeout, c.Timeout)
	c.MaxBlksize = min(max(c.MaxBlksize, tftp.MinBlksize), tftp.MaxBlksize)
	// An ACK of the past must be distinguishable from one of the future, modulo 2^16.
	c.MaxWindow = min(c.MaxWindow, 1<<14)
	return c
}

// Octets returns the most memory that a Table uses: heap, allocated by New, and bodies that transfers own.
func (c Config) Octets() (heap, bodies int) {
	c = c.withDefaults()
	return c.Transfers*(int(unsafe.Sizeof(entry{})+unsafe.Sizeof(cold{}))+indexOctets+halfOpenOctets) + c.MaxBlksize, c.Memory
}

// grantable is the set of options that an OACK may contain.
const grantable = tftp.Blksize | tftp.Timeout | tftp.Tsize | tftp.Windowsize
