package tlv

import (
	"strconv"
	"strings"

	"dcs/render/spelling"
)

// place describes where d belongs.
func (d *Def) place() string {
	p := d.Parent()
	if !p.IsRoot() {
		return "in " + p.Title()
	}
	switch prefix, _, _ := strings.Cut(d.Path, ":"); prefix {
	case "mta":
		return "at the top of an MTA file"
	case "ps":
		return "at the top of a portal service file"
	}
	return "at the top of the file"
}

// Misplaced explains why d has no child with that keyword: where the keyword belongs and which
// TLV has its code in d or, for an unknown keyword, the nearest one.
func (d *Def) Misplaced(keyword string) string {
	here, where := "the file", "at the top of the file"
	switch {
	case !d.IsRoot():
		here, where = d.Name, "in "+d.Name
	case d == Root(MTA):
		where = "at the top of an MTA file"
	case d == Root(PS):
		where = "at the top of a portal service file"
	}
	found := Elsewhere(keyword)
	if len(found) == 0 {
		msg := "unknown keyword " + keyword
		if near := d.near(keyword); near != "" {
			msg += "; did you mean " + near + "?"
		}
		return msg
	}
	var b strings.Builder
	b.WriteString(keyword + " is not allowed " + where + ", only ")
	const most = 3
	var seen []string
	for _, e := range found {
		p := e.place()
		if d.IsRoot() && p == "at the top of the file" {
			p = "at the top of a modem file"
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
			b.WriteString("; TLV " + n + " of " + here + " is " + c.Name)
			if c.computed() != nil && d != Root(MTA) {
				b.WriteString(", which the compiler adds; leave it out")
			}
		} else {
			b.WriteString("; " + here + " has no TLV " + n)
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

// near returns the keyword nearest to the given one: a child of d if one is near, otherwise
// any.
func (d *Def) near(keyword string) string {
	low := strings.ToLower(keyword)
	limit := 1 + len(low)/5
	best, at := "", limit+1
	for _, n := range kidNames[d.name0 : d.name0+d.nameN] {
		if dist := spelling.Distance(low, n.name, at-1); dist < at {
			best, at = n.nameOf(), dist
		}
	}
	if best != "" {
		return best
	}
	for _, w := range words {
		if dist := spelling.Distance(low, w.name, at-1); dist < at {
			p := places[w.first]
			best, at = kidName{w.name, p.def, p.form}.nameOf()+" "+defs[p.def].place(), dist
		}
	}
	return best
}

// nameOf returns the keyword as spelled in the dictionary.
func (n kidName) nameOf() string {
	d := &defs[n.def]
	for _, a := range d.Aliases {
		if strings.EqualFold(a.Name, n.name) {
			return a.Name
		}
	}
	return d.Name
}
