// Package transfer keeps a worker's running TFTP transfers: who asked, what has been sent, what is due again.
package transfer

import (
	"hash/maphash"
	"net/netip"
	"runtime/debug"
	"time"
	"unsafe"

	"dcs/fastpath/packet"
	"dcs/fastpath/tftp"
	"dcs/render/device"
)

// Config sets a Table's limits. A zero field takes the default.
type Config struct {
	Transfers  int           // most transfers at once; default 65,536
	Memory     int           // octets for bodies that transfers own; default 64 MiB
	Timeout    time.Duration // first wait for an ACK; default 1 s. The timeout option replaces it and its back-off once the client has answered.
	MaxTimeout time.Duration // a wait doubles up to this, and is no longer whatever a client asks for; default 8 s
	Retries    int           // retransmissions of a block before a transfer is given up; default 5
	Pace       time.Duration // what each block of a file may take on average, after a minute for all of it; default 1 s
	MaxBlksize int           // largest block size granted, octets; default 65,464
	MaxWindow  int           // largest window granted, blocks; default 64
	Refuse     tftp.Set      // options that are passed over

	// OnFailure is called with transfers that have ended before their clients had acknowledged all of the file. Of a name it has the
	// first 63 octets; Err is a [Failure], Reason its name, Value how far the transfer came, and the text of the client's ERROR. The
	// outcome is valid during the call. May be nil.
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
	// An ACK that is behind must be told from one that is ahead, modulo 2^16.
	c.MaxWindow = min(c.MaxWindow, 1<<14)
	return c
}

// grantable are the options that an OACK may have.
const grantable = tftp.Blksize | tftp.Timeout | tftp.Tsize | tftp.Windowsize

// Octets returns what a Table takes at most: heap at once, and bodies as transfers own them.
func (c Config) Octets() (heap, bodies int) {
	c = c.withDefaults()
	return c.Transfers*(int(unsafe.Sizeof(entry{}))+indexOctets+embryoOctets) + c.MaxBlksize, c.Memory
}

// An ID names a transfer from Request to Start, Reject or Drop.
type ID int32

// A Table is one worker's transfers. Nothing in it allocates after New, locks, or reads a clock: now
// is a monotonic time in nanoseconds. Replies are appended to a packet.Queue whose packets have room
// for the largest block. The packets that its methods take must have been given to Prepare.
type Table struct {
	// Count is how often each Event happened.
	Count [NumEvents]uint64

	cfg      Config
	blksize  int // largest block granted, octets
	blksize6 int // over IPv6
	seed     maphash.Seed
	entries  []entry
	free     int32 // first entry that was given back
	fresh    int32 // entries from here on were never taken: their memory is not touched before
	active   int
	index    index
	wheel    wheel
	memory   *arena
	embryos  embryos
	owners   embryos  // of these, those whose body stands in memory
	unproved int      // embryos in all
	waiting  []uint64 // a bit for each entry that has one
	pressed  int64    // until when half of all places having embryos has its effects
	random   uint32   // state of the choice of places to look at
	text     []byte   // a block of netascii that nobody wants
	recent   [recentSlots]finished
	touched  uint64 // what Prepare has read, so that it is read
	failure  device.Outcome
	writing  *packet.Packet // the packet that is being written
}

// recent remembers transfers that have finished, so that a repeated last ACK is not told that
// its TID is unknown: a client may already use the same port for its next request.
type finished struct {
	key   uint64
	until int64
}

const recentSlots = 8192

type state uint8

const (
	vacant      state = iota // the place is free
	pending                  // being rendered
	negotiating              // OACK sent, ACK 0 awaited
	sending
)

