package skeleton

import (
	"fmt"
	"strconv"

	"dcs/render/syntax"
	"dcs/render/tlv"
)

func (c *compiler) choose(st *syntax.Select, parent *tlv.Def, sc *scope) {
	subject := c.pass.decide(st, c.eval(st.Subject, sc, false), sc)
	labels := map[string]syntax.Pos{}
	var chosen, otherwise *syntax.Case
	for _, cs := range st.Cases {
		if cs.Default {
			if otherwise != nil {
				c.errorf(cs.Pos, "duplicate default in select; the other is at %s", otherwise.Pos)
			}
			otherwise = cs
		}
		for _, e := range cs.Labels {
			label := c.eval(e, sc, false)
			c.settle(&label)
			if !label.constant() {
				c.errorf(label.pos, "case label %s: not constant", write(e))
				continue
			}
			key := caseKey(&label)
			if at, dup := labels[key]; dup {
				c.errorf(label.pos, "case label %s: already used by the case at %s", write(e), at)
				continue
			}
			labels[key] = cs.Pos
			if subject.constant() && key == caseKey(&subject) {
				chosen = cs
			}
		}
	}
	if !subject.constant() {
		c.undecided(subject.pos, "select", "select "+write(st.Subject), &subject)
	}
	c.pass.otherCases(st, chosen, parent, sc)
	if chosen == nil {
		chosen = otherwise
	}
	switch {
	case !subject.constant():
	case chosen != nil:
		c.body(chosen.Body, parent, sc.inner())
	default:
		c.stop(&Fault{
			Reason: NoCase, Pos: st.Pos, What: "select " + write(st.Subject),
			Text: fmt.Sprintf("no case for %q, and no default", subject.plain()),
		})
	}
}

// caseKey returns a key that is the same for values that a select treats as equal: integers by value, others by text.
func caseKey(v *val) string {
	if x, ok := v.integer(); ok {
		return strconv.FormatInt(x, 10)
	}
	return v.plain()
}

func (c *compiler) reject(st *syntax.Reject, sc *scope) {
	reason := c.eval(st.Reason, sc, false)
	c.settle(&reason)
	text := write(st.Reason)
	if reason.constant() {
		text = reason.plain()
	}
	c.stop(&Fault{Reason: Rejected, Pos: st.Pos, Text: "rejected: " + text})
}
