package lint

import "dcs/render/tlv"

const (
	dsStep    = 62500   // Hz between downstream frequencies
	narrowest = 6000000 // Hz of a downstream channel
)

// channelRules are about frequencies, channels and plants.
var channelRules = []Rule{
	{
		ID: "ds-freq-step", Severity: Error, Recalled: true, Cite: "MULPI C.1.1.1; event I105.2",
		Meaning: "Downstream frequencies are multiples of 62,500 Hz: the CMTS rejects others.",
		Remedy:  "use the nearest multiple",
		check: func(c *check) {
			for _, n := range c.frequencies() {
				if hz, ok := c.exact(n); ok && hz%dsStep != 0 {
					c.report(n, "%s: %d Hz is no multiple of %d", c.title(n), hz, dsStep).fix("the nearest is %d", (hz+dsStep/2)/dsStep*dsStep)
				}
			}
		},
	},
	{
		ID: "ds-freq-range", Severity: Warning, Recalled: true, Cite: "MULPI C.1.1.1; plants of each version",
		Meaning: "The frequency is outside of the band that modems of the version tune to; one below 1,000,000 is in kHz or MHz.",
		Remedy:  "write the frequency in Hz",
		check: func(c *check) {
			low, high := band(c.Version)
			for _, n := range c.top(1) {
				v := c.number(n)
				f := c.judge(v.outside(low, high), n, "%s: outside of %d to %d Hz", c.title(n), low, high)
				for unit := int64(1000); v.single() && unit <= 1000000; unit *= 1000 {
					if v.min*unit >= low && v.min*unit <= high {
						f.fix("Hz are meant; %d?", v.min*unit)
					}
				}
			}
		},
	},
	{
		ID: "scan-list", Severity: Error, Since: V20, Recalled: true, Cite: "MULPI C.1.1.22",
		Meaning: "The list of downstream channels (41) lacks a frequency, or a range in it cannot be walked.",
		Remedy:  "give each channel its frequency, and each range start, end and step",
		check:   scanList,
	},
	{
		ID: "channel-pinned", Severity: Note, Recalled: true, Cite: "MULPI C.1.1.1, C.1.1.2",
		Meaning: "A fixed channel in a file of many modems: each is moved there and initializes again if it was elsewhere; after a new channel plan it does not come online.",
		Remedy:  "delete it unless all of these modems are on one plant",
		check: func(c *check) {
			for _, n := range c.top(1, 2) {
				if c.Shared && c.constant(n) {
					c.report(n, "%s: the modem is moved to this channel", c.title(n))
				}
			}
		},
	},
	{
		ID: "us-channel-reserved", Severity: Warning, Recalled: true, Cite: "recollection",
		Meaning: "No upstream channel has the id 0 or 255.",
		Remedy:  "delete it, or use the id of an upstream channel",
		check: func(c *check) {
			for _, n := range c.top(2) {
				c.judge(c.number(n).is(0).or(c.number(n).is(255)), n, "%s: no upstream has the id %d", c.title(n), uintOf(n.Value))
			}
		},
	},
	{
		ID: "docsis20-enable", Severity: Note, Since: V30, Recalled: true, Cite: "MULPI C.1.1.20",
		Meaning: "A 3.0 modem ignores DocsisTwoEnable (39) when it bonds channels, and 3.1 has it no more.",
		Remedy:  "delete it",
		check: func(c *check) {
			for _, n := range c.top(39) {
				c.report(n, "%s means nothing since 3.0", c.title(n))
			}
		},
	},
	{
		ID: "diplexer", Severity: Error, Since: V31, Recalled: true, Cite: "MULPI C.1.2.23, C.1.2.24",
		Meaning: "A band edge of the diplexer (84, 96) has no meaning, or contradicts another; a modem whose edges change initializes again.",
		Remedy:  "use the edges that the plant has",
		check: func(c *check) {
			for _, n := range c.top(84) {
				for code, most := range []int64{1: 4, 2: 1, 3: 2} {
					if k := sub(n, uint8(code)); k != nil {
						c.judge(c.number(k).above(most), k, "%s: more than %d, the last edge", c.title(k), most)
					}
				}
				if c.has(96) {
					c.also(c.report(n, "%s stands beside %s", c.title(n), c.title(c.tops[96][0])), c.tops[96][0], "the other here")
				}
			}
			for _, n := range c.top(96) {
				for _, k := range n.Children {
					c.judge(c.number(k).is(0), k, "%s is 0 MHz", c.title(k))
				}
				if low, high := sub(n, 2), sub(n, 3); low != nil && high != nil {
					c.judge(c.number(high).above(c.number(low).max).not(), low, "%s: the lower edge is not below the upper one", c.title(low))
				}
			}
		},
	},
	{
		ID: "energy", Severity: Warning, Since: V30, Recalled: true, Cite: "MULPI C.1.1.30",
		Meaning: "An energy management mode is configured and not enabled, or is entered at a rate at which it is left.",
		Remedy:  "set the mode's bit in EnergyManagementFeatureControl (74.1): 1 for 1x1, 2 for DLS",
		check: func(c *check) {
			for _, n := range c.top(74) {
				on := c.number(sub(n, 1))
				for _, k := range n.Children {
					if bit := map[uint8]int64{2: 1, 4: 2}[k.Code]; bit != 0 && on.single() && on.min&bit == 0 {
						c.report(k, "%s is not enabled", c.title(k))
					}
					for _, way := range k.Children {
						if enter, leave := sub(way, 1), sub(way, 3); enter != nil && leave != nil {
							c.judge(c.number(leave).above(c.number(enter).max).not(), enter, "%s: not below the threshold at which the mode is left", c.title(enter)).fix("lower it")
						}
					}
				}
			}
		},
	},
	{
		ID: "test-modes", Severity: Warning, Since: V20, Recalled: true, Cite: "MULPI C.1.1.21",
		Meaning: "EnableTestModes (40) is for the laboratory.",
		Remedy:  "delete it",
		check: func(c *check) {
			for _, n := range c.top(40) {
				c.judge(c.number(n).is(1), n, "%s: test modes in production", c.title(n))
			}
		},
	},
}

