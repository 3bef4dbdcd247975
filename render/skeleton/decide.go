package skeleton

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"dcs/render/syntax"
	"dcs/render/tlv"
)

// An Arm is a choice that leads to a file.
type Arm struct {
	Pos  syntax.Pos // of the select, the include or the setting
	Text string     // "$plan is gold", "$plan is neither gold nor silver"
}

// maxTargets is the number of targets of an include that are told apart.
const maxTargets = 1 << 10

// noLabel is a text that no case has.
const noLabel = "\x00"

// decide returns the text that v has in the file that is compiled: one of several, which then holds for all that follows.
func (x *explorer) decide(st syntax.Stmt, v val, sc *scope) val {
	if st, ok := st.(*syntax.Select); ok && v.kind == bareVal {
		x.decided(st, v.text, sc)
	}
	if v.kind != dynamicVal {
		return v
	}
	f := x.fact(&v)
	if !f.known {
		switch st := st.(type) {
		case *syntax.Select:
			return x.chooseCase(st, &v, sc)
		case *syntax.Include:
			if !x.chooseTarget(st, &v) {
				x.partial = true
				return val{pos: v.pos, kind: unknownVal}
			}
		}
	}
	return val{pos: v.pos, kind: quotedVal, text: f.text}
}

// chooseCase takes a label of a select that the subject can have, or the default.
func (x *explorer) chooseCase(st *syntax.Select, v *val, sc *scope) val {
	const otherwise = -1
	var ids []int
	var labels, open []string // by id; those that v can have
	hasDefault := false
	for _, cs := range st.Cases {
		hasDefault = hasDefault || cs.Default
		for _, e := range cs.Labels {
			label := x.eval(e, sc, false)
			known := x.meet(e.Position(), st, &label)
			if text := label.plain(); label.constant() && x.possible(v, text) && !x.fact(v).not[caseText(text)] {
				ids, open = append(ids, len(labels)), append(open, text)
				known.open = true
			}
			labels = append(labels, label.plain())
		}
	}
	rest, listed := x.list(v)
	rest = slices.DeleteFunc(rest, func(text string) bool {
		return slices.ContainsFunc(open, func(l string) bool { return caseText(l) == caseText(text) })
	})
	if hasDefault && (!listed || len(rest) > 0) {
		ids = append(ids, otherwise)
	}
	none := val{pos: v.pos, kind: quotedVal, text: noLabel}
	if len(ids) == 0 {
		return none // no request gets a file
	}
	subject := write(st.Subject)
	id := x.pick(st.Pos, ids)
	switch {
	case id >= 0:
		x.bind(v, labels[id])
		x.chose(st.Pos, "%s is %s", subject, labels[id])
		return val{pos: v.pos, kind: quotedVal, text: labels[id]}
	case listed && len(rest) == 1:
		x.bind(v, rest[0])
		x.chose(st.Pos, "%s is %s", subject, rest[0])
		return none
	}
	for _, l := range open {
		x.fact(v).not[caseText(l)] = true
	}
	switch len(open) {
	case 0:
	case 1:
		x.chose(st.Pos, "%s is not %s", subject, open[0])
	default:
		x.chose(st.Pos, "%s is none of %s", subject, strings.Join(open, ", "))
	}
	return none
}

// decided meets the labels of a select whose subject has the text from the statements before, or as the only one.
func (x *explorer) decided(st *syntax.Select, text string, sc *scope) {
	for _, cs := range st.Cases {
		for _, e := range cs.Labels {
			label := x.eval(e, sc, false)
			l := x.meet(e.Position(), st, &label)
			l.open = l.open || label.constant() && caseText(label.plain()) == caseText(text)
		}
	}
}

// meet returns the record of a case label, which this template meets.
func (x *explorer) meet(at syntax.Pos, st *syntax.Select, v *val) *label {
	l := x.survey.labels[at]
	if l == nil {
		l = &label{text: "select " + write(st.Subject) + ": " + v.plain()}
		x.survey.labels[at] = l
	}
	l.shared = l.shared || x.link() != nil
	x.survey.met[l] = true
	return l
}

func (x *explorer) chose(at syntax.Pos, format string, args ...any) {
	x.when = append(x.when, Arm{at, fmt.Sprintf(format, args...)})
}

// chooseTarget takes one of the names that an include with variables can have. It reports false if it may be any.
func (x *explorer) chooseTarget(st *syntax.Include, v *val) bool {
	names, listed := x.list(v)
	if !listed {
		pieces := []string{"", ""}
		if v.dyn.op == dynText {
			pieces = v.dyn.pieces()
		}
		if strings.Join(pieces, "") == "" {
			return false
		}
		for _, name := range x.targets(st, pieces) {
			if x.possible(v, name) {
				names = append(names, name)
			}
		}
	}
	ids := make([]int, len(names))
	for i := range names {
		ids[i] = i
	}
	if len(ids) == 0 {
		x.bind(v, noLabel) // no request gets a file
		return true
	}
	name := names[x.pick(st.Pos, ids)]
	x.bind(v, name)
	if d, text, ok := solve(v, name); ok {
		x.chose(st.Pos, "$%s is %s", d.dyn.name, text)
	} else {
		x.chose(st.Pos, "include %s is %s", write(st.Target), name)
	}
	return true
}

