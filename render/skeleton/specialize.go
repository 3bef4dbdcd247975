package skeleton

import (
	"slices"
	"strconv"

	"github.com/valyala/bytebufferpool"

	"dcs/render/syntax"
	"dcs/render/tlv"
)

// Name is a name that a template is specialized for.
type Name struct {
	Text     string   // the requested name, without a device's suffix
	Captures []string // what the pattern's groups matched, by number; nil for a literal name
	Given    []bool   // whether each group took part
	Keys     []string // the device's values of the attributes that Structural lists; "": it lacks the attribute
	IPv6     bool     // the modem's address is IPv6; matters only if Families reports true
}

// Specialize makes the skeleton of a name alone. The Fault is the reason why the name gets no file.
func (t *Template) Specialize(n Name) (*Skeleton, *Fault) {
	s := t.specialize(n, Exact, serving)
	return s.made, s.fault
}

// Literal checks a template that is requested by these names only, and returns the error that prevents every request
// from getting a file. It returns nil if a name gets a file, or if that depends on the device. A reject is intended,
// and not an error.
func (t *Template) Literal(names []string) *syntax.Error {
	if len(t.structural) > 0 {
		return nil
	}
	var first *Fault
	for _, n := range names {
		fault := t.specialize(Name{Text: n}, Exact, checking).fault
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

// Trace is like Specialize, and also returns the variables that were read.
func (t *Template) Trace(n Name) (*Skeleton, []Use, *Fault) {
	s := t.specialize(n, Exact, tracing)
	return s.made, s.uses, s.fault
}

// purpose is what a template is specialized for.
type purpose uint8

const (
	serving  purpose = iota
	checking         // the skeleton is not needed
	tracing          // what was read is needed, too
)

// specialize compiles t for a name, with the text of the groups in fixed.
func (t *Template) specialize(n Name, fixed Fixed, why purpose) *specializer {
	c := &specializer{compiler: t.compiler(), name: n, fixed: fixed}
	c.pass, c.tracing = c, why == tracing
	c.enc.Long = true // constants have been checked, and what a name or a device gives is accepted as in a slot
	if t.env.room == nil {
		buf := bytebufferpool.Get() // names are learned by the thousands after a reload
		c.b.base = buf.B[:0]
		defer func() {
			buf.B = c.b.base
			bytebufferpool.Put(buf)
		}()
	}
	switch t.Item.Kind {
	case syntax.Text, syntax.Binary:
		c.plain()
	default:
		c.template(t.Item)
	}
	c.bounded()
	switch {
	case c.needed != 0: // it was compiled in vain
	case c.fault != nil:
		c.halted = true
	case len(c.errs) > 0:
		c.fault = &Fault{Reason: Invalid, Pos: c.errs[0].Pos, Text: c.errs[0].Msg}
	case why == checking:
		_, c.fault = c.whole()
	default:
		c.made, c.fault = c.skeleton()
	}
	return c
}

// specializer is the pass that follows only the statements that a name leads to.
type specializer struct {
	*compiler
	onward
	name   Name
	fixed  Fixed // the groups whose text may be used
	needed Fixed // other groups whose text is needed
	named  bool  // the value of a group became a slot
	halted bool  // the fault is that of a statement, which the name led to

	made *Skeleton
}

func (s *specializer) lookup(e *syntax.Var, sc *scope) val {
	unknown := val{pos: e.Pos, kind: unknownVal}
	splicing := s.splicing
	s.splicing = false // not for what the defaults read
	if e.Name == "filename" {
		if splicing && !s.fixed.Has(0) {
			return s.fromName(e, 0)
		}
		s.fix(0)
		s.trace(e, Use{From: "the name asked for", Value: s.name.Text})
		return val{pos: e.Pos, kind: quotedVal, text: s.name.Text}
	}
	group, isGroup := s.t.group(e.Name)
	if isGroup && s.name.Given[group] && !s.fixed.Has(group) {
		return s.fromName(e, group)
	}
	if isGroup && s.name.Given[group] {
		text := s.name.Captures[group]
		s.trace(e, Use{From: "the name asked for", Value: text, Captured: true})
		return val{pos: e.Pos, kind: bareVal, text: text}
	}
	if !isGroup && s.noGroup(e) {
		return unknown
	}
	index, known := s.env.Schema.Index(e.Name)
	key := -1
	if known {
		key = slices.Index(s.t.structural, index)
	}
	if key >= 0 && s.name.Keys[key] != "" {
		s.trace(e, Use{From: "the device", Value: s.name.Keys[key]})
		return val{pos: e.Pos, kind: bareVal, text: s.name.Keys[key]}
	}
	before := s.fault
	fallback, ok := s.fallback(e, sc)
	switch {
	case known && key < 0:
		s.trace(e, Use{From: "the device"})
		if s.fault != before { // the default has no value for this device, and may not be needed
			s.fault, ok = before, false
		}
		if !ok {
			return s.attribute(e, index, nil)
		}
		return s.attribute(e, index, &fallback)
	case ok:
		return fallback
	case known:
		s.stop(&Fault{Reason: Missing, Pos: e.Pos, What: "$" + e.Name})
	case isGroup:
		s.stop(&Fault{
			Reason: Missing, Pos: e.Pos, What: "$" + e.Name,
			Text: "group " + strconv.Itoa(group) + " of the pattern matched nothing in this name, and there is no default",
		})
	default:
		s.noValue(e)
	}
	return unknown
}

// fromName returns the value of a group for a slot.
func (s *specializer) fromName(e *syntax.Var, group int) val {
	s.named = true
	return val{pos: e.Pos, kind: dynamicVal, dyn: &dynamic{op: dynVar, name: e.Name, src: fromName, attr: group}}
}

// fix records a group whose text is needed, unless it is there.
func (s *specializer) fix(group int) {
	if !s.fixed.Has(group) {
		s.needed |= 1 << group
	}
}

func (*specializer) around(string) (val, bool) { return val{}, false }

func (*specializer) choices(*syntax.Include, *tlv.Def, *scope) {}

func (*specializer) inline(*syntax.Include, *syntax.Item, *tlv.Def, *scope) bool { return true }

func (*specializer) otherCases(*syntax.Select, *syntax.Case, *tlv.Def, *scope) {}

func (*specializer) unknownValue(*syntax.Setting, *tlv.Def, tlv.Form, []val) {} // its fault has been recorded

func (s *specializer) tooLate(pos syntax.Pos, what string) {
	s.errorf(pos, "%s: its value is known only when a request arrives", what)
}

func (*specializer) markStructural(int) {}

func (*specializer) encoded(memoKey, []byte) {} // other goroutines are reading the memo

func (s *specializer) halt(f *Fault) { s.fault = f }

func (s *specializer) stampAddress(stamp func(code byte, src source, name string)) {
	if s.name.IPv6 {
		stamp(59, fromIP, "ip")
	} else {
		stamp(20, fromIP, "ip")
	}
}

func (*specializer) resigned(*syntax.Item) {}

func (*specializer) warn(syntax.Pos, string) {}
