package store

import (
	"cmp"
	"slices"
	"time"
)

// fairQueue holds the questions that wait for the sources, and decides which is next. It is used by the dispatcher only.
//
// It is fair among the prefixes that questions come from: IPv4 addresses and IPv6 /64s. A question is charged to its prefix and the
// networks around it (IPv4: /24 and /16, IPv6: /48 and /32), and refunded if it finds a device, so that debts are questions that
// wait, and recent ones that found nothing. The least suspicious question is first, then that of the prefix with the least debt,
// then the oldest; see suspicion. A full queue drops the last.
//
// Questions of prefixes in debt, and about unlikely devices, are doubtful. They take at most three quarters of the askers, so that a
// source with slow negative answers does not delay other questions.
type fairQueue struct {
	capacity int // questions that may wait
	askers   int

	debts  debts
	seq    uint64
	lookup map[question]*waiting // those that wait, or are being asked
	flows  map[uint64]*flow      // by the hash of the prefix
	slots  []*slot               // by rank; those before first are served
	first  int

	asking   int
	doubtful int // among asking
}

// waiting is a question and what was charged for it.
type waiting struct {
	question
	nets     [networks]uint64
	period   uint16 // when it was charged
	rank     rank   // within its flow
	since    time.Time
	doubtful bool // it was handed out as such
}

// flow is the questions of one prefix, by rank. The prefix's slots are ranked among all prefixes, its questions among themselves: the
// first slot takes the first question.
type flow struct {
	prefix  uint64
	waiting []*waiting
}

type slot struct {
	rank     rank
	doubtful bool
	flow     *flow
}

// rank orders slots and questions; the least is first.
type rank struct{ high, low, seq uint64 }

func (r rank) compare(o rank) int {
	return cmp.Or(cmp.Compare(r.high, o.high), cmp.Compare(r.low, o.low), cmp.Compare(r.seq, o.seq))
}

// siteDebt and regionDebt are the debts of the networks around a prefix above which these are suspicious.
const (
	siteDebt   = 16 * oneDebt
	regionDebt = 256 * oneDebt
)

// doubtful is the suspicion from which a question is doubtful.
const doubtful = 3

// suspicion grades a question by the debts of its prefix and the networks around it. What other prefixes of the network did counts
// less than whether the device is likely, and less than what the prefix itself did.
func suspicion(likely bool, prefix, site, region uint16) (grade uint64) {
	if !likely || prefix >= 2*oneDebt {
		return doubtful
	}
	if site > siteDebt {
		grade++
	}
	if region > regionDebt {
		grade++
	}
	return grade
}

func newFairQueue(room, askers int) *fairQueue {
	return &fairQueue{capacity: room, askers: askers, lookup: make(map[question]*waiting), flows: make(map[uint64]*flow), debts: newDebts()}
}

// add adds a question, unless it is in the queue. likely says that the device may exist. If the queue is full, add drops a question,
// possibly this one, and returns it.
func (f *fairQueue) add(q question, likely bool, now time.Time) (dropped question, full bool) {
	if f.lookup[q.key()] != nil {
		return question{}, false
	}
	f.seq++
	nets, period := f.debts.networksOf(q.ip), periodOf(now)
	s, own := f.ranks(likely, f.debts.charge(&nets, period))
	fl := f.flows[nets[0]]
	if f.len() == f.capacity && f.slots[len(f.slots)-1].rank.compare(s.rank) < 0 && (fl == nil || fl.waiting[len(fl.waiting)-1].rank.compare(own) < 0) {
		f.debts.refund(&nets, period, period)
		return q, true // the common case in a flood
	}
	w := &waiting{question: q, nets: nets, period: period, rank: own, since: now}
	if fl == nil {
		fl = &flow{prefix: nets[0]}
		f.flows[nets[0]] = fl
	}
	taken := &slot{s.rank, s.doubtful, fl}
	at, _ := slices.BinarySearchFunc(fl.waiting, own, func(o *waiting, r rank) int { return o.rank.compare(r) })
	fl.waiting = slices.Insert(fl.waiting, at, w)
	at, _ = slices.BinarySearchFunc(f.slots[f.first:], s.rank, func(o *slot, r rank) int { return o.rank.compare(r) })
	f.slots = slices.Insert(f.slots, f.first+at, taken)
	f.lookup[q.key()] = w
	if f.len() > f.capacity {
		return f.drop(now), true
	}
	return question{}, false
}

// ranks returns the slot for a question, given the debts of its networks, and the question's rank within its flow.
func (f *fairQueue) ranks(likely bool, owed [networks]uint16) (s slot, own rank) {
	// A question about an unlikely device counts twice, so that one with a forged source address does not delay the device that has
	// that address.
	among := func(grade uint64, owed uint16) uint64 {
		if likely {
			return grade<<56 | uint64(owed)<<1
		}
		return grade<<56 | uint64(owed)<<2 | 1
	}
	grade := suspicion(likely, owed[0], owed[1], owed[2])
	s = slot{doubtful: grade >= doubtful}
	s.rank = rank{high: among(grade, owed[0]), low: uint64(owed[1])<<32 | uint64(owed[2]), seq: f.seq}
	return s, rank{high: among(suspicion(likely, owed[3], 0, 0), owed[3]), seq: f.seq}
}

// len returns the number of questions that wait.
func (f *fairQueue) len() int { return len(f.slots) - f.first }

// drop removes and returns the last question.
func (f *fairQueue) drop(now time.Time) question {
	last := len(f.slots) - 1
	fl := f.slots[last].flow
	f.slots[last] = nil
	f.slots = f.slots[:last]
	w := f.take(fl, len(fl.waiting)-1)
	f.debts.refund(&w.nets, w.period, periodOf(now))
	delete(f.lookup, w.key())
	return w.question
}

// take removes a question from its flow.
func (f *fairQueue) take(fl *flow, i int) *waiting {
	w := fl.waiting[i]
	fl.waiting = slices.Delete(fl.waiting, i, i+1)
	if len(fl.waiting) == 0 {
		delete(f.flows, fl.prefix)
	}
	return w
}

// next removes and returns the question to be asked next. It returns nil if there is none, or if others must be done first.
func (f *fairQueue) next() *waiting {
	if f.len() == 0 || f.asking >= f.askers {
		return nil
	}
	s := f.slots[f.first]
	if s.doubtful && f.doubtful >= max(1, f.askers-max(1, f.askers/4)) {
		return nil
	}
	f.slots[f.first] = nil
	if f.first++; f.first > f.len() {
		f.slots = slices.Delete(f.slots, 0, f.first)
		f.first = 0
	}
	w := f.take(s.flow, 0)
	w.doubtful = s.doubtful
	f.asking++
	if w.doubtful {
		f.doubtful++
	}
	return w
}

// done ends a question that next returned. If it was useful, its charge is refunded.
func (f *fairQueue) done(w *waiting, useful bool, now time.Time) {
	delete(f.lookup, w.key())
	f.asking--
	if w.doubtful {
		f.doubtful--
	}
	if useful {
		f.debts.refund(&w.nets, w.period, periodOf(now))
	}
}
