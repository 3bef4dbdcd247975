// Package fastpath answers TFTP requests: a worker receives packets in batches from a transport, has files rendered,
// and sends blocks.
package fastpath

import (
	"net/netip"

	"dcs/fastpath/packet"
	"dcs/render/device"
)

// A Request is a client's request for a file. A Renderer sets Body (and Hold) or Err. If it knows the device better
// than the packet, it also sets Client and MAC, which a [Watcher] receives.
type Request struct {
	// Name is without the NUL, and valid during the call. Client is the packet's source. MAC is from the TFTP option
	// hwaddr; whether to trust it is the renderer's decision.
	device.Requester

	Server  netip.Addr // the requested address; may be invalid
	NetAddr netip.Addr // from the TFTP option netaddr; invalid if absent
	Buf     []byte     // empty; its capacity is room for the body
	Body    []byte     // the file: in Buf, or in memory that never changes
	Hold    any        // retained until the transfer ends, for example to keep the mapping of Body
	Err     error      // wraps fs.ErrNotExist: ERROR 1; fs.ErrPermission: ERROR 2; syscall.EAGAIN: silence, the client asks again; else ERROR 0
}

// A Renderer renders the files for a batch of requests. now is Unix time in nanoseconds. It must not retain reqs, a Name or a
// Buf.
type Renderer interface {
	RenderBatch(now int64, reqs []Request)
}

// A Watcher is a Renderer that is notified of failed transfers of files that it rendered. now is as for RenderBatch; o
// is valid during the call.
type Watcher interface {
	Renderer
	TransferFailed(now int64, o *device.Outcome)
}

// A Transport moves packets in batches. Recv and Send are called from one goroutine, Close from any.
type Transport interface {
	// Recv fills batch from the front and returns the number of packets. It waits at most one tick for the first packet, then
	// returns 0, so that timers run. Data is valid until the next Recv. After Close the error wraps net.ErrClosed.
	Recv(batch []packet.Packet) (int, error)
	// Send sends the packets. A packet that cannot be sent is dropped and counted; an error means that the transport is
	// unusable. The packets may be reused after it returns.
	Send(batch []packet.Packet) error
	// Close unblocks Recv and releases the transport's resources.
	Close() error
}

// A Slabber is a Transport that provides the packets' memory (AF_XDP's UMEM). The worker takes its batches from it: n
// packets to receive into and n to send from, with room for at least blksize+4 octets each. The worker grants no block
// size above MaxBlksize.
type Slabber interface {
	MaxBlksize() int
	Slabs(n, blksize int) (rx, tx []packet.Packet)
}

// A TransportStats is a Transport with counters: Drops counts packets that the kernel dropped because the worker was too slow,
// SendErrors those that could not be sent.
type TransportStats interface {
	Drops() uint64
	SendErrors() uint64
}

// A Clock returns the time: wall in Unix nanoseconds, mono in monotonic nanoseconds.
type Clock func() (wall, mono int64)
