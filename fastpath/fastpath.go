// Package fastpath answers TFTP requests: a worker takes packets in batches from a transport, has files rendered, and sends blocks.
package fastpath

import (
	"net/netip"

	"dcs/fastpath/packet"
	"dcs/render/device"
)

// A Request is a file that a client asks for. A Renderer sets Body (and Hold) or Err, and Client and MAC to those of the
// device that the file is for, where it knows better than the packet did: a [Watcher] gets these.
type Request struct {
	// Name is without the NUL, and valid during the call. Client is the packet's source. MAC is that of the TFTP option hwaddr:
	// whether to trust it is the renderer's decision.
	device.Requester

	Server  netip.Addr // the address that was asked; may be invalid
	NetAddr netip.Addr // from the TFTP option netaddr; invalid without it
	Buf     []byte     // empty, with room that the body may be appended to
	Body    []byte     // the file: in Buf, or memory that never changes
	Hold    any        // kept until the transfer ends, so that a mapping under Body stays alive
	Err     error      // wraps fs.ErrNotExist: ERROR 1; fs.ErrPermission: ERROR 2; syscall.EAGAIN: silence, the client asks again; else ERROR 0
}

// A Renderer makes the files of a batch of requests. now is Unix time in nanoseconds. It must not
// keep reqs, a Name or a Buf.
type Renderer interface {
	RenderBatch(now int64, reqs []Request)
}

// A Watcher is a Renderer that is called with transfers that failed: files that it has made and that their clients have not
// received. now is as for RenderBatch; o is valid during the call.
type Watcher interface {
	Renderer
	TransferFailed(now int64, o *device.Outcome)
}

// A Transport moves packets in batches. Recv and Send are called by one goroutine, Close by any.
type Transport interface {
	// Recv fills batch from the front and returns how many packets came. It waits for the first at
	// most a tick, which is short enough for timers, and returns 0 then. Their Data is valid
	// until the next Recv. After Close it returns an error that wraps net.ErrClosed.
	Recv(batch []packet.Packet) (int, error)
	// Send sends the packets. One that cannot be sent is lost and counted, as the network loses
	// packets; an error means that the transport can send no more. When it returns, the packets
	// may be written anew.
	Send(batch []packet.Packet) error
	// Close ends Recv and gives back what the transport holds.
	Close() error
}

// A Slabber is a Transport whose packets stand in memory of its own (AF_XDP's UMEM). The worker then
// takes its batches from it: n packets to receive into, n to send from, these with room for at
// least blksize+4 octets each. It asks for no larger blksize than MaxBlksize, and grants none to clients.
type Slabber interface {
	MaxBlksize() int
	Slabs(n, blksize int) (rx, tx []packet.Packet)
}

// A TransportStats is a Transport that counts. Drops is the number of packets that the kernel threw away
// because the worker was too slow, SendErrors of those that could not be sent.
type TransportStats interface {
	Drops() uint64
	SendErrors() uint64
}

// A Clock tells the time: wall in Unix nanoseconds, mono in nanoseconds that never go back.
type Clock func() (wall, mono int64)
