// Package logging writes the server's log. The level can be changed while the server runs, lines of one kind are limited per
// second so that they do not drown others, and chosen requests get a line each.
package logging

import (
	"io"
	"log/slog"
	"sync/atomic"
	"time"
)

// Config configures a Log.
type Config struct {
	JSON  bool // one JSON object per line, instead of key=value
	Level slog.Level
	Rules Rules
}

// A Log writes lines in the order in which they were logged, through its Logger or its Queue. Any goroutine may change level and
// rules at any time.
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
	var h slog.Handler = slog.NewTextHandler(w, options)
	if cfg.JSON {
		options.ReplaceAttr = plain
		h = slog.NewJSONHandler(w, options)
	}
	l.queue = NewQueue(h, time.Now)
	l.Logger = slog.New(&ordered{l.queue, h})
	return l, l.SetRules(cfg.Rules)
}

// SetLevel sets the lowest level that is written.
func (l *Log) SetLevel(level slog.Level) { l.level.Set(level) }

// Level returns the lowest level that is written.
func (l *Log) Level() slog.Level { return l.level.Level() }

// Queue returns the queue, for callers that must not wait.
func (l *Log) Queue() *Queue { return l.queue }

// Close writes the queued lines. Lines logged later are written at once.
func (l *Log) Close() { l.queue.Close() }
