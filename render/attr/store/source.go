package store

import (
	"fmt"
	"hash/fnv"
	"strings"
	"sync/atomic"
	"time"

	"dcs/render/attr"
	"dcs/render/attr/localdb"
)

// source is a Source with what the Store knows of it.
type source struct {
	attr.Source
	i      int
	path   string
	reload chan bool     // to be loaded; true: whatever it loses
	opened chan struct{} // closed after the first try to open it

	loading atomic.Int64 // devices given so far; -1: not loading
	changes atomic.Int64
	asked   atomic.Int64
	found   atomic.Int64

	// Guarded by Store.mu.
	names       []string // as Open returned them
	named       bool     // Open has returned, or its file has told them before the start
	perm        []int    // their indices in the schema
	meta        fileMeta
	stats       localdb.Stats
	up          bool
	err         error
	busy        bool      // loading
	loaded      bool      // a load succeeded, now or before the start
	refreshed   bool      // what it told before the start is asked for again
	pausedUntil time.Time // until which it is not asked, because it failed
	// failed is what it was asked for last, if it failed on that.
	failed *question
	guard  guard
}

// fileMeta is what a file says of where it is from.
type fileMeta struct {
	Source   string        `json:"source,omitempty"`
	Loaded   time.Time     `json:"loaded,omitzero"`
	Rejected attr.Rejected `json:"rejected,omitzero"`
	Seq      uint64        `json:"seq,omitempty"`   // changes up to this number are in it
	Stamp    int64         `json:"stamp"`           // differs from that of any other file in the directory
	Parts    []part        `json:"parts,omitempty"` // of a merged file: what it was merged of

	Mark   string     `json:"mark,omitempty"`   // of a Marker
	Values []int      `json:"values,omitempty"` // by the file's attributes: devices that have a value
	Peak   *savedPeak `json:"peak,omitempty"`
}

type part struct {
	Source string `json:"source"`
	Stamp  int64  `json:"stamp"`
}

const mergedName = "merged.devices"

// fileName returns the name of a source's file.
func fileName(source string) string {
	h := fnv.New32a()
	h.Write([]byte(source))
	safe := strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' || r >= 'A' && r <= 'Z' || r == '-' || r == '_' {
			return r
		}
		return '_'
	}, source)
	return fmt.Sprintf("%.40s-%08x.devices", safe, h.Sum32())
}
