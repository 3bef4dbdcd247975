package fastpath

import (
	"errors"
	"math/bits"
	"sync/atomic"

	"dcs/fastpath/tftp"
	"dcs/fastpath/transfer"
)

// An Event is something that a worker counts, in addition to the events of its transfer table.
type Event uint8

// Events.
const (
	Received         Event = iota // packets
	Sent                          // packets
	ReadRequest                   // RRQs
	WriteRequest                  // WRQs, answered with ERROR 2
	UnknownOpcode                 // packets with an opcode that TFTP does not have
	UnexpectedOpcode              // DATA and OACK, which clients never send here, and requests to the port of a running transfer
	Multicast                     // packets to a broadcast or multicast address, ignored
	Spoofed                       // packets from a martian address, ignored
	NotAllowed                    // packets from a source outside the ACL, ignored
	Limited                       // requests from a source over its rate, ignored
	WrongTID                      // packets to a transfer port other than their sender's, ignored: the sender is guessing
	Stale                         // RRQs ignored because they waited until their client's retry
	Refused                       // RRQs ignored because the server is stopping
	NotFound                      // RRQs answered with ERROR 1
	Denied                        // RRQs answered with ERROR 2
	RenderFailed                  // RRQs answered with ERROR 0
	NotYet                        // RRQs ignored because the renderer has no answer yet
	Truncated                     // malformed: longer than a receive buffer; the events from here on are one reason each
	Short                         // malformed: ends inside the header
	TooLong                       // malformed: request longer than 1,024 octets
	NameEmpty                     // malformed
	NameLong                      // malformed
	NameUnterminated              // malformed
	ModeUnknown                   // malformed
	OptionProxy                   // malformed: hwaddr or netaddr is ambiguous, answered with ERROR 8
	OptionBad                     // requests with a known option whose value is invalid; the option is ignored
	NumEvents                     // number of events
)

var eventNames = [NumEvents]string{
	Received: "received", Sent: "sent", ReadRequest: "read_request", WriteRequest: "write_request", UnknownOpcode: "unknown_opcode",
	UnexpectedOpcode: "unexpected_opcode", Multicast: "multicast", Spoofed: "spoofed",
	NotAllowed: "not_allowed", Limited: "limited", WrongTID: "wrong_tid", Stale: "stale", Refused: "refused",
	NotFound: "not_found", Denied: "denied", RenderFailed: "render_failed", NotYet: "not_yet",
	Truncated: "truncated", Short: "short", TooLong: "too_long", NameEmpty: "name_empty", NameLong: "name_long", NameUnterminated: "name_unterminated",
	ModeUnknown: "mode_unknown", OptionProxy: "option_proxy", OptionBad: "option_bad",
}

// String returns the event's name in metrics.
func (e Event) String() string {
	if e >= NumEvents {
		return "unknown"
	}
	return eventNames[e]
}

// malformed returns the event for a parser's error.
func malformed(err error) Event {
	for _, m := range [...]struct {
		err error
		ev  Event
	}{
		{tftp.ErrLong, TooLong},
		{tftp.ErrNameEmpty, NameEmpty},
		{tftp.ErrNameLong, NameLong},
		{tftp.ErrNameUnterminated, NameUnterminated},
		{tftp.ErrMode, ModeUnknown},
		{tftp.ErrProxyOption, OptionProxy},
	} {
		if errors.Is(err, m.err) {
			return m.ev
		}
	}
	return Short
}

// Buckets is the number of buckets of a [Histogram].
const Buckets = 96

// Bound returns the exclusive upper bound of bucket i of a [Histogram] in nanoseconds: four buckets per octave, from
// 1,024 ns. The last bucket is unbounded.
func Bound(i int) int64 {
	return int64(4+i&3+1) << (8 + i>>2)
}

func bucket(ns int64) int {
	if ns < 1<<10 {
		return 0
	}
	octave := bits.Len64(uint64(ns)) - 1
	return min((octave-10)<<2|int(ns>>(octave-2))&3, Buckets-1)
}

// A Histogram counts requests by duration.
type Histogram struct {
	N   [Buckets]uint64
	Sum uint64 // of all durations, ns
}

// Count returns the number of requests.
func (h *Histogram) Count() uint64 {
	n := uint64(0)
	for _, v := range h.N {
		n += v
	}
	return n
}

