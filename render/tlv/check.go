package tlv

import (
	"fmt"
	"strings"
)

// Check returns warnings about what the file format allows but is probably a mistake, in the
// order of the file. Warnings about missing TLVs come last.
func Check(t *Tree) []Warning {
	c := checker{dialect: t.Dialect, refs: map[[2]string]int{}}
	c.list(t.Nodes, Root(t.Dialect))
	if t.Dialect == CM || t.Dialect == DPoE {
		if c.seen[3] == 0 {
			c.warn(0, "NetworkAccess (3) is missing; a modem's file should have it")
		}
		if c.seen[4] > 0 && c.seen[24]+c.seen[25] > 0 {
			c.warn(c.first[4], "ClassOfService (4) cannot be combined with service flows (24, 25)")
		}
	}
	return c.out
}

type checker struct {
	dialect Dialect
	out     []Warning
	seen    [256]int // number of each top-level TLV
	first   [256]int // offset of the first of each
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
			c.warn(n.Offset, "unknown TLV %d", n.Code)
		}
		return
	}
	if parent.IsRoot() && !d.Belongs(c.dialect) {
		c.warn(n.Offset, "%s does not belong in this kind of file", d.Title())
	}
	switch {
	case d.Scope == ScopeRegistration && parent.Scope != ScopeRegistration:
		c.warn(n.Offset, "%s belongs in registration messages, not in a file", d.Title())
	case n.Note != "":
		c.warn(n.Offset, "%s: %s", d.Title(), n.Note)
	}
	d.codec().check(c, n)
	if n.Code == 1 && (parent.Code == 24 || parent.Code == 25) && parent.Parent().IsRoot() {
		key := [2]string{parent.Name, string(n.Value)}
		if at, dup := c.refs[key]; dup {
			c.warn(n.Offset, "%s %d is already used at offset %d", d.Name, uintValue(n.Value).Num, at)
		} else {
			c.refs[key] = n.Offset
		}
	}
	c.list(n.Children, d)
}

// Belongs reports whether the dialect's files may have d as a top-level TLV.
func (d *Def) Belongs(in Dialect) bool {
	switch in {
	case MTA:
		return strings.HasPrefix(d.Path, "mta:") || d.Scope == ScopeMTA
	case PS:
		return strings.HasPrefix(d.Path, "ps:")
	}
	return d.Scope != ScopeMTA
}

// vendor checks that a vendor group made of TLVs begins with its OUI.
func (c *checker) vendor(n *Node) {
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
			c.warn(k.Offset, "%s must be in a VendorSpecific of its own, with VendorIdentifier alone", k.Def.Title())
		}
	}
}
