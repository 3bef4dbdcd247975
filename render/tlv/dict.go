// Package tlv holds the dictionary of DOCSIS TLVs, and encodes, decodes and prints them.
package tlv

import (
	"strconv"
	"strings"
)

// Def is one TLV of the dictionary, at one place of the tree. Defs are static and must not
// be written to.
type Def struct {
	Path string // numbers from the top, dotted; "mta:", "ps:" or "dpoe:" in front of what only that dialect has
	Name string // the keyword, as the text language writes it; empty for a root

	Code    uint8 // the type octet
	Kind    Kind
	Scope   Scope
	Repeat  Repeat
	Limited bool // Min and Max hold
	Quoted  bool // a kind of octets that takes a quoted string too

	MICOrder uint8 // place in the CMTS MIC's order, 1 to 21; 0: not in it

	// Min and Max limit a number, each number of a list, or the characters of a ZString.
	Min, Max int64
	// LenMin and LenMax limit the value in octets, as the wire has it.
	LenMin, LenMax int

	Aliases []Alias // more keywords for it
	Version string  // first version of the specifications that has it, such as "3.0"
	Spec    string  // citation
	Note    string  // unit, meaning of the numbers, doubts

	self, parent uint16
	kid0, kidN   uint16 // of kids, by code
	name0, nameN uint16 // of kidNames, by name
}

// Alias is a further keyword, and how it wants its value written.
type Alias struct {
	Name string
	Form Form
}

type kidName struct {
	name string // lower case
	def  uint16
	form Form
}

type word struct {
	name  string // lower case
	first uint16 // of places
	n     uint16
}

type place struct {
	def  uint16
	form Form
}

// Root returns the group whose children are the dialect's top-level TLVs: its own, and
// where it has none of a number, a modem's.
func Root(d Dialect) *Def {
	if d > DPoE {
		d = CM
	}
	return &defs[d]
}

// IsRoot reports whether d is a root: no TLV, but the file.
func (d *Def) IsRoot() bool { return d.self <= uint16(DPoE) }

// Parent returns the group that d is in; for a top-level TLV that several dialects share,
// the root of CM. A root's parent is itself.
func (d *Def) Parent() *Def { return &defs[d.parent] }

// Group reports whether the value is made of TLVs.
func (d *Def) Group() bool {
	return d.Kind == KindGroup || d.Kind == KindGroupLen16 || d.Kind == KindVendorGroup
}

// LenBytes returns the octets of the length field: 0 for markers, else 1 or 2.
func (d *Def) LenBytes() int {
	switch d.Kind {
	case KindMarker:
		return 0
	case KindGroupLen16, KindBytesLen16, KindVarbindLen16:
		return 2
	}
	return 1
}

// Child looks a keyword up among the children of d, without regard to case.
func (d *Def) Child(keyword string) (c *Def, as Form, ok bool) {
	names := kidNames[d.name0 : d.name0+d.nameN]
	lo, hi := 0, len(names)
	for lo < hi {
		mid := int(uint(lo+hi) >> 1)
		switch c := compareFold(keyword, names[mid].name); {
		case c == 0:
			return &defs[names[mid].def], names[mid].form, true
		case c < 0:
			hi = mid
		default:
			lo = mid + 1
		}
	}
	return nil, FormPlain, false
}

// ChildByCode returns the child of that type number.
func (d *Def) ChildByCode(code uint8) (*Def, bool) {
	own := kids[d.kid0 : d.kid0+d.kidN]
	lo, hi := 0, len(own)
	for lo < hi {
		mid := int(uint(lo+hi) >> 1)
		switch c := &defs[own[mid]]; {
		case c.Code == code:
			return c, true
		case c.Code > code:
			hi = mid
		default:
			lo = mid + 1
		}
	}
	return nil, false
}

// compareFold compares a, its ASCII letters made small, with b, which has small ones only.
func compareFold(a, b string) int {
	for i := 0; i < len(a) && i < len(b); i++ {
		c := a[i]
		if 'A' <= c && c <= 'Z' {
			c += 'a' - 'A'
		}
		if c != b[i] {
			return int(c) - int(b[i])
		}
	}
	return len(a) - len(b)
}

func find(keyword string) []place {
	lo, hi := 0, len(words)
	for lo < hi {
		mid := int(uint(lo+hi) >> 1)
		switch c := compareFold(keyword, words[mid].name); {
		case c == 0:
			w := words[mid]
			return places[w.first : w.first+w.n]
		case c < 0:
			hi = mid
		default:
			lo = mid + 1
		}
	}
	return nil
}

// Elsewhere returns every place in the dictionary where the keyword belongs, those of a
// modem's file first, in the order of their numbers.
func Elsewhere(keyword string) []*Def {
	found := find(keyword)
	if found == nil {
		return nil
	}
	out := make([]*Def, len(found))
	for i, p := range found {
		out[i] = &defs[p.def]
	}
	return out
}

