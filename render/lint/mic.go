package lint

import (
	"bytes"

	"dcs/render/mic"
	"dcs/render/tlv"
)

// micRules are about the MICs and the end of a file that DCS does not make.
var micRules = []Rule{
	{
		ID: "mic-missing", Severity: Error, Recalled: true, Cite: "MULPI C.1.1.5, C.1.1.6, D.1",
		Meaning: "A MIC (6, 7) is absent, repeated or out of place: CmMic and CmtsMic are the last two TLVs of a modem's file.",
		Remedy:  "have DCS make both MICs: with resign, or from a text",
		check:   micsInPlace,
	},
	{
		ID: "mic-invalid", Severity: Error, Cite: "Cisco cBR QoS guide; SB5100 event D08.0",
		Meaning: "CmMic (6) does not match the file, so the modem refuses it; or CmtsMic (7) is valid under no secret, so the CMTS answers authentication failure, reject(m).",
		Remedy:  "have DCS make both MICs: with resign, or from a text",
		check:   micsValid,
	},
	{
		ID: "end-missing", Severity: Error, Recalled: true, Cite: "MULPI C.1.2.1",
		Meaning: "The end-of-data marker (255) is missing, or other octets than zeros follow it, which are never read.",
		Remedy:  "have DCS make the end, or delete what follows it",
		check: func(c *check) {
			if c.Made || c.tree.Err != nil {
				return
			}
			if !c.has(255) {
				c.at(len(c.Octets), "EndOfData (255) is missing")
			} else if rest := bytes.TrimLeft(c.tree.Tail, "\x00"); len(rest) > 0 {
				c.at(len(c.Octets)-len(rest), "%d octets after the end of data are never read", len(rest))
			}
		},
	},
}

func micsInPlace(c *check) {
	if c.Made || c.tree.Err != nil {
		return
	}
	body := c.tree.Nodes
	for len(body) > 0 && body[len(body)-1].Def != nil && body[len(body)-1].Def.Kind == tlv.KindMarker {
		body = body[:len(body)-1]
	}
	for i, name := range []string{"CmMic (6)", "CmtsMic (7)"} {
		found := c.tops[6+i]
		place := len(body) - 2 + i
		switch {
		case len(found) == 0:
			c.report(nil, "%s is missing", name)
		case len(found) > 1:
			c.also(c.report(found[1], "%s stands twice", name), found[0], "first here")
		case place < 0 || body[place] != found[0]:
			c.report(found[0], "%s is out of place: CmMic and CmtsMic come last, in this order", name)
		}
	}
}

func micsValid(c *check) {
	if c.Made || c.tree.Err != nil {
		return
	}
	var none *mic.Secret
	got, err := mic.Verify(c.Octets, none)
	if err != nil {
		return // it is not TLVs to its end, as tlv-truncated says
	}
	if got.CM.Verdict == mic.Invalid {
		c.report(first(c.tops[6]), "CmMic (6) does not match the file: the modem refuses it (D08.0); it was changed after it was made, or is damaged")
		return
	}
	if len(c.Secrets) == 0 || got.CMTS.Verdict == mic.Absent {
		return
	}
	for _, secret := range c.Secrets {
		if got, err := mic.Verify(c.Octets, secret); err == nil && got.CMTS.Verdict == mic.Valid && got.Extended.Verdict != mic.Invalid {
			return
		}
	}
	what := "the secret"
	if len(c.Secrets) > 1 {
		what = "any of the secrets"
	}
	c.report(first(c.tops[7]), "CmtsMic (7) is not valid under %s: the CMTS answers authentication failure, reject(m)", what)
}
