package store

import (
	"time"

	"dcs/render/attr"
	"dcs/render/attr/localdb"
)

// Event is something that happened to a source, or to the files.
type Event struct {
	Source  string // "": all of them together
	Kind    EventKind
	Err     error         // what went wrong
	Retry   time.Duration // after which it is tried again
	Devices int
	Stats   localdb.Stats // of the file that was made
	Reject  attr.Rejected
	Took    time.Duration
}

// EventKind says what an Event is about.
type EventKind uint8

// The kinds of events.
const (
	Loaded      EventKind = iota // a source was loaded: Devices, Stats, Reject, Took
	Failed                       // a source failed: Err, Retry; what it told last goes on serving
	Merged                       // the sources were merged, or changes put into the file: Stats, Took
	Damaged                      // a file is not what was written: Err
	SchemaGrown                  // a source has attributes that were not known before, or has told its first: the schema has grown, or is no longer partial
	BuildFailed                  // a file could not be made: Err, Retry; the former goes on serving
	HeldBack                     // losses of a source are held back: Err; what it told last goes on serving
	NotDurable                   // changes cannot be written to disk: Err; they are served, and lost if the process ends now
	Durable                      // changes are on disk again
	ClockAhead                   // a file was made when the clock was ahead of what it is now: Err; how old it is nobody knows
)

// String returns the kind in a word or two.
func (k EventKind) String() string {
	return [...]string{
		"loaded", "failed", "merged", "damaged", "new attributes", "not made", "held back",
		"changes not durable", "changes durable again", "clock",
	}[k]
}

func (s *Store) event(e Event) { s.cfg.OnEvent(e) }