// Lenient resolves a keyword as the open encoder does: without looking at the parent, the
// first TLV of that name in the order of the numbers. What is written gets its last code,
// its kind and, if it is a group, its children. An exact match goes before one that
// differs in case, and the dialect's own TLVs before a modem's.
func Lenient(d Dialect, keyword string) (*Def, Form, bool) {
	found := find(keyword)
	best, rank := -1, 0
	for i, p := range found {
		def := &defs[p.def]
		r := 1
		if prefix, _, ok := strings.Cut(def.Path, ":"); ok {
			if prefix != d.String() {
				continue
			}
			r += 2
		}
		if def.Name == keyword {
			r++
		}
		if r > rank {
			best, rank = i, r
		}
	}
	if best < 0 {
		return nil, FormPlain, false
	}
	return &defs[found[best].def], found[best].form, true
}

// Title returns the TLV's name with its numbers, such as "MaxRateDown (4.2)".
func (d *Def) Title() string {
	if d.IsRoot() {
		return "the file"
	}
	return d.Name + " (" + d.Path + ")"
}

// place says where d stands.
func (d *Def) place() string {
	p := d.Parent()
	if !p.IsRoot() {
		return "in " + p.Title()
	}
	switch prefix, _, _ := strings.Cut(d.Path, ":"); prefix {
	case "mta":
		return "at the top of an MTA's file"
	case "ps":
		return "at the top of a portal service's file"
	}
	return "at the top of the file"
}

// Misplaced explains why d has no child of that keyword: where the keyword belongs, and
// what d calls its number there; or, if it belongs nowhere, what it may have been meant for.
func (d *Def) Misplaced(keyword string) string {
	here, where := "the file", "at the top of the file"
	switch {
	case !d.IsRoot():
		here, where = d.Name, "in "+d.Name
	case d == Root(MTA):
		where = "at the top of an MTA's file"
	case d == Root(PS):
		where = "at the top of a portal service's file"
	}
	found := Elsewhere(keyword)
	if len(found) == 0 {
		msg := "no TLV is called " + keyword
		if near := d.near(keyword); near != "" {
			msg += "; " + near + " comes close"
		}
		return msg
	}
	var b strings.Builder
	b.WriteString(keyword + " does not belong " + where + " but ")
	const most = 3
	var seen []string
	for _, e := range found {
		p := e.place()
		if d.IsRoot() && p == "at the top of the file" {
			p = "at the top of a modem's file"
		}
		seen = appendNew(seen, p)
	}
	for i, s := range seen {
		switch {
		case i == most:
			b.WriteString(" and " + strconv.Itoa(len(seen)-most) + " more")
		case i > most:
		case i > 0 && i == len(seen)-1:
			b.WriteString(" and " + s)
		case i > 0:
			b.WriteString(", " + s)
		default:
			b.WriteString(s)
		}
	}
	codes := map[uint8]bool{}
	for _, e := range found {
		if codes[e.Code] {
			continue
		}
		codes[e.Code] = true
		n := strconv.Itoa(int(e.Code))
		if c, ok := d.ChildByCode(e.Code); ok {
			b.WriteString("; " + here + " calls its " + n + " " + c.Name)
			if c.computed() != nil && d != Root(MTA) {
				b.WriteString(", which is put there when the file is made: leave it out")
			}
		} else {
			b.WriteString("; " + here + " has no " + n)
		}
	}
	return b.String()
}

func appendNew(list []string, s string) []string {
	for _, have := range list {
		if have == s {
			return list
		}
	}
	return append(list, s)
}

// near returns the keyword most like the one given: a child of d if one is near, else any.
func (d *Def) near(keyword string) string {
	low := strings.ToLower(keyword)
	limit := 1 + len(low)/5
	best, at := "", limit+1
	for _, n := range kidNames[d.name0 : d.name0+d.nameN] {
		if dist := distance(low, n.name, at); dist < at {
			best, at = n.nameOf(), dist
		}
	}
	if best != "" {
		return best
	}
	for _, w := range words {
		if dist := distance(low, w.name, at); dist < at {
			p := places[w.first]
			best, at = kidName{w.name, p.def, p.form}.nameOf()+", "+defs[p.def].place()+",", dist
		}
	}
	return best
}

// nameOf returns the keyword as the dictionary writes it.
func (n kidName) nameOf() string {
	d := &defs[n.def]
	for _, a := range d.Aliases {
		if strings.EqualFold(a.Name, n.name) {
			return a.Name
		}
	}
	return d.Name
}

// distance is the number of letters to insert, remove or change, if less than limit.
func distance(a, b string, limit int) int {
	if len(a)-len(b) >= limit || len(b)-len(a) >= limit || len(a) > 60 || len(b) > 60 {
		return limit
	}
	var rows [2][61]int
	prev, cur := &rows[0], &rows[1]
	for j := 0; j <= len(b); j++ {
		prev[j] = j
	}
	for i := 1; i <= len(a); i++ {
		cur[0] = i
		least := i
		for j := 1; j <= len(b); j++ {
			d := prev[j-1]
			if a[i-1] != b[j-1] {
				d++
			}
			cur[j] = min(d, prev[j]+1, cur[j-1]+1)
			least = min(least, cur[j])
		}
		if least >= limit {
			return limit
		}
		prev, cur = cur, prev
	}
	return prev[len(b)]
}
