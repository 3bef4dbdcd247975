package lint

import "dcs/render/tlv"

// flowRules are about service flows: references, sets of parameters, directions, masks.
var flowRules = []Rule{
	{
		ID: "sf-ref", Severity: Error, Since: V11, Recalled: true, Cite: "MULPI C.2.2.5.1",
		Meaning: "A service flow has no reference (24.1, 25.1), or 0: classifiers and the CMTS cannot name it.",
		Remedy:  "add UsServiceFlowRef or DsServiceFlowRef, 1 to 65535",
		check: func(c *check) {
			for _, flow := range c.top(24, 25) {
				if ref := sub(flow, 1); ref == nil {
					c.lacks(flow, "%s has no reference", c.title(flow))
				} else {
					c.judge(c.number(ref).is(0), ref, "%s is 0", c.title(ref))
				}
			}
		},
	},
	{
		ID: "sf-ref-dup", Severity: Error, Since: V11, Recalled: true, Cite: "MULPI C.2.2.5.1; confirmation code 18",
		Meaning: "Two service flows of one direction have the same reference: the CMTS answers duplicate reference (18). Across directions, which is a note, it is mostly tolerated.",
		Remedy:  "give each service flow a reference of its own",
		check: func(c *check) {
			up, down := c.unique(c.top(24)), c.unique(c.top(25))
			for _, flow := range c.top(25) {
				id, ok := c.exact(sub(flow, 1))
				if ref := sub(flow, 1); ok && down[id] == ref && up[id] != nil {
					c.also(c.reportAs(Note, ref, "%s %d is also that of an upstream flow", c.title(ref), id), up[id], "used here")
				}
			}
		},
	},
	{
		ID: "sf-set-type-missing", Severity: Error, Since: V11, Recalled: true, Cite: "MULPI C.2.2.5.5",
		Meaning: "A service flow has no QosParamSetType (24.6, 25.6): it is never activated, even with a class name.",
		Remedy:  "write QosParamSetType 7;",
		check: func(c *check) {
			for _, flow := range c.top(24, 25) {
				if sub(flow, 6) == nil {
					c.lacks(flow, "%s has no QosParamSetType (%d.6): it is never activated", c.title(flow), flow.Code)
				}
			}
		},
	},
	{
		ID: "sf-set-type-value", Severity: Error, Since: V11, Cite: "RFC 4323 docsIetfQosParamSetType; Wireshark's dissector: 1 to 7",
		Meaning: "QosParamSetType (24.6, 25.6) is no parameter set: bit 0 is provisioned, bit 1 admitted, bit 2 active.",
		Remedy:  "write QosParamSetType 7;, which is all three",
		check: func(c *check) {
			for _, flow := range c.top(24, 25) {
				if n := sub(flow, 6); n != nil {
					c.judge(c.number(n).outside(1, 7), n, "%s is no parameter set", c.title(n))
				}
			}
		},
	},
	{
		ID: "sf-set-type-subset", Severity: Warning, Since: V11, Recalled: true, Cite: "MULPI C.2.2.5.5",
		Meaning: "QosParamSetType (24.6, 25.6) is 2, 4, 5 or 6: it activates what was not admitted, or admits what was not provisioned.",
		Remedy:  "write 7, or 1 or 3 for a flow that a call manager activates",
		check: func(c *check) {
			for _, flow := range c.top(24, 25) {
				n := sub(flow, 6)
				if x, ok := c.exact(n); ok && (x == 2 || x >= 4 && x <= 6) {
					c.report(n, "%s %d: an active set must be admitted, an admitted one provisioned", c.title(n), x)
				}
			}
		},
	},
	{
		ID: "sf-primary-inactive", Severity: Error, Since: V11, Recalled: true, Cite: "RFC 4323 docsIetfQosServiceFlowPrimary; confirmation code 205",
		Meaning: "The first service flow of a direction is its primary one, which carries MAC messages and whatever no classifier takes: it must be active, or the CMTS answers primary service flow error (205).",
		Remedy:  "write QosParamSetType 7;, or put an active flow first",
		check: func(c *check) {
			for _, code := range []uint8{24, 25} {
				if !c.has(code) {
					continue
				}
				n := sub(c.tops[code][0], 6)
				if x, ok := c.exact(n); ok && x >= 1 && x <= 6 {
					c.report(n, "%s %d: the first flow of a direction is its primary one, and must be active", c.title(n), x)
				}
			}
		},
	},
	{
		ID: "sf-primary-kind", Severity: Warning, Since: V11, Recalled: true, Cite: "recollection of MULPI 7",
		Meaning: "The first upstream service flow, the primary one, is not best effort, requires channel attributes, or has a classifier.",
		Remedy:  "put a best effort flow without classifiers first",
		check:   primaryKind,
	},
	{
		ID: "sf-one-direction", Severity: Error, Since: V11, Recalled: true, Cite: "MULPI 7, D.2",
		Meaning: "The file has service flows of one direction only.",
		Remedy:  "add a flow of the other direction",
		check: func(c *check) {
			switch {
			case c.has(24) && !c.has(25):
				c.lacks(c.tops[24][0], "there is no downstream flow (25)")
			case c.has(25) && !c.has(24):
				c.lacks(c.tops[25][0], "there is no upstream flow (24)")
			}
		},
	},
	{
		ID: "sf-wrong-direction", Severity: Error, Since: V11, In: []tlv.Dialect{tlv.CM}, Cite: "dictionary; RFC 4323",
		Meaning: "A downstream service flow has a parameter of scheduling, which only upstream flows have.",
		Remedy:  "delete it",
		check: func(c *check) {
			for _, flow := range c.top(25) {
				for _, n := range flow.Children {
					switch n.Code {
					case 15, 16, 18, 19, 20, 21, 22, 26, 44, 45, 46, 48, 49:
						c.report(n, "25.%d does not exist: %s is upstream only", n.Code, parameter(n.Code))
					}
				}
			}
		},
	},
	{
		ID: "tos-ecn", Severity: Warning, Since: V11, Cite: "RFC 4323 docsIetfQosParamSetTosAndMask, TosOrMask; RFC 3168",
		Meaning: "IpTosOverwrite (24.23, 25.23) changes the low two bits, which are marks of congestion (ECN) that L4S needs.",
		Remedy:  "set the low two bits of the first octet, clear those of the second: 0x03b8 marks EF",
		check: func(c *check) {
			for _, flow := range c.top(24, 25) {
				n := sub(flow, 23)
				if b, ok := c.octets(n); ok && len(b) == 2 && (b[0]&3 != 3 || b[1]&3 != 0) {
					c.report(n, "%s overwrites ECN marks", c.title(n)).fix("write IpTosOverwrite 0x%02x%02x;", b[0]|3, b[1]&^3)
				}
			}
		},
	},
	{
		ID: "attr-masks", Severity: Error, Since: V30, Cite: "DOCS-QOS3-MIB; a channel cannot have and lack an attribute", Recalled: true,
		Meaning: "An attribute is required and forbidden at once: no channel fits.",
		Remedy:  "remove the bit from one of the masks",
		check: func(c *check) {
			for _, flow := range c.top(24, 25) {
				c.masks(sub(flow, 31), sub(flow, 32))
			}
			for _, n := range c.top(43) {
				if masks := sub(n, 9); masks != nil {
					c.masks(sub(masks, 1), sub(masks, 2))
					c.masks(sub(masks, 3), sub(masks, 4))
				}
			}
		},
	},
}

