package skeleton

import (
	"slices"
	"strings"

	"dcs/render/syntax"
	"dcs/render/tlv"
)

// CheckBlock checks a Block that no template includes by a constant name. The values of its variables and its place in
// a file are unknown, so CheckBlock tries the places where it could stand and returns the errors of the place that
// suits it best. The error is a syntax.Errors. Call CheckBlock after New has been called for all templates.
func CheckBlock(env *Env, it *syntax.Item) error {
	env.prepare()
	if env.begin(it); env.checked[it] {
		return nil
	}
	var best syntax.Errors
	misplaced := 0
	for i, at := range standing(env, it) {
		t := &Template{Item: it, Kind: at.kind, env: env}
		c := t.checker()
		c.loose = true
		c.item(it, at.parent, nil)
		c.bounded()
		if c.common {
			return ErrCommon
		}
		if len(c.errs) == 0 {
			return nil
		}
		if i == 0 || c.misplaced < misplaced || c.misplaced == misplaced && len(c.errs) < len(best) {
			best, misplaced = c.errs, c.misplaced
		}
	}
	return best
}

// stand is a place where a Block could be included.
type stand struct {
	kind   Kind
	parent *tlv.Def
}

// standing lists the places where a Block could be included: the top level of each kind of file, and the groups that
// have one of its keywords.
func standing(env *Env, it *syntax.Item) []stand {
	out := []stand{{ModemFile, tlv.Root(tlv.CM)}, {MTAFile, tlv.Root(tlv.MTA)}, {PortalFile, tlv.Root(tlv.PS)}}
	known := false
	seen := map[*syntax.Item]bool{}
	var item func(it *syntax.Item)
	look := func(st syntax.Stmt) bool {
		switch st := st.(type) {
		case *syntax.Setting:
			for _, d := range tlv.Elsewhere(st.Keyword) {
				known = true
				s := stand{ModemFile, d.Parent()}
				if !d.Parent().IsRoot() && !slices.Contains(out, s) {
					out = append(out, s)
				}
			}
			return false // the contents of a group do not show where the Block belongs
		case *syntax.Include:
			if in := env.included(st); in != nil {
				item(in)
			}
		}
		return true
	}
	item = func(it *syntax.Item) {
		if !seen[it] {
			seen[it] = true
			syntax.Walk(env.statements(it), look)
		}
	}
	item(it)
	if !known { // only GenericTLV: try a group that the dictionary does not have, too
		out = append(out, stand{ModemFile, nil})
	}
	return out
}

// included returns the target of an include with a constant name; nil if there is none, or if the name is not constant.
func (e *Env) included(st *syntax.Include) *syntax.Item {
	name := ""
	word, isWord := st.Target.(*syntax.Word)
	if isWord {
		name = word.Text
	} else if s, ok := st.Target.(*syntax.String); ok {
		name, _ = s.Literal()
	}
	if name == "" {
		return nil
	}
	it, err := e.Include(st.Pos, name, isWord)
	if err != nil {
		return nil
	}
	return it
}

// anyItem reports whether any item of the library could be the target of an include.
func anyItem(st *syntax.Include) bool { return strings.Join(pieces(st.Target), "") == "" }
