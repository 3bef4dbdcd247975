package logging

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"
)

// queued is how many lines may wait to be written.
const queued = 1024

// perSecond is how many lines of one kind a Queue writes per second.
const perSecond = 10

// A Queue writes lines on a goroutine of its own, for callers that must not wait. It writes perSecond lines of one
// kind per second; the next line of the kind says how many were suppressed ("held").
//
// The sampling handlers for slog (samber/slog-sampling and others) do not fit: they write on the caller's goroutine, and
// what they drop is counted by a hook, not said in the log.
type Queue struct {
	handler slog.Handler
	now     func() time.Time
	lines   chan line
	close   sync.Once
	stop    chan struct{}
	ended   chan struct{}
	lost    atomic.Uint64 // the queue was full
	held    atomic.Uint64
}

type line struct {
	kind    string // empty: never suppressed
	held    uint64 // by the sender
	record  slog.Record
	handler slog.Handler
	written chan<- error // nil: nobody waits, and the level of the log decides whether it is written
}

// NewQueue returns a queue that writes to a handler.
func NewQueue(h slog.Handler, now func() time.Time) *Queue {
	q := &Queue{handler: h, now: now, lines: make(chan line, queued), stop: make(chan struct{}), ended: make(chan struct{})}
	go q.run()
	return q
}

// Send queues a line, and does not wait. Lines of one kind are limited; those of the empty kind are not. held is how
// many lines of the kind the sender has suppressed itself since its last.
func (q *Queue) Send(kind string, level slog.Level, held uint64, msg string, args ...any) {
	r := slog.NewRecord(q.now(), level, msg, 0)
	r.Add(args...)
	select {
	case q.lines <- line{kind: kind, held: held, record: r, handler: q.handler}:
	default:
		q.lost.Add(1 + held)
	}
}

// write has a line written after those that wait, and returns when it is.
func (q *Queue) write(h slog.Handler, r slog.Record) error {
	written := make(chan error, 1)
	select {
	case q.lines <- line{record: r, handler: h, written: written}:
	case <-q.ended:
		return h.Handle(context.Background(), r)
	}
	select {
	case err := <-written:
		return err
	case <-q.ended:
	}
	select {
	case err := <-written:
		return err
	default: // it came after the last that was written
		return h.Handle(context.Background(), r)
	}
}

// Held returns how many lines were suppressed or lost since the start.
func (q *Queue) Held() uint64 { return q.held.Load() + q.lost.Load() }

// Close writes the queued lines, and ends the queue. Nothing may be sent afterwards.
func (q *Queue) Close() {
	q.close.Do(func() { close(q.stop) })
	<-q.ended
}

func (q *Queue) run() {
	defer close(q.ended)
	kinds := map[string]*kind{}
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case l := <-q.lines:
			q.handle(kinds, l)
		case <-tick.C:
			q.report(kinds)
		case <-q.stop:
			for {
				select {
				case l := <-q.lines:
					q.handle(kinds, l)
				default:
					q.report(kinds)
					return
				}
			}
		}
	}
}

// kind is the state of the lines of one kind.
type kind struct {
	second  int64
	written int // in this second
	held    uint64
}

func (q *Queue) handle(kinds map[string]*kind, l line) {
	if l.kind != "" && !q.admit(kinds, &l) {
		return
	}
	var err error
	if l.written != nil || l.handler.Enabled(context.Background(), l.record.Level) {
		err = l.handler.Handle(context.Background(), l.record)
	}
	if l.written != nil {
		l.written <- err
	}
}

// admit reports whether a line is within its kind's limit, and adds to it how many before it were not.
func (q *Queue) admit(kinds map[string]*kind, l *line) bool {
	k := kinds[l.kind]
	if k == nil {
		k = &kind{}
		kinds[l.kind] = k
	}
	k.held += l.held
	q.held.Add(l.held)
	if s := q.now().Unix(); s != k.second {
		k.second, k.written = s, 0
	}
	if k.written >= perSecond {
		k.held++
		q.held.Add(1)
		return false
	}
	k.written++
	if k.held > 0 {
		l.record.Add("held", k.held)
		k.held = 0
	}
	return true
}

// report writes how many lines were suppressed of kinds that have had no line since.
func (q *Queue) report(kinds map[string]*kind) {
	now := q.now()
	for name, k := range kinds {
		if k.held > 0 && now.Unix() > k.second {
			q.warn(now, "log lines suppressed", "reason", name, "held", k.held)
			k.held = 0
		}
	}
	if n := q.lost.Swap(0); n > 0 {
		q.held.Add(n)
		q.warn(now, "log lines lost: written too slowly", "held", n)
	}
}

func (q *Queue) warn(now time.Time, msg string, args ...any) {
	r := slog.NewRecord(now, slog.LevelWarn, msg, 0)
	r.Add(args...)
	q.handle(nil, line{record: r, handler: q.handler})
}

// ordered is a handler whose records take their turn in a queue, so that lines are in order.
type ordered struct {
	queue *Queue
	next  slog.Handler
}

func (o *ordered) Enabled(ctx context.Context, level slog.Level) bool {
	return o.next.Enabled(ctx, level)
}

// Handle writes r whatever the level of the log, as [slog.Handler] has it: callers have asked Enabled, or mean it.
func (o *ordered) Handle(_ context.Context, r slog.Record) error { return o.queue.write(o.next, r) }

func (o *ordered) WithAttrs(attrs []slog.Attr) slog.Handler {
	return &ordered{o.queue, o.next.WithAttrs(attrs)}
}

func (o *ordered) WithGroup(name string) slog.Handler {
	return &ordered{o.queue, o.next.WithGroup(name)}
}
