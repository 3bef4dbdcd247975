package store

import (
	"sync/atomic"
	"time"
)

// askStats counts questions. The dispatcher updates it.
type askStats struct {
	waiting atomic.Int64
	asking  atomic.Int64
	asked   atomic.Int64
	waited  atomic.Int64 // nanoseconds, all together
	dropped atomic.Int64 // by the queue
}

// dispatch moves questions from the intake to the askers, in the order of a fairQueue.
func (s *Store) dispatch() {
	queue, failed := newFairQueue(s.cfg.AskQueue, s.cfg.Askers), make(failures)
	var pause <-chan time.Time // after which more is taken in; nil: at once
	for {
		wake := s.intake.wake
		if pause != nil {
			wake = nil
		}
		select {
		case <-s.ctx.Done():
			return
		case <-wake:
		case <-pause:
			pause = nil
		case a := <-s.answers:
			s.finish(queue, failed, a)
		}
		for range len(s.answers) {
			s.finish(queue, failed, <-s.answers)
		}
		if pause == nil {
			switch n := s.takeIn(queue, failed); {
			case n == len(s.intake.slots):
				pause = time.After(intakePause)
			case n > 0:
				pause = time.After(intakeRest)
			}
		}
		s.handOut(queue)
		s.stats.waiting.Store(int64(queue.len()))
		s.stats.asking.Store(int64(queue.asking))
	}
}

// intakeRest is how long the dispatcher waits after it has taken in some questions. So however many workers have questions, they wake it,
// which takes a lock, a thousand times a second at most.
const intakeRest = time.Millisecond

// intakePause is how long the dispatcher waits after it has emptied a full intake. In a flood that fills it faster, workers drop the
// rest at no cost.
const intakePause = 50 * time.Millisecond

// takeIn moves questions from the intake to the queue, a whole intake at most, and returns how many.
func (s *Store) takeIn(queue *fairQueue, failed failures) int {
	now := s.cfg.Now()
	for n := range s.intake.slots {
		q, ok := s.intake.get()
		if !ok {
			return n
		}
		if s.unknown.has(s.unknown.hash(q), now.UnixNano()) || now.Before(failed[q.key()].until) {
			continue
		}
		if out, full := queue.add(q, s.likely.is(q), now); full {
			s.likely.drop(out)
			s.stats.dropped.Add(1)
		}
	}
	return len(s.intake.slots)
}

// handOut passes the questions that may be asked now to the askers.
func (s *Store) handOut(queue *fairQueue) {
	now := s.cfg.Now()
	for w := queue.next(); w != nil; w = queue.next() {
		s.stats.asked.Add(1)
		s.stats.waited.Add(int64(max(now.Sub(w.since), 0)))
		s.work <- w
	}
}

// finish records the answer to a question.
func (s *Store) finish(queue *fairQueue, failed failures, a answered) {
	now := s.cfg.Now()
	switch a.answer {
	case deviceFailed:
		failed.add(a.key(), now, s.cfg.RetryMin, s.cfg.RetryMax)
	case deviceUnknown:
		s.unknown.add(s.unknown.hash(a.question), a.nets[0], s.likely.is(a.question), now)
	}
	queue.done(a.waiting, a.answer == deviceKnown, now)
}

// failures are devices whose look-up failed; they are not looked up again at once.
type failures map[question]failure

type failure struct {
	until time.Time
	wait  time.Duration
}

// maxFailures is the number of failures that are remembered. A source with more failures is paused.
const maxFailures = 1024

// add makes a device wait for from, or twice as long as before if it fails again within to, and at most for to.
func (f failures) add(q question, now time.Time, from, to time.Duration) {
	last, again := f[q]
	if !again && len(f) >= maxFailures {
		for old, l := range f {
			if now.After(l.until.Add(to)) {
				delete(f, old)
			}
		}
		if len(f) >= maxFailures {
			return
		}
	}
	wait := from
	if again && now.Before(last.until.Add(to)) {
		wait = min(2*last.wait, to)
	}
	f[q] = failure{now.Add(wait), wait}
}
