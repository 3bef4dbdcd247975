package mib

import (
	_ "embed"
	"iter"
	"slices"
	"strings"

	"dcs/render/ber"
)

//go:generate go run ./gen -o index.bin data/objects.csv.gz data/newer.csv.gz data/types.csv.gz

//go:embed index.bin
var embedded string

// Index is a set of MIB modules. It is immutable and safe for concurrent use.
type Index struct {
	t      *table
	prefer []string

	own      map[string]bool     // the operator's modules
	withheld map[string]withheld // labels of skipped definitions
	warnings []string            // of what was skipped
	faulty   bool                // some of the modules, or parts of them, could not be read
	absent   []string            // modules of prefer that may be among those that could not be read
}

// Default returns the built-in index: the modules of CableLabs, the IETF, net-snmp and makers of modems and CMTSes. The call
// is cheap.
func Default() *Index {
	t, err := openTable(embedded)
	if err != nil {
		// Only a program built with a damaged index.bin gets here; it knows no names.
		t = &table{}
	}
	return &Index{t: t}
}

// Open opens an index that Build made.
func Open(data string) (*Index, error) {
	t, err := openTable(data)
	if err != nil {
		return nil, err
	}
	return &Index{t: t}, nil
}

// Objects yields every object, by label.
func (x *Index) Objects() iter.Seq[Object] {
	return func(yield func(Object) bool) {
		for row := range x.t.nRows {
			if !yield(*x.t.decode(row)) {
				return
			}
		}
	}
}

// Prefer returns an index that resolves an ambiguous label to the first of these modules that defines it;
// they precede the preferences of x. Names of modules that are not in the index have no effect, see
// HasModule, except after errors of Load: a label that such a module might define stays ambiguous.
func (x *Index) Prefer(modules ...string) *Index {
	y := *x
	y.prefer = slices.Concat(modules, x.prefer)
	for _, m := range modules {
		if x.faulty && !x.HasModule(m) {
			y.absent = append(y.absent, m)
		}
	}
	return &y
}

// Warnings returns what Load left out of an operator's modules, and why: "FILE:LINE: OBJECT: CAUSE; CONSEQUENCE" for most.
// There are at most some hundred; the last one counts those beyond.
func (x *Index) Warnings() []string { return x.warnings }

// HasModule reports whether the index has an object of a module.
func (x *Index) HasModule(name string) bool {
	for row := range x.t.nRows {
		if x.t.module(row) == name {
			return true
		}
	}
	return false
}

// Lookup returns the object whose OID is the longest prefix of oid. instance is the rest of oid and aliases
// it. Among several objects with that OID, it returns that of a preferred module, otherwise the current one.
func (x *Index) Lookup(oid ber.OID) (obj *Object, instance ber.OID, ok bool) {
	row, arcs := x.lookup(oid)
	if row < 0 {
		return nil, oid, false
	}
	return x.t.object(row), oid[arcs:], true
}

// lookup returns the row of Lookup's object, or -1, and the number of arcs in its OID.
func (x *Index) lookup(oid ber.OID) (row, arcs int) {
	at, arcs := x.findOID(oid)
	if at < 0 {
		return -1, 0
	}
	return x.best(x.t.rowsOf(at)), arcs
}

// findOID returns the number of the longest prefix of oid, or -1, and its number of arcs.
func (x *Index) findOID(oid ber.OID) (at, arcs int) {
	var buf keyBuf
	if len(oid) > ber.MaxArcs {
		oid = oid[:ber.MaxArcs]
	}
	at = x.t.find(appendKey(buf[:0], oid))
	if at < 0 {
		return -1, 0
	}
	return at, keyArcs(x.t.key(at))
}

// best returns the row that best describes an object, of the newest edition among equals; rows is a part of byOID.
func (x *Index) best(rows string) int {
	best := int(le32(rows, 0))
	for i := 4; i < len(rows); i += 4 {
		row := int(le32(rows, i))
		if a, b := x.rank(row), x.rank(best); a < b || a == b && x.t.module(row) == x.t.module(best) && x.t.edition(row) > x.t.edition(best) {
			best = row
		}
	}
	return best
}

// rank returns the order of rows of one OID, best lowest: preferred modules precede others, then current
// definitions, then modules not named after an RFC that has been replaced.
func (x *Index) rank(row int) int {
	module := x.t.module(row)
	rank := len(x.prefer)
	if i := slices.Index(x.prefer, module); i >= 0 {
		rank = i
	}
	rank *= 2 * len(statusNames)
	switch x.t.status(row) {
	case "current", "":
	case "mandatory":
		rank += 2
	case "deprecated":
		rank += 4
	default:
		rank += 6
	}
	if strings.HasPrefix(module, "RFC") {
		rank++
	}
	return rank
}

// Name returns text that Resolve turns into the same OID: a label and a numeric instance, as in
// "docsDevNmAccessStatus.1", or dotted numbers with a leading dot if no label is unambiguous.
func (x *Index) Name(oid ber.OID) string {
	if at, arcs := x.findOID(oid); at >= 0 {
		rows := x.t.rowsOf(at)
		name := -1
		for i := 0; i < len(rows); i += 4 {
			row := int(le32(rows, i))
			if name >= 0 && x.rank(name) <= x.rank(row) {
				continue
			}
			from, to := x.t.labelled(x.t.label(row))
			if found := x.choose(from, to); found >= 0 && x.t.oidOf(found) == at && x.withholds(x.t.label(row), from, to) == nil {
				name = row
			}
		}
		if name >= 0 {
			text := append(make([]byte, 0, 64), x.t.label(name)...)
			if arcs < len(oid) {
				text = oid[arcs:].AppendText(append(text, '.'))
			}
			return string(text)
		}
	}
	if len(oid) == 0 {
		return ""
	}
	return string(oid.AppendText([]byte{'.'}))
}
