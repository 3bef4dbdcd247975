package lint

import "dcs/render/tlv"

// cpeRules are about CPEs and subscriber management.
var cpeRules = []Rule{
	{
		ID: "max-cpe", Severity: Warning, Recalled: true, Cite: "MULPI C.1.1.7",
		Meaning: "MaxCPE (18) 0 allows one CPE, as no MaxCPE does.",
		Remedy:  "write MaxCPE 1; to block the customer, NetworkAccess 0;",
		check: func(c *check) {
			for _, n := range c.top(18) {
				c.judge(c.number(n).is(0), n, "MaxCPE 0 allows one CPE")
			}
			if !c.has(18) && c.tree.Err == nil {
				c.reportAs(Note, nil, "no MaxCPE (18): one CPE is allowed").fix("write MaxCPE 1; to say so")
			}
		},
	},
	{
		ID: "cpe-macs", Severity: Warning, Recalled: true, Cite: "MULPI C.1.2.6",
		Meaning: "More addresses of CPEs (14) than MaxCPE allows, or one that repeats, is zero or is a group's.",
		Remedy:  "raise MaxCPE, or delete the address",
		check:   cpeMACs,
	},
	{
		ID: "submgt-inactive", Severity: Warning, Since: V11, Cite: "RFC 4036, DOCS-SUBMGT3-MIB: meaningful only if active; the bit's place is recalled",
		Meaning: "Without the active bit of SubMgmtControl (35) the CMTS applies none of subscriber management, unless its own default is on.",
		Remedy:  "write SubMgmtControl 0x001003; for 16 CPEs, active and learnable",
		check: func(c *check) {
			used := c.top(36, 37, 61, 63, 67)
			if len(used) == 0 {
				return
			}
			switch m := c.subMgmt(); {
			case m == nil:
				c.lacks(used[0], "%s without SubMgmtControl (35) does nothing", c.title(used[0]))
			case m.known && !m.active:
				c.also(c.report(used[0], "%s does nothing: SubMgmtControl is not active", c.title(used[0])), m.node, "its bit 0 is 0 here")
			}
		},
	},
	{
		ID: "submgt-zero", Severity: Error, Since: V11, Cite: "RFC 4036, DOCS-SUBMGT3-MIB",
		Meaning: "Subscriber management is active with no room for a CPE: all of their packets are dropped.",
		Remedy:  "raise the maximum, or list the CPEs",
		check: func(c *check) {
			m := c.subMgmt()
			if m == nil || !m.known || !m.active {
				return
			}
			if m.most == 0 && !c.has(36) {
				c.report(m.node, "%s: active with a maximum of 0", c.title(m.node))
			}
			for _, n := range c.top(63) {
				if !c.has(61, 67) {
					c.judge(c.number(n).is(0), n, "%s: active with a maximum of 0 for IPv6", c.title(n))
				}
			}
		},
	},
	{
		ID: "submgt-filters", Severity: Error, Since: V11, Recalled: true, Cite: "DOCS-SUBMGT3-MIB; RFC 4036 allows groups up to 65,535",
		Meaning: "SubMgmtFilters (37) is 4, 6, 8 or 10 groups of two octets: CPE down and up, CM down and up, then PS, MTA and STB. Groups end at 1024.",
		Remedy:  "write four groups, such as SubMgmtFilters 1,2,0,0;",
		check: func(c *check) {
			for _, n := range c.top(37) {
				if size := len(n.Value); size < 8 || size > 20 || size%4 != 0 {
					c.report(n, "%s has %d octets, not 8, 12, 16 or 20", c.title(n), size)
					continue
				}
				for b := n.Value; c.constant(n) && len(b) >= 2; b = b[2:] {
					if group := uintOf(b[:2]); group > 1024 {
						c.reportAs(Warning, n, "%s: %d is no filter group, which end at 1024", c.title(n), group)
						break
					}
				}
			}
		},
	},
	{
		ID: "submgt-max", Severity: Note, Since: V11, Cite: "RFC 4036, DOCS-SUBMGT3-MIB",
		Meaning: "The maximum of SubMgmtControl (35) is less than the CPEs that are listed, to which the CMTS raises it; or reserved bits are set.",
		Remedy:  "write the number that is meant, and zeros in reserved bits",
		check: func(c *check) {
			m := c.subMgmt()
			if m == nil || !m.known {
				return
			}
			for _, n := range c.top(36) {
				if entries := len(n.Value) / 4; int64(entries) > m.most {
					c.also(c.report(n, "%d addresses, and SubMgmtControl allows %d: the CMTS raises it", entries, m.most), m.node, "allowed here")
				}
			}
			if b := m.node.Value; b[0]&^3 != 0 || b[2]&^3 != 0 {
				c.report(m.node, "%s: reserved bits are set", c.title(m.node))
			}
		},
	},
	{
		ID: "submgt-vs-maxcpe", Severity: Note, Since: V11, Recalled: true, Cite: "RFC 4036; MULPI C.1.1.7",
		Meaning: "MaxCPE (18) binds the modem, by MAC addresses; the maximum of SubMgmtControl (35) binds the CMTS, by IP addresses. They differ.",
		Remedy:  "make them equal, unless CPEs have several addresses",
		check: func(c *check) {
			m := c.subMgmt()
			if m == nil || !m.known || !c.has(18) {
				return
			}
			if most, ok := c.exact(c.tops[18][0]); ok && most != m.most {
				c.also(c.report(m.node, "SubMgmtControl allows %d CPEs, MaxCPE %d", m.most, most), c.tops[18][0], "MaxCPE is here")
			}
		},
	},
}

// subMgmt is what SubMgmtControl (35) says.
type subMgmt struct {
	node   *tlv.Node
	known  bool  // it is the same for every request, and has three octets
	most   int64 // CPEs
	active bool
}

// subMgmt returns nil if the file has no SubMgmtControl.
func (c *check) subMgmt() *subMgmt {
	if !c.has(35) {
		return nil
	}
	m := &subMgmt{node: c.tops[35][0]}
	if b, ok := c.octets(m.node); ok && len(b) == 3 {
		m.known, m.most, m.active = true, int64(b[0]&3)<<8|int64(b[1]), b[2]&1 != 0
	}
	return m
}

func cpeMACs(c *check) {
	list := c.top(14)
	if most, ok := c.exact(first(c.top(18))); ok && int64(len(list)) > max(most, 1) {
		c.also(c.report(list[max(most, 0)], "%d addresses of CPEs, and MaxCPE %d", len(list), most), c.tops[18][0], "MaxCPE is here")
	}
	seen := map[[6]byte]*tlv.Node{}
	for _, n := range list {
		b, ok := c.octets(n)
		if !ok || len(b) != 6 {
			continue
		}
		switch {
		case [6]byte(b) == [6]byte{}:
			c.report(n, "%s: the address is zero", c.title(n))
		case b[0]&1 != 0:
			c.report(n, "%s: the address is a group's", c.title(n))
		}
		if was := seen[[6]byte(b)]; was != nil {
			c.also(c.report(n, "%s: the address stands twice", c.title(n)), was, "first here")
		} else {
			seen[[6]byte(b)] = n
		}
	}
}

// first returns the first of some TLVs; nil: there is none.
func first(list []*tlv.Node) *tlv.Node {
	if len(list) == 0 {
		return nil
	}
	return list[0]
}
