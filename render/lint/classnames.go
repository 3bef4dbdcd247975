package lint

import (
	"bytes"
	"slices"

	"dcs/render/tlv"
)

// classNameRules are about names of service classes.
var classNameRules = []Rule{
	{
		ID: "scn-length", Severity: Error, Since: V11, Cite: "RFC 4323, DOCS-QOS3-MIB: 1 to 15 characters; 16 octets with the NUL",
		Meaning: "The name of a service class is empty, longer than 15 characters, or does not end in its only NUL: the CMTS does not find the class.",
		Remedy:  "use 1 to 15 characters",
		check: func(c *check) {
			for _, n := range c.classNames() {
				c.className(n)
			}
		},
	},
	{
		ID: "scn-unknown", Severity: Error, Since: V11, Recalled: true, Cite: "RFC 4323: expansion of class names",
		Meaning: "A CMTS has no service class of this name (key service_classes): it refuses the modem.",
		Remedy:  "correct the name, or add the class to the CMTSes and to service_classes",
		check: func(c *check) {
			if len(c.Classes) == 0 {
				return
			}
			for _, n := range c.classNames() {
				b, ok := c.octets(n)
				if text := string(bytes.TrimSuffix(b, []byte{0})); ok && text != "" && !slices.Contains(c.Classes, text) {
					c.report(n, "%s: no class is called %q", c.title(n), text)
				}
			}
		},
	},
	{
		ID: "scn-override", Severity: Note, Since: V11, Recalled: true, Cite: "RFC 4323: expansion of class names",
		Meaning: "A service flow names a class and has parameters of its own, which replace those of the class.",
		Remedy:  "leave the parameters to the class, unless they are to differ",
		check: func(c *check) {
			for _, flow := range c.top(24, 25) {
				if name := sub(flow, 4); name != nil {
					for _, n := range flow.Children {
						if n.Code > 6 && n.Code != 43 {
							c.report(name, "%s: parameters of the flow replace those of the class", c.title(name))
							break
						}
					}
				}
			}
		},
	},
}

// classNames returns the names of service classes of the file.
func (c *check) classNames() []*tlv.Node {
	var out []*tlv.Node
	add := func(nodes ...*tlv.Node) {
		for _, n := range nodes {
			if n != nil {
				out = append(out, n)
			}
		}
	}
	for _, n := range c.top(24, 25) {
		add(sub(n, 4), sub(n, 39))
	}
	for _, n := range c.top(70, 71) {
		add(sub(n, 4), sub(n, 42, 3), sub(n, 42, 4))
	}
	for _, n := range c.top(43) {
		add(sub(n, 12, 3), sub(n, 12, 4))
	}
	return out
}

// className judges the name of a service class.
func (c *check) className(n *tlv.Node) {
	b, ok := c.octets(n)
	if !ok {
		c.judge(c.size(n).above(16), n, "%s has more than 15 characters", c.title(n))
		return
	}
	text, ends := bytes.CutSuffix(b, []byte{0})
	switch {
	case !ends:
		c.report(n, "%s does not end in a NUL", c.title(n))
	case len(text) == 0:
		c.report(n, "%s is empty", c.title(n))
	case bytes.IndexByte(text, 0) >= 0:
		c.report(n, "%s has a NUL inside", c.title(n))
	case len(text) > 15:
		c.report(n, "%s has %d characters, and 15 fit beside the NUL", c.title(n), len(text))
	}
}

// size returns how many octets the value of a TLV can have.
func (v *view) size(n *tlv.Node) interval {
	out := exactly(int64(len(n.Value)))
	for _, s := range v.slots(n) {
		out = interval{out.min + int64(s.MinLen-s.Len), out.max + int64(max(s.MaxLen, s.Len)-s.Len), out.bounded && s.Bounded}
	}
	return out
}
