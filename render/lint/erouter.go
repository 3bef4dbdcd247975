package lint

import "strconv"

// erouterRules are about the configuration of an eRouter, TLV 202.
var erouterRules = []Rule{{
	ID: "erouter-mode", Severity: Error, Recalled: true, Cite: "eRouter B.4.2, InitializationMode (202.1)",
	Meaning: "The eRouter's mode is unknown, which is an error; or it is off, or for IPv4 alone, and the file configures what is idle then, which is a warning.",
	Remedy:  "write InitializationMode 0 (off), 1 (IPv4), 2 (IPv6) or 3 (both)",
	check: func(c *check) {
		for _, n := range c.top(202) {
			mode := sub(n, 1)
			if mode == nil {
				continue
			}
			c.judge(c.number(mode).above(4), mode, "%s is out of range, 0 to 4", c.title(mode))
			value, ok := c.octets(mode)
			if !ok || len(value) != 1 {
				continue
			}
			for _, k := range n.Children {
				if idle(value[0], k.Code) {
					c.also(c.reportAs(Warning, k, "%s is idle in mode %s of the eRouter", c.title(k), strconv.Itoa(int(value[0]))), mode, "the mode is set here").
						fix("delete it, or set the mode that uses it")
				}
			}
		}
	},
}}

// idle reports whether an eRouter in a mode ignores a sub-TLV of 202: all but vendor-specific ones if it is off, those of router
// advertisements if it has no IPv6.
func idle(mode, code uint8) bool {
	switch code {
	case 2, 4, 5, 11, 12, 42, 53, 54:
		return mode == 0
	case 10, 13:
		return mode <= 1
	}
	return false
}
