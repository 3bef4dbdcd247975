package fastpath

import (
	"cmp"
	"context"
	"errors"
	"net"
	"sync/atomic"
	"time"

	"dcs/fastpath/packet"
	"dcs/fastpath/source"
	"dcs/fastpath/tftp"
	"dcs/fastpath/transfer"
	"dcs/render/device"
)

// Config configures a worker. Zero fields take their defaults.
type Config struct {
	Batch    int             // packets per batch; default 64
	BodyRoom int             // largest body rendered without allocating, octets, at most 65,536; default 32 KiB
	Elapsed  func() int64    // the clock's mono alone, if that is cheaper; default: the clock's
	Stale    time.Duration   // RRQs that waited longer are ignored; default 4 s, a modem's first retry; negative: none
	Transfer transfer.Config // limits of the transfer table
	Blksizes *Blksizes       // largest block sizes granted, up to Transfer's, if they change while the worker runs; nil: constant
}

// Octets returns the most memory that a worker uses, without its transport's rings: heap, which is allocated at once,
// and the bodies of running transfers, which grow on demand.
func (c Config) Octets() (heap, bodies int) {
	batch, room := cmp.Or(max(c.Batch, 0), 64), min(cmp.Or(max(c.BodyRoom, 0), 32<<10), maxRoom)
	heap, bodies = c.Transfer.Octets()
	blksize := cmp.Or(max(c.Transfer.MaxBlksize, 0), tftp.MaxBlksize)
	return heap + batch*(room+roomSpread+rxRoom+blksize), bodies
}

const (
	rxRoom     = 2048 // size of a receive buffer, octets: twice the longest request
	maxRoom    = 1 << 16
	roomSpread = 3 * 64 // between render buffers, so that they do not all start in one set of the cache
)

// worker answers the packets of one transport. It owns its transfers, buffers and counters.
type worker struct {
	transport Transport
	renderer  Renderer
	clock     Clock
	elapsed   func() int64
	wall      int64 // time of the batch
	stale     int64
	table     *transfer.Table
	rx        []packet.Packet
	out       *packet.Queue
	sendErr   error
	draining  bool
	blksizes  *Blksizes
	cut       atomic.Bool // do not wait for running transfers

	requests []int         // indices in rx of the requests of this batch
	reqs     []Request     // requests to be rendered
	ids      []transfer.ID // transfers of reqs
	waited   []int64       // how long reqs had waited when their batch began, ns
	parsed   tftp.Request
	scratch  []byte // memory for the Buf of each of reqs
	room     int

	counts counts
}

// newWorker returns a worker that is not running yet.
func newWorker(cfg Config, t Transport, r Renderer, clock Clock) *worker {
	if cfg.Batch <= 0 {
		cfg.Batch = 64
	}
	if cfg.BodyRoom <= 0 {
		cfg.BodyRoom = 32 << 10
	}
	if cfg.Stale == 0 {
		cfg.Stale = 4 * time.Second
	}
	if cfg.Transfer.MaxBlksize <= 0 {
		cfg.Transfer.MaxBlksize = tftp.MaxBlksize
	}
	slabber, slabs := t.(Slabber)
	if slabs {
		cfg.Transfer.MaxBlksize = min(cfg.Transfer.MaxBlksize, slabber.MaxBlksize())
	}
	blksize := max(cfg.Transfer.MaxBlksize, tftp.DefaultBlksize)
	if cfg.Elapsed == nil {
		cfg.Elapsed = func() int64 {
			_, mono := clock()
			return mono
		}
	}
	mono := cfg.Elapsed()
	w := &worker{
		transport: t, renderer: r, clock: clock, elapsed: cfg.Elapsed, stale: int64(cfg.Stale), blksizes: cfg.Blksizes,
		requests: make([]int, 0, cfg.Batch),
		reqs:     make([]Request, cfg.Batch),
		ids:      make([]transfer.ID, cfg.Batch),
		waited:   make([]int64, cfg.Batch),
		room:     min(cfg.BodyRoom, maxRoom),
	}
	if watcher, ok := r.(Watcher); ok {
		cfg.Transfer.OnFailure = func(o *device.Outcome) { watcher.TransferFailed(w.wall, o) }
	}
	w.table = transfer.New(cfg.Transfer, mono)
	w.scratch = make([]byte, cfg.Batch*(w.room+roomSpread))
	var tx []packet.Packet
	if slabs {
		w.rx, tx = slabber.Slabs(cfg.Batch, blksize)
	} else {
		w.rx = packet.NewSlab(cfg.Batch, 0, rxRoom)
		tx = packet.NewSlab(cfg.Batch, packet.Headroom, blksize+tftp.DataHeader)
	}
	w.out = packet.NewQueue(tx, w.send)
	return w
}