type entry struct {
	peer     netip.AddrPort
	local    netip.AddrPort // the address that was asked, with the TID
	zone     uint32
	link     packet.Link
	hash     uint64 // of the client
	name     uint64 // hash of the file name
	request  uint64 // hash of the whole request
	state    state
	netascii bool
	owned    bool // body stands in the table's memory
	instead  bool // it has taken the place of another of its client's
	proved   bool // the client has acknowledged something: it is there
	rewound  bool // this window was already sent again for a repeated ACK
	warned   bool // a router has said that its blocks are too long, and they were sent again for that
	detour   bool // its blocks leave by the kernel's sockets, whichever way the client's packets come
	retries  uint8
	tos      uint8    // of the request: packet.Packet.TOS
	resends  uint32   // of the whole transfer, in windows
	birth    uint32   // tells the transfers apart that had the place one after the other
	options  tftp.Set // that the OACK has
	timeout  uint8    // of the option, seconds
	window   uint32
	blksize  uint32
	acked    uint32 // blocks acknowledged, counted from the beginning: the wire has the low 16 bits
	sent     uint32 // last block sent
	last     uint32 // last block of the file; 0 while netascii has not come to it
	ref      uint32 // of the body in the table's memory
	text     textPos
	body     []byte
	hold     any
	deadline int64
	interval int64 // the wait for the next ACK
	begun    int64 // when the first packet was sent
	sentAt   int64 // when the window was sent first
	rtt      int64 // how long the client took for the window before
	due      int64 // the tick in whose slot the entry hangs; 0: none
	next     int32 // in its slot, or free
	prev     int32
	client   netip.Addr     // of the device that the file is for: behind a proxy not the peer
	mac      device.MAC     // of that device
	file     [nameRoom]byte // the name's beginning
	nameLen  uint8          // octets that the name has, at most 255
}

const nameRoom = 63

// address makes p a packet to the client.
func (e *entry) address(p *packet.Packet) {
	p.Peer, p.Local, p.Zone, p.Link, p.TOS = e.peer, e.local, e.zone, e.link, e.tos
}

// New returns an empty table.
func New(cfg Config, now int64) *Table {
	cfg = cfg.withDefaults()
	t := &Table{
		cfg:     cfg,
		seed:    maphash.MakeSeed(),
		entries: make([]entry, cfg.Transfers),
		free:    none,
		index:   newIndex(cfg.Transfers),
		memory:  newArena(cfg.Memory),
		embryos: newEmbryos(cfg.Transfers),
		owners:  newEmbryos(cfg.Transfers),
		waiting: make([]uint64, (cfg.Transfers+63)/64),
		text:    make([]byte, 0, cfg.MaxBlksize),
	}
	t.Grant(cfg.MaxBlksize, cfg.MaxBlksize)
	t.wheel.init(now)
	return t
}

// Grant sets the largest blocks that new transfers are granted over IPv4 and over IPv6, octets, in the place of the configuration's. Packets
// have no room for more than MaxBlksize of that.
func (t *Table) Grant(v4, v6 int) {
	within := func(n int) int { return min(max(n, tftp.MinBlksize), t.cfg.MaxBlksize) }
	t.blksize, t.blksize6 = within(v4), within(v6)
}

// Active returns the number of running transfers.
func (t *Table) Active() int { return t.active }

// Prepare is called once for the packets of each batch, before they are handled. With tens of thousands of clients the
// table's memory is in no near cache: here the lines that the batch will need are read one after the
// other without a look at what they hold, so that the processor fetches many at a time. That takes
// a sixth off the cost of a packet.
func (t *Table) Prepare(in []packet.Packet) {
	sum := t.touched
	for i := range in {
		sum += uint64(t.index.slots[t.index.first(tag(in[i].Hash))].tag)
	}
	for i := range in {
		if ref := t.index.slots[t.index.first(tag(in[i].Hash))].ref; ref != 0 {
			e := &t.entries[ref-1]
			sum += e.hash + uint64(e.acked) + uint64(e.deadline) + uint64(e.prev)
		}
	}
	t.touched = sum
}

