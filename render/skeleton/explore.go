package skeleton

import (
	"fmt"
	"iter"
	"runtime"
	"strings"

	"dcs/render/groups"
	"dcs/render/syntax"
	"dcs/render/tlv"
)

// A Survey enumerates the files that templates can make, for those who judge them. It is for one goroutine.
type Survey struct {
	Files      int // files of one template; more are left out
	Statements int // compiled for one template, in all its files

	Attributes []*groups.Texts // the values that devices have, by attribute; nil: any. They decide no select.
	Read       map[int]bool    // the groups that the last template reads

	labels  map[syntax.Pos]*label // of the selects of all templates so far
	met     map[*label]bool       // by the last template
	cut     bool                  // some files of a template were left out
	env     *Env
	targets map[string][]string // the names of the items that an include can have, by its directory and pieces
}

// label is that of a case whose subject a request decides.
type label struct {
	text   string // "select $plan: gold"
	open   bool   // some value leads there
	shared bool   // it stands in an item that a template includes
	doubt  bool   // a template of which files were left out meets it
}

// Survey returns a Survey of templates that are made in e, with its settings and functions.
func (e *Env) Survey() *Survey {
	return &Survey{Files: 64, Statements: 1 << 17, targets: map[string][]string{}, labels: map[syntax.Pos]*label{}, env: &Env{
		MIB: e.MIB, Schema: e.Schema, Lenient: e.Lenient, Timestamp: e.Timestamp, ModemAddress: e.ModemAddress,
		Include: e.Include, Candidates: e.Candidates, ReadFile: e.ReadFile, ReadHead: e.ReadHead, Path: e.Path,
	}}
}

// Variants calls yield with each of the files that t can make, until it returns false. names are what the groups of the template's
// pattern capture, by number; the first is the name itself. all reports whether the files are all that there are, apart from the values
// in them: some are left out if there are very many, or if an include by a variable may mean anything. Texts and binary files that are
// served as they are have none.
//
// Values that decide what a file consists of are the same throughout a file: in an arm of a select, the variable has the value of the
// arm's label.
func (s *Survey) Variants(t *Template, names []*groups.Texts, yield func(*Variant) bool) (all bool) {
	if t.Kind == PlainFile {
		return true
	}
	s.Read, s.met = map[int]bool{}, map[*label]bool{}
	body := t.Item.Statements() // they stay in memory for all runs
	r := newRoutes(s.Files)
	statements := 0
	for r.next() {
		x := &explorer{compiler: t.In(s.env).compiler(), routes: r, survey: s, captured: names, facts: map[string]*fact{}}
		x.pass = x
		x.enc.Long = true
		v := x.explore()
		if r.end(v != nil); v != nil && !yield(v) {
			r.cut = true
			break
		}
		r.cut = r.cut || x.partial
		if statements += x.checked; statements > s.Statements {
			r.cut = true
			break
		}
	}
	runtime.KeepAlive(body)
	if r.cut {
		s.cut = true
		for l := range s.met {
			l.doubt = true
		}
	}
	return !r.cut
}

// Unreached enumerates the case labels that no value of any template so far leads to, as "select $plan: gold". Those that a file which was
// left out may reach are not among them.
func (s *Survey) Unreached() iter.Seq2[syntax.Pos, string] {
	return func(yield func(syntax.Pos, string) bool) {
		for at, l := range s.labels {
			if !l.open && !l.doubt && !(l.shared && s.cut) && !yield(at, l.text) {
				return
			}
		}
	}
}

// Join adds to s which case labels another survey of the same templates' items has met.
func (s *Survey) Join(o *Survey) {
	s.cut = s.cut || o.cut
	for at, l := range o.labels {
		own := s.labels[at]
		if own == nil {
			s.labels[at] = l
			continue
		}
		own.open, own.shared, own.doubt = own.open || l.open, own.shared || l.shared, own.doubt || l.doubt
	}
}

// explorer is the pass that compiles one of the files that a template can make. Variables have the values that the statements before
// imply; the others become slots.
type explorer struct {
	*compiler
	*routes
	survey   *Survey
	captured []*groups.Texts
	facts    map[string]*fact // by variable, or by expression
	when     []Arm
	partial  bool // the file has more, of which nothing is known

	spans  []span
	fills  []fill // of the slots
	opaque []opaque
	links  []*link // to the included items, by depth
	trying bool    // a setting is compiled with examples of its values
}

