package lint

import (
	"slices"

	"dcs/render/ber"
	"dcs/render/tlv"
)

// dropRules are about upstream drop classifiers.
var dropRules = []Rule{
	{
		ID: "drop-form", Severity: Error, Since: V11, Recalled: true, Cite: "dictionary: 60; MULPI C.2.1.2",
		Meaning: "A drop classifier (60) has a flow or a state, which it cannot, or no reference or priority. Modems before 3.0 do not know 60 and 62.",
		Remedy:  "write ClassifierReference and RulePriority, and the criteria",
		check: func(c *check) {
			for _, cl := range c.top(60) {
				for _, code := range []uint8{3, 4, 6} {
					if n := sub(cl, code); n != nil {
						c.report(n, "%s: a drop classifier has no flow and no state", c.title(n)).fix("delete it")
					}
				}
				for _, code := range []uint8{1, 5} {
					if sub(cl, code) == nil {
						c.lacks(cl, "%s has no 60.%d", c.title(cl), code)
					}
				}
			}
			if c.Version != AnyVersion && c.Version < V30 {
				for _, n := range c.top(60, 62) {
					c.report(n, "%s came with DOCSIS 3.0", c.title(n)).fix("use docsDevFilterIpTable for older modems")
				}
			}
		},
	},
	{
		ID: "drop-filters-both", Severity: Warning, Since: V30, Recalled: true, Cite: "RFC 4639: the filter tables are deprecated; the effect is recalled",
		Meaning: "A modem with drop classifiers (60, 62) ignores the IP and LLC filters that the file sets by SNMP (11).",
		Remedy:  "keep one kind",
		check: func(c *check) {
			drops := c.top(60, 62)
			if len(drops) == 0 {
				return
			}
			for _, n := range c.top(11) {
				vb, err := ber.ParseVarbind(n.Value)
				if err == nil && len(vb.OID) > len(devFilter)+1 && slices.Equal(vb.OID[:len(devFilter)], devFilter) && (vb.OID[len(devFilter)] == 2 || vb.OID[len(devFilter)] == 4) {
					c.also(c.report(n, "an IP or LLC filter beside drop classifiers"), drops[0], "a drop classifier")
					return
				}
			}
		},
	},
	{
		ID: "drop-all", Severity: Warning, Since: V30, Cite: "all criteria must match; none matches everything", Recalled: true,
		Meaning: "A drop classifier has no criterion, or matches DHCP, ARP or all of IP: CPEs get no address, or nothing passes.",
		Remedy:  "say what is to be dropped",
		check:   dropAll,
	},
}

// devFilter is docsDevFilter; its LLC table is 2, its IP table 4.
var devFilter = ber.OID{1, 3, 6, 1, 2, 1, 69, 1, 6}

func dropAll(c *check) {
	for _, cl := range c.top(60) {
		switch {
		case len(criteria(cl)) == 0:
			c.lacks(cl, "%s has no criterion: it drops everything upstream", c.title(cl))
		case !c.constant(cl):
		case sub(cl, 10, 3) != nil && len(sub(cl, 10, 3).Value) == 3 && uintOf(sub(cl, 10, 3).Value) == 0x010806:
			c.report(cl, "%s drops ARP", c.title(cl)).fix("let ARP pass")
		case c.dropsIP(cl):
			c.report(cl, "%s drops all of IP", c.title(cl))
		case c.dropsDHCP(cl):
			c.report(cl, "%s drops DHCP requests of CPEs", c.title(cl)).fix("let UDP ports 67 and 68 pass")
		}
	}
}

// dropsIP reports whether a classifier matches all of IPv4.
func (c *check) dropsIP(cl *tlv.Node) bool {
	ip := sub(cl, 9)
	if ip == nil || len(criteria(cl)) != 1 {
		return false
	}
	protocol, ok := c.exact(sub(ip, 2))
	return len(ip.Children) == 1 && ok && protocol == 256
}

// dropsDHCP reports whether a classifier matches UDP to port 67, whatever else is in the packet.
func (c *check) dropsDHCP(cl *tlv.Node) bool {
	ip := sub(cl, 9)
	if ip == nil || len(criteria(cl)) != 1 {
		return false
	}
	protocol, _ := c.exact(sub(ip, 2))
	low, high := c.portRange(ip, 9)
	from, to := c.portRange(ip, 7)
	for _, n := range ip.Children {
		if n.Code != 2 && (n.Code < 7 || n.Code > 10) {
			return false
		}
	}
	return (protocol == 17 || protocol == 257) && low <= 67 && 67 <= high && from <= 68 && 68 <= to
}
