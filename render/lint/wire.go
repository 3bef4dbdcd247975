package lint

import (
	"bytes"
	"fmt"
	"strings"

	"dcs/render/ber"
	"dcs/render/tlv"
)

// wireRules are about TLVs as such: their types, lengths, and the files that they belong in.
var wireRules = []Rule{
	{
		ID: "tlv-truncated", Severity: Error, In: all, Cite: "wire format",
		Meaning: "A TLV, or a sub-TLV within its parent, runs past the end: what follows cannot be read.",
		Remedy:  "fetch the file again, or make it anew",
		check:   truncated,
	},
	{
		ID: "tlv-length", Severity: Error, In: all, Cite: "dictionary; SB5100 events I116.0 and I117.0: the value is set to 0",
		Meaning: "A value of fixed width has another width, or a string does not end as it must: modems take 0 instead, or refuse it.",
		Remedy:  "write the value as the dictionary says",
		check:   lengths,
	},
	{
		ID: "tlv-unknown", Severity: Warning, In: all, Cite: "DOCS-IETF-CABLE-DEVICE-NOTIFICATION-MIB docsDevCmInitTLVUnknownNotif",
		Meaning: "No registry has this type: modems skip it and send docsDevCmInitTLVUnknownNotif.",
		Remedy:  "delete it",
		check: func(c *check) {
			c.walk(func(n *tlv.Node, up []*tlv.Node) bool {
				if n.Def == nil && !ofVendor(up) {
					c.report(n, "unknown %s: modems skip it", c.title(n))
				}
				return true
			})
		},
	},
	{
		ID: "tlv-registration-only", Severity: Warning, Cite: "CableLabs CANN; column scope of the dictionary",
		Meaning: "The TLV belongs in registration and other MAC messages, where modem and CMTS make it, not in a file.",
		Remedy:  "delete it",
		check: func(c *check) {
			c.walk(func(n *tlv.Node, _ []*tlv.Node) bool {
				if n.Def != nil && n.Def.Scope == tlv.ScopeRegistration {
					c.report(n, "%s belongs in registration messages, not in a file", c.title(n))
					return false
				}
				return true
			})
		},
	},
	{
		ID: "tlv-newer", Severity: Warning, Recalled: true, In: all, Cite: "column version of the dictionary",
		Meaning: "The TLV came with a later version than the modem's, which ignores it or refuses the file.",
		Remedy:  "serve it to newer modems only",
		check: func(c *check) {
			if c.Version == AnyVersion {
				return
			}
			c.walk(func(n *tlv.Node, _ []*tlv.Node) bool {
				if n.Def == nil {
					return true
				}
				since, err := ParseVersion(n.Def.Version)
				if err == nil && since > c.Version {
					c.report(n, "%s came with DOCSIS %s; a modem of %s ignores it or refuses the file", c.title(n), since, c.Version)
					return false
				}
				return true
			})
		},
	},
	{
		ID: "tlv-dialect", Severity: Error, Recalled: true, In: all, Cite: "column scope of the dictionary",
		Meaning: "The TLV belongs in another kind of file: that of an MTA, a modem or a portal service.",
		Remedy:  "move it into a file of its own kind",
		check:   strangers,
	},
	{
		ID: "pad-inside", Severity: Warning, Recalled: true, Cite: "MULPI C.1.2.2",
		Meaning: "A pad (0) before the end of data has no length octet: a parser that takes the next octet for one loses its place.",
		Remedy:  "delete the pad",
		check: func(c *check) {
			for _, n := range c.tops[0] {
				c.report(n, "pad (0) before the end of data")
			}
		},
	},
}

// ofVendor reports whether the innermost of the TLVs around one is another maker's than CableLabs, which alone defines its contents.
func ofVendor(up []*tlv.Node) bool {
	for _, n := range up {
		if n.Def != nil && n.Def.Kind == tlv.KindVendorGroup {
			if oui := sub(n, 8); oui == nil || !bytes.Equal(oui.Value, []byte{0xff, 0xff, 0xff}) {
				return true
			}
		}
	}
	return false
}

func truncated(c *check) {
	if c.tree.Err != nil {
		at := 0
		if k := len(c.tree.Nodes); k > 0 {
			last := c.tree.Nodes[k-1]
			at = last.Offset + len(last.Raw)
		}
		c.at(at, "%s", strings.TrimPrefix(c.tree.Err.Error(), fmt.Sprintf("offset %d: ", at)))
	}
	c.walk(func(n *tlv.Node, _ []*tlv.Node) bool {
		if why, cut := strings.CutPrefix(n.Note, "not TLVs: "); cut && c.constant(n) {
			c.reportAs(c.sure(n), n, "%s: %s", c.title(n), why)
		}
		return true
	})
}

// sure returns the rule's severity, or a warning where the dictionary itself has doubts about a TLV.
func (c *check) sure(n *tlv.Node) Severity {
	if n.Def.Note != "" {
		return Warning
	}
	return c.rule.Severity
}

func lengths(c *check) {
	c.walk(func(n *tlv.Node, _ []*tlv.Node) bool {
		d := n.Def
		if d == nil || !c.constant(n) || strings.HasPrefix(n.Note, "not TLVs") {
			return true
		}
		size := len(n.Value)
		switch {
		case d.Kind.Varbind():
			if _, err := ber.ParseVarbind(n.Value); err != nil {
				c.report(n, "%s: not a varbind: %v", c.title(n), err)
			}
		case d.Kind == tlv.KindZString && size > 0 && n.Value[size-1] != 0:
			c.report(n, "%s does not end in NUL", c.title(n))
		case n.Note != "":
			c.report(n, "%s: %s", c.title(n), n.Note)
		case d.Kind != tlv.KindMarker && d.Kind != tlv.KindVendorGroup && (size < d.LenMin || size > d.LenMax) && !(size == 0 && d.Group()):
			want := fmt.Sprintf("%d to %d", d.LenMin, d.LenMax)
			if d.LenMin == d.LenMax {
				want = fmt.Sprint(d.LenMin)
			}
			c.reportAs(c.sure(n), n, "%s has %d octets, not %s", c.title(n), size, want)
		}
		return true
	})
}

func strangers(c *check) {
	for _, n := range c.tree.Nodes {
		switch {
		case n.Def == nil:
		case c.Dialect != tlv.MTA && n.Code == 64 && longVarbind(c.Octets[n.Offset:]):
			c.report(n, "TLV 64 with an SNMP object and a length of two octets belongs in the file of an MTA; use TLV 11")
		case n.Def.Belongs(c.Dialect):
		default:
			c.report(n, "%s does not belong in this kind of file", c.title(n))
		}
	}
}

// longVarbind reports whether b begins with an SNMP object after a length of two octets.
func longVarbind(b []byte) bool {
	if len(b) < 3 {
		return false
	}
	size := int(b[1])<<8 | int(b[2])
	if size > len(b)-3 {
		return false
	}
	_, err := ber.ParseVarbind(b[3 : 3+size])
	return err == nil
}
