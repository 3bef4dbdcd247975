package lint

import "dcs/render/tlv"

// rangeRules come last: they leave numbers to the rules that know what they mean.
var rangeRules = []Rule{{
	ID: "tlv-range", Severity: Warning, In: all, Cite: "columns min and max of the dictionary",
	Meaning: "A number is outside of the range that the dictionary has for it.",
	Remedy:  "use a value within the range",
	check: func(c *check) {
		c.walk(func(n *tlv.Node, _ []*tlv.Node) bool {
			d := n.Def
			if d == nil || !d.Limited || n.Note != "" {
				return true
			}
			octets, signed := d.Kind.Number()
			if octets == 0 || signed || len(n.Value) != octets {
				return true
			}
			v := c.number(n).outside(d.Min, d.Max)
			if v == never || c.faulty[n] {
				return true
			}
			c.judge(v, n, "%s: the value is out of range, %d to %d", c.title(n), d.Min, d.Max)
			return true
		})
	},
}}