// unique reports service flows or classifiers whose reference an earlier one has, and returns the first TLV of each.
func (c *check) unique(groups []*tlv.Node) map[int64]*tlv.Node {
	taken := map[int64]*tlv.Node{}
	for _, g := range groups {
		ref := sub(g, 1)
		id, ok := c.exact(ref)
		if was := taken[id]; ok && was != nil {
			c.also(c.report(ref, "%s %d is taken", c.title(ref), id), was, "taken here")
		} else if ok {
			taken[id] = ref
		}
	}
	return taken
}

func primaryKind(c *check) {
	if !c.has(24) {
		return
	}
	flow := c.tops[24][0]
	if n := sub(flow, 15); n != nil {
		if x, ok := c.exact(n); ok && x != 2 {
			c.report(n, "%s %d: the first upstream flow should be best effort (2)", c.title(n), x)
		}
	}
	if n := sub(flow, 31); n != nil {
		if b, ok := c.octets(n); ok && uintOf(b) != 0 {
			c.report(n, "%s: the first upstream flow should take any channel", c.title(n))
		}
	}
	id, ok := c.exact(sub(flow, 1))
	for _, cl := range c.top(22) {
		if to, known := c.exact(sub(cl, 3)); ok && known && to == id {
			c.also(c.report(sub(cl, 3), "a classifier of the first upstream flow, which takes the rest anyway"), flow, "the flow is here")
			return
		}
	}
}

// masks reports bits that two masks of attributes have in common.
func (c *check) masks(required, forbidden *tlv.Node) {
	a, ok := c.octets(required)
	b, known := c.octets(forbidden)
	if ok && known && len(a) == 4 && len(b) == 4 {
		if both := uintOf(a) & uintOf(b); both != 0 {
			c.also(c.report(forbidden, "%s: attributes 0x%08x are required, too", c.title(forbidden), both), required, "required here")
		}
	}
}