// targets returns the names of these pieces that lead to an item.
func (x *explorer) targets(st *syntax.Include, pieces []string) []string {
	k := filepath.Dir(st.Pos.File) + "\x00" + strings.Join(pieces, "\x00")
	names, known := x.survey.targets[k]
	if !known {
		names = x.env.targets(st, pieces)
		x.survey.targets[k] = names
	}
	x.cut = x.cut || len(names) == maxTargets
	return names
}

func (e *Env) targets(st *syntax.Include, pieces []string) (names []string) {
	for _, set := range e.Candidates(st.Pos, pieces) {
		for _, it := range set.Items {
			for _, name := range namesFor(it) {
				if !fits(name, pieces) || slices.Contains(names, name) {
					continue
				}
				if found, err := e.Include(st.Pos, name, false); err == nil && found == it {
					names = append(names, name)
					break
				}
			}
			if len(names) == maxTargets {
				return names
			}
		}
	}
	return names
}

// namesFor returns the names by which an item may be included: a Block's own, and the ends of its file's path.
func namesFor(it *syntax.Item) (names []string) {
	if it.Kind == syntax.Block {
		names = append(names, it.Name)
	}
	path := filepath.ToSlash(it.Pos.File)
	for at := len(path) - 1; at >= 0; at-- {
		if at == 0 || path[at-1] == '/' {
			names = append(names, path[at:])
		}
	}
	return names
}

// slotless compiles a setting that no slot can hold. Values of which there are only some are decided for the rest of the file; of others
// an example is taken here, and the whole TLV counts as unknown.
func (x *explorer) slotless(st *syntax.Setting, parent *tlv.Def, sc *scope, vals []val) {
	if x.trying {
		x.errorf(st.Pos, "%s: no example", st.Keyword)
		return
	}
	var unknown []*val
	seen := map[string]bool{}
	for i := range vals {
		vals[i].each(func(d *dynamic) {
			v := &val{pos: vals[i].pos, kind: dynamicVal, dyn: d}
			if seen[key(v)] || x.fact(v).known {
				return
			}
			seen[key(v)] = true
			texts, listed := x.list(v)
			if !listed || len(texts) == 0 {
				unknown = append(unknown, v)
				return
			}
			ids := make([]int, len(texts))
			for i := range texts {
				ids[i] = i
			}
			at := st.Pos
			at.Col += len(seen) << 16 // a choice of its own for each variable
			text := texts[x.pick(at, ids)]
			x.bind(v, text)
			x.chose(st.Pos, "$%s is %s", d.name, text)
		})
	}
	if len(unknown) == 0 {
		x.again(st, parent, sc)
		return
	}
	x.byExample(st, parent, sc, unknown)
}

// examples are values that keywords take.
var examples = []string{"1", "a", "0x01", "192.0.2.1", "2001:db8::1", "02:00:5e:00:53:01", "0x00000000", "1.3.6.1.2.1", "Integer"}

// byExample compiles a setting with an example of each of the values.
func (x *explorer) byExample(st *syntax.Setting, parent *tlv.Def, sc *scope, unknown []*val) {
	b, errs, fills, opaques, spans := x.b, len(x.errs), len(x.fills), len(x.opaque), len(x.spans)
	x.trying = true
	for i := -1; i < len(examples); i++ {
		for _, v := range unknown {
			f := x.fact(v)
			if f.known = true; i < 0 {
				f.text = x.example(v)
			} else {
				f.text = examples[i]
			}
		}
		clear(x.values)
		x.again(st, parent, sc)
		if len(x.errs) == errs {
			break
		}
		x.b, x.errs, x.fills, x.opaque, x.spans = b, x.errs[:errs], x.fills[:fills], x.opaque[:opaques], x.spans[:spans]
	}
	for _, v := range unknown {
		x.fact(v).known = false
	}
	clear(x.values)
	x.trying = false
	since := place{len(b.base), b.vary}
	if x.b.here() == since {
		x.partial = true
		return
	}
	x.opaque = append(x.opaque, opaque{since, x.b.here(), write(&syntax.List{Elems: st.Values})})
}

func (x *explorer) again(st *syntax.Setting, parent *tlv.Def, sc *scope) {
	if strings.EqualFold(st.Keyword, "GenericTLV") {
		x.generic(st, parent, sc)
	} else {
		x.known(st, parent, sc)
	}
}