// Run answers packets until ctx is done or the transport fails. Once ctx is done it starts no transfers, waits for the
// running ones, at most for drain, and returns nil.
func (w *worker) Run(ctx context.Context, drain time.Duration) error {
	var deadline int64
	for {
		n, err := w.transport.Recv(w.rx)
		wall, mono := w.clock()
		if err != nil {
			if errors.Is(err, net.ErrClosed) && ctx.Err() != nil {
				return nil
			}
			return err
		}
		w.handle(wall, mono, w.rx[:n])
		if w.sendErr != nil {
			return w.sendErr
		}
		if ctx.Err() != nil {
			if deadline == 0 {
				w.draining = true
				deadline = mono + int64(drain)
			}
			if mono >= deadline || w.table.Active() == 0 || w.cut.Load() {
				return nil
			}
		}
	}
}

// handle answers a batch of packets and runs the timers that are due. Packets of running transfers go first, then the
// requests, which are rendered together.
func (w *worker) handle(wall, mono int64, rx []packet.Packet) {
	c := &w.counts
	w.wall = wall
	c.events[Received] += uint64(len(rx))
	w.requests = w.requests[:0]
	w.table.Prepare(rx)
	for i := range rx {
		w.receive(i, mono, &rx[i])
	}
	rendered := 0
	if len(w.requests) > 0 {
		rendered = w.answer(wall, mono, rx)
	}
	w.table.Expire(mono, w.out)
	w.out.Flush()
	if rendered > 0 {
		sent := w.elapsed()
		for _, waited := range w.waited[:rendered] {
			c.answer.add(waited+sent-mono, 1)
		}
	}
	c.publish(w.table, len(w.requests) > 0)
}

// receive handles a packet, but only collects requests for answer.
func (w *worker) receive(i int, mono int64, p *packet.Packet) {
	c := &w.counts
	if p.Flags != 0 {
		switch {
		case p.Flags&packet.Unreachable != 0:
			c.events[Received]-- // not a packet
			w.table.Unreachable(p)
		case p.Flags&packet.TooBig != 0:
			c.events[Received]--
			w.table.TooBig(mono, p, w.out)
		case p.Flags&packet.Multicast != 0:
			c.events[Multicast]++
		case p.Flags&packet.Denied != 0:
			c.events[NotAllowed]++
		case p.Flags&packet.Limited != 0:
			c.events[Limited]++
		case p.Flags&packet.WrongTID != 0:
			c.events[WrongTID]++
		case p.Flags&packet.Impossible != 0:
			c.events[Spoofed]++
		default:
			c.events[Truncated]++
		}
		return
	}
	if !source.Possible(p.Peer, p.Local) {
		c.events[Spoofed]++
		return
	}
	switch tftp.Opcode(p.Data) {
	case tftp.OpACK:
		block, err := tftp.ParseACK(p.Data)
		if err != nil {
			c.events[Short]++
			return
		}
		w.table.ACK(mono, p, block, w.out)
	case tftp.OpRRQ, tftp.OpWRQ:
		if p.TID != 0 {
			w.requests = append(w.requests, i)
			return
		}
		if w.table.Knows(mono, p, w.out) {
			c.events[UnexpectedOpcode]++
		}
	case tftp.OpDATA, tftp.OpOACK:
		if w.table.Knows(mono, p, w.out) {
			c.events[UnexpectedOpcode]++
		}
	case tftp.OpERROR:
		// An ERROR is never answered: two servers could go on forever.
		code, text, err := tftp.ParseERROR(p.Data)
		if errors.Is(err, tftp.ErrShort) {
			c.events[Short]++
			return
		}
		w.table.Error(p, code, text)
	default:
		if len(p.Data) < 2 {
			c.events[Short]++
			return
		}
		c.events[UnknownOpcode]++
	}
}

// Stats returns the worker's counters. It may be called from any goroutine.
func (w *worker) Stats() Stats {
	var s Stats
	w.counts.read(&s)
	if t, ok := w.transport.(TransportStats); ok {
		s.Drops, s.SendErrors = t.Drops(), t.SendErrors()
	}
	return s
}
