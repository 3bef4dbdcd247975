package lint

import (
	"dcs/render/tlv"
)

// classifierRules are about classifiers.
var classifierRules = []Rule{
	{
		ID: "cl-ref", Severity: Error, Since: V11, Recalled: true, Cite: "MULPI C.2.1.4.1; confirmation code 18",
		Meaning: "A classifier has no reference (22.1, 23.1, 60.1), 0, or that of another one of its kind: the CMTS answers duplicate reference (18).",
		Remedy:  "give each classifier a reference of its own, 1 to 255",
		check: func(c *check) {
			all := map[int64]*tlv.Node{}
			for _, code := range []uint8{22, 23, 60} {
				for _, cl := range c.top(code) {
					if ref := sub(cl, 1); ref == nil {
						if code != 60 { // drop-form
							c.lacks(cl, "%s has no reference", c.title(cl))
						}
					} else {
						c.judge(c.number(ref).is(0), ref, "%s is 0", c.title(ref))
					}
				}
				c.unique(c.top(code))
				for _, cl := range c.top(code) {
					ref := sub(cl, 1)
					id, ok := c.exact(ref)
					switch was := all[id]; {
					case !ok:
					case was == nil:
						all[id] = cl
					case was.Code != code:
						c.also(c.reportAs(Warning, ref, "%s %d is also that of a classifier of another kind", c.title(ref), id), sub(was, 1), "used here")
					}
				}
			}
		},
	},
	{
		ID: "cl-flow", Severity: Error, Since: V11, Recalled: true, Cite: "MULPI C.2.1.4.3; confirmation code 201",
		Meaning: "A classifier names no service flow of its direction (22.3, 23.3): the CMTS answers major classifier error (201).",
		Remedy:  "name the reference of a flow of the classifier's direction",
		check:   classifierFlow,
	},
	{
		ID: "cl-empty", Severity: Warning, Since: V11, Recalled: true, Cite: "recollection",
		Meaning: "A classifier has no criterion: some CMTSes take it for all packets, others refuse it.",
		Remedy:  "say what it is for",
		check: func(c *check) {
			for _, cl := range c.top(22, 23) {
				if len(criteria(cl)) == 0 {
					c.lacks(cl, "%s has no criterion", c.title(cl))
				}
			}
		},
	},
	{
		ID: "cl-overlap", Severity: Warning, Since: V11, Recalled: true, Cite: "RFC 4323: the higher priority is first, 0 if absent; their order at equal priority is not defined",
		Meaning: "Two classifiers of one direction have the same priority and match the same packets, for different flows: which one wins is not defined.",
		Remedy:  "give one a higher RulePriority",
		check:   overlap,
	},
	{
		ID: "cl-vlan", Severity: Warning, Since: V11, Cite: "RFC 4323: ids are 1 to 4094; MULPI C.2.1.8.2: the upper 12 bits", Recalled: true,
		Meaning: "VlanID (11.2) has its id in the upper 12 bits, which are 0 or 4095 here; or the lower four are not 0.",
		Remedy:  "multiply the id by 16",
		check: func(c *check) {
			for _, cl := range c.top(22, 23, 60) {
				n := sub(cl, 11, 2)
				x, ok := c.exact(n)
				if !ok {
					continue
				}
				if id := x >> 4; id == 0 || id == 4095 {
					c.report(n, "%s %d is VLAN %d", c.title(n), x, id).fix("write the id times 16")
				} else if x&15 != 0 {
					f := c.report(n, "%s %d is VLAN %d, and sets bits below it", c.title(n), x, id)
					if x <= 4094 {
						f.fix("write VlanID %d; for VLAN %d", x<<4, x)
					}
				}
			}
		},
	},
	{
		ID: "cl-families", Severity: Error, Since: V11, Cite: "DOCS-QOS3-MIB: all rules must match",
		Meaning: "A classifier has criteria of IPv4 (9) and IPv6 (12), or of ICMP (16) and another protocol: no packet matches all. With a modem before 3.0, those of 3.0.",
		Remedy:  "write two classifiers",
		check:   families,
	},
	{
		ID: "cl-ethertype", Severity: Error, Since: V11, Cite: "RFC 4323 docsIetfQosPktClassEnetProtocolType",
		Meaning: "EtherType (10.3) begins with an unknown type, or with DSAP and a number that is none.",
		Remedy:  "begin with 01 for an Ethertype, 02 for a DSAP, 03 for a MAC message, 04 for all",
		check: func(c *check) {
			for _, cl := range c.top(22, 23, 60) {
				n := sub(cl, 10, 3)
				b, ok := c.octets(n)
				if !ok || len(b) != 3 {
					continue
				}
				switch value := uintOf(b[1:]); {
				case b[0] > 4:
					c.report(n, "%s: type %d is none of 0 to 4", c.title(n), b[0])
				case b[0] == 2 && (value > 255 || value == 0xaa):
					c.report(n, "%s: 0x%04x is no DSAP", c.title(n), value)
				}
			}
		},
	},
	{
		ID: "cl-count", Severity: Error, Since: V11, Recalled: true, Cite: "MULPI C.1.1.16",
		Meaning: "The file has more classifiers (22, 23) than MaxClassifiers (28) permits.",
		Remedy:  "raise MaxClassifiers, or write 0 for no limit",
		check: func(c *check) {
			n := first(c.top(28))
			if most, ok := c.exact(n); ok && most != 0 && int64(len(c.tops[22])+len(c.tops[23])) > most {
				c.report(n, "%s %d, but %d are defined", c.title(n), most, len(c.tops[22])+len(c.tops[23]))
			}
		},
	},
}