// Request handles an RRQ that was parsed into rq. It returns ok for a transfer that is to be begun:
// the caller ends it by Start, Reject or Drop before the next call of any other method but Request.
// A repeated request is answered here by sending again, and never starts a second transfer.
func (t *Table) Request(now int64, in *packet.Packet, rq *tftp.Request, out *packet.Queue) (id ID, ok bool) {
	hash, instead := in.Hash, false
	name, request := maphash.Bytes(t.seed, rq.Name), maphash.Bytes(t.seed, in.Data)
	for {
		id := t.rival(hash, in, name)
		if id == none {
			break
		}
		e := &t.entries[id]
		same := e.name == name && e.request == request
		if same && e.embryonic() {
			t.Count[RepeatedRequest]++
			e.follow(in)
			e.tos = in.TOS
			t.transmit(id, e, 0, 1, out)
			return 0, false
		}
		if e.state == pending || t.flows(now, e, same) {
			t.Count[LateRequest]++
			return 0, false
		}
		t.Count[Restarted]++
		t.release(id)
		instead = true
	}
	if id, ok = t.place(now); !ok {
		t.Count[TableFull]++
		return 0, false
	}
	t.active++
	e := &t.entries[id]
	*e = entry{
		state: pending, birth: e.birth + 1, instead: instead,
		peer: in.Peer, local: netip.AddrPortFrom(in.Local.Addr(), in.TID), zone: in.Zone, link: in.Link, tos: in.TOS, hash: hash, name: name, request: request, netascii: rq.NetASCII,
		blksize: tftp.DefaultBlksize, window: 1, interval: int64(t.cfg.Timeout),
		options: rq.Has & grantable &^ t.cfg.Refuse,
	}
	if e.netascii {
		// The size on the wire would be known only by going through the whole file.
		e.options &^= tftp.Tsize
	}
	if e.options&tftp.Blksize != 0 {
		most := t.blksize
		if in.Peer.Addr().Is6() {
			most = t.blksize6
		}
		e.blksize = uint32(min(rq.Blksize, most))
		if in.MaxBlksize != 0 {
			e.blksize = min(e.blksize, uint32(in.MaxBlksize))
		}
	}
	if e.options&tftp.Windowsize != 0 {
		e.window = uint32(min(rq.Windowsize, t.cfg.MaxWindow))
	}
	if e.options&tftp.Timeout != 0 {
		e.timeout = uint8(rq.Timeout)
	}
	copy(e.file[:], rq.Name)
	e.nameLen = uint8(min(len(rq.Name), 255))
	t.index.insert(tag(hash), int32(id))
	return id, true
}

// patience is how many time-outs a client has to be silent until it is taken to have started anew: two resends go unanswered.
const patience = 3

// flows reports whether a transfer is so well under way that its client cannot mean a new request, the same one or
// another. The network may have delayed or doubled the request, or someone may have forged it: a packet that is lost must not
// be enough for that to end the transfer. A client that restarted falls silent first, and one that goes on to its next file has
// only its last ACK outstanding.
func (t *Table) flows(now int64, e *entry, same bool) bool {
	return e.proved && now-e.sentAt < patience*int64(t.cfg.Timeout) && (same || e.sent != e.last)
}

// Engaged reports whether the client of a request has a transfer at the port from which an ERROR would be sent to it. It
// would end that: whoever has forged the request needs not guess the port. The request is counted as passed over.
func (t *Table) Engaged(in *packet.Packet) bool {
	x, want := &t.index, tag(in.Hash)
	for i := x.first(want); x.slots[i].ref != 0; i = x.next(i) {
		if x.slots[i].tag != want {
			continue
		}
		e := &t.entries[x.slots[i].ref-1]
		if e.peer == in.Peer && e.zone == in.Zone && e.local == netip.AddrPortFrom(in.Local.Addr(), in.TID) {
			t.Count[LateRequest]++
			return true
		}
	}
	return false
}

// place returns a place for a new transfer, if need be that of another: of the one that has waited the longest of those that
// nobody has acknowledged, else of one whose client is silent.
func (t *Table) place(now int64) (id ID, ok bool) {
	if t.free == none && int(t.fresh) == len(t.entries) {
		if _, ok := t.evict(&t.embryos); !ok && !t.retire(now, false) {
			return 0, false
		}
	}
	if t.free != none {
		id = ID(t.free)
		t.free = t.entries[id].next
		return id, true
	}
	t.fresh++
	return ID(t.fresh - 1), true
}

// Start begins the transfer of body and sends its first packet. With own, body is copied to memory
// of the table; else it must not change until the transfer ends, and hold is kept so long. The file is for
// the device of who.
func (t *Table) Start(now int64, id ID, body []byte, own bool, hold any, who *device.Requester, out *packet.Queue) {
	e := &t.entries[id]
	e.client, e.mac = who.Client, who.MAC
	if t.answersAtOnce(now, e, body) {
		t.once(id, e, body, hold, out)
		return
	}
	if own {
		mem, ref := t.room(now, len(body))
		if mem == nil {
			t.Count[MemoryFull]++
			t.release(id)
			return
		}
		copy(mem, body)
		e.body, e.ref, e.owned = mem, ref, true
	} else {
		e.body, e.hold = body, hold
	}
	if !e.netascii {
		e.last = uint32(len(body)/int(e.blksize)) + 1
	}
	e.state = sending
	if e.options != 0 {
		e.state = negotiating
	}
	e.begun, e.sentAt = now, now
	t.Count[Started]++
	t.bear(id, e)
	if t.transmit(id, e, 0, 1, out) {
		t.schedule(id, e, now+e.interval)
	}
}

