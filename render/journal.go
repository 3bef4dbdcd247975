package render

import (
	"sync/atomic"
	"unsafe"

	"dcs/render/device"
	"dcs/render/skeleton"
)

const (
	journalName  = 128 // octets kept of a name
	journalValue = 64  // octets kept of a value at fault
	// ServedPerSecond is how many served requests a second each worker puts down. Failures come first: served
	// ones take half of the journal at most.
	ServedPerSecond = 100
)

// journal holds outcomes until they are read: one goroutine writes, one reads, neither waits. What does
// not fit is counted. It costs a failure some 10 ns. The nil journal takes nothing.
type journal struct {
	slots []entry
	tail  uint64 // the writer's copy of head

	second int64 // of the served requests counted in served
	served int

	_       [64]byte
	head    atomic.Uint64 // entries written
	dropped atomic.Uint64 // failures that did not fit
	_       [64]byte
	read    atomic.Uint64 // entries read
}

// entry is an outcome with memory of its own for Name and Value: the writer does not allocate, and what it copies from
// is gone after the batch.
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

// WorkerOctets returns the memory in octets of a Worker that keeps a journal of n outcomes, at most, but for a batch of files so
// large that their memory is not kept.
func WorkerOctets(n int) int {
	return n*int(unsafe.Sizeof(entry{})) + unknownSlots*int(unsafe.Sizeof(unknownName{})) + skeleton.MaxScratch
}

// next returns the entry to be written; nil if there is no room for it.
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

// add copies an outcome to the entry that next returned, and hands it to the reader.
func (j *journal) add(e *entry, o *device.Outcome) {
	e.Outcome = *o
	e.Name = e.name[:copy(e.name[:], o.Name)]
	e.Truncated = o.Truncated || len(o.Name) > journalName
	e.Value = e.value[:copy(e.value[:], o.Value)]
	j.tail++
	j.head.Store(j.tail)
}

// Outcomes calls yield for each request that has ended since the last call: all failures for which the journals had room, and a
// sample of the served requests. An outcome is valid during the call. It returns how many failures there were
// beside these. Config.Journal says whether there are any.
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
		e.Outcome = device.Outcome{} // its Err would keep a library in memory that is served no more
		j.read.Store(at + 1)
	}
}