// criteria returns the criteria of a classifier.
func criteria(cl *tlv.Node) []*tlv.Node {
	var out []*tlv.Node
	for _, n := range cl.Children {
		if n.Code >= 9 && n.Code <= 17 || n.Code == 43 {
			out = append(out, n)
		}
	}
	return out
}

// references returns the references of flows, and whether one of them varies.
func (c *check) references(code uint8) (ids map[int64]*tlv.Node, varies bool) {
	ids = map[int64]*tlv.Node{}
	for _, flow := range c.top(code) {
		id, ok := c.exact(sub(flow, 1))
		if ok {
			ids[id] = sub(flow, 1)
		}
		varies = varies || !ok && sub(flow, 1) != nil
	}
	return ids, varies
}

func classifierFlow(c *check) {
	names := map[uint8]string{24: "upstream", 25: "downstream"}
	for _, code := range []uint8{24, 25} {
		ids, varies := c.references(code)
		others, _ := c.references(49 - code)
		for _, cl := range c.top(code - 2) {
			n := sub(cl, 3)
			if n == nil {
				c.lacks(cl, "%s has no ServiceFlowRef (%d.3)", c.title(cl), cl.Code)
				continue
			}
			id, ok := c.exact(n)
			if !ok || varies || ids[id] != nil {
				continue
			}
			f := c.lacks(n, "%s %d: no %s flow has it", c.title(n), id, names[code])
			if other := others[id]; other != nil {
				c.also(f, other, "it is a flow of the other direction")
			}
		}
	}
}

func families(c *check) {
	for _, cl := range c.top(22, 23, 60) {
		v4, v6, icmp := sub(cl, 9), sub(cl, 12), sub(cl, 16)
		if v4 != nil && v6 != nil {
			c.also(c.report(v6, "%s: IPv4 and IPv6 in one classifier match no packet", c.title(v6)), v4, "the criteria of IPv4")
		}
		if icmp != nil {
			for _, protocol := range []*tlv.Node{sub(v4, 2), sub(v6, 3)} {
				if x, ok := c.exact(protocol); ok && x != 1 && x != 58 && x != 256 {
					c.also(c.report(icmp, "%s: the classifier is for protocol %d, not ICMP", c.title(icmp), x), protocol, "the protocol").fix("write IpProto 1; or PcIPv6NextHeaderType 58;")
				}
			}
		}
		if c.Version != AnyVersion && c.Version < V30 && cl.Code != 60 {
			for _, n := range []*tlv.Node{v6, icmp} {
				if n != nil {
					c.report(n, "%s came with DOCSIS 3.0", c.title(n)).fix("serve this classifier to modems of 3.0 and later")
				}
			}
		}
		if n := sub(cl, 13); n != nil && cl.Code == 23 && c.Dialect != tlv.DPoE {
			c.report(n, "%s: interface masks are for upstream classifiers", c.title(n)).fix("delete it")
		}
	}
}
