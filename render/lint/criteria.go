package lint

import (
	"bytes"

	"dcs/render/tlv"
)

// criteriaRules are about what classifiers match.
var criteriaRules = []Rule{
	{
		ID: "cl-ports", Severity: Error, Since: V11, Recalled: true, Cite: "MULPI C.2.1.6; RFC 4639: ports of other protocols are ignored",
		Meaning: "A range of ports ends before it starts, or belongs to a protocol without ports; a warning if no protocol is named.",
		Remedy:  "write IpProto 257; for TCP and UDP",
		check:   ports,
	},
	{
		ID: "cl-mask", Severity: Warning, Since: V11, Recalled: true, Cite: "recollection",
		Meaning: "An address has bits beyond its mask, so no packet matches; or a mask has no address.",
		Remedy:  "clear the bits of the address that the mask leaves out",
		check:   addressMasks,
	},
	{
		ID: "cl-tos", Severity: Error, Since: V11, Cite: "RFC 4323 docsIetfQosPktClassIpTosLow, High and Mask",
		Meaning: "A range of ToS (9.1, 12.1) ends before it starts, or lies beyond its mask: no packet matches. With bits of ECN in the mask, a warning, packets with marks of congestion do not.",
		Remedy:  "use a mask of 0xfc, and values with zeros beyond it",
		check: func(c *check) {
			for _, cl := range c.top(22, 23, 60) {
				for _, n := range []*tlv.Node{sub(cl, 9, 1), sub(cl, 12, 1)} {
					b, ok := c.octets(n)
					if !ok || len(b) != 3 {
						continue
					}
					switch low, high, mask := b[0], b[1], b[2]; {
					case low > high:
						c.report(n, "%s: the range ends before it starts", c.title(n)).fix("write the lower value first")
					case low&^mask != 0:
						c.report(n, "%s: 0x%02x lies beyond the mask 0x%02x", c.title(n), low, mask)
					case mask == 0 && high != 0:
						c.report(n, "%s: the mask is 0", c.title(n))
					case mask&3 != 0:
						c.reportAs(Warning, n, "%s: with a mask of 0x%02x, packets with marks of congestion (ECN) do not match", c.title(n), mask)
					}
				}
			}
		},
	},
}

func ports(c *check) {
	for _, cl := range c.top(22, 23, 60) {
		ip := sub(cl, 9)
		if ip == nil {
			continue
		}
		var used *tlv.Node
		for code := uint8(7); code <= 9; code += 2 {
			start, end := sub(ip, code), sub(ip, code+1)
			if start != nil && end != nil {
				c.disorder(always, start, end)
			}
			for _, n := range []*tlv.Node{start, end} {
				if used == nil {
					used = n
				}
			}
		}
		if used == nil {
			continue
		}
		protocol := sub(ip, 2)
		if x, ok := c.exact(protocol); ok && x != 6 && x != 17 && x != 257 {
			c.also(c.report(used, "%s: protocol %d has no ports", c.title(used), x), protocol, "the protocol")
		} else if protocol == nil && sub(cl, 12, 3) == nil {
			c.lacksAs(Warning, used, "%s without a protocol", c.title(used))
		}
	}
}

func addressMasks(c *check) {
	for _, cl := range c.top(22, 23, 60) {
		for code := uint8(3); code <= 5; code += 2 {
			c.masked(sub(cl, 9, code), sub(cl, 9, code+1))
		}
		for code := uint8(4); code <= 6; code += 2 {
			addr, length := sub(cl, 12, code), sub(cl, 12, code+1)
			x, ok := c.exact(length)
			switch {
			case length == nil:
			case addr == nil:
				c.lacks(length, "%s without an address", c.title(length)).fix("add the address, or delete the length")
			case ok && x > 128:
				c.report(length, "%s %d: prefixes are at most 128", c.title(length), x).fix("write 0 to 128")
			case ok:
				c.beyond(addr, prefixMask(int(x)))
			}
		}
	}
}

// masked judges an IPv4 address and its mask.
func (c *check) masked(addr, mask *tlv.Node) {
	switch m, ok := c.octets(mask); {
	case mask == nil:
	case addr == nil:
		c.lacks(mask, "%s without an address", c.title(mask)).fix("add the address, or delete the mask")
	case ok && len(m) == 4:
		c.beyond(addr, m)
	}
}

// beyond reports an address with bits that a mask leaves out.
func (c *check) beyond(addr *tlv.Node, mask []byte) {
	b, ok := c.octets(addr)
	if !ok || len(b) != len(mask) {
		return
	}
	for i := range b {
		if b[i]&^mask[i] != 0 {
			c.report(addr, "%s has bits beyond its mask: no packet matches", c.title(addr))
			return
		}
	}
}

// prefixMask returns the mask of an IPv6 prefix length, 0 to 128.
func prefixMask(length int) []byte {
	mask := bytes.Repeat([]byte{0}, 16)
	for i := range mask {
		ones := min(8, max(0, length-8*i))
		mask[i] = ^byte(0xff >> ones)
	}
	return mask
}
