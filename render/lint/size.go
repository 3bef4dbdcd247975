package lint

import (
	"fmt"
	"strings"

	"dcs/render/tlv"
)

// Octets that bound a file.
const (
	leastBlock = 512   // of TFTP without an option, RFC 1350
	largeBlock = 1448  // that fits an Ethernet frame with IPv4 and the option blksize, RFC 2348
	maxBlocks  = 65535 // of block numbers of 16 bits
	leastTaken = 65535 // that a modem must take
	regReqRoom = 1400  // for registration TLVs, beside the modem's capabilities in one MAC frame; our margin
	maxTFTP    = maxBlocks*leastBlock - leastBlock
)

// sizeRules are about the sizes of files and of what registration passes on.
var sizeRules = []Rule{
	{
		ID: "size-tftp", Severity: Warning, In: all, Cite: "RFC 1350, RFC 2348",
		Meaning: "A file of more than 65,535 octets is more than a modem must take; one of 33,553,920 octets or more has too many blocks for TFTP.",
		Remedy:  "shorten the file",
		check: func(c *check) {
			size := len(c.Octets)
			switch text := fmt.Sprintf("%d octets: %s of %d octets, %d of %d", size, blocks(size/leastBlock+1), leastBlock, size/largeBlock+1, largeBlock); {
			case size > maxTFTP:
				c.reportAs(Error, nil, "%s, more than TFTP can number", text)
			case size > leastTaken:
				c.report(nil, "%s, more than the %d octets that a modem must take", text, leastTaken)
			default:
				c.reportAs(Note, nil, "%s", text).Remedy = ""
			}
		},
	},
	{
		ID: "reg-req-size", Severity: Warning, Until: V20, Recalled: true, Cite: "confirmation code 206, message too big; the limit is a margin",
		Meaning: "What the modem passes on in its REG-REQ must fit one MAC frame; only 3.0 and later divide it.",
		Remedy:  "move classifiers into service classes of the CMTS, or shorten names",
		check: func(c *check) {
			size := 0
			for _, n := range c.tree.Nodes {
				if registered(n) {
					size += len(n.Raw)
				}
			}
			if size > regReqRoom {
				c.report(nil, "%d octets of registration TLVs, over %d: the CMTS may answer that the message is too big (206)", size, regReqRoom)
			}
		},
	},
	{
		ID: "tlv-too-long", Severity: Error, In: all, Cite: "wire format",
		Meaning: "A TLV with a length field of one octet holds no more than 255 octets.",
		Remedy:  "shorten the values, or split the TLV",
		check: func(c *check) {
			c.walk(func(n *tlv.Node, _ []*tlv.Node) bool {
				if len(n.Raw)-len(n.Value) != 2 || c.constant(n) {
					return true
				}
				size := interval{int64(len(n.Value)), int64(len(n.Value)), true}
				for _, s := range c.slots(n) {
					size.min += int64(s.MinLen - s.Len)
					size.max += int64(max(s.MaxLen, s.Len) - s.Len)
					size.bounded = size.bounded && s.Bounded
				}
				v := size.above(255)
				c.judge(v, n, "%s has up to %d octets, and 255 fit", c.title(n), size.max)
				return v == never
			})
		},
	},
}

// registered reports whether the modem passes a top-level TLV on to the CMTS when it registers.
func registered(n *tlv.Node) bool {
	return n.Def != nil && (n.Code == 17 || strings.Contains(n.Def.Spec, " C.1.1.") || strings.Contains(n.Def.Spec, " C.2."))
}

func blocks(n int) string {
	if n == 1 {
		return "1 block"
	}
	return fmt.Sprintf("%d blocks", n)
}
