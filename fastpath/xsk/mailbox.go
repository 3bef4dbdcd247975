package xsk

import (
	"math/bits"
	"net/netip"
	"sync/atomic"
	"unsafe"

	"dcs/fastpath/packet"
)

// A mailbox is a bounded ring with one writer and one reader, for packets that one worker received and another one
// owns. Each end has a cache line of its own: no word is written by both.
type mailbox struct {
	slots []mailSlot
	_     [64]byte
	tail  atomic.Uint32 // written by the writer
	seen  uint32        // the writer's copy of head, which may be behind
	_     [56]byte
	head  atomic.Uint32 // written by the reader
	_     [60]byte
}

// slotRoom is enough for what a client sends: requests, ACKs, and an ERROR with some text. Longer packets are truncated
// and marked so.
const slotRoom = 576

type mailSlot struct {
	peer, local netip.AddrPort
	link        packet.Link
	zone        uint32
	flags       packet.Flags
	tos         uint8
	tid         uint16
	maxBlksize  uint16
	hash        uint64
	n           uint16
	data        [slotRoom]byte
}

// newMailbox returns a mailbox of so many slots, which must be a power of two.
func newMailbox(slots int) *mailbox { return &mailbox{slots: make([]mailSlot, slots)} }

// put copies p into the mailbox. It returns false if the mailbox is full.
func (m *mailbox) put(p *packet.Packet) bool {
	tail := m.tail.Load()
	if tail-m.seen == uint32(len(m.slots)) {
		if m.seen = m.head.Load(); tail-m.seen == uint32(len(m.slots)) {
			return false
		}
	}
	l := &m.slots[tail&uint32(len(m.slots)-1)]
	l.peer, l.local, l.link, l.zone, l.flags, l.tos, l.tid, l.maxBlksize, l.hash = p.Peer, p.Local, p.Link, p.Zone, p.Flags, p.TOS, p.TID, p.MaxBlksize, p.Hash
	l.n = uint16(copy(l.data[:], p.Data))
	if len(p.Data) > len(l.data) {
		l.flags |= packet.Truncated
	}
	m.tail.Store(tail + 1)
	return true
}

// empty reports whether there is nothing to drain.
func (m *mailbox) empty() bool { return m.head.Load() == m.tail.Load() }

// drain moves packets from the mailbox to batch[n:] and returns the new number of packets in batch.
func (m *mailbox) drain(batch []packet.Packet, n int) int {
	head, tail := m.head.Load(), m.tail.Load()
	for ; head != tail && n < len(batch); head++ {
		l := &m.slots[head&uint32(len(m.slots)-1)]
		p := &batch[n]
		p.Reset()
		p.Data = append(p.Data, l.data[:l.n]...)
		p.Peer, p.Local, p.Link, p.Zone, p.Flags, p.TOS = l.peer, l.local, l.link, l.zone, l.flags, l.tos
		p.TID, p.MaxBlksize, p.Time, p.Hash = l.tid, l.maxBlksize, 0, l.hash
		n++
	}
	m.head.Store(head)
	return n
}

// inboxOctets is the memory of the mailboxes of one worker as far as their number allows: with n workers there are n×(n-1).
const inboxOctets = 1 << 20

// inboxSlots returns the slots of a mailbox in a group of so many workers, 8 to 1,024. If addresses do not choose the queue, a batch of 64
// packets has about 64/n for each worker. One that is all for the same worker does not fit if there are 64, with
// 16 slots: what has no room is lost and counted in HandLost.
func inboxSlots(workers int) int {
	most := inboxOctets / int(unsafe.Sizeof(mailSlot{})) / max(workers-1, 1)
	return min(max(1<<bits.Len(uint(most))>>1, 8), 1024)
}

// InboxOctets returns the memory of all mailboxes of so many workers.
func InboxOctets(workers int) int {
	one := inboxSlots(workers)*int(unsafe.Sizeof(mailSlot{})) + int(unsafe.Sizeof(mailbox{}))
	return workers * (workers - 1) * one
}
