package transfer

import (
	"net/netip"

	"dcs/fastpath/packet"
	"dcs/fastpath/tftp"
	"dcs/render/device"
)

type state uint8

const (
	vacant      state = iota // the place is free
	pending                  // being rendered
	negotiating              // OACK sent, ACK 0 awaited
	sending
)

// entry is the part of a transfer that its packets need: four cache lines of 64 octets. An ACK that ends the transfer
// needs the first two. With tens of thousands of transfers the entries do not fit into the near caches. The rest of a
// transfer is in cold.
type entry struct {
	peer  netip.AddrPort
	local netip.AddrPort // the requested address, with the TID

	zone        uint32
	tag         uint32 // of the client's hash
	state       state
	netascii    bool
	owned       bool // the body is in the table's memory
	instead     bool // it replaces another transfer of its client
	established bool // the client has acknowledged something, so its address is real
	rewound     bool // this window was already sent again for a repeated ACK
	warned      bool // a router has reported that its blocks are too long, and they were sent again for that
	detour      bool // its blocks are sent by the kernel's sockets, even if the client's packets bypass the kernel
	retries     uint8
	tos         uint8    // of the request, as packet.Packet.TOS
	options     tftp.Set // in the OACK
	timeout     uint8    // value of the option, seconds
	window      uint16   // blocks
	blksize     uint16   // octets
	acked       uint32   // blocks acknowledged since the beginning; the wire carries the low 16 bits
	sent        uint32   // last block sent
	last        uint32   // last block of the file; 0: not known yet (netascii)
	ref         uint32   // arena reference of the body
	next        int32    // next entry in its slot of the wheel, or in the free list
	prev        int32
	deadline    int64
	due         int64 // tick of the wheel slot that holds the entry; 0: none

	link     packet.Link
	interval int64  // the wait for the next ACK
	begun    int64  // when the first packet was sent
	sentAt   int64  // when the window was first sent
	rtt      int64  // how long the client took to acknowledge the previous window
	resends  uint32 // windows sent again in the whole transfer
	birth    uint32 // distinguishes successive transfers that used this entry

	body    []byte
	hold    any
	text    textPos
	request uint64 // hash of the whole request
}

// cold is the part of a transfer that is needed when it starts and when it fails: two cache lines.
type cold struct {
	name    uint64         // hash of the file name
	client  netip.Addr     // address of the device that the file is for; behind a proxy not the peer's
	mac     device.MAC     // of that device
	file    [nameRoom]byte // the first octets of the name
	nameLen uint8          // length of the name in octets, at most 255
	_       [26]byte       // padding to the end of the cache line
}

const nameRoom = 63

// address makes p a packet from the transfer's local address to its client.
func (e *entry) address(p *packet.Packet) {
	p.Peer, p.Local, p.Zone, p.Link, p.TOS = e.peer, e.local, e.zone, e.link, e.tos
}
