// Package library loads directories of templates and files, and finds the one that a name asks for.
package library

import (
	"dcs/render/attr"
	"dcs/render/ber/mib"
	"dcs/render/naming"
	"dcs/render/skeleton"
	"dcs/render/syntax"
)

// Config says what to load and how to read it.
type Config struct {
	Dirs    []string // of templates; all sources below them belong to the library
	Static  []string // of files that are served as they are
	Resign  []string // those of Static whose boot files get new MICs, under the secret of the modem's CMTS
	Lenient bool     // keywords resolve as in the open encoder, with a warning
	MIB     *mib.Index
	Schema  *attr.Schema // the attributes that devices may have; nil: none
	// Names says how the names that are asked for are read, and with that which names of the library are one. Nil: slashes alone
	// mean nothing.
	Names *naming.Rules

	Timestamp    bool // every modem's file gets TLV 19
	ModemAddress bool // every modem's file gets TLV 20 or 59

	Learned int // octets that the names learned may take; 0: [DefaultLearned]
}

// A Snapshot is a library as it was loaded. It is immutable but for the table of learned
// names, which needs no lock to read; any number of goroutines may use it.
type Snapshot struct {
	Warnings syntax.Errors // what was read as written but may not be meant

	names     *naming.Rules
	warned    map[syntax.Error]bool // while it is loaded
	templates []*Template
	literals  map[string]*Template
	claims    map[string]*skeleton.Fault // names that get no file, whatever else has them
	patterns  *patterns
	indices   int // given to patterns so far
	broken    int
	static    *staticFiles
	dirs      map[string]int // of the configuration, with how many files each has
	table     *table
}

// A Template is one entry of a library that files are made from.
type Template struct {
	*skeleton.Template
	Names    []string // the names that it is served under; nil if Pattern is set
	Pattern  string
	Priority int

	pattern *pattern
	mac     int // the number of the pattern's group called mac; 0: none

	resigned bool // it is made of a static file
}

// Pos returns where the template stands.
func (t *Template) Pos() syntax.Pos { return t.Item.Pos }

// Templates returns the library's templates, in the order of their files. They must not be changed.
func (s *Snapshot) Templates() []*Template { return s.templates }

// Waiting returns how many templates wait for attributes that the schema did not have yet. Nothing is made of them.
func (s *Snapshot) Waiting() int {
	n := 0
	for _, t := range s.templates {
		if t.Waiting() {
			n++
		}
	}
	return n
}

// StaticFiles returns how many files of static directories are served.
func (s *Snapshot) StaticFiles() int { return s.static.served }
