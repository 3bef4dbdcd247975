package lint

// esafeRules are about the parts of the files of devices within a modem.
var esafeRules = []Rule{{
	ID: "esafe-split", Severity: Error, Recalled: true, Cite: "dictionary; the parts of a configuration are joined in file order",
	Meaning: "The parts of a device's configuration (201, 216 to 223) do not follow one another. That a part before the last is shorter than 254 octets is a note.",
	Remedy:  "move the parts together",
	check: func(c *check) {
		for _, code := range []uint8{201, 216, 217, 218, 219, 220, 221, 222, 223} {
			list := c.top(code)
			for i, n := range list[:max(len(list)-1, 0)] {
				next := list[i+1]
				if n.Offset+len(n.Raw) != next.Offset {
					c.also(c.report(next, "%s does not follow its first part", c.title(next)), n, "the part before")
				} else if len(n.Value) != fragment && c.constant(n) {
					c.reportAs(Note, n, "%s: a part before the last has %d octets, not %d", c.title(n), len(n.Value), fragment).fix("some devices join parts of 254 octets only")
				}
			}
		}
	},
}}
