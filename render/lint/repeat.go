package lint

import (
	"bytes"

	"dcs/render/tlv"
)

// repeatRules are about TLVs that stand more than once.
var repeatRules = []Rule{{
	ID: "dup-singleton", Severity: Warning, Recalled: true, Cite: "MULPI C; column repeat of the dictionary",
	Meaning: "A TLV that may stand once stands twice in its parent: devices differ in which one counts. With different values it is an error.",
	Remedy:  "keep one",
	check: func(c *check) {
		c.once(c.tree.Nodes)
		c.walk(func(n *tlv.Node, _ []*tlv.Node) bool {
			c.once(n.Children)
			return true
		})
	},
}}

// once reports the TLVs of one parent that may not be repeated and are. Those that DCS adds are left to the rules about MICs.
func (c *check) once(list []*tlv.Node) {
	var first [256]*tlv.Node
	for _, n := range list {
		if n.Def == nil || n.Def.Repeat != tlv.RepeatNo || n.Def.Kind == tlv.KindMarker || n.Def.Kind == tlv.KindDigest16 {
			continue
		}
		was := first[n.Code]
		if was == nil {
			first[n.Code] = n
			continue
		}
		severity, text := Warning, "%s stands twice"
		if c.constant(n) && c.constant(was) && !bytes.Equal(n.Value, was.Value) {
			severity, text = Error, "%s stands twice, with different values"
		}
		c.also(c.reportAs(severity, n, text, c.title(n)), was, "first here")
	}
}
