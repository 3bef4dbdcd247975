package mib

import (
	"fmt"
	"slices"
	"strings"

	"dcs/render/ber"
)

// walker resolves the parts of a name after the first, and tracks what may come next.
type walker struct {
	x     *Index
	name  string
	oid   ber.OID
	row   int // row of the label at the start of the name, or -1
	arcs  int // number of arcs in its OID
	plain bool

	column  int   // row of the column or scalar reached, or -1
	index   []int // rows of the column's index objects, -1 for an unknown one
	known   bool  // index is complete
	implied bool
	at      int // number of the next index object
	more    int // arcs that still belong to it; -1: all the rest
}

// enter checks whether the OID so far is that of a column or scalar.
func (w *walker) enter() {
	row := w.row
	if row < 0 || w.arcs != len(w.oid) {
		var arcs int
		if row, arcs = w.x.lookup(w.oid); row < 0 || arcs != len(w.oid) {
			return
		}
	}
	switch w.x.t.kind(row) {
	case Scalar:
		w.column, w.known = row, true
	case Column:
		w.column = row
		w.index, w.implied, w.known = w.x.indexOf(w.oid, w.x.t.module(row))
	}
}

// take appends a part to the OID.
func (w *walker) take(p part) error {
	room := ber.MaxArcs - len(w.oid)
	if room == 0 || p.form >= chars && len(p.text) > room {
		return fmt.Errorf("%s: more than %d arcs", w.name, ber.MaxArcs)
	}
	if w.plain {
		w.oid = append(w.oid, p.arc)
		return nil
	}
	if w.column >= 0 {
		return w.takeIndex(p)
	}
	switch p.form {
	case number:
		w.oid = append(w.oid, p.arc)
		w.enter()
	case word:
		if !w.child(p.text) {
			from, to := w.x.t.labelled(p.text)
			if held := w.x.withholds(p.text, from, to); held != nil {
				return failf(errUnknown, "%s: %s is defined in %s, but could not be read: %s", w.name, p.text, held.module, held.why)
			}
			if from == to {
				return w.x.unknown(p.text)
			}
			return failf(errUnknown, "%s: %s is not directly under %v", w.name, p.text, w.oid)
		}
		w.enter()
	default:
		w.quote(p)
	}
	return nil
}

// child appends a label directly under the OID so far.
func (w *walker) child(label string) bool {
	var buf keyBuf
	key := appendKey(buf[:0], w.oid)
	from, to := w.x.t.labelled(label)
	for row := from; row < to; row++ {
		k := w.x.t.key(w.x.t.oidOf(row))
		if len(k) > len(key) && k[:len(key)] == string(key) && keyArcs(k[len(key):]) == 1 {
			w.oid = appendKeyOID(w.oid, k[len(key):])
			return true
		}
	}
	return false
}

func (w *walker) quote(p part) {
	if p.form == counted {
		w.oid = append(w.oid, uint32(len(p.text)))
	}
	for i := range len(p.text) {
		w.oid = append(w.oid, uint32(p.text[i]))
	}
}

// takeIndex appends a part of an index.
func (w *walker) takeIndex(p part) error {
	obj := -1
	if w.at < len(w.index) {
		obj = w.index[w.at]
	}
	if p.form == number {
		w.oid = append(w.oid, p.arc)
		w.count(obj, p.arc)
		return nil
	}
	label := w.x.t.label(w.column)
	switch {
	case !w.known:
		if p.form == word {
			return failf(errIndex, "%s: the index of %s is not known; %s must be a number", w.name, label, p.text)
		}
		w.quote(p)
		return nil
	case w.at >= len(w.index):
		if len(w.index) == 0 {
			return failf(errIndex, "%s: %s has no index, its only instance is .0", w.name, label)
		}
		return failf(errIndex, "%s: %v is one too many; the index of %s is %s", w.name, p, label, w.indexText())
	case obj < 0:
		if p.form == word {
			return failf(errIndex, "%s: the value of label %s is not known; use a number", w.name, p.text)
		}
	case w.more != 0:
		return failf(errIndex, "%s: expected another number of %s, got %v", w.name, w.x.t.label(obj), p)
	case p.form == word:
		enums := decodeEnums(w.x.t.shared(obj, rowEnums))
		i := slices.IndexFunc(enums, func(e Enum) bool { return e.Label == p.text })
		if i < 0 || w.class(obj) != oneArc {
			return w.badWord(obj, p.text)
		}
		if enums[i].Value < 0 || enums[i].Value > 1<<32-1 {
			return failf(errIndex, "%s: %s is %d, which cannot be in an index", w.name, p.text, enums[i].Value)
		}
		w.oid = append(w.oid, uint32(enums[i].Value))
		w.at++
		return nil
	case w.class(obj) != octets:
		what := "a number"
		switch Syntax(w.x.t.rows[obj*rowSize+rowSyntax]) {
		case IPAddress, NetworkAddress:
			what = "four numbers"
		case ObjectIdentifier:
			what = "its length and its numbers"
		}
		return failf(errIndex, "%s: %s takes %s, got %v", w.name, w.x.t.label(obj), what, p)
	}
	w.quote(p)
	w.at++
	return nil
}

func (w *walker) badWord(obj int, text string) error {
	o := w.x.t.object(obj)
	if len(o.Enums) == 0 {
		return failf(errIndex, "%s: %s is not a value of %s, which has no named values", w.name, text, o.Label)
	}
	return failf(errIndex, "%s: %s is not one of the values of %s: %s", w.name, text, o.Label, o.EnumText())
}

func (w *walker) indexText() string {
	var names []string
	for _, row := range w.index {
		if row >= 0 {
			names = append(names, w.x.t.label(row))
		}
	}
	return strings.Join(names, ", ")
}

// class is how the value of an index object is encoded in arcs (RFC 2578, section 7.7).
type class uint8

const (
	oneArc   class = iota // integers
	fourArcs              // IpAddress
	octets                // a length unless fixed or implied, then an arc per octet
	subIDs                // a length unless implied, then the arcs
)

func (w *walker) class(obj int) class {
	switch Syntax(w.x.t.rows[obj*rowSize+rowSyntax]) {
	case OctetString, Bits, Opaque:
		return octets
	case ObjectIdentifier:
		return subIDs
	case IPAddress, NetworkAddress:
		return fourArcs
	}
	return oneArc
}

// count updates which index object the next part belongs to, after a number was given for obj.
func (w *walker) count(obj int, arc uint32) {
	switch {
	case w.more < 0:
		return
	case w.more > 0:
		w.more--
	case obj < 0:
		// The number of arcs of an unknown object is unknown.
		w.known = w.known && w.at >= len(w.index)
		return
	default:
		w.more = w.length(obj, arc)
	}
	if w.more == 0 {
		w.at++
	}
}

// length returns how many arcs of obj follow the first.
func (w *walker) length(obj int, first uint32) int {
	c := w.class(obj)
	if c == fourArcs {
		return 3
	}
	if c == oneArc {
		return 0
	}
	if w.implied && w.at == len(w.index)-1 {
		return -1
	}
	if ranges := decodeRanges(w.x.t.shared(obj, rowRanges)); c == octets && len(ranges) == 1 && ranges[0].Min == ranges[0].Max {
		return max(int(ranges[0].Max)-1, 0)
	}
	return int(first)
}
