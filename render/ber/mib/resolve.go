package mib

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"dcs/render/ber"
)

// Reasons why a name does not resolve, for errors.Is. Other errors are about how the name
// is written.
var (
	ErrUnknown   = errors.New("unknown MIB name")
	ErrAmbiguous = errors.New("ambiguous MIB label")
	ErrIndex     = errors.New("bad index")
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

// Ref is what a name stands for.
type Ref struct {
	OID      ber.OID
	Object   *Object // the object that OID is of or under; nil if none is known
	Instance ber.OID // OID beyond Object's
}

// Resolve turns a name into an OID. A name is
//   - dotted numbers, with or without a leading dot: ".1.3.6.1.2.1.69",
//   - a label, or a chain of labels from a root, then an index: "docsDevCpeIpMax.0",
//     "iso.org.dod.internet", "enterprises.4115.1", "ifEntry.ifDescr.1",
//   - the same with a module in front: "PKTC-MTA-MIB::pktcMtaDevEnabled.0".
//
// An index may have, besides numbers: 'abc', which stands for its characters alone (an
// IMPLIED index or one of fixed size); "abc", which stands for its length and then its
// characters; and a label of the enumeration that the index object in that place has
// (vacmAccessStatus."rotesting"."".1.noAuthNoPriv). Numbers are taken as they are.
//
// Labels are case-sensitive. One that has several OIDs is an error that wraps ErrAmbiguous,
// unless the module is given, Prefer settles it, or exactly one lies under 1.3.6.1.4.1.4491.
// An unknown one wraps ErrUnknown and offers the nearest; ErrIndex is about the index.
func (x *Index) Resolve(name string) (Ref, error) {
	rest := name
	module := ""
	if i := strings.Index(name, "::"); i >= 0 && !strings.ContainsAny(name[:i], `'"`) {
		module, rest = name[:i], name[i+2:]
		if module == "" {
			return Ref{}, failf(ErrUnknown, "%s: a module name is missing in front of ::", name)
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
		return Ref{}, fmt.Errorf("%s: a label or a number comes first", name)
	}
	// An index of numbers alone needs no knowledge of what it indexes.
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
	// Nothing is under a scalar or column, so that the label's own row is the one.
	if row < 0 || x.t.kind(row) != Scalar && x.t.kind(row) != Column {
		row, arcs = x.lookup(w.oid)
		if w.row >= 0 && w.arcs >= arcs {
			row, arcs = w.row, w.arcs // of the module that was asked for
		}
	}
	ref := Ref{OID: w.oid, Instance: w.oid[arcs:]}
	if row >= 0 {
		ref.Object = x.t.object(row)
	}
	return ref, nil
}

// head finds the row of a label, in a module if one is given.
func (x *Index) head(module, label string) (int, error) {
	from, to := x.t.labelled(label)
	if w := x.withholds(label, from, to); w != nil && (module == "" || module == w.module) {
		return -1, failf(ErrUnknown, "MIB label %s is of %s, of which it could not be read: %s", label, w.module, w.why)
	}
	if why := x.left[module]; why != "" && x.inModule(from, to, module) < 0 {
		return -1, failf(ErrUnknown, "%s::%s: that module was left out: %s", module, label, why)
	}
	if from == to {
		return -1, x.unknown(label)
	}
	if module != "" {
		row := x.inModule(from, to, module)
		if row < 0 {
			return -1, failf(ErrUnknown, "%s::%s: that module has no such label, it is in %s", module, label, x.places(from, to))
		}
		return row, nil
	}
	row := x.settle(from, to)
	if row < 0 {
		return -1, failf(ErrAmbiguous, "%s is ambiguous: %s; write MODULE::%s, or name the module in mib_prefer", label, x.places(from, to), label)
	}
	return row, nil
}

// settle picks one of the rows that a label has, or -1 if it is ambiguous or has none.
func (x *Index) settle(from, to int) int {
	if from == to {
		return -1
	}
	if x.t.oidOf(from) == x.t.oidOf(to-1) {
		return x.bestOf(from, to)
	}
	for _, m := range x.prefer {
		if row := x.inModule(from, to, m); row >= 0 {
			return row
		}
		if slices.Contains(x.absent, m) {
			return -1
		}
	}
	lab := -1
	for row := from; row < to; row++ {
		if !strings.HasPrefix(x.t.key(x.t.oidOf(row)), cableLabs) {
			continue
		}
		if lab >= 0 && x.t.oidOf(row) != x.t.oidOf(lab) {
			return -1
		}
		if lab < 0 || x.rank(row) < x.rank(lab) {
			lab = row
		}
	}
	return lab
}

// bestOf is best over neighbouring rows.
func (x *Index) bestOf(from, to int) int {
	best := from
	for row := from + 1; row < to; row++ {
		if x.rank(row) < x.rank(best) {
			best = row
		}
	}
	return best
}

func (x *Index) inModule(from, to int, module string) int {
	for row := from; row < to; row++ {
		if x.t.module(row) == module {
			return row
		}
	}
	return -1
}

// places lists modules and OIDs of rows, for a message.
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

// walker takes a name's parts after the first and knows what they may be.
type walker struct {
	x     *Index
	name  string
	oid   ber.OID
	row   int // the label that the name began with, or -1
	arcs  int // how many arcs it has
	plain bool

	column  int   // the column or scalar that the name has reached, or -1
	index   []int // rows of the column's index objects, -1 for one that is not known
	known   bool  // index is all of the index
	implied bool
	at      int // which index object comes next
	more    int // arcs that still belong to it; -1: all that come
}

// enter looks whether the OID so far is that of a column or scalar.
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

// indexOf finds the index objects of the row that a column is in.
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
	// A row that augments one that augments … is bounded, as a module could go in a circle.
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

// near finds the object that a module means by a name: its own, or the best of others. Kind
// 0 is any.
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

// take appends one part to the OID.
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
				return failf(ErrUnknown, "%s: %s is of %s, of which it could not be read: %s", w.name, p.text, held.module, held.why)
			}
			if from == to {
				return w.x.unknown(p.text)
			}
			return failf(ErrUnknown, "%s: %s is not directly under %v", w.name, p.text, w.oid)
		}
		w.enter()
	default:
		w.quote(p)
	}
	return nil
}

