// Package library loads directories of templates and static files, and finds the template or file for a requested name.
package library

import (
	"slices"
	"sync/atomic"

	"dcs/render/attr"
	"dcs/render/ber/mib"
	"dcs/render/naming"
	"dcs/render/skeleton"
	"dcs/render/syntax"
)

// Config configures a library.
type Config struct {
	Dirs    []string // directories of templates; all sources below them belong to the library
	Static  []string // directories of files that are served as they are
	Resign  []string // the directories of Static whose boot files are signed again, with the secret of the modem's CMTS
	Lenient bool     // resolve keywords as the open encoder does, with a warning
	MIB     *mib.Index
	Schema  *attr.Schema // the attributes of devices; nil: none
	// Names says how requested names are read, and thereby which names of the library are equal. Nil: only redundant slashes are
	// ignored.
	Names *naming.Rules

	Timestamp    bool // add TLV 19 to modem files
	ModemAddress bool // add TLV 20 or 59 to modem files

	Learned int // memory for learned kinds of names, in octets; 0: [DefaultLearned]

	Parallel int            // goroutines that load; 0: as many as there are CPUs; 1: the caller's
	Spare    func(f func()) // calls f, the work of such a goroutine, in the CPU time that others leave; nil: at once
}

// A Snapshot is a loaded library. It is immutable except for what it has learned of names, whose readers take no lock; it may be used by
// any number of goroutines.
type Snapshot struct {
	Warnings syntax.Errors // about what is valid but probably unintended

	names     *naming.Rules
	warned    map[syntax.Error]bool // during the load
	templates []*Template
	literals  map[string]*Template
	claims    map[string]*skeleton.Fault // names that get no file, even if another template or file has them
	patterns  *patterns
	indices   int           // of patterns, given so far
	matching  *atomic.Int64 // octets that the automata of its patterns may still take; those of an earlier snapshot keep its limit
	broken    int
	static    *staticFiles
	dirs      map[string]int // number of files by directory of the configuration
	table     *table
	loader    *loader // what the next load may take over
}

// A Template is an item of a library that files are rendered from.
type Template struct {
	*skeleton.Template
	Names    []string // the names that it is served under; nil if Pattern is set
	Pattern  string
	Priority int

	pattern *pattern
	mac     int // number of the pattern's group mac; 0: none

	own            atomic.Pointer[kind]           // see ownKind
	contest        atomic.Pointer[contest]        // with the rivals of the pattern
	noMAC, zeroMAC atomic.Pointer[skeleton.Fault] // of names whose group mac is no MAC address; nil: not needed yet

	resigned bool // made from a static file
}

// Pos returns the position of the template in its source.
func (t *Template) Pos() syntax.Pos { return t.Item.Pos }

// Templates returns the templates of the library in the order of their files. They must not be modified.
func (s *Snapshot) Templates() []*Template { return s.templates }

// Sources returns the paths of the files that the templates and the Blocks stand in, in order.
func (s *Snapshot) Sources() []string {
	if s.loader == nil {
		return nil
	}
	var out []string
	for path, f := range s.loader.files {
		if f != nil {
			out = append(out, path)
		}
	}
	slices.Sort(out)
	return out
}

// Waiting returns the number of templates that wait for attributes that the schema does not have yet. They make no files.
func (s *Snapshot) Waiting() int {
	n := 0
	for _, t := range s.templates {
		if t.Waiting() {
			n++
		}
	}
	return n
}

// StaticFiles returns the number of static files that are served.
func (s *Snapshot) StaticFiles() int { return s.static.served }
