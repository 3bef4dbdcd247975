package mib

import (
	_ "embed"
	"slices"
	"strings"

	"dcs/render/ber"
)

//go:generate go run ./gen -o index.bin data/objects.csv.gz data/derived.csv

//go:embed index.bin
var embedded string

// cableLabs is the branch that an ambiguous label is looked for in when nothing else settles
// it: the key of 1.3.6.1.4.1.4491.
const cableLabs = "\x01\x03\x06\x01\x04\x01\xa3\x0b"

// Index is a set of MIB modules. It is immutable and safe for concurrent use.
type Index struct {
	t      *table
	prefer []string

	withheld map[string]withheld // labels of what was left out
	left     map[string]string   // modules that were left out, and why
	faulty   bool                // not all of the modules that were to be read could be
	absent   []string            // modules of prefer that faulty may have kept out
}

// Default is the index that is part of the program: CableLabs' modules, the IETF's and
// net-snmp's. It costs next to nothing to make.
func Default() *Index {
	t, err := openTable(embedded)
	if err != nil {
		// Only a program that was built with a damaged index.bin gets here; it knows no names.
		t = &table{}
	}
	return &Index{t: t}
}

// Prefer gives an index that takes an ambiguous label from the first of these modules that
// has it, before the preferences that x has already. Names of modules that are not in the
// index do nothing, see HasModule; but where Load had errors, a label stays ambiguous that such a module might have.
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

// HasModule says whether the index has an object of a module.
func (x *Index) HasModule(name string) bool {
	for row := range x.t.nRows {
		if x.t.module(row) == name {
			return true
		}
	}
	return false
}

// Lookup finds the object that an OID is of or under: the one with the longest OID that oid
// begins with. instance is the rest of oid and aliases it. Of several objects with one OID
// it is a preferred module's, else the current one.
func (x *Index) Lookup(oid ber.OID) (obj *Object, instance ber.OID, ok bool) {
	row, arcs := x.lookup(oid)
	if row < 0 {
		return nil, oid, false
	}
	return x.t.object(row), oid[arcs:], true
}

// lookup is Lookup by row number: the row, or -1, and how many arcs its OID has.
func (x *Index) lookup(oid ber.OID) (row, arcs int) {
	at, arcs := x.findOID(oid)
	if at < 0 {
		return -1, 0
	}
	return x.best(x.t.rowsOf(at)), arcs
}

// findOID is the number of the longest prefix of oid, or -1, and how many arcs it has.
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

// best picks the row that describes an object best; rows is a part of byOID.
func (x *Index) best(rows string) int {
	best := int(le32(rows, 0))
	for i := 4; i < len(rows); i += 4 {
		if row := int(le32(rows, i)); x.rank(row) < x.rank(best) {
			best = row
		}
	}
	return best
}

// rank orders rows of one OID, the best lowest: preferred modules first, then current
// definitions, then modules that are not named for the RFC that a later one replaced.
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

// Name is text that Resolve turns into the same OID: label and numeric instance, as in
// "docsDevNmAccessStatus.1". Where no label is unambiguous it is dotted numbers with a
// leading dot.
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
			if found := x.settle(from, to); found >= 0 && x.t.oidOf(found) == at && x.withholds(x.t.label(row), from, to) == nil {
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