// child goes on to the label right under the OID so far.
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

// takeIndex appends one part of an index.
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
			return failf(ErrIndex, "%s: the index of %s is not known, %s must be a number", w.name, label, p.text)
		}
		w.quote(p)
		return nil
	case w.at >= len(w.index):
		if len(w.index) == 0 {
			return failf(ErrIndex, "%s: %s has no index, its only instance is .0", w.name, label)
		}
		return failf(ErrIndex, "%s: %v is too much, the index of %s is %s", w.name, p, label, w.indexText())
	case obj < 0:
		if p.form == word {
			return failf(ErrIndex, "%s: what %s may be is not known, it must be a number", w.name, p.text)
		}
	case w.more != 0:
		return failf(ErrIndex, "%s: %v stands amid the numbers of %s", w.name, p, w.x.t.label(obj))
	case p.form == word:
		enums := decodeEnums(w.x.t.shared(obj, rowEnums))
		i := slices.IndexFunc(enums, func(e Enum) bool { return e.Label == p.text })
		if i < 0 || w.class(obj) != oneArc {
			return w.badWord(obj, p.text)
		}
		if enums[i].Value < 0 || enums[i].Value > 1<<32-1 {
			return failf(ErrIndex, "%s: %s is %d, which cannot be in an index", w.name, p.text, enums[i].Value)
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
		return failf(ErrIndex, "%s: %v stands where %s wants %s", w.name, p, w.x.t.label(obj), what)
	}
	w.quote(p)
	w.at++
	return nil
}

func (w *walker) badWord(obj int, text string) error {
	o := w.x.t.object(obj)
	if len(o.Enums) == 0 {
		return failf(ErrIndex, "%s: %s is no value of %s, which has no named ones", w.name, text, o.Label)
	}
	return failf(ErrIndex, "%s: %s is not one of the values of %s: %s", w.name, text, o.Label, o.EnumText())
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

// How a value of an index object is put into arcs (RFC 2578, section 7.7).
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

// count keeps track of which index object the next part belongs to, now that a number was
// written in the place of obj.
func (w *walker) count(obj int, arc uint32) {
	switch {
	case w.more < 0:
		return
	case w.more > 0:
		w.more--
	case obj < 0:
		// Nobody knows how many arcs an unknown object takes.
		w.known = w.known && w.at >= len(w.index)
		return
	default:
		w.more = w.length(obj, arc)
	}
	if w.more == 0 {
		w.at++
	}
}

// length is how many arcs of obj follow the first.
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

// A part of a name is what stands between two dots.
type part struct {
	form form
	text string // of a word, or between the quotes
	arc  uint32 // of a number
}

type form uint8

const (
	number  form = iota
	word         // a label
	chars        // 'abc'
	counted      // "abc"
)

func (p part) String() string {
	switch p.form {
	case number:
		return fmt.Sprint(p.arc)
	case chars:
		return "'" + p.text + "'"
	case counted:
		return `"` + p.text + `"`
	}
	return p.text
}

// nextPart reads the part that s begins with. rest is empty or begins with a dot.
func nextPart(s string) (p part, rest string, err error) {
	if s == "" {
		return p, "", errors.New("a number or label is missing at the end")
	}
	switch c := s[0]; {
	case c == '\'' || c == '"':
		end := strings.IndexByte(s[1:], c)
		if end < 0 {
			return p, "", fmt.Errorf("the closing %c is missing", c)
		}
		p = part{form: chars, text: s[1 : 1+end]}
		if c == '"' {
			p.form = counted
		}
		rest = s[end+2:]
	case c >= '0' && c <= '9':
		n := 0
		for v := uint64(0); n < len(s) && s[n] >= '0' && s[n] <= '9'; n++ {
			if v = v*10 + uint64(s[n]-'0'); v > 1<<32-1 {
				return p, "", errors.New("an arc does not fit in 32 bits, 0 to 4294967295")
			}
			p.arc = uint32(v)
		}
		rest = s[n:]
	case isLetter(c):
		n := 1
		for n < len(s) && (isLetter(s[n]) || s[n] >= '0' && s[n] <= '9' || s[n] == '-' || s[n] == '_') {
			n++
		}
		p = part{form: word, text: s[:n]}
		rest = s[n:]
	case c == '.':
		return p, "", errors.New("a number or label is missing between two dots")
	default:
		return p, "", fmt.Errorf("%q begins neither number, label nor quoted index", c)
	}
	if rest != "" && rest[0] != '.' {
		return p, "", fmt.Errorf("%q where a dot is due", rest[0])
	}
	return p, rest, nil
}

func isLetter(c byte) bool { return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' }

func plainNumbers(s string) bool {
	for i := range len(s) {
		if s[i] != '.' && (s[i] < '0' || s[i] > '9') {
			return false
		}
	}
	return true
}
