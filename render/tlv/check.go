package tlv

import (
	"fmt"
	"strings"

	"dcs/render/ber"
)

// Check returns what a file may hold but its owner should know of, in the order of the
// file. What lacks altogether comes last.
func Check(t *Tree) []Warning {
	c := checker{dialect: t.Dialect, refs: map[[2]string]int{}}
	c.list(t.Nodes, Root(t.Dialect))
	if t.Dialect == CM || t.Dialect == DPoE {
		if c.seen[3] == 0 {
			c.warn(0, "NetworkAccess (3) is missing; a modem's file should have it")
		}
		if c.seen[4] > 0 && c.seen[24]+c.seen[25] > 0 {
			c.warn(c.first[4], "ClassOfService (4) does not go together with service flows (24, 25)")
		}
	}
	return c.out
}

type checker struct {
	dialect Dialect
	out     []Warning
	seen    [256]int // top-level TLVs, how many
	first   [256]int // their offsets
	refs    map[[2]string]int
}

func (c *checker) warn(offset int, format string, args ...any) {
	c.out = append(c.out, Warning{offset, fmt.Sprintf(format, args...)})
}

func (c *checker) list(list []*Node, parent *Def) {
	for _, n := range list {
		if parent.IsRoot() {
			if c.seen[n.Code] == 0 {
				c.first[n.Code] = n.Offset
			}
			c.seen[n.Code]++
		}
		c.node(n, parent)
	}
}

func (c *checker) node(n *Node, parent *Def) {
	d := n.Def
	if d == nil {
		if parent.IsRoot() {
			c.warn(n.Offset, "no TLV %d is known", n.Code)
		}
		return
	}
	if parent.IsRoot() && !d.Belongs(c.dialect) {
		c.warn(n.Offset, "%s does not belong in this sort of file", d.Title())
	}
	switch {
	case d.Scope == ScopeRegistration && parent.Scope != ScopeRegistration:
		c.warn(n.Offset, "%s belongs in registration messages, not in a file", d.Title())
	case n.Note != "":
		c.warn(n.Offset, "%s: %s", d.Title(), n.Note)
	}
	switch d.Kind {
	case KindZString:
		if k := len(n.Value); d.Max == 16 && k == 17 {
			c.warn(n.Offset, "%s has 16 characters: the specification allows 15, some modems refuse more", d.Title())
		} else if k == 0 || n.Value[k-1] != 0 {
			c.warn(n.Offset, "%s does not end in NUL", d.Title())
		}
	case KindVendorGroup:
		c.vendor(n)
	case KindVarbind, KindVarbindLen16:
		if _, err := ber.ParseVarbind(n.Value); err != nil {
			c.warn(n.Offset, "%s: no varbind: %v", d.Title(), err)
		}
	case KindUint8, KindUint16, KindUint24, KindUint32:
		if v := uintValue(n.Value).Num; n.Note == "" && d.Limited && (v < uint64(d.Min) || v > uint64(d.Max)) {
			c.warn(n.Offset, "%s: %d is out of range, %s", d.Title(), v, d.limits())
		}
	case KindGroup:
		if size := len(n.Value); n.Note == "" && (size < d.LenMin || size > d.LenMax) {
			c.warn(n.Offset, "%s has %s, not %s", d.Title(), count(size, "octet"), d.octets())
		}
	}
	if n.Code == 1 && (parent.Code == 24 || parent.Code == 25) && parent.Parent().IsRoot() {
		key := [2]string{parent.Name, string(n.Value)}
		if at, dup := c.refs[key]; dup {
			c.warn(n.Offset, "%s %d is taken by the one at offset %d", d.Name, uintValue(n.Value).Num, at)
		} else {
			c.refs[key] = n.Offset
		}
	}
	c.list(n.Children, d)
}

// Belongs reports whether a top-level TLV may stand in a file of the dialect.
func (d *Def) Belongs(in Dialect) bool {
	switch in {
	case MTA:
		return strings.HasPrefix(d.Path, "mta:") || d.Scope == ScopeMTA
	case PS:
		return strings.HasPrefix(d.Path, "ps:")
	}
	return d.Scope != ScopeMTA
}

func (c *checker) vendor(n *Node) {
	if n.Note != "" {
		return
	}
	at := -1
	for i, k := range n.Children {
		if k.Code == 8 {
			at = i
			break
		}
	}
	switch {
	case at < 0:
		c.warn(n.Offset, "%s has no VendorIdentifier (8)", n.Def.Title())
	case at > 0:
		c.warn(n.Offset, "%s: VendorIdentifier (8) must come first", n.Def.Title())
	}
	if n.Def.Path != "43" || at < 0 {
		return
	}
	for _, k := range n.Children {
		if k.Def != nil && k.Def.Path == "43.6" && len(n.Children) != 2 {
			c.warn(k.Offset, "%s must stand in a VendorSpecific of its own, with VendorIdentifier alone", k.Def.Title())
		}
	}
}
