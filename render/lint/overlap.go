package lint

import (
	"bytes"

	"dcs/render/tlv"
)

// overlap reports active classifiers of one direction and priority that match the same packets for different flows.
func overlap(c *check) {
	for _, code := range []uint8{22, 23} {
		list := c.top(code)
		list = list[:min(len(list), 64)] // a modem takes fewer
		for i, a := range list {
			for _, b := range list[:i] {
				if c.undecided(a, b) {
					c.also(c.report(a, "%s has the priority of another one that matches the same packets", c.title(a)), b, "the other classifier")
					break
				}
			}
		}
	}
}

// undecided reports whether two classifiers are active at one priority for two flows, and nothing sets them apart.
func (c *check) undecided(a, b *tlv.Node) bool {
	for _, n := range []*tlv.Node{sub(a, 6), sub(b, 6)} {
		if x, ok := c.exact(n); n != nil && (!ok || x == 0) {
			return false
		}
	}
	for _, code := range []uint8{3, 5} {
		x, ok := c.exact(sub(a, code))
		y, known := c.exact(sub(b, code))
		if sub(a, code) != nil && !ok || sub(b, code) != nil && !known || (x == y) != (code == 5) {
			return false
		}
	}
	return len(criteria(a)) > 0 && len(criteria(b)) > 0 && !c.apart(a, b)
}

// apart reports whether something may set two classifiers apart: a criterion of both whose values differ, unless they are known
// to overlap.
func (c *check) apart(a, b *tlv.Node) bool {
	for _, n := range a.Children {
		if n.Code < 9 {
			continue
		}
		m := sub(b, n.Code)
		switch {
		case m == nil:
			continue
		case !c.constant(n) || !c.constant(m):
			return true
		case n.Code != 9:
			if !bytes.Equal(n.Value, m.Value) {
				return true
			}
			continue
		}
		if c.apartIP(n, m) {
			return true
		}
	}
	// IPv4 on one side and IPv6 on the other never meet.
	return sub(a, 9) != nil && sub(b, 12) != nil && sub(b, 9) == nil || sub(a, 12) != nil && sub(b, 9) != nil && sub(a, 9) == nil
}

// apartIP does so for criteria of IPv4, whose ports, protocols, ToS ranges and addresses may overlap though they differ.
func (c *check) apartIP(a, b *tlv.Node) bool {
	for code := uint8(7); code <= 9; code += 2 {
		low, high := c.portRange(a, code)
		from, to := c.portRange(b, code)
		if high < from || to < low {
			return true
		}
	}
	if x, y := sub(a, 2), sub(b, 2); x != nil && y != nil {
		p, _ := c.exact(x)
		q, _ := c.exact(y)
		if p != q && p != 256 && q != 256 && !(p == 257 && (q == 6 || q == 17)) && !(q == 257 && (p == 6 || p == 17)) {
			return true
		}
	}
	if x, y := sub(a, 1), sub(b, 1); x != nil && y != nil && len(x.Value) == 3 && len(y.Value) == 3 {
		if x.Value[2] != y.Value[2] || x.Value[1] < y.Value[0] || y.Value[1] < x.Value[0] {
			return true
		}
	}
	for code := uint8(3); code <= 5; code += 2 {
		x, y := sub(a, code), sub(b, code)
		if x == nil || y == nil || len(x.Value) != 4 || len(y.Value) != 4 {
			continue
		}
		mask := uint64(1<<32 - 1)
		for _, m := range []*tlv.Node{sub(a, code+1), sub(b, code+1)} {
			if m != nil && len(m.Value) == 4 {
				mask &= uintOf(m.Value)
			}
		}
		if (uintOf(x.Value)^uintOf(y.Value))&mask != 0 {
			return true
		}
	}
	return false
}

// portRange returns the ports from the TLV at code to the one after it; all ports if both are absent.
func (c *check) portRange(ip *tlv.Node, code uint8) (low, high int64) {
	low, _ = c.exact(sub(ip, code))
	high, ok := c.exact(sub(ip, code+1))
	if !ok {
		high = 65535
	}
	return low, high
}
