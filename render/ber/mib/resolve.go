package mib

import (
	"errors"
	"fmt"
	"strings"

	"dcs/render/ber"
)

// Kinds of errors for names that do not resolve. Other errors are about a name's syntax.
var (
	errUnknown   = errors.New("unknown MIB name")
	errAmbiguous = errors.New("ambiguous MIB label")
	errIndex     = errors.New("bad index")
)

type nameError struct {
	kind error
	text string
}

func (e *nameError) Error() string { return e.text }
func (e *nameError) Unwrap() error { return e.kind }

func failf(kind error, format string, args ...any) error {
	return &nameError{kind, fmt.Sprintf(format, args...)}
}

// Ref is the result of resolving a name.
type Ref struct {
	OID      ber.OID
	Object   *Object // the object whose OID is the longest prefix of OID; nil if none is known
	Instance ber.OID // the part of OID after Object's
	Note     string  // a warning: the name stands for something else in a later edition of DOCSIS' modules; empty for none
}

// Resolve resolves a name to an OID. A name is one of
//   - dotted numbers, with or without a leading dot: ".1.3.6.1.2.1.69",
//   - a label, or a chain of labels from a root, then an index: "docsDevCpeIpMax.0",
//     "iso.org.dod.internet", "enterprises.4115.1", "ifEntry.ifDescr.1",
//   - the same with a module in front: "PKTC-MTA-MIB::pktcMtaDevEnabled.0".
//
// Besides numbers, an index may contain 'abc', which stands for the characters alone (an IMPLIED index or one
// of fixed size); "abc", which stands for the length and the characters; and a label from the enumeration of
// the index object at that place (vacmAccessStatus."rotesting"."".1.noAuthNoPriv). Numbers are not checked.
//
// Labels are case-sensitive. Where a label has several OIDs, the module decides if it is given, then Prefer, then the open
// encoder's modules before others, then the order of branches: CableLabs' (1.3.6.1.4.1.4491), the rest of 1.3.6.1 and the
// operator's modules, built-in modules of vendors. Within a module the open encoder's edition counts, else the newest. Several OIDs after that are an error. That for an unknown label suggests the
// nearest one.
func (x *Index) Resolve(name string) (Ref, error) {
	rest := name
	module := ""
	if i := strings.Index(name, "::"); i >= 0 && !strings.ContainsAny(name[:i], `'"`) {
		module, rest = name[:i], name[i+2:]
		if module == "" {
			return Ref{}, failf(errUnknown, "%s: no module name before ::", name)
		}
	} else if rest != "" && rest[0] == '.' {
		rest = rest[1:]
	}

	p, rest, err := nextPart(rest)
	if err != nil {
		return Ref{}, fmt.Errorf("%s: %w", name, err)
	}
	w := walker{x: x, name: name, oid: make(ber.OID, 0, 24), row: -1, column: -1}
	switch {
	case p.form == word:
		row, err := x.head(module, p.text)
		if err != nil {
			return Ref{}, err
		}
		w.oid = appendKeyOID(w.oid, x.t.key(x.t.oidOf(row)))
		w.row, w.arcs = row, len(w.oid)
	case p.form == number && module == "":
		w.oid = append(w.oid, p.arc)
	default:
		return Ref{}, fmt.Errorf("%s: must begin with a label or a number", name)
	}
	// An index of numbers alone resolves without knowing what it indexes.
	w.plain = plainNumbers(rest)
	if !w.plain {
		w.enter()
	}
	for rest != "" {
		if p, rest, err = nextPart(rest[1:]); err != nil {
			return Ref{}, fmt.Errorf("%s: %w", name, err)
		}
		if err := w.take(p); err != nil {
			return Ref{}, err
		}
	}
	if err := w.oid.Check(); err != nil {
		return Ref{}, fmt.Errorf("%s: %w", name, err)
	}

	row, arcs := w.row, w.arcs
	// Nothing is below a scalar or column, so that the label's own row is the one.
	if row < 0 || x.t.kind(row) != Scalar && x.t.kind(row) != Column {
		row, arcs = x.lookup(w.oid)
		if w.row >= 0 && w.arcs >= arcs {
			row, arcs = w.row, w.arcs // of the given module
		}
	}
	ref := Ref{OID: w.oid, Instance: w.oid[arcs:]}
	if row >= 0 {
		ref.Object = x.t.object(row)
	}
	if w.row >= 0 {
		ref.Note = x.editionNote(w.row, module != "")
	}
	return ref, nil
}

// head returns the row of a label, in a module if one is given.
func (x *Index) head(module, label string) (int, error) {
	from, to := x.t.labelled(label)
	if w := x.withholds(label, from, to); w != nil && (module == "" || module == w.module) {
		return -1, failf(errUnknown, "MIB label %s is defined in %s, but could not be read: %s", label, w.module, w.why)
	}
	if from == to {
		return -1, x.unknown(label)
	}
	if module != "" {
		row := x.inModule(from, to, module)
		if row < 0 {
			return -1, failf(errUnknown, "%s::%s: that module has no such label; it is in %s", module, label, x.places(from, to))
		}
		return row, nil
	}
	row := x.choose(from, to)
	if row < 0 {
		return -1, failf(errAmbiguous, "%s is ambiguous: %s; write MODULE::%s, or name the module in mib_prefer", label, x.places(from, to), label)
	}
	return row, nil
}

// places lists the modules and OIDs of rows, for a message.
func (x *Index) places(from, to int) string {
	var b strings.Builder
	for row := from; row < to; row++ {
		if row > from {
			b.WriteString(" and ")
		}
		oid := appendKeyOID(nil, x.t.key(x.t.oidOf(row)))
		fmt.Fprintf(&b, "%s (%v)", x.t.module(row), oid)
	}
	return b.String()
}

// indexOf returns the index objects of the row that contains a column.
func (x *Index) indexOf(column ber.OID, module string) (index []int, implied, ok bool) {
	at, arcs := x.findOID(column[:len(column)-1])
	if at < 0 || arcs != len(column)-1 {
		return nil, false, false
	}
	entry := -1
	for rows := x.t.rowsOf(at); rows != ""; rows = rows[4:] {
		row := int(le32(rows, 0))
		if x.t.kind(row) == Row && (entry < 0 || x.t.module(row) == module || x.t.module(entry) != module && x.rank(row) < x.rank(entry)) {
			entry = row
		}
	}
	// Bounded, because rows can augment each other.
	for range 4 {
		if entry < 0 {
			return nil, false, false
		}
		names, implied, augments := decodeIndex(x.t.shared(entry, rowIndex))
		if augments == "" {
			index := make([]int, len(names))
			for i, name := range names {
				index[i] = x.near(name, x.t.module(entry), 0)
			}
			return index, implied, len(names) > 0
		}
		entry = x.near(augments, x.t.module(entry), Row)
	}
	return nil, false, false
}

// near returns the object that a module means by a name: its own, or the best of other modules. Kind 0 stands
// for any kind.
func (x *Index) near(label, module string, kind Kind) int {
	best := -1
	from, to := x.t.labelled(label)
	for row := from; row < to; row++ {
		if kind != 0 && x.t.kind(row) != kind {
			continue
		}
		if x.t.module(row) == module {
			return row
		}
		if best < 0 || x.rank(row) < x.rank(best) {
			best = row
		}
	}
	return best
}