// fact is what the statements so far imply for a value.
type fact struct {
	known bool
	text  string
	not   map[string]bool // keys of cases that it does not have
}

// explore compiles the file; nil: there is none on this way.
func (x *explorer) explore() *Variant {
	switch x.t.Item.Kind {
	case syntax.Text, syntax.Binary:
		x.plain()
	default:
		x.template(x.t.Item)
	}
	if len(x.errs) > 0 || x.fault != nil || x.over != "" {
		return nil
	}
	s, fault := x.whole()
	if fault != nil {
		return nil
	}
	return x.variant(s)
}

// texts returns what a group captures; nil: that is unknown.
func (x *explorer) texts(group int) *groups.Texts {
	if group < len(x.captured) {
		return x.captured[group]
	}
	return nil
}

// key identifies a value among the facts: a variable by itself, others by their expression.
func key(v *val) string {
	if d := v.dyn; d.op == dynVar {
		return fmt.Sprint("$", d.src, " ", d.attr)
	}
	var b strings.Builder
	v.canon(&b)
	return b.String()
}

// spread returns the texts that a variable can have apart from its default: those of a group or of an attribute; nil: that is unknown.
func (x *explorer) spread(d *dynamic) *groups.Texts {
	switch {
	case d.src == fromName:
		return x.texts(d.attr)
	case d.src == fromAttr && d.attr < len(x.survey.Attributes):
		return x.survey.Attributes[d.attr]
	}
	return nil
}

// fact returns what is known of v.
func (x *explorer) fact(v *val) *fact {
	k := key(v)
	f := x.facts[k]
	if f == nil {
		f = &fact{not: map[string]bool{}}
		x.facts[k] = f
	}
	return f
}

// bind makes text the value of v and, if v is a text with one variable, of that.
func (x *explorer) bind(v *val, text string) {
	f := x.fact(v)
	f.known, f.text = true, text
	if d, inner, ok := solve(v, text); ok && d != v {
		x.bind(d, inner)
	}
	clear(x.values) // defaults may read it
}

// solve returns the only variable of a text, and what it is if the text is this one.
func solve(v *val, text string) (variable *val, inner string, ok bool) {
	d := v.dyn
	switch d.op {
	case dynVar:
		return v, text, true
	case dynText:
		before, after := "", ""
		for i := range d.parts {
			p := &d.parts[i]
			switch {
			case p.kind == dynamicVal && variable != nil, p.kind == dynamicVal && p.dyn.op != dynVar:
				return nil, "", false
			case p.kind == dynamicVal:
				variable = p
			case variable == nil:
				before += p.plain()
			default:
				after += p.plain()
			}
		}
		if variable == nil || len(text) < len(before)+len(after) || !strings.HasPrefix(text, before) || !strings.HasSuffix(text, after) {
			return nil, "", false
		}
		return variable, text[len(before) : len(text)-len(after)], true
	}
	return nil, "", false
}

// possible reports whether the value of v can be text; false is certain.
func (x *explorer) possible(v *val, text string) bool {
	d := v.dyn
	switch d.op {
	case dynVar:
		return x.variableCan(v, text)
	case dynText:
		if inner, value, ok := solve(v, text); ok {
			return x.variableCan(inner, value)
		}
		return fits(text, d.pieces())
	}
	n, ok := parseInt(text)
	e := x.extentOf(v)
	return ok && e.min <= n && n <= e.max
}

// pieces returns the constant texts between the variables of a text.
func (d *dynamic) pieces() []string {
	out := []string{""}
	for i := range d.parts {
		if p := &d.parts[i]; p.kind == dynamicVal {
			out = append(out, "")
		} else {
			out[len(out)-1] += p.plain()
		}
	}
	return out
}

// fits reports whether text consists of the pieces with anything between them.
func fits(text string, pieces []string) bool {
	last := len(pieces) - 1
	text, ok := strings.CutPrefix(text, pieces[0])
	if !ok || last == 0 {
		return ok && text == ""
	}
	for _, p := range pieces[1:last] {
		_, after, found := strings.Cut(text, p)
		if !found {
			return false
		}
		text = after
	}
	return strings.HasSuffix(text, pieces[last])
}

