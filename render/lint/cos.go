package lint

import "dcs/render/tlv"

// cosRules are about the class of service of DOCSIS 1.0.
var cosRules = []Rule{
	{
		ID: "cos-class-id", Severity: Error, Cite: "a CMTS says reject(c); dictionary",
		Meaning: "A class of service has no ClassID (4.1), one outside of 1 to 16, or that of another class.",
		Remedy:  "give each ClassOfService a ClassID of its own, 1 to 16",
		check: func(c *check) {
			taken := map[int64]*tlv.Node{}
			for _, n := range c.top(4) {
				k := sub(n, 1)
				if k == nil {
					c.lacks(n, "%s has no ClassID (4.1)", c.title(n))
					continue
				}
				c.judge(c.number(k).outside(1, 16), k, "%s: the id is not within 1 to 16", c.title(k))
				id, ok := c.exact(k)
				if was := taken[id]; ok && was != nil {
					c.also(c.report(k, "%s: %d is another class's", c.title(k), id), was, "taken here")
				} else if ok {
					taken[id] = k
				}
			}
		},
	},
	{
		ID: "cos-guaranteed", Severity: Error, Cite: "SB5100 event I115.1",
		Meaning: "GuaranteedUp (4.5) is over MaxRateUp (4.3): modems cut it to the maximum.",
		Remedy:  "lower GuaranteedUp, or raise MaxRateUp",
		check: func(c *check) {
			for _, n := range c.top(4) {
				least, most := sub(n, 5), c.number(sub(n, 3))
				if least != nil && sub(n, 3) != nil {
					c.judge(c.number(least).over(most).and(most.above(0)), least, "%s is over MaxRateUp", c.title(least))
				}
			}
		},
	},
	{
		ID: "cos-on-3x", Severity: Warning, Since: V30, Recalled: true, Cite: "recollection; modem logs show CM-QOS=1.0 next to CM-VER=3.0",
		Meaning: "With a class of service a modem registers in 1.0 mode: it bonds no channels, and many 3.1 CMTSes refuse it.",
		Remedy:  "use service flows for modems of 1.1 and later",
		check: func(c *check) {
			if c.has(4) {
				c.report(c.tops[4][0], "%s: the modem registers in 1.0 mode", c.title(c.tops[4][0]))
			}
		},
	},
}
