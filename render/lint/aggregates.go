package lint

import "dcs/render/tlv"

// aggregateOf is what separates the types of service flows from those of their aggregates: 24 and 70, 25 and 71.
const aggregateOf = 70 - 24

// aggregateRules are about aggregate service flows, low latency, and active queue management.
var aggregateRules = []Rule{
	{
		ID: "asf-dangling", Severity: Error, Since: V30, Recalled: true, Cite: "dictionary: 24.36, 70.1",
		Meaning: "A service flow refers to an aggregate (70, 71) that the file does not have, two aggregates have one reference, or an aggregate has no member.",
		Remedy:  "correct the reference",
		check:   dangling,
	},
	{
		ID: "lld-members", Severity: Error, Since: V31, Recalled: true, Cite: "ns-3 docsis: two members, weight 1 to 255, shaping on the aggregate; the rest is recalled",
		Meaning: "A low latency aggregate (70.42, 71.42) does not have exactly a classic and a low latency member, or the primary flow is its low latency one.",
		Remedy:  "name one of the two members in LowLatencyServiceFlowReference",
		check:   lowLatency,
	},
	{
		ID: "aqm-moot", Severity: Warning, Since: V30, Recalled: true, Cite: "ns-3 docsis: the latency target is that of PIE; MULPI C.2.2.7.12",
		Meaning: "A parameter of active queue management (40) has no effect, or is out of the useful range.",
		Remedy:  "delete it",
		check:   moot,
	},
}

func dangling(c *check) {
	for _, code := range []uint8{24, 25} {
		aggregates := c.unique(c.top(code + aggregateOf))
		members := map[int64]bool{}
		open := false // a reference that varies may be to any
		for _, flow := range c.top(code) {
			n := sub(flow, 36)
			id, ok := c.exact(n)
			if open = open || n != nil && !ok; !ok {
				continue
			}
			if members[id] = true; aggregates[id] == nil {
				c.lacks(n, "%s %d: no aggregate (%d) has this reference", c.title(n), id, code+aggregateOf)
			}
		}
		for _, a := range c.top(code + aggregateOf) {
			id, ok := c.exact(sub(a, 1))
			switch {
			case sub(a, 1) == nil:
				c.lacks(a, "%s has no reference", c.title(a))
			case ok && !open && !members[id] && sub(a, 38) == nil && sub(a, 42) == nil:
				c.lacks(a, "%s has no member", c.title(a))
			}
		}
	}
}

func lowLatency(c *check) {
	for _, code := range []uint8{24, 25} {
		both := hasLowLatency(c.top(49 - code + aggregateOf))
		members, known := c.members(code)
		for _, a := range c.top(code + aggregateOf) {
			ll := sub(a, 42)
			if ll == nil {
				continue
			}
			if n := sub(ll, 6); n != nil {
				c.judge(c.number(n).is(0), n, "%s 0: weights are 1 to 255", c.title(n)).fix("write a weight of 1 to 255")
			}
			if off, ok := c.exact(first(c.top(91))); ok && off == 1 {
				c.reportAs(Warning, ll, "%s: LowLatencyDisable (91) is 1", c.title(ll)).fix("delete LowLatencyDisable")
			}
			if !both {
				c.lacksAs(Warning, ll, "%s: low latency in one direction only", c.title(ll)).fix("add one for the other direction")
			}
			if id, ok := c.exact(sub(a, 1)); ok && known {
				c.lowLatencyMembers(code, a, sub(ll, 1), members[id])
				delete(members, id) // another aggregate of this reference is an error of its own
			}
		}
	}
}

// members returns the service flows of one direction by the reference of their aggregate; ok is false if one of these varies.
func (c *check) members(code uint8) (by map[int64][]*tlv.Node, ok bool) {
	by = map[int64][]*tlv.Node{}
	for _, flow := range c.top(code) {
		if to, ok := c.exact(sub(flow, 36)); ok {
			by[to] = append(by[to], flow)
		} else if sub(flow, 36) != nil {
			return nil, false
		}
	}
	return by, true
}

// lowLatencyMembers judges the members of a low latency aggregate; ref names its low latency flow.
func (c *check) lowLatencyMembers(code uint8, a, ref *tlv.Node, members []*tlv.Node) {
	if len(members) > 2 {
		c.report(a, "%s has %d members; a low latency aggregate has two", c.title(a), len(members)).fix("leave a classic and a low latency flow")
	}
	for _, flow := range members {
		if n := sub(flow, 8); n != nil && sub(a, 8) != nil && c.number(n).above(0) == always {
			c.also(c.reportAs(Warning, n, "%s: the aggregate shapes its members", c.title(n)), sub(a, 8), "the aggregate's rate").fix("delete the member's rate")
		}
	}
	low, ok := c.exact(ref)
	if !ok {
		return
	}
	for _, flow := range members {
		if x, ok := c.exact(sub(flow, 1)); ok && x == low {
			if flow == c.tops[code][0] {
				c.report(ref, "%s %d is the primary flow, which must be the classic one", c.title(ref), low).fix("put the classic flow first")
			}
			return
		}
	}
	if len(members) > 0 {
		c.lacks(ref, "%s %d is no member of the aggregate", c.title(ref), low)
	}
}

func hasLowLatency(aggregates []*tlv.Node) bool {
	for _, a := range aggregates {
		if sub(a, 42) != nil {
			return true
		}
	}
	return false
}

func moot(c *check) {
	disabled, _ := c.exact(first(c.top(76)))
	for _, flow := range c.top(24, 25) {
		g := sub(flow, 40)
		if g == nil {
			continue
		}
		if disabled == 1 && flow.Code == 24 {
			c.also(c.report(g, "%s: active queue management is disabled for the modem", c.title(g)), c.tops[76][0], "disabled here")
		}
		off, _ := c.exact(sub(g, 1))
		algorithm, known := c.exact(sub(g, 3))
		for code := uint8(2); code <= 5; code++ {
			n := sub(g, code)
			switch {
			case n == nil:
			case off == 1:
				c.report(n, "%s beside SFAQMDisable 1", c.title(n))
			case code >= 4 && (sub(g, 3) == nil || known && algorithm != 2):
				c.report(n, "%s belongs to the immediate algorithm, AQMAlgorithm 2", c.title(n))
			case code == 2 && algorithm == 2:
				c.report(n, "%s belongs to PIE, and the flow uses the immediate algorithm", c.title(n))
			case code == 2:
				c.judge(c.number(n).outside(1, 100), n, "%s is not within 1 to 100 ms", c.title(n)).fix("use 10 ms, or delete it")
			}
		}
	}
}
