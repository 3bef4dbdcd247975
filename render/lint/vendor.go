package lint

import "dcs/render/tlv"

// vendorRules are about vendor-specific groups.
var vendorRules = []Rule{
	{
		ID: "vendor-first", Severity: Error, In: all, Recalled: true, Cite: "MULPI C.1.1.18",
		Meaning: "A vendor-specific group does not begin with the three octets of VendorIdentifier (8): modems of other makers skip it, and the CMTS may refuse it.",
		Remedy:  "write VendorIdentifier first",
		check: func(c *check) {
			c.walk(func(n *tlv.Node, _ []*tlv.Node) bool {
				if n.Def == nil || n.Def.Kind != tlv.KindVendorGroup || n.Note != "" || len(n.Value) == 0 {
					return true
				}
				switch oui := sub(n, 8); {
				case oui == nil:
					c.lacks(n, "%s has no VendorIdentifier (8)", c.title(n))
				case n.Children[0] != oui:
					c.report(n, "%s: VendorIdentifier (8) must come first", c.title(n))
				case c.constant(oui) && len(oui.Value) != 3:
					c.report(oui, "%s has %d octets, not 3", c.title(oui), len(oui.Value))
				}
				return true
			})
		},
	},
}
