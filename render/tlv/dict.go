// Package tlv holds the dictionary of DOCSIS TLVs, and encodes, decodes and prints them.
package tlv

import "strings"

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
	_, ok := d.codec().(group)
	return ok
}

// LenBytes returns the octets of the length field: 0 for markers, else 1 or 2.
func (d *Def) LenBytes() int { return d.Kind.row().length }

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
