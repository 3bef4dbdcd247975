package lint

// fileRules are about what a file must have.
var fileRules = []Rule{
	{
		ID: "net-access-missing", Severity: Error, Recalled: true, Cite: "MULPI C.1.1.3, D.2",
		Meaning: "NetworkAccess (3) is mandatory: a modem discards a file without it.",
		Remedy:  "add NetworkAccess 1;",
		check: func(c *check) {
			if !c.has(3) && c.tree.Err == nil {
				c.report(nil, "NetworkAccess (3) is missing: the modem discards the file")
			}
		},
	},
	{
		ID: "qos-missing", Severity: Error, Cite: "MULPI D.2; a CMTS says reject(c), missing class of service",
		Meaning: "A file without class of service and service flows leaves the CMTS nothing to admit.",
		Remedy:  "add one UsServiceFlow and one DsServiceFlow",
		check: func(c *check) {
			if !c.has(4, 24, 25) && c.tree.Err == nil {
				c.report(nil, "neither a class of service nor service flows: the CMTS has nothing to admit")
			}
		},
	},
	{
		ID: "cos-with-flows", Severity: Error, Recalled: true, Cite: "MULPI C.1.1.4",
		Meaning: "A class of service of DOCSIS 1.0 does not mix with the flows and classifiers of 1.1 and later.",
		Remedy:  "delete ClassOfService",
		check: func(c *check) {
			if other := c.top(22, 23, 24, 25, 26, 60, 70, 71); c.has(4) && len(other) > 0 {
				f := c.report(c.tops[4][0], "ClassOfService (4) stands in a file with %s", c.title(other[0]))
				c.also(f, other[0], c.title(other[0]).String())
			}
		},
	},
	{
		ID: "net-access-off", Severity: Note, Cite: "RFC 4639, docsDevServerBootState forwardingDenied",
		Meaning: "With NetworkAccess 0 the modem registers and forwards nothing of its CPEs: online(d). Right for a walled-off customer.",
		Remedy:  "NetworkAccess 1; unless the customer is to be blocked",
		check: func(c *check) {
			for _, n := range c.top(3) {
				if len(n.Value) == 1 {
					c.judge(c.number(n).is(0), n, "the modem forwards nothing of its CPEs")
				}
			}
		},
	},
	{
		ID: "group-empty", Severity: Error, Recalled: true, Cite: "MULPI C.2",
		Meaning: "A group without sub-TLVs says nothing, and modems refuse it.",
		Remedy:  "delete it",
		check: func(c *check) {
			for _, n := range c.top(4, 17, 22, 23, 24, 25, 26, 34, 38, 41, 43, 53, 54, 60, 70, 71) {
				if len(n.Value) == 0 && c.constant(n) {
					c.lacks(n, "%s is empty", c.title(n))
				}
			}
		},
	},
}
