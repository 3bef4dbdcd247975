package render

import (
	"net/netip"
	"strings"
	"sync/atomic"
	"unsafe"

	"dcs/render/device"
	"dcs/render/skeleton"
)

// Outcome is how a request ended.
type Outcome struct {
	Time   int64 // nanoseconds since 1970
	Name   string
	Cut    bool // the name was longer
	Client netip.Addr
	MAC    [6]byte
	HasMAC bool
	Size   int    // of the file, in octets
	Err    error  // why there is none, as in [Request], or why it has not arrived, as in [Lost]
	Value  string // the value at fault, that of [Lost], or the other device of a [Mismatch]; empty if there is none
}

const (
	journalName  = 128 // octets kept of a name
	journalValue = 64  // octets kept of a value at fault
	// ServedPerSecond is how many served requests a second each worker puts down. Failures come first: served
	// ones take half of the journal at most.
	ServedPerSecond = 100
)

// journal is what a worker puts down for others to read: one writes, one reads, neither waits. What does
// not fit is counted. It costs a failure some 10 ns.
type journal struct {
	slots []entry
	tail  uint64 // the writer's copy of head

	second int64 // of the served requests counted in served
	served int

	_    [64]byte
	head atomic.Uint64 // entries written
	held atomic.Uint64 // failures that did not fit
	_    [64]byte
	read atomic.Uint64 // entries read
}

// entry holds its texts itself: the writer does not allocate, and what it copies from is
// gone after the batch.
type entry struct {
	time   int64
	client netip.Addr
	err    error
	size   int
	mac    [6]byte
	hasMAC bool
	cut    bool
	nName  uint8
	nValue uint8
	name   [journalName]byte
	value  [journalValue]byte
}

func newJournal(n int) *journal {
	if n <= 0 {
		return nil
	}
	return &journal{slots: make([]entry, n)}
}

// WorkerOctets is what a Worker that keeps a journal of n outcomes takes at most, but for a batch of files so large that
// their memory is not kept.
func WorkerOctets(n int) int {
	return n*int(unsafe.Sizeof(entry{})) + unknownSlots*int(unsafe.Sizeof(unknownName{})) + skeleton.MaxScratch
}

// note puts down how a request ended, if there is room.
func (w *Worker) note(now int64, r *Request, f *found) {
	e := w.journal.next(now, r.Err != nil)
	if e == nil {
		return
	}
	e.time, e.client, e.err, e.size = now, r.Client, r.Err, len(r.Body)
	e.mac, e.hasMAC = r.MAC, r.HasMAC
	e.nName = uint8(copy(e.name[:], r.Name))
	e.cut = len(r.Name) > journalName
	e.nValue = 0
	switch _, refused := r.Err.(Mismatch); {
	case refused:
		if f.claim.hasOther {
			e.nValue = uint8(len(device.AppendMAC(e.value[:0], f.claim.other)))
		}
	case r.Err != nil:
		e.nValue = uint8(copy(e.value[:], w.scratch.Bad))
	}
	w.journal.done()
}

// Lost is a file that was rendered and has not arrived.
type Lost struct {
	Name   []byte // as asked for, or its beginning
	Cut    bool   // the name was longer
	Client netip.Addr
	MAC    [6]byte
	HasMAC bool
	Size   int    // octets
	Err    error  // why
	Reason string // Err's name
	Value  []byte // how far it came, or what the client said
}

// Lost puts down, and tells, that a file has not arrived.
func (w *Worker) Lost(now int64, l *Lost) {
	if w.journal != nil {
		if e := w.journal.next(now, true); e != nil {
			e.time, e.client, e.err, e.size = now, l.Client, l.Err, l.Size
			e.mac, e.hasMAC = l.MAC, l.HasMAC
			e.nName = uint8(copy(e.name[:], l.Name))
			e.cut = l.Cut || len(l.Name) > journalName
			e.nValue = uint8(copy(e.value[:], l.Value))
			w.journal.done()
		}
	}
	if held, ok := w.due(now, skeleton.NumReasons); ok {
		w.e.cfg.OnFault(Event{Name: l.Name, Client: l.Client, Err: l.Err, Reason: l.Reason, Value: string(l.Value), Held: held, Lost: true})
	}
}

// next returns the entry to be written, nil if there is no room for it.
func (j *journal) next(now int64, failed bool) *entry {
	used := j.tail - j.read.Load()
	if failed {
		if used >= uint64(len(j.slots)) {
			j.held.Store(j.held.Load() + 1)
			return nil
		}
		return &j.slots[j.tail%uint64(len(j.slots))]
	}
	if s := now / 1e9; s != j.second {
		j.second, j.served = s, 0
	}
	if j.served >= ServedPerSecond {
		return nil
	}
	j.served++
	if used*2 >= uint64(len(j.slots)) {
		return nil
	}
	return &j.slots[j.tail%uint64(len(j.slots))]
}

// done hands over the entry that next returned.
func (j *journal) done() {
	j.tail++
	j.head.Store(j.tail)
}

// Outcomes hands on how requests ended since it was called last: all failures for which the journals had
// room, and of the served requests a sample. It returns how many failures there were
// beside these. Config.Journal says whether there are any.
func (e *Engine) Outcomes(each func(Outcome)) (held uint64) {
	e.mu.Lock()
	workers := e.workers
	e.mu.Unlock()
	e.reading.Lock()
	defer e.reading.Unlock()
	for _, w := range workers {
		if j := w.journal; j != nil {
			j.take(each)
			held += j.held.Load()
		}
	}
	held, e.held = held-e.held, held
	return held
}

func (j *journal) take(each func(Outcome)) {
	at := j.read.Load()
	for end := j.head.Load(); at != end; at++ {
		s := &j.slots[at%uint64(len(j.slots))]
		o := Outcome{
			Time: s.time, Name: strings.ToValidUTF8(string(s.name[:s.nName]), "\ufffd"), Cut: s.cut, Client: s.client,
			MAC: s.mac, HasMAC: s.hasMAC, Size: s.size, Err: s.err,
			Value: strings.ToValidUTF8(string(s.value[:s.nValue]), "\ufffd"),
		}
		s.err = nil // it would keep a library in memory that is served no more
		each(o)
		j.read.Store(at + 1)
	}
}
