package reason

import (
	"slices"
	"strconv"
	"strings"

	"dcs/render/tlv"
)

// maxEvidence is how many findings or TLVs are shown for one cause.
const maxEvidence = 4

// cause is one cause of a word, with what shows it, what allows it, and what rules it out. Without rules, TLVs and facts the file
// says nothing about it.
type cause struct {
	text   string
	remedy string
	// rules are those of lint whose findings show the cause. If they ran and found nothing, it is ruled out.
	rules string
	// tlvs are what the file must contain for it, such as "24.10>0 3=0": any of them. They are 0 if all of their octets are.
	tlvs string
	// notes is set if notes of the rules show it, too.
	notes bool
	// facts show the cause.
	facts []Fact
	// anyway is set if the cause is possible whatever rules, TLVs and facts say.
	anyway   bool
	recalled bool
}

// join concatenates causes; of those that stand twice, the first remains.
func join(lists ...[]cause) []cause {
	var out []cause
	for _, c := range slices.Concat(lists...) {
		if !slices.ContainsFunc(out, func(o cause) bool { return o.text == c.text }) {
			out = append(out, c)
		}
	}
	return out
}

// find adds what shows the cause, and reports whether the file is bound to be refused for it.
func (c *cause) find(f *File, out *Cause) (hard bool) {
	for _, fact := range c.facts {
		if text, ok := f.Facts[fact]; ok {
			out.Evidence, hard = append(out.Evidence, Evidence{Text: text}), true
		}
	}
	rules := strings.Fields(c.rules)
	for _, g := range f.Findings {
		if slices.Contains(rules, g.Rule) && (!g.Note || c.notes) && len(out.Evidence) < maxEvidence {
			out.Evidence, hard = append(out.Evidence, Evidence{g.Where, g.Text, g.Rule}), hard || g.Error
		}
	}
	return hard
}

// allowed adds the TLVs that allow the cause, and reports whether there are any.
func (c *cause) allowed(f *File, out *Cause) bool {
	if f.Tree == nil {
		return false
	}
	for _, want := range strings.Fields(c.tlvs) {
		holding(f.Tree.Nodes, want, func(n *tlv.Node) {
			if len(out.Evidence) < maxEvidence {
				out.Evidence = append(out.Evidence, f.evidence(n, want))
			}
		})
	}
	return len(out.Evidence) > 0
}

// outside reports whether the file cannot rule the cause out.
func (c *cause) outside(f *File) bool {
	switch {
	case c.anyway:
		return true
	case c.tlvs != "":
		return f.Tree == nil
	case c.rules == "" || len(c.facts) > 0:
		return len(c.facts) == 0
	}
	return slices.ContainsFunc(strings.Fields(c.rules), func(rule string) bool { return f.Judged == nil || !f.Judged(rule) })
}

// evidence describes a TLV that has what a cause wants of it.
func (f *File) evidence(n *tlv.Node, want string) Evidence {
	path, zero := strings.CutSuffix(want, "=0")
	path = strings.TrimSuffix(path, ">0")
	e := Evidence{Text: "TLV " + path}
	if n.Def != nil {
		e.Text = n.Def.Name + " (" + path + ")"
	}
	if zero {
		e.Text += " is 0"
	}
	if f.Place != nil {
		e.Where = f.Place(n.Offset)
	}
	if e.Where == "" {
		e.Where = "offset " + strconv.Itoa(n.Offset)
	}
	return e
}

// holding calls found for each TLV that want describes: a path, and then nothing, "=0" or ">0".
func holding(nodes []*tlv.Node, want string, found func(*tlv.Node)) {
	first, rest, deeper := strings.Cut(want, ".")
	first, zero := strings.CutSuffix(first, "=0")
	first, some := strings.CutSuffix(first, ">0")
	code, err := strconv.ParseUint(first, 10, 8)
	if err != nil {
		return // TestTable holds the table to numbers
	}
	for _, n := range nodes {
		if n.Code != uint8(code) {
			continue
		}
		if deeper {
			holding(n.Children, rest, found)
			continue
		}
		empty := !slices.ContainsFunc(n.Value, func(b byte) bool { return b != 0 })
		if zero && !empty || some && empty {
			continue
		}
		found(n)
	}
}
