package lint

import (
	"dcs/render/mic"
	"dcs/render/tlv"
)

// mtaRules are about the files of MTAs.
var mtaRules = []Rule{{
	ID: "mta-hash", Severity: Error, In: []tlv.Dialect{tlv.MTA}, Cite: "RFC 4682, pktcMtaDevProvConfigHash",
	Meaning: "The hash in an MTA's file is not that of the file, or not of 20 octets: the MTA refuses the file.",
	Remedy:  "let DCS make it: hash na, eu or ietf, or dcs compile --mta-hash",
	check: func(c *check) {
		if c.Made {
			return
		}
		r, err := mic.Verify(c.Octets, nil)
		if err != nil || r.MTA.Verdict != mic.Invalid {
			return
		}
		for _, n := range c.top(11, 64) {
			if mic.HashObject(n.Raw) == r.MTAVariant && r.MTAVariant != mic.NoHash {
				c.report(n, "the hash is %x, and the file's is %x", r.MTA.Found, r.MTA.Want)
				return
			}
		}
		c.report(nil, "%s", r.MTA.Note)
	},
}}
