package lint

import "dcs/render/tlv"

// l2vpnRules are about layer 2 VPNs (43.5).
var l2vpnRules = []Rule{{
	ID: "l2vpn", Severity: Error, Recalled: true, Cite: "DOCS-L2VPN-MIB; L2VPN B.3",
	Meaning: "An L2VPNEncoding (43.5) has no VPNIdentifier, or a flow or a classifier names a VPN that none at the top defines, or the encapsulation is not exactly one, or the VLAN is 0 or over 4094. An identifier of more than 16 octets is a warning.",
	Remedy:  "define the VPN in a VendorSpecific at the top, with one NSIEncapsulation",
	check:   l2vpn,
}}

// vpns returns the L2VPNEncodings within a TLV, or among the top-level ones if it is nil.
func (c *check) vpns(n *tlv.Node) (list []*tlv.Node) {
	groups := c.top(43)
	if n != nil {
		groups = subs(n, 43)
	}
	for _, g := range groups {
		for _, k := range subs(g, 5) {
			if k.Def != nil && k.Def.Name == "L2VPNEncoding" {
				list = append(list, k)
			}
		}
	}
	return list
}

func l2vpn(c *check) {
	defined, known := map[string]bool{}, true
	for _, n := range c.vpns(nil) {
		id, ok := c.octets(sub(n, 1))
		defined[string(id)] = true
		known = known && (ok || sub(n, 1) == nil)
		c.vpn(n)
		if e := sub(n, 2); e != nil {
			c.encapsulation(e)
		}
	}
	for _, n := range c.top(22, 23, 24, 25) {
		for _, v := range c.vpns(n) {
			c.vpn(v)
			if id, ok := c.octets(sub(v, 1)); ok && known && !c.Partial && !defined[string(id)] {
				c.report(sub(v, 1), "no L2VPN %q is defined at the top", id)
			}
		}
	}
}

func (c *check) vpn(n *tlv.Node) {
	id := sub(n, 1)
	if id == nil {
		c.lacks(n, "%s has no VPNIdentifier (1)", c.title(n))
	} else if c.constant(id) && len(id.Value) > 16 {
		c.reportAs(Warning, id, "%s has %d octets: modems need not take more than 16", c.title(id), len(id.Value)).fix("shorten it")
	}
}

// encapsulation judges an NSIEncapsulation (43.5.2).
func (c *check) encapsulation(n *tlv.Node) {
	kinds := 0
	for _, k := range n.Children {
		if k.Code >= 2 && k.Code <= 6 {
			kinds++
		}
		if k.Code != 2 && k.Code != 3 || !c.constant(k) {
			continue
		}
		for b := k.Value; len(b) >= 2; b = b[2:] {
			if vlan := uintOf(b[:2]) & 0xfff; vlan == 0 || vlan == 0xfff {
				c.report(k, "%s: %d is no VLAN, which are 1 to 4094", c.title(k), vlan).fix("write the number of the VLAN")
				break
			}
		}
	}
	if kinds > 1 || kinds == 0 && sub(n, 1) == nil { // 1 is any other
		c.lacks(n, "%s has %d encapsulations, not one", c.title(n), kinds)
	}
}