// Reject ends a transfer that was not started by an ERROR. Where it has taken the place of another it is silent: the client may
// have sent no such request, and would take the ERROR for the other's end. If it has, it asks again.
func (t *Table) Reject(id ID, code tftp.Code, text string, out *packet.Queue) {
	e := &t.entries[id]
	if e.instead {
		t.Count[LateRequest]++
		t.release(id)
		return
	}
	p := out.Next()
	e.address(p)
	p.Data = tftp.AppendERROR(p.Data, code, text)
	t.release(id)
}

// Drop ends a transfer that was not started, silently.
func (t *Table) Drop(id ID) { t.release(id) }

// ACK handles an ACK of block.
func (t *Table) ACK(now int64, in *packet.Packet, block uint16, out *packet.Queue) {
	hash := in.Hash
	id := t.find(hash, in)
	if id == none {
		t.stranger(now, hash, in, out)
		return
	}
	e := &t.entries[id]
	news := uint32(0) // blocks that are acknowledged now
	e.follow(in)
	if e.state == negotiating {
		if block != 0 {
			t.Count[FutureACK]++
			return
		}
		e.state = sending
		e.rtt = now - e.sentAt
	} else {
		// The difference to the last block acknowledged, modulo 2^16: block numbers roll over.
		ahead, outstanding := uint32(block-uint16(e.acked)), e.sent-e.acked
		switch {
		case ahead == 0:
			// A repeated ACK must not send again (Sorcerer's Apprentice). In a window it may
			// instead report that the first block was lost: then it comes a round trip
			// after the window was sent, and once is enough.
			if e.window == 1 || e.rewound || now-e.sentAt <= e.rtt/2 {
				t.Count[RepeatedACK]++
				return
			}
			e.rewound = true
			e.resends++
			t.Count[WindowResent]++
			if t.transmit(id, e, 0, e.window, out) {
				t.schedule(id, e, now+e.interval)
			}
			return
		case ahead >= 1<<15:
			t.Count[RepeatedACK]++
			return
		case ahead > outstanding:
			t.Count[FutureACK]++
			return
		case ahead < outstanding:
			e.resends++
			t.Count[WindowResent]++
		default:
			e.rtt = now - e.sentAt
		}
		if news = ahead; e.acked+news == e.last {
			t.Count[Finished]++
			key := t.key(hash, e.local.Port())
			t.recent[key%recentSlots] = finished{key, now + int64(t.cfg.MaxTimeout)}
			t.release(id)
			return
		}
	}
	if t.overdue(now, e) {
		t.fail(e, Overdue, nil)
		t.release(id)
		return
	}
	if e.retries > 0 || !e.proved {
		e.retries = 0
		e.interval = t.firstInterval(e)
	}
	t.prove(id, e)
	e.rewound = false
	e.sentAt = now
	if t.transmit(id, e, news, e.window, out) {
		t.schedule(id, e, now+e.interval)
	}
}

// Error handles an ERROR: it ends the client's transfer (RFC 1350, section 7). That is no failure if the client wanted the size alone.
func (t *Table) Error(in *packet.Packet, code tftp.Code, text []byte) {
	id := t.find(in.Hash, in)
	if id == none {
		t.Count[StrayError]++
		return
	}
	if e := &t.entries[id]; e.probed(code) {
		t.Count[Probed]++
	} else {
		t.fail(e, PeerUndefined+Event(min(code, tftp.Code(PeerOther-PeerUndefined))), text)
	}
	t.release(id)
}

// Unreachable handles word from a client's host that nobody listens at its port: the client has gone, which ends its transfer. Boot
// ROMs that wanted to know a file's size only go like this, so it is no failure.
func (t *Table) Unreachable(in *packet.Packet) {
	if id := t.find(in.Hash, in); id != none {
		t.Count[Unreachable]++
		t.release(id)
	}
}

// probed reports whether a client that ends its transfer by an ERROR of that code has what it asked for: the size, which boot ROMs
// ask for on its own (tsize, RFC 2349) and then say 0 or 8, or an empty file. One for which the file is too large says 3.
func (e *entry) probed(code tftp.Code) bool {
	return e.embryonic() && (code == tftp.CodeUndefined || code == tftp.CodeOption) && (e.options&tftp.Tsize != 0 || len(e.body) == 0)
}

