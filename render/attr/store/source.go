package store

import (
	"fmt"
	"hash/fnv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"dcs/render/attr"
	"dcs/render/attr/localdb"
)

// source is a Source with its state in the Store.
type source struct {
	attr.Source
	i      int
	path   string
	reload chan bool     // requests a load; true: any loss is accepted
	opened chan struct{} // closed after the first attempt to open it
	first  sync.Once     // attempt to load it

	loading atomic.Int64 // devices loaded so far; -1: not loading
	changes atomic.Int64
	asked   atomic.Int64
	found   atomic.Int64

	// Guarded by Store.mu.
	names       []string // as Open returned them
	named       bool     // names are known, from Open or its file
	perm        []int    // their indices in the schema
	meta        fileMeta
	stats       localdb.Stats
	up          bool
	err         error
	busy        bool      // loading
	loaded      bool      // a load succeeded, now or before the start
	refreshed   bool      // look-ups of devices known before the start are scheduled
	pausedUntil time.Time // no look-ups until then, because it failed
	// failed is the last look-up, if it failed.
	failed *question
	guard  guard
}

// fileMeta is the metadata of a file.
type fileMeta struct {
	Source   string        `json:"source,omitempty"`
	Loaded   time.Time     `json:"loaded,omitzero"`
	Rejected attr.Rejected `json:"rejected,omitzero"`
	Seq      uint64        `json:"seq,omitempty"`   // number of the last change that is in the file
	Stamp    int64         `json:"stamp"`           // unique in the directory
	Parts    []part        `json:"parts,omitempty"` // of a merged file: the files that were merged

	Mark    string `json:"mark,omitempty"`    // of a Marker
	Version string `json:"version,omitempty"` // of a Versioned whose Load returned just this

	Values []int      `json:"values,omitempty"` // devices that have a value, by attribute of the file
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