func (x *explorer) variableCan(v *val, text string) bool {
	d := v.dyn
	if f := x.fact(v); f.known {
		return caseText(f.text) == caseText(text)
	} else if f.not[caseText(text)] {
		return false
	}
	if d.src != fromName || x.texts(d.attr) == nil {
		return true
	}
	t := x.texts(d.attr)
	if t.Has(text) {
		return true
	}
	if n, ok := parseInt(text); ok && t.HasNumber(n) {
		return true
	}
	return d.fallback != nil && (d.fallback.kind == dynamicVal && x.possible(d.fallback, text) || d.fallback.kind != dynamicVal && caseKey(d.fallback) == caseText(text))
}

// caseText returns the key of a text, as by caseKey.
func caseText(text string) string { return caseKey(&val{kind: quotedVal, text: text}) }

// list returns all values of v that are still possible; ok is false if there are too many, or if they are unknown.
func (x *explorer) list(v *val) (texts []string, ok bool) {
	d := v.dyn
	if d.op == dynText {
		inner, _, one := solve(v, strings.Join(d.pieces(), ""))
		if !one {
			return nil, false
		}
		values, ok := x.list(inner)
		for i := range values {
			texts = append(texts, strings.Join(d.pieces(), values[i]))
		}
		return texts, ok
	}
	if d.op != dynVar || d.src != fromName || d.fallback != nil {
		return nil, false
	}
	t := x.texts(d.attr)
	if t == nil || t.List == nil {
		return nil, false
	}
	for _, text := range t.List {
		if x.variableCan(v, text) {
			texts = append(texts, text)
		}
	}
	return texts, true
}

func (x *explorer) lookup(e *syntax.Var, sc *scope) val {
	v := val{pos: e.Pos, kind: dynamicVal, dyn: &dynamic{op: dynVar, name: e.Name, src: fromName}}
	if e.Name == "filename" {
		x.survey.Read[0] = true
		return x.resolved(v)
	}
	if group, ok := x.t.group(e.Name); ok {
		v.dyn.attr = group
		x.survey.Read[group] = true
		if t := x.texts(group); t == nil || t.Optional {
			if fallback, ok := x.fallback(e, sc); ok {
				v.dyn.fallback = &fallback
			}
		}
		return x.resolved(v)
	}
	unknown := val{pos: e.Pos, kind: unknownVal}
	if x.noGroup(e) {
		return unknown
	}
	fallback, ok := x.fallback(e, sc)
	if index, known := x.env.Schema.Index(e.Name); known {
		v.dyn.src, v.dyn.attr = fromAttr, index
		if ok {
			v.dyn.fallback = &fallback
		}
		return x.resolved(v)
	}
	if !ok {
		x.noValue(e)
		return unknown
	}
	return fallback
}

// resolved returns v, or its text if that is known.
func (x *explorer) resolved(v val) val {
	if f := x.fact(&v); f.known {
		return val{pos: v.pos, kind: bareVal, text: f.text}
	}
	if d := v.dyn; d.src == fromName && d.fallback == nil {
		if t := x.texts(d.attr); t != nil && len(t.List) == 1 {
			return val{pos: v.pos, kind: bareVal, text: t.List[0]}
		}
	}
	return v
}

func (x *explorer) inline(st *syntax.Include, _ *syntax.Item, _ *tlv.Def, _ *scope) bool {
	depth := len(x.stack) // of the item to be included; the template's is 0
	x.links = append(x.links[:min(depth-1, len(x.links))], &link{at: st.Pos, outer: x.link()})
	return true
}

// link returns the include that leads to the current item; nil: it is the template itself.
func (x *explorer) link() *link {
	if depth := len(x.stack) - 1; depth > 0 {
		return x.links[depth-1]
	}
	return nil
}

func (x *explorer) halt(f *Fault) { x.fault = f }

func (x *explorer) stampAddress(stamp func(code byte, src source, name string)) {
	stamp(20, fromIP, "ip")
}

func (*explorer) around(string) (val, bool)                                 { return val{}, false }
func (*explorer) choices(*syntax.Include, *tlv.Def, *scope)                 {}
func (*explorer) otherCases(*syntax.Select, *syntax.Case, *tlv.Def, *scope) {}
func (*explorer) unknownValue(*syntax.Setting, *tlv.Def, tlv.Form, []val)   {} // there is an error
func (*explorer) tooLate(syntax.Pos, string)                                {}
func (*explorer) markStructural(int)                                        {}
func (*explorer) fix(int)                                                   {}
func (*explorer) encoded(memoKey, []byte)                                   {}
func (*explorer) resigned(*syntax.Item)                                     {}
func (*explorer) warn(syntax.Pos, string)                                   {}
