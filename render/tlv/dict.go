// Package tlv has the dictionary of DOCSIS TLVs, and encodes, decodes and prints them.
package tlv

import "strings"

// Def is one TLV of the dictionary at one place in the tree. Defs are static and must not be
// modified.
type Def struct {
	Path string // dotted codes from the top; prefixed "mta:", "ps:" or "dpoe:" if only that dialect has it
	Name string // keyword in the text language; empty for a root

	Code    uint8 // the type octet
	Kind    Kind
	Scope   Scope
	Repeat  Repeat
	Limited bool // Min and Max apply
	Quoted  bool // a kind of octets that also accepts a quoted string, and any text of a variable
	Literal bool // a kind of octets that also accepts a quoted string, and the text of a variable in quotes
	Unsure  bool // Min and Max are not from the specifications: a value outside is a warning

	MICOrder uint8 // position in the order of the CMTS MIC, 1 to 21; 0: not covered

	// Min and Max limit a number, each number of a list, or the length of a ZString in
	// characters.
	Min, Max int64
	// LenMin and LenMax limit the encoded value, in octets.
	LenMin, LenMax int

	Aliases []Alias // other keywords for it
	Version string  // first version of the specifications that defines it, such as "3.0"
	Spec    string  // citation
	Note    string  // unit, meaning of the numbers, uncertainties

	self, parent uint16
	kid0, kidN   uint16 // first index and count in kids, by code
	name0, nameN uint16 // first index and count in kidNames, by name
}

// Alias is another keyword for a TLV, and the form in which its value is written.
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
	first uint16 // index in places
	n     uint16
}

type place struct {
	def  uint16
	form Form
}

// Root returns the group whose children are the dialect's top-level TLVs: its own, and a
// modem's where it has none of that code.
func Root(d Dialect) *Def {
	if d > DPoE {
		d = CM
	}
	return &defs[d]
}

// IsRoot reports whether d is a root, which stands for the file rather than a TLV.
func (d *Def) IsRoot() bool { return d.self <= uint16(DPoE) }

// Parent returns the group that contains d. For a top-level TLV shared by several dialects,
// that is the root of CM. The parent of a root is the root itself.
func (d *Def) Parent() *Def { return &defs[d.parent] }

// Group reports whether the value consists of TLVs.
func (d *Def) Group() bool {
	_, ok := d.codec().(group)
	return ok
}

// LenBytes returns the width of the length field in octets: 0 for markers, otherwise 1 or 2.
func (d *Def) LenBytes() int { return d.Kind.row().length }

// Child returns the child of d with that keyword, ignoring case, and the form of its value.
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

// ChildByCode returns the child with that type code.
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

// compareFold compares a, converted to lower case (ASCII only), with b, which is in lower case.
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

// Elsewhere returns all places of the keyword in the dictionary, those in a modem's file first,
// in the order of their codes.
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

// Lenient resolves a keyword as the open encoder does: regardless of the parent, to the first
// TLV of that name in the order of the codes. The TLV is encoded with its last code, its kind
// and, for a group, its children. An exact match precedes one that differs in case, and the
// dialect's own TLVs precede a modem's.
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

// Foreign returns the configuration of an eSAFE, such as an eRouter, that d has no child for: in a
// vendor group, operators write it as a TLV of that vendor, of the number that it has at the top.
func (d *Def) Foreign(keyword string) (c *Def, ok bool) {
	if d.Kind != KindVendorGroup {
		return nil, false
	}
	c, _, ok = Root(CM).Child(keyword)
	return c, ok && c.Code >= 201 && c.Code <= 223 && c.Group()
}

// Title returns the TLV's name and path, such as "MaxRateDown (4.2)".
func (d *Def) Title() string {
	if d.IsRoot() {
		return "the file"
	}
	return d.Name + " (" + d.Path + ")"
}

// Belongs reports whether the dialect's files may have d as a top-level TLV.
func (d *Def) Belongs(in Dialect) bool {
	switch in {
	case MTA:
		return strings.HasPrefix(d.Path, "mta:") || d.Scope == ScopeMTA
	case PS:
		return strings.HasPrefix(d.Path, "ps:")
	}
	return d.Scope != ScopeMTA
}
