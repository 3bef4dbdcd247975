package lint

// privacyRules are about Baseline Privacy.
var privacyRules = []Rule{
	{
		ID: "bpi-range", Severity: Error, Cite: "RFC 4131; RFC 3083 for 1.0",
		Meaning: "A timer of BaselinePrivacy (17) is outside of its range; in BPI of 1.0 the grace times end at 1800 seconds.",
		Remedy:  "use a value within the range",
		check: func(c *check) {
			old := c.Version == V10 || c.has(4)
			for _, n := range c.top(17) {
				for _, k := range n.Children {
					if k.Def == nil || !k.Def.Limited || k.Note != "" {
						continue
					}
					most := k.Def.Max
					if old && (k.Code == 3 || k.Code == 6) {
						most = 1800
					}
					c.judge(c.number(k).outside(k.Def.Min, most), k, "%s: the value is out of range, %d to %d", c.title(k), k.Def.Min, most)
				}
			}
		},
	},
	{
		ID: "bpi-off", Severity: Warning, Recalled: true, Cite: "MULPI C.1.1.17",
		Meaning: "Traffic is not encrypted; a CMTS that demands BPI+ refuses the modem.",
		Remedy:  "write GlobalPrivacyEnable 1; in a file with ClassOfService, PrivacyEnable 1; there",
		check: func(c *check) {
			for _, n := range c.top(29) {
				c.judge(c.number(n).is(0), n, "%s is 0: traffic is not encrypted", c.title(n))
			}
			if c.has(4) && !c.has(24, 25) && !c.privacyOfClasses() {
				c.lacks(c.tops[4][0], "no ClassOfService has PrivacyEnable 1: traffic is not encrypted")
			}
		},
	},
	{
		ID: "bpi-incomplete", Severity: Note, Cite: "messages of modems' logs: missing BP configuration setting",
		Meaning: "BaselinePrivacy (17) lacks 17.8 or 17.9, for which modems take defaults and log it; or nothing turns privacy on.",
		Remedy:  "complete BaselinePrivacy, or delete it",
		check: func(c *check) {
			private := c.has(29) || c.privacyOfClasses()
			for _, n := range c.top(17) {
				if c.Version != V10 && !c.has(4) && (sub(n, 8) == nil || sub(n, 9) == nil) {
					c.lacks(n, "%s without SAMapWaitTimeout (17.8) or SAMapMaxRetries (17.9)", c.title(n))
				}
				if !private {
					c.lacks(n, "%s, and neither GlobalPrivacyEnable (29) nor PrivacyEnable (4.7) turns it on", c.title(n))
				}
			}
		},
	},
}

// privacyOfClasses reports whether a class of service turns privacy on.
func (c *check) privacyOfClasses() bool {
	for _, n := range c.top(4) {
		if c.number(sub(n, 7)).is(1) != never {
			return true
		}
	}
	return false
}
