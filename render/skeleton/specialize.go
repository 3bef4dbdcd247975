package skeleton

import (
	"github.com/valyala/bytebufferpool"

	"dcs/render/syntax"
)

// Name is what a template is asked to be made for.
type Name struct {
	Text     string   // the name asked for, without a device's suffix
	Captures []string // what the pattern's groups matched, by number; nil for a literal name
	Given    []bool   // whether each group took part
	Keys     []string // the device's values of the attributes that Structural lists; "": it lacks it
	IPv6     bool     // the modem's address is of IPv6; it matters where Families says so
}

// Specialize folds a name into the template. A Fault tells why the name gets no file.
func (t *Template) Specialize(n Name) (*Skeleton, *Fault) {
	s, _, fault := t.specialize(n, false)
	return s, fault
}

// Literal checks a template that is asked for by these names alone, and returns what keeps
// every request from getting a file; nil where one gets a file, or a device decides. A
// reject is what the template says, and no error.
func (t *Template) Literal(names []string) *syntax.Error {
	if len(t.structural) > 0 {
		return nil
	}
	var first *Fault
	for _, n := range names {
		_, fault := t.Specialize(Name{Text: n})
		if fault == nil || fault.Reason == Rejected {
			return nil
		}
		if first == nil {
			first = fault
		}
	}
	if first == nil {
		return nil
	}
	return &syntax.Error{Pos: first.Pos, Msg: first.why()}
}

// Trace is Specialize, and tells which variables were read on the way.
func (t *Template) Trace(n Name) (*Skeleton, []Use, *Fault) { return t.specialize(n, true) }

func (t *Template) specialize(n Name, tracing bool) (*Skeleton, []Use, *Fault) {
	c := t.compiler(false)
	buf := bytebufferpool.Get() // names are learned by the thousand after a reload
	c.b.base = buf.B[:0]
	defer func() {
		buf.B = c.b.base
		bytebufferpool.Put(buf)
	}()
	c.name, c.captures, c.given, c.keys, c.ipv6, c.tracing = n.Text, n.Captures, n.Given, n.Keys, n.IPv6, tracing
	switch t.Item.Kind {
	case syntax.Text, syntax.Binary:
		c.plain()
	default:
		c.template(t.Item)
	}
	c.bounded()
	if c.fault == nil && len(c.errs) > 0 {
		c.fault = &Fault{Reason: Invalid, Pos: c.errs[0].Pos, Text: c.errs[0].Msg}
	}
	if c.fault != nil {
		return nil, c.uses, c.fault
	}
	s, fault := c.skeleton(n.Text)
	return s, c.uses, fault
}