// Knows reports whether in belongs to a running transfer. A stranger is answered as by ACK.
func (t *Table) Knows(now int64, in *packet.Packet, out *packet.Queue) bool {
	hash := in.Hash
	if t.find(hash, in) != none {
		return true
	}
	t.stranger(now, hash, in, out)
	return false
}

// Expire sends again what has been waiting too long, and gives up where that was done often enough.
func (t *Table) Expire(now int64, out *packet.Queue) {
	cur := now >> tickShift
	w := &t.wheel
	if w.tick >= cur {
		return
	}
	// Behind by more than a turn, each slot is gone through once.
	w.tick = max(w.tick, cur-wheelSlots)
	for budget := perExpire; w.tick < cur; {
		tick := w.tick + 1
		slot := &w.slots[tick&(wheelSlots-1)]
		keep := int32(none)
		for *slot != none && budget > 0 {
			id := ID(*slot)
			e := &t.entries[id]
			t.unhang(e)
			if due := e.deadline>>tickShift + 1; due > tick {
				// Moved to later meanwhile, or a turn of the wheel away.
				e.due = due
				if due&(wheelSlots-1) != tick&(wheelSlots-1) {
					t.hang(id, e)
				} else {
					e.next = keep
					keep = int32(id)
				}
				continue
			}
			budget--
			t.timeout(now, id, e, out)
		}
		for keep != none {
			id := ID(keep)
			e := &t.entries[id]
			keep = e.next
			t.hang(id, e)
		}
		if budget == 0 {
			return
		}
		w.tick = tick
	}
}

func (t *Table) timeout(now int64, id ID, e *entry, out *packet.Queue) {
	retries := t.cfg.Retries
	if e.embryonic() {
		retries = min(retries, t.resends(now, e))
	}
	switch {
	case int(e.retries) >= retries && e.embryonic() && len(e.body) == 0:
		t.Count[Probed]++ // a client may take the size in the OACK, or a first block without octets, for all that there is
		t.release(id)
		return
	case int(e.retries) >= retries:
		t.fail(e, GaveUp, nil)
		if e.embryonic() {
			t.Count[GaveUpFirst]++
		} else if e.acked+1 == e.last {
			t.Count[GaveUpLast]++
		}
		t.release(id)
		return
	case t.overdue(now, e):
		t.fail(e, Overdue, nil)
		t.release(id)
		return
	}
	e.retries++
	e.resends++
	if !e.proved || e.options&tftp.Timeout == 0 {
		e.interval = min(2*e.interval, int64(t.cfg.MaxTimeout))
	}
	e.rewound = false
	e.suspect()
	t.Count[TimedOut]++
	// Of a window one block is enough to have the client say where it is, and all that a client who is not there costs.
	if t.transmit(id, e, 0, 1, out) {
		t.schedule(id, e, now+e.interval)
	}
}

func (t *Table) firstInterval(e *entry) int64 {
	if e.options&tftp.Timeout != 0 {
		return min(int64(e.timeout)*int64(time.Second), int64(t.cfg.MaxTimeout))
	}
	return int64(t.cfg.Timeout)
}

// A transfer may take so long beside what its blocks may, and so many windows may be sent again beside one for each block.
const (
	grace       = time.Minute
	graceResent = 16
)

// overdue reports whether a transfer has had its time, or has been sent again so often that nobody means it.
func (t *Table) overdue(now int64, e *entry) bool {
	blocks := len(e.body)/int(e.blksize) + 1
	if e.netascii {
		blocks *= 2 // at most: every octet may leave as two
	}
	return now-e.begun > int64(grace)+int64(blocks)*int64(t.cfg.Pace) || int(e.resends) > graceResent+blocks
}

// advance acknowledges n more blocks.
func (t *Table) advance(e *entry, n uint32) {
	e.acked += n
	if e.netascii {
		for ; n > 0; n-- {
			e.text.next(t.text[:0], int(e.blksize), e.body)
		}
	}
}

// transmit acknowledges n more blocks, and sends the OACK, or at most so many blocks behind the last one acknowledged. If
// the body is in a file that was cut short since it was mapped, it ends the transfer by an ERROR instead, and returns false.
func (t *Table) transmit(id ID, e *entry, n, most uint32, out *packet.Queue) (ok bool) {
	if e.hold == nil {
		t.advance(e, n)
		t.write(e, most, out)
		return true
	}
	t.writing = nil
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		r := recover()
		if ok = r == nil; ok {
			return
		}
		if _, fault := r.(interface{ Addr() uintptr }); !fault {
			panic(r) //nolint:forbidigo // not ours: it goes on
		}
		p := t.writing
		if p == nil {
			p = out.Next()
			e.address(p)
		}
		p.Data = tftp.AppendERROR(p.Room()[:0], tftp.CodeUndefined, "The file has changed")
		t.fail(e, FileCut, nil)
		t.release(id)
	}()
	t.advance(e, n)
	t.write(e, most, out)
	return true
}

