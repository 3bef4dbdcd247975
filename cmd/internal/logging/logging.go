// Package logging writes the server's log: its level can be changed while it runs, a flood of one kind of line hides no
// other, and chosen requests get a line each.
package logging

import (
	"context"
	"io"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"
)

// Config is what a Log is made of.
type Config struct {
	JSON  bool // a JSON object for each line, instead of key=value
	Level slog.Level
	Rules Rules
}

// A Log writes lines. Its level and rules may be changed at any time by any goroutine.
type Log struct {
	*slog.Logger
	level slog.LevelVar
	rules atomic.Pointer[matcher] // nil: no request is logged
	given atomic.Pointer[Rules]
	queue *Queue
}

// New returns a Log that writes to w.
func New(w io.Writer, cfg Config) (*Log, error) {
	l := &Log{}
	l.level.Set(cfg.Level)
	options := &slog.HandlerOptions{Level: &l.level}
	if cfg.JSON {
		l.Logger = slog.New(slog.NewJSONHandler(w, options))
	} else {
		l.Logger = slog.New(slog.NewTextHandler(w, options))
	}
	l.queue = NewQueue(l.Logger, time.Now)
	return l, l.SetRules(cfg.Rules)
}

// SetLevel sets the least level that is written.
func (l *Log) SetLevel(level slog.Level) { l.level.Set(level) }

// Level returns the least level that is written.
func (l *Log) Level() slog.Level { return l.level.Level() }

// Queue returns where those write to who must not wait.
func (l *Log) Queue() *Queue { return l.queue }

// Close waits until what was queued is written.
func (l *Log) Close() { l.queue.Close() }

// queued is how many lines may wait to be written.
const queued = 1024

// PerSecond is how many lines of one kind a Queue writes in a second.
const PerSecond = 10

// A Queue writes lines on a goroutine of its own, for those who must not wait. Of one kind it writes
// [PerSecond] a second, and the next of that kind says how many were held back ("held").
type Queue struct {
	log   *slog.Logger
	now   func() time.Time
	lines chan line
	ended sync.WaitGroup
	close sync.Once
	stop  chan struct{}
	lost  atomic.Uint64 // there was no room
	held  atomic.Uint64
}

type line struct {
	kind  string // empty: never held back
	level slog.Level
	msg   string
	held  uint64 // by whoever sends it
	args  []any
}

// NewQueue returns a queue of a log.
func NewQueue(log *slog.Logger, now func() time.Time) *Queue {
	q := &Queue{log: log, now: now, lines: make(chan line, queued), stop: make(chan struct{})}
	q.ended.Go(q.run)
	return q
}

// Send has a line written, and does not wait. kind is what the line is held back by; empty: it is not. held is how
// many lines of the kind the sender has held back itself since its last.
func (q *Queue) Send(kind string, level slog.Level, held uint64, msg string, args ...any) {
	select {
	case q.lines <- line{kind, level, msg, held, args}:
	default:
		q.lost.Add(1 + held)
	}
}

// Held returns how many lines were not written since the start, because there were too many.
func (q *Queue) Held() uint64 { return q.held.Load() + q.lost.Load() }

// Close writes what waits, and ends the queue. Nothing may be sent after it has returned.
func (q *Queue) Close() {
	q.close.Do(func() { close(q.stop) })
	q.ended.Wait()
}

func (q *Queue) run() {
	kinds := map[string]*kind{}
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case l := <-q.lines:
			q.write(kinds, l)
		case <-tick.C:
			q.report(kinds)
		case <-q.stop:
			for {
				select {
				case l := <-q.lines:
					q.write(kinds, l)
				default:
					q.report(kinds)
					return
				}
			}
		}
	}
}

// kind is what is known of the lines of one kind.
type kind struct {
	second int64
	told   int // in this second
	held   uint64
}

func (q *Queue) write(kinds map[string]*kind, l line) {
	if l.kind != "" {
		k := kinds[l.kind]
		if k == nil {
			k = &kind{}
			kinds[l.kind] = k
		}
		k.held += l.held
		q.held.Add(l.held)
		if s := q.now().Unix(); s != k.second {
			k.second, k.told = s, 0
		}
		if k.told >= PerSecond {
			k.held++
			q.held.Add(1)
			return
		}
		k.told++
		if k.held > 0 {
			l.args = append(l.args, "held", k.held)
			k.held = 0
		}
	}
	q.log.Log(context.Background(), l.level, l.msg, l.args...)
}

// report tells of lines held back that no line of their kind has followed since.
func (q *Queue) report(kinds map[string]*kind) {
	now := q.now().Unix()
	for name, k := range kinds {
		if k.held > 0 && now > k.second {
			q.log.Warn("lines were held back", "reason", name, "held", k.held)
			k.held = 0
		}
	}
	if n := q.lost.Swap(0); n > 0 {
		q.held.Add(n)
		q.log.Warn("lines were lost: the log takes them too slowly", "held", n)
	}
}
