package render

import (
	"sync/atomic"
	"unsafe"

	"dcs/render/device"
	"dcs/render/library"
	"dcs/render/skeleton"
)

const (
	journalName  = 128 // maximum length of a recorded name
	journalValue = 64  // maximum length of a recorded value
	// ServedPerSecond is the number of served requests that each worker records per second. Failures have priority: served requests
	// take at most half of the journal.
	ServedPerSecond = 100
)

// journal buffers outcomes between a single writer and a single reader; neither waits. Failures that do not fit are counted. Recording takes
// some 10 ns. A nil journal records nothing.
type journal struct {
	_     [64]byte // between the journals of two workers
	slots []entry
	tail  uint64 // the writer's copy of head

	second int64 // of the served requests counted in served
	served int

	_       [64]byte
	head    atomic.Uint64 // entries written
	dropped atomic.Uint64 // failures that did not fit
	_       [64]byte
	read    atomic.Uint64 // entries read
	_       [64]byte
}

// entry is an outcome with its own memory for Name and Value, which are valid during the batch only; recording does not allocate.
type entry struct {
	device.Outcome
	name  [journalName]byte
	value [journalValue]byte
}

func newJournal(n int) *journal {
	if n <= 0 {
		return nil
	}
	return &journal{slots: make([]entry, n)}
}

// WorkerOctets returns the maximum memory in octets of a Worker with a journal of n outcomes, except for scratch memory of very large
// batches, which is released after them.
func WorkerOctets(n int) int {
	return n*int(unsafe.Sizeof(entry{})) + unknownSlots*int(unsafe.Sizeof(unknownName{})) + library.FinderOctets + skeleton.MaxScratch
}

// next returns the entry to write; nil if there is no room.
func (j *journal) next(now int64, failed bool) *entry {
	if j == nil {
		return nil
	}
	used := j.tail - j.read.Load()
	if failed {
		if used >= uint64(len(j.slots)) {
			j.dropped.Store(j.dropped.Load() + 1)
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

// add copies an outcome to the entry that next returned, and publishes it.
func (j *journal) add(e *entry, o *device.Outcome) {
	e.Outcome = *o
	e.Name = e.name[:copy(e.name[:], o.Name)]
	e.Truncated = o.Truncated || len(o.Name) > journalName
	e.Value = e.value[:copy(e.value[:], o.Value)]
	j.tail++
	j.head.Store(j.tail)
}

// Outcomes calls yield for the requests since the last call: the failures that fit into the journals, and a sample of the served
// requests. An outcome is valid during the call of yield. It returns the number of failures that did not fit. Without Config.Journal there
// are no outcomes.
func (e *Engine) Outcomes(yield func(*device.Outcome)) (dropped uint64) {
	e.mu.Lock()
	workers := e.workers
	e.mu.Unlock()
	e.reading.Lock()
	defer e.reading.Unlock()
	for _, w := range workers {
		if j := w.journal; j != nil {
			j.drain(yield)
			dropped += j.dropped.Load()
		}
	}
	dropped, e.dropped = dropped-e.dropped, dropped
	return dropped
}

func (j *journal) drain(yield func(*device.Outcome)) {
	at := j.read.Load()
	for end := j.head.Load(); at != end; at++ {
		e := &j.slots[at%uint64(len(j.slots))]
		yield(&e.Outcome)
		e.Outcome = device.Outcome{} // Err may reference a retired library
		j.read.Store(at + 1)
	}
}
