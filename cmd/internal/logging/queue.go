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

// A Queue writes lines on its own goroutine, for callers that must not wait. It writes perSecond lines of one kind per second;
// the next line of the kind says how many were suppressed (attribute "suppressed").
//
// Sampling handlers for slog (samber/slog-sampling and others) do not fit: they write on the caller's goroutine, and report what
// they drop to a hook instead of the log.
type Queue struct {
	handler slog.Handler
	now     func() time.Time
	lines   chan line
	close   sync.Once
	stop    chan struct{}
	ended   chan struct{}
	dropped atomic.Uint64 // the queue was full; not reported yet

	suppressed atomic.Uint64
}

type line struct {
	kind       string // empty: never suppressed
	suppressed uint64 // lines that the sender has suppressed since its last
	record     slog.Record
	handler    slog.Handler
	written    chan<- error // nil: nobody waits, and the log's level decides whether the line is written
}

// NewQueue returns a queue that writes to h. now is the clock for the limits.
func NewQueue(h slog.Handler, now func() time.Time) *Queue {
	q := &Queue{handler: h, now: now, lines: make(chan line, queued), stop: make(chan struct{}), ended: make(chan struct{})}
	go q.run()
	return q
}

// Send queues a line and returns at once. Lines of one kind are limited, except those of the empty kind. suppressed is how many
// lines of the kind the sender itself has suppressed since its last.
func (q *Queue) Send(kind string, level slog.Level, suppressed uint64, msg string, args ...any) {
	r := slog.NewRecord(q.now(), level, msg, 0)
	r.Add(args...)
	select {
	case q.lines <- line{kind: kind, suppressed: suppressed, record: r, handler: q.handler}:
	default:
		q.dropped.Add(1 + suppressed)
	}
}

// write writes a line after the queued ones, and waits until it is written.
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
	default: // queued after the last line was written
		return h.Handle(context.Background(), r)
	}
}

// Suppressed returns how many lines were suppressed or dropped since the start.
func (q *Queue) Suppressed() uint64 { return q.suppressed.Load() + q.dropped.Load() }

// Close writes the queued lines and stops the queue. Send must not be called afterwards.
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
	second     int64
	written    int // in this second
	suppressed uint64
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

// admit reports whether a line is within its kind's limit. If so, it adds the number of suppressed lines to it.
func (q *Queue) admit(kinds map[string]*kind, l *line) bool {
	k := kinds[l.kind]
	if k == nil {
		k = &kind{}
		kinds[l.kind] = k
	}
	k.suppressed += l.suppressed
	q.suppressed.Add(l.suppressed)
	if s := q.now().Unix(); s != k.second {
		k.second, k.written = s, 0
	}
	if k.written >= perSecond {
		k.suppressed++
		q.suppressed.Add(1)
		return false
	}
	k.written++
	if k.suppressed > 0 {
		l.record.Add("suppressed", k.suppressed)
		k.suppressed = 0
	}
	return true
}

// report logs suppressed lines of kinds that have had no line since, and dropped lines.
func (q *Queue) report(kinds map[string]*kind) {
	now := q.now()
	for name, k := range kinds {
		if k.suppressed > 0 && now.Unix() > k.second {
			q.warn(now, "log lines suppressed", "reason", name, "suppressed", k.suppressed)
			k.suppressed = 0
		}
	}
	if n := q.dropped.Swap(0); n > 0 {
		q.suppressed.Add(n)
		q.warn(now, "log lines dropped: the log is written too slowly", "dropped", n)
	}
}

func (q *Queue) warn(now time.Time, msg string, args ...any) {
	r := slog.NewRecord(now, slog.LevelWarn, msg, 0)
	r.Add(args...)
	q.handle(nil, line{record: r, handler: q.handler})
}

// ordered is a handler that writes through a queue, so that all lines are in order.
type ordered struct {
	queue *Queue
	next  slog.Handler
}

func (o *ordered) Enabled(ctx context.Context, level slog.Level) bool {
	return o.next.Enabled(ctx, level)
}

// Handle writes r whatever the log's level is, as [slog.Handler] specifies: callers ask Enabled, or skip that on purpose.
func (o *ordered) Handle(_ context.Context, r slog.Record) error { return o.queue.write(o.next, r) }

func (o *ordered) WithAttrs(attrs []slog.Attr) slog.Handler {
	return &ordered{o.queue, o.next.WithAttrs(attrs)}
}

func (o *ordered) WithGroup(name string) slog.Handler {
	return &ordered{o.queue, o.next.WithGroup(name)}
}