// write sends the OACK, or at most so many blocks behind the last one acknowledged.
func (t *Table) write(e *entry, most uint32, out *packet.Queue) {
	body := e.body
	if e.state == negotiating {
		p := out.Next()
		e.address(p)
		p.Data = tftp.AppendOACK(p.Data, &tftp.Options{
			Has: e.options, Blksize: int(e.blksize), Timeout: int(e.timeout), Tsize: int64(len(body)), Windowsize: int(e.window),
		})
		return
	}
	pos := e.text
	block := e.acked
	for range most {
		if e.last != 0 && block == e.last {
			break
		}
		block++
		p := out.Next()
		e.address(p)
		t.writing = p
		if e.netascii {
			p.Data = pos.next(tftp.AppendDATA(p.Data, uint16(block), nil), int(e.blksize), body)
			if len(p.Data) < tftp.DataHeader+int(e.blksize) {
				e.last = block
			}
		} else {
			off := int(block-1) * int(e.blksize)
			p.Data = tftp.AppendDATA(p.Data, uint16(block), body[off:min(off+int(e.blksize), len(body))])
		}
		t.Count[BlockSent]++
	}
	e.sent = max(e.sent, block)
}

// stranger tells the sender of a packet that it has no transfer here (RFC 1350, section 4).
func (t *Table) stranger(now int64, hash uint64, in *packet.Packet, out *packet.Queue) {
	key := t.key(hash, in.Local.Port())
	if r := &t.recent[key%recentSlots]; r.key == key && now < r.until {
		t.Count[LateACK]++
		return
	}
	if tftp.Opcode(in.Data) == tftp.OpACK && in.Data[2] == 0 && in.Data[3] <= 1 {
		// Its transfer was one of a block that was forgotten with it, or an embryo that another has displaced: if it
		// misses anything it asks again, where an ERROR might have it give up.
		t.Count[LateACK]++
		return
	}
	t.Count[StrangerPacket]++
	p := out.Next()
	p.Peer, p.Local, p.Zone, p.Link, p.TOS = in.Peer, in.Local, in.Zone, in.Link, in.TOS
	p.Data = tftp.AppendERROR(p.Data, tftp.CodeUnknownTID, "Unknown transfer ID")
}

// release ends a transfer.
func (t *Table) release(id ID) {
	e := &t.entries[id]
	if e.embryonic() {
		t.forgetEmbryo(id)
	}
	e.state = vacant
	t.unhang(e)
	t.index.remove(tag(e.hash), int32(id))
	if e.owned {
		t.memory.give(e.ref)
		e.owned = false
	}
	e.body, e.hold = nil, nil
	e.next = t.free
	t.free = int32(id)
	t.active--
}

// key names a finished transfer of the client with that hash.
func (t *Table) key(hash uint64, tid uint16) uint64 {
	return hash ^ uint64(tid)*0x9e3779b97f4a7c15
}

// find returns the transfer that in belongs to.
func (t *Table) find(hash uint64, in *packet.Packet) ID {
	x, want := &t.index, tag(hash)
	for i := x.first(want); x.slots[i].ref != 0; i = x.next(i) {
		if x.slots[i].tag != want {
			continue
		}
		id := ID(x.slots[i].ref - 1)
		if e := &t.entries[id]; e.peer == in.Peer && e.local == in.Local && e.zone == in.Zone {
			return id
		}
	}
	return none
}

// rival returns a transfer of the client that the one asked for by in cannot stand beside: one of
// the same file from the same address, or one with the same TID.
func (t *Table) rival(hash uint64, in *packet.Packet, name uint64) ID {
	x, want := &t.index, tag(hash)
	for i := x.first(want); x.slots[i].ref != 0; i = x.next(i) {
		if x.slots[i].tag != want {
			continue
		}
		id := ID(x.slots[i].ref - 1)
		e := &t.entries[id]
		if e.peer == in.Peer && e.zone == in.Zone && e.local.Addr() == in.Local.Addr() && (e.name == name || e.local.Port() == in.TID) {
			return id
		}
	}
	return none
}
