package lint

import (
	"fmt"
	"slices"
	"strings"

	"dcs/render/tlv"
)

// check is one rule at work on one file.
type check struct {
	*view
	rule *Rule
	told [Error + 1]int // findings of each severity
	more [Error + 1]int // index of the finding that counts those that are not told, plus 1; 0: all are told
}

// report adds a finding at a TLV (nil: the whole file), of the rule's severity. The result is never nil and may be changed until
// the next report, but for its severity.
func (c *check) report(n *tlv.Node, format string, args ...any) *Finding {
	return c.add(c.rule.Severity, always, n, format, args...)
}

// reportAs adds a finding of another severity.
func (c *check) reportAs(s Severity, n *tlv.Node, format string, args ...any) *Finding {
	return c.add(s, always, n, format, args...)
}

// lacks adds a finding at a TLV about something that the file, or the TLV, has not. Nothing is known of that if the file is partial.
func (c *check) lacks(n *tlv.Node, format string, args ...any) *Finding {
	return c.lacksAs(c.rule.Severity, n, format, args...)
}

// lacksAs is lacks with another severity.
func (c *check) lacksAs(s Severity, n *tlv.Node, format string, args ...any) *Finding {
	if c.Partial {
		return c.untold()
	}
	return c.add(s, always, n, format, args...)
}

// judge adds a finding that holds as v says: none if never; one of the rule's severity if always; one step less severe if only
// for some values, which the text then says; a note if nothing is known of the values.
func (c *check) judge(v verdict, n *tlv.Node, format string, args ...any) *Finding {
	return c.judgeAs(c.rule.Severity, v, n, format, args...)
}

// judgeAs is judge with another severity.
func (c *check) judgeAs(s Severity, v verdict, n *tlv.Node, format string, args ...any) *Finding {
	switch v {
	case never:
		return c.untold()
	case open:
		s = Note
	case some:
		s = max(s, 1) - 1
	}
	return c.add(s, v, n, format, args...)
}

// values names the expressions that decide a TLV, for the end of a text.
func (c *check) values(n *tlv.Node) string {
	var names []string
	for _, s := range c.slots(n) {
		if s.Text != "" && !slices.Contains(names, s.Text) {
			names = append(names, s.Text)
		}
	}
	if len(names) == 0 {
		return ", for some values"
	}
	return ", for some values of " + strings.Join(names, ", ")
}

// at adds a finding at an offset that no TLV has.
func (c *check) at(offset int, format string, args ...any) {
	s := Spot{File: c.Name, Offset: offset}
	if c.Place != nil {
		s.Place, s.File = c.Place(min(offset, len(c.Octets))), ""
	}
	if !c.Partial {
		c.put(c.rule.Severity, s).Text = fmt.Sprintf(format, args...)
	}
}

// add adds a finding; its text is made only if it is told.
func (c *check) add(s Severity, v verdict, n *tlv.Node, format string, args ...any) *Finding {
	if c.Partial {
		if n == nil {
			return c.untold()
		}
		s = min(s, Warning)
	}
	if n != nil && s > Note && n.Def != nil && n.Def.Limited {
		c.faulty[n] = true
	}
	if i := c.more[s]; i > 0 && c.Skip == nil {
		c.out[i-1].more++
		return c.untold()
	}
	f := c.put(s, c.spot(n))
	if f.Rule == nil {
		return f
	}
	f.Text = fmt.Sprintf(format, args...)
	if v != always {
		f.Text += c.values(n)
	}
	return f
}

// put adds a finding without a text. After maxPerRule of the rule and the severity the next one counts those that follow.
func (c *check) put(s Severity, at Spot) *Finding {
	f := Finding{Rule: c.rule, Severity: s, Spot: at, Remedy: c.rule.Remedy}
	if c.Skip != nil && c.Skip(&f) {
		return c.untold()
	}
	if i := c.more[s]; i > 0 {
		c.out[i-1].more++
		return c.untold()
	}
	if c.told[s]++; c.told[s] <= maxPerRule {
		c.out = append(c.out, f)
		return &c.out[len(c.out)-1]
	}
	f.more = 1
	c.out = append(c.out, f)
	c.more[s] = len(c.out)
	return c.untold()
}

// untold returns a finding that is not told, and has no rule.
func (c *check) untold() *Finding {
	c.none = Finding{}
	return &c.none
}

// also adds a related position to a finding.
func (c *check) also(f *Finding, n *tlv.Node, text string) *Finding {
	if f.Rule != nil {
		f.Related = append(f.Related, Related{c.spot(n), text})
	}
	return f
}

// fix replaces the rule's remedy by one for this finding.
func (f *Finding) fix(format string, args ...any) {
	if f.Rule != nil {
		f.Remedy = fmt.Sprintf(format, args...)
	}
}

// bounded returns findings with at most maxFindings, the severe ones first kept. Those that stand for others say for how many.
func bounded(list []Finding) []Finding {
	if len(list) > maxFindings {
		slices.SortStableFunc(list, func(a, b Finding) int { return int(b.Severity) - int(a.Severity) })
		left := list[maxFindings-1:]
		list = list[:maxFindings]
		more := 0
		for i := range left {
			more += max(1, left[i].more)
		}
		list[maxFindings-1].more = more
	}
	for i := range list {
		if f := &list[i]; f.more > 0 {
			f.Text, f.Related, f.Remedy = fmt.Sprintf("and %d more, which are not shown", f.more), nil, ""
		}
	}
	return list
}
