package lint

import "dcs/render/tlv"

// headerRules are about payload header suppression.
var headerRules = []Rule{
	{
		ID: "phs-refs", Severity: Error, Since: V11, Recalled: true, Cite: "confirmation codes 16, 17, 22, 202",
		Meaning: "A rule of header suppression (26) names no classifier, another flow than its classifier's, or a classifier that has one.",
		Remedy:  "name the classifier and its flow",
		check:   suppressionRefs,
	},
	{
		ID: "phs-size", Severity: Error, Since: V11, Cite: "RFC 4323 docsIetfQosPHSSize, docsIetfQosPHSMask",
		Meaning: "PHSSize (26.10) is not the length of PHSField (26.7), or PHSMask (26.9) is longer than a bit for each octet, or over 32 octets.",
		Remedy:  "correct the size",
		check: func(c *check) {
			for _, n := range c.top(26) {
				field, mask, size := sub(n, 7), sub(n, 9), sub(n, 10)
				x, ok := c.exact(size)
				if field != nil && ok && c.constant(field) && x != int64(len(field.Value)) {
					c.also(c.report(size, "%s %d, but the field has %d octets", c.title(size), x, len(field.Value)), field, "the field")
				}
				if mask == nil {
					continue
				}
				if len(mask.Value) > 32 {
					c.report(mask, "%s has %d octets, more than 32", c.title(mask), len(mask.Value)).fix("shorten the mask")
				} else if ok && int64(len(mask.Value)) > (x+7)/8 {
					c.report(mask, "%s has %d octets, and %d bits are due", c.title(mask), len(mask.Value), x).fix("shorten the mask")
				}
			}
		},
	},
	{
		ID: "phs-31", Severity: Warning, Since: V31, Recalled: true, Cite: "recollection: 3.1 dropped header suppression",
		Meaning: "Modems of 3.1 have no header suppression (26).",
		Remedy:  "leave it out for them",
		check: func(c *check) {
			if n := first(c.top(26)); n != nil && c.Version >= V31 {
				c.report(n, "%s: modems of 3.1 have no header suppression", c.title(n))
			}
		},
	},
}

func suppressionRefs(c *check) {
	classifiers := map[int64]*tlv.Node{}
	for _, cl := range c.top(22, 23) {
		id, ok := c.exact(sub(cl, 1))
		if sub(cl, 1) != nil && !ok {
			return // it may be any
		}
		if ok {
			classifiers[id] = cl
		}
	}
	taken := map[int64]*tlv.Node{}
	for _, n := range c.top(26) {
		ref, flow := sub(n, 1), sub(n, 3)
		id, ok := c.exact(ref)
		switch cl := classifiers[id]; {
		case ref == nil:
			c.lacks(n, "%s names no classifier (26.1)", c.title(n))
		case !ok:
		case cl == nil:
			c.lacks(ref, "%s %d: no classifier has it", c.title(ref), id)
		case taken[id] != nil:
			c.also(c.report(ref, "%s %d: the classifier has a rule", c.title(ref), id), taken[id], "the other rule")
		default:
			taken[id] = ref
			x, ok := c.exact(flow)
			y, known := c.exact(sub(cl, 3))
			if ok && known && x != y {
				c.also(c.report(flow, "%s %d is not the flow of its classifier", c.title(flow), x), sub(cl, 3), "the classifier's flow")
			}
		}
	}
}
