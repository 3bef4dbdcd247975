package xsk

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math/bits"
	"net/netip"
	"sync/atomic"
)

// TapConfig selects the frames that a Tap copies.
type TapConfig struct {
	Peer   netip.Prefix // of the destination address; zero: any
	MAC    [6]byte      // destination MAC address; zero: any
	Snap   int          // longest copy of a frame, octets
	Frames int          // frames that wait to be read, in total; each worker has an equal share, rounded to a power of two, at least 16
	// Now returns the time in ns since any epoch. Workers call it.
	Now func() int64
}

// A Tap copies frames that AF_XDP sockets send. Workers write them into rings of their own and never wait: frames that
// find no room are counted. Its methods are for one goroutine.
type Tap struct {
	cfg   TapConfig
	group *Group
	rings []*tapRing // by transport
}

// A Tapped is a copy of a frame that was sent.
type Tapped struct {
	Time      int64
	Interface int    // index
	Length    int    // of the frame, octets
	Data      []byte // its beginning, valid until the callback returns
}

// A TapCount counts the frames of an interface that passed the filter, and those of them that found no room.
type TapCount struct {
	Interface    int // index
	Passed, Lost uint64
}

// tapRing is a bounded ring with a worker as its writer and one reader.
type tapRing struct {
	slots        []tapSlot
	passed, lost []atomic.Uint64 // by port
	tail         atomic.Uint32   // written by the writer
	_            [60]byte
	head         atomic.Uint32 // written by the reader
	_            [60]byte
}

type tapSlot struct {
	time   int64
	port   int
	length int
	data   []byte // capacity: Snap
}

// Tap starts copying frames. There can be one Tap at a time.
func (g *Group) Tap(cfg TapConfig) (*Tap, error) {
	if cfg.Snap < 1 || cfg.Now == nil {
		return nil, fmt.Errorf("xsk: tap: snap length %d or no clock", cfg.Snap)
	}
	const least = 16
	slots := max(least, 1<<max(bits.Len(uint(cfg.Frames/len(g.Transports)))-1, 0))
	t := &Tap{cfg: cfg, group: g}
	for range g.Transports {
		r := &tapRing{slots: make([]tapSlot, slots), passed: make([]atomic.Uint64, len(g.devices)), lost: make([]atomic.Uint64, len(g.devices))}
		data := make([]byte, slots*cfg.Snap)
		for i := range r.slots {
			r.slots[i].data = data[i*cfg.Snap : i*cfg.Snap : (i+1)*cfg.Snap]
		}
		t.rings = append(t.rings, r)
	}
	if !g.tap.CompareAndSwap(nil, t) {
		return nil, errors.New("xsk: tap: already running")
	}
	return t, nil
}

// Read calls each with every frame that was copied and not read yet. It does not wait.
func (t *Tap) Read(each func(*Tapped)) {
	var f Tapped
	for _, r := range t.rings {
		head, tail := r.head.Load(), r.tail.Load()
		for ; head != tail; head++ {
			s := &r.slots[head&uint32(len(r.slots)-1)]
			f = Tapped{s.time, t.group.devices[s.port].index, s.length, s.data}
			each(&f)
			r.head.Store(head + 1)
		}
	}
}

// Counts returns the counts of all workers by interface.
func (t *Tap) Counts() []TapCount {
	all := make([]TapCount, len(t.group.devices))
	for i := range all {
		all[i].Interface = t.group.devices[i].index
		for _, r := range t.rings {
			all[i].Passed += r.passed[i].Load()
			all[i].Lost += r.lost[i].Load()
		}
	}
	return all
}

// Close stops the Tap. Frames that were copied can still be read.
func (t *Tap) Close() { t.group.tap.CompareAndSwap(t, nil) }

// copy copies the frames that a transport is about to send by one of its ports, if the filter passes them.
func (t *Tap) copy(from *Transport, port int) {
	r := t.rings[from.index]
	now := t.cfg.Now()
	for _, d := range from.ports[port].tx {
		b := from.mem[d.Addr : d.Addr+uint64(d.Len)]
		if !t.passes(b) {
			continue
		}
		r.passed[port].Add(1)
		if !r.put(now, port, b) {
			r.lost[port].Add(1)
		}
	}
}

// passes reports whether a frame, which is one of ours, passes the filter.
func (t *Tap) passes(b []byte) bool {
	if t.cfg.MAC != [6]byte{} && [6]byte(b) != t.cfg.MAC {
		return false
	}
	return !t.cfg.Peer.IsValid() || t.cfg.Peer.Contains(targetOf(b))
}

// targetOf returns the destination address of a frame.
func targetOf(b []byte) netip.Addr {
	const macs, tag = 12, 4
	at := macs
	for {
		switch binary.BigEndian.Uint16(b[at:]) {
		case 0x0800:
			return netip.AddrFrom4([4]byte(b[at+2+16:]))
		case 0x86dd:
			return netip.AddrFrom16([16]byte(b[at+2+24:]))
		}
		at += tag
	}
}

// put copies a frame into the ring. It returns false if the ring is full.
func (r *tapRing) put(now int64, port int, b []byte) bool {
	tail := r.tail.Load()
	if tail-r.head.Load() == uint32(len(r.slots)) {
		return false
	}
	s := &r.slots[tail&uint32(len(r.slots)-1)]
	s.time, s.port, s.length = now, port, len(b)
	s.data = append(s.data[:0], b[:min(len(b), cap(s.data))]...)
	r.tail.Store(tail + 1)
	return true
}
