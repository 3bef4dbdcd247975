package lint

import (
	"slices"
	"strconv"
	"strings"

	"dcs/render/tlv"
)

// extendedMICRules are about the extended CMTS MIC.
var extendedMICRules = []Rule{{
	ID: "ext-mic", Severity: Error, Since: V30, Recalled: true, Cite: "MULPI C.1.1.18.1.6",
	Meaning: "The parameters of the extended CMTS MIC (43.6) share their VendorSpecific with others, or lack the digest's type or the bitmap of the TLVs under it, or CMTSes do not know the type. A TLV of registration that is not in the bitmap is a warning: a subscriber can change it.",
	Remedy:  "put them into a VendorSpecific of their own, with VendorIdentifier 0xffffff alone, type 1 (HMAC-MD5) and all TLVs that the CMTS grants",
	check: func(c *check) {
		for _, n := range c.top(43) {
			k := sub(n, 6)
			if k == nil || k.Def == nil {
				continue
			}
			if sub(n, 8) != nil && len(n.Children) != 2 {
				c.report(k, "%s must be in a VendorSpecific of its own, with VendorIdentifier alone", c.title(k))
			}
			c.extendedMIC(k)
		}
	},
}}

func (c *check) extendedMIC(n *tlv.Node) {
	kind, bitmap := sub(n, 1), sub(n, 2)
	switch x, ok := c.exact(kind); {
	case kind == nil:
		c.lacks(n, "%s has no ExtendedCMTSMICHMACDigestType (1)", c.title(n))
	case ok && x != 1:
		c.report(kind, "%s is %d: CMTSes know 1, HMAC-MD5", c.title(kind), x).fix("write ExtendedCMTSMICHMACDigestType 1;")
	}
	if bitmap == nil {
		c.lacks(n, "%s has no ExtendedCMTSMICHMACBitmap (2)", c.title(n))
		return
	}
	bits, ok := c.octets(bitmap)
	if !ok || len(bits) == 0 {
		return
	}
	under := func(code uint8) bool { return int(code/8) < len(bits) && bits[code/8]&(0x80>>(code%8)) != 0 }
	if under(0) {
		c.report(bitmap, "%s: bit 0 is set, and TLV 0 is a pad", c.title(bitmap)).fix("bit n of the bitmap, from the left, is TLV n")
	}
	if under(7) {
		c.reportAs(Warning, bitmap, "%s: bit 7 is set, and TLV 7 is the MIC itself", c.title(bitmap)).fix("bit n of the bitmap, from the left, is TLV n")
	}
	var left []string
	for _, t := range c.tree.Nodes {
		if code := strconv.Itoa(int(t.Code)); registered(t) && t.Code != 6 && t.Code != 7 && !under(t.Code) && !slices.Contains(left, code) {
			left = append(left, code)
		}
	}
	if len(left) > 0 {
		c.reportAs(Warning, bitmap, "%s leaves out TLV %s: a subscriber can change them", c.title(bitmap), strings.Join(left, ", ")).fix("set their bits; bit n, from the left, is TLV n")
	}
}
