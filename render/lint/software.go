package lint

import (
	"slices"

	"dcs/render/ber"
)

// swAdminStatus is docsDevSwAdminStatus.0 (RFC 4639).
var swAdminStatus = ber.OID{1, 3, 6, 1, 2, 1, 69, 1, 3, 3, 0}

// softwareRules are about upgrades of a modem's software; those about certificates are elsewhere.
var softwareRules = []Rule{
	{
		ID: "sw-pair", Severity: Warning, Recalled: true, Cite: "MULPI C.1.2.3, C.1.2.7",
		Meaning: "A server without a file name, or an empty name, upgrades nothing. A name without a server is fetched from the server of the file itself, which is a note.",
		Remedy:  "add SwUpgradeFilename",
		check: func(c *check) {
			names, servers := c.top(9), c.top(21, 58)
			switch {
			case len(names) == 0 && len(servers) > 0:
				c.lacks(servers[0], "%s without SwUpgradeFilename (9) upgrades nothing", c.title(servers[0]))
			case len(names) > 0 && len(servers) == 0:
				c.lacksAs(Note, names[0], "no SwUpgradeServer (21, 58): the image comes from the server of this file").fix("add SwUpgradeServer if it is on another one")
			}
			for _, n := range names {
				if len(n.Value) == 0 && c.constant(n) {
					c.report(n, "%s is empty: nothing is upgraded", c.title(n)).fix("write the name of an image, or delete it")
				}
			}
		},
	},
	{
		ID: "sw-no-cvc", Severity: Warning, Since: V11, Recalled: true, Cite: "RFC 4131, docsBpi2CodeDownloadStatusCode",
		Meaning: "Since 1.1 a modem takes an image only if the file carries a code verification certificate of its maker.",
		Remedy:  "add ManufacturerCVC (32), or ManufacturerCVCChain (81) for 3.1",
		check: func(c *check) {
			if c.has(9) && !c.has(32, 33, 81, 82) {
				c.lacks(c.tops[9][0], "%s without a certificate: the modem takes no image", c.title(c.tops[9][0]))
			}
		},
	},
	{
		ID: "sw-name", Severity: Warning, Cite: "RFC 4639, docsDevSwFilename",
		Meaning: "The name of the image has more than the 64 characters of docsDevSwFilename, or control characters.",
		Remedy:  "shorten the name",
		check: func(c *check) {
			for _, n := range c.top(9) {
				size := interval{int64(len(n.Value)), int64(len(n.Value)), true}
				for _, s := range c.slots(n) {
					size = interval{size.min + int64(s.MinLen-s.Len), size.max + int64(s.MaxLen-s.Len), size.bounded && s.Bounded}
				}
				c.judge(size.above(64), n, "%s has up to %d characters; 64 fit docsDevSwFilename", c.title(n), size.max)
				if b, ok := c.octets(n); ok && slices.ContainsFunc(b, func(x byte) bool { return x < ' ' || x == 0x7f }) {
					c.report(n, "%s has a control character", c.title(n)).fix("write the name alone")
				}
			}
		},
	},
	{
		ID: "sw-ignored", Severity: Warning, Cite: "RFC 4639, docsDevSwAdminStatus",
		Meaning: "docsDevSwAdminStatus ignoreProvisioningUpgrade(3) cancels SwUpgradeFilename, and upgradeFromMgt(1) starts a download at every boot.",
		Remedy:  "delete the object, or set allowProvisioningUpgrade(2)",
		check: func(c *check) {
			for _, n := range c.top(11) {
				vb, err := ber.ParseVarbind(n.Value)
				if err != nil || !c.has(9) || !c.constant(n) || vb.Tag != ber.Integer || !slices.Equal(vb.OID, swAdminStatus) {
					continue
				}
				if x := uintOf(vb.Value); len(vb.Value) > 0 && (x == 1 || x == 3) {
					c.also(c.report(n, "docsDevSwAdminStatus %d beside SwUpgradeFilename", x), c.tops[9][0], "the name is here")
				}
			}
		},
	},
}