// Quantile returns the duration, in nanoseconds, within which a share q of the requests, 0 to 1, were done,
// interpolated linearly within a bucket; 0 without requests.
func (h *Histogram) Quantile(q float64) int64 {
	rank := q * float64(h.Count())
	below := 0.0
	for i, v := range h.N {
		if n := float64(v); n > 0 && below+n >= rank {
			low := int64(0)
			if i > 0 {
				low = Bound(i - 1)
			}
			return low + int64(float64(Bound(i)-low)*max(rank-below, 0)/n)
		}
		below += float64(v)
	}
	return 0
}

func (h *Histogram) add(o *Histogram) {
	for i, v := range o.N {
		h.N[i] += v
	}
	h.Sum += o.Sum
}

// Stats is a worker's counters since its start.
type Stats struct {
	Events     [NumEvents]uint64
	Transfers  [transfer.NumEvents]uint64
	Rounds     uint64    // rounds of the worker's loop; a count that does not change for many ticks means that the worker hangs
	Active     uint64    // running transfers
	Drops      uint64    // packets that the kernel dropped because the worker was too slow
	SendErrors uint64    // packets that could not be sent
	Wait       Histogram // RRQs by the time from their arrival in the kernel to their batch
	Render     Histogram // RRQs by the rendering time of their batch
	Answer     Histogram // rendered RRQs by the time from their arrival in the kernel until the packets of their batch were sent
}

// Add adds the counters of another worker.
func (s *Stats) Add(o *Stats) {
	for i := range s.Events {
		s.Events[i] += o.Events[i]
	}
	for i := range s.Transfers {
		s.Transfers[i] += o.Transfers[i]
	}
	s.Wait.add(&o.Wait)
	s.Render.add(&o.Render)
	s.Answer.add(&o.Answer)
	s.Active += o.Active
	s.Rounds += o.Rounds
	s.Drops += o.Drops
	s.SendErrors += o.SendErrors
}

// counts are the worker's own counters, in plain memory. They are published once per batch, as an atomic store per
// event costs more than the event.
type counts struct {
	events               [NumEvents]uint64
	wait, render, answer tally

	_         [64]byte // separates what is written per packet from what other goroutines read
	published struct {
		events               [NumEvents]atomic.Uint64
		transfers            [transfer.NumEvents]atomic.Uint64
		wait, render, answer published
		active, rounds       atomic.Uint64
	}
	_ [64]byte
}

// A tally is a histogram that records the range of buckets that changed; a batch changes few.
type tally struct {
	Histogram
	low, high int // the changed buckets, [low, high)
}

type published struct {
	n   [Buckets]atomic.Uint64
	sum atomic.Uint64
}

func (t *tally) add(ns int64, requests uint64) {
	ns = max(ns, 0)
	i := bucket(ns)
	t.N[i] += requests
	t.Sum += uint64(ns) * requests
	t.low, t.high = min(t.low, i), max(t.high, i+1)
}

func (t *tally) publish(p *published) {
	for i := t.low; i < t.high; i++ {
		p.n[i].Store(t.N[i])
	}
	p.sum.Store(t.Sum)
	t.low, t.high = Buckets, 0
}

func (p *published) read(h *Histogram) {
	for i := range h.N {
		h.N[i] = p.n[i].Load()
	}
	h.Sum = p.sum.Load()
}

// publish makes the counts visible to other goroutines. Loading and comparing is cheap; only changed counts are stored.
func (c *counts) publish(t *transfer.Table, requests bool) {
	p := &c.published
	put(p.events[:], c.events[:])
	put(p.transfers[:], t.Count[:])
	if requests {
		c.wait.publish(&p.wait)
		c.render.publish(&p.render)
		c.answer.publish(&p.answer)
	}
	p.rounds.Store(p.rounds.Load() + 1)
	if a := uint64(t.Active()); p.active.Load() != a {
		p.active.Store(a)
	}
}

func put(dst []atomic.Uint64, src []uint64) {
	for i, v := range src[:len(dst)] {
		if dst[i].Load() != v {
			dst[i].Store(v)
		}
	}
}

func (c *counts) read(s *Stats) {
	p := &c.published
	for i := range s.Events {
		s.Events[i] = p.events[i].Load()
	}
	for i := range s.Transfers {
		s.Transfers[i] = p.transfers[i].Load()
	}
	p.wait.read(&s.Wait)
	p.render.read(&s.Render)
	p.answer.read(&s.Answer)
	s.Active, s.Rounds = p.active.Load(), p.rounds.Load()
}
