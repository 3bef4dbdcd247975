package store

import (
	"time"

	"dcs/render/attr"
	"dcs/render/attr/localdb"
)

// Event is something that happened to a source or to the files.
type Event struct {
	Source  string // "": all sources
	Kind    EventKind
	Err     error         // cause
	Retry   time.Duration // delay of the next attempt
	Devices int
	Stats   localdb.Stats // of the file that was written
	Reject  attr.Rejected
	Took    time.Duration
}

// EventKind is the kind of an Event.
type EventKind uint8

// The kinds of events.
const (
	Loaded      EventKind = iota // a source was loaded: Devices, Stats, Reject, Took
	Failed                       // a source failed: Err, Retry; its last data remain in service
	Merged                       // the sources were merged, or changes written to a file: Stats, Took
	Damaged                      // a file has changed since it was written: Err
	SchemaGrown                  // the schema has grown, or is no longer partial
	BuildFailed                  // a file could not be written: Err, Retry; the previous one remains in service
	HeldBack                     // losses of a source are held back: Err; its last data remain in service
	NotDurable                   // changes cannot be written to disk: Err; they are in service, and lost if the process ends
	Durable                      // changes are on disk again
	ClockAhead                   // a file was written when the clock was ahead: Err; its age is unknown
	Unchanged                    // a source has what is in service, and was not loaded: Devices, Stats, Took
)

// String returns the kind in a word or two.
func (k EventKind) String() string {
	return [...]string{
		"loaded", "failed", "merged", "damaged", "new attributes", "not made", "held back",
		"changes not durable", "changes durable again", "clock", "unchanged",
	}[k]
}

func (s *Store) event(e Event) { s.cfg.OnEvent(e) }
