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

// entry is the part of a transfer that its packets need: four cache lines of 64 octets, of which an ACK that ends the transfer
// needs the first two. With tens of thousands of transfers these are in no near cache. See cold for the rest.
type entry struct {
	peer  netip.AddrPort
	local netip.AddrPort // the address that was asked, with the TID

	zone     uint32
	tag      uint32 // of the client's hash
	state    state
	netascii bool
	owned    bool // the body is in the table's memory
	instead  bool // it has taken the place of another of its client's
	proved   bool // the client has acknowledged something: it is there
	rewound  bool // this window was already sent again for a repeated ACK
	warned   bool // a router has reported that its blocks are too long, and they were sent again for that
	detour   bool // its blocks leave by the kernel's sockets, whichever way the client's packets come
	retries  uint8
	tos      uint8    // of the request: packet.Packet.TOS
	options  tftp.Set // that the OACK has
	timeout  uint8    // of the option, seconds
	window   uint16   // blocks
	blksize  uint16   // octets
	acked    uint32   // blocks acknowledged, counted from the beginning: the wire has the low 16 bits
	sent     uint32   // last block sent
	last     uint32   // last block of the file; 0 while netascii has not come to it
	ref      uint32   // of the body in the table's memory
	next     int32    // in its slot of the wheel, or free
	prev     int32
	deadline int64
	due      int64 // the tick in whose slot of the wheel the entry is; 0: none

	link     packet.Link
	interval int64  // the wait for the next ACK
	begun    int64  // when the first packet was sent
	sentAt   int64  // when the window was sent first
	rtt      int64  // how long the client took for the window before
	resends  uint32 // of the whole transfer, in windows
	birth    uint32 // tells the transfers apart that had the place one after the other

	body    []byte
	hold    any
	text    textPos
	request uint64 // hash of the whole request
}

// cold is the part of a transfer that is needed when it begins and when it fails: two cache lines.
type cold struct {
	name    uint64         // hash of the file name
	client  netip.Addr     // of the device that the file is for: behind a proxy not the peer
	mac     device.MAC     // of that device
	file    [nameRoom]byte // the name's beginning
	nameLen uint8          // octets that the name has, at most 255
	_       [26]byte       // to the end of the line
}

const nameRoom = 63

// address makes p a packet to the client.
func (e *entry) address(p *packet.Packet) {
	p.Peer, p.Local, p.Zone, p.Link, p.TOS = e.peer, e.local, e.zone, e.link, e.tos
}