// band returns the downstream band of a version in Hz; without a version, all of them.
func band(v Version) (low, high int64) {
	switch v {
	case V10, V11, V20:
		return 88e6, 860e6
	case V30:
		return 54e6, 1002e6
	case V31:
		return 54e6, 1218e6
	}
	return 54e6, 1794e6
}

// frequencies returns the TLVs that are a downstream frequency.
func (c *check) frequencies() []*tlv.Node {
	out := c.top(1)
	for _, n := range c.top(41, 56) {
		for _, path := range [][]uint8{{41, 1, 2}, {41, 2, 2}, {41, 2, 3}, {56, 2}} {
			if path[0] != n.Code {
				continue
			}
			list := []*tlv.Node{n}
			for _, code := range path[1:] {
				var next []*tlv.Node
				for _, k := range list {
					next = append(next, subs(k, code)...)
				}
				list = next
			}
			out = append(out[:len(out):len(out)], list...)
		}
	}
	return out
}

func scanList(c *check) {
	for _, n := range c.top(41) {
		if n.Note != "" {
			continue
		}
		if sub(n, 1) == nil && sub(n, 2) == nil && sub(n, 3) == nil {
			c.lacks(n, "%s has neither a channel nor a range", c.title(n))
		}
		if c.has(1) {
			c.also(c.reportAs(Warning, n, "%s stands beside %s: one of them is idle", c.title(n), c.title(c.tops[1][0])), c.tops[1][0], "the other here")
		}
		for _, k := range n.Children {
			switch {
			case k.Code == 1 && sub(k, 2) == nil:
				c.lacks(k, "%s has no frequency", c.title(k))
			case k.Code == 2:
				c.scanRange(k)
			}
		}
	}
}

func (c *check) scanRange(n *tlv.Node) {
	low, ok1 := c.exact(sub(n, 2))
	high, ok2 := c.exact(sub(n, 3))
	step, ok3 := c.exact(sub(n, 4))
	switch {
	case sub(n, 2) == nil || sub(n, 3) == nil || sub(n, 4) == nil:
		c.lacks(n, "%s needs a start, an end and a step", c.title(n))
	case !ok1 || !ok2 || !ok3:
	case high < low:
		c.report(n, "%s ends before it starts", c.title(n))
	case step < narrowest:
		c.report(n, "%s: a step of %d Hz is narrower than a channel", c.title(n), step)
	case (high-low)%step != 0:
		c.report(n, "%s: its end is no whole number of steps from its start", c.title(n))
	}
}
