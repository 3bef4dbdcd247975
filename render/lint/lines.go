package lint

import (
	"bytes"
	"cmp"
	"slices"
	"strings"

	"dcs/render/ber"
	"dcs/render/tlv"
)

// mtaFamilies are the roots of MTA modules, of CableLabs, of Excentis for Europe and of the IETF.
var mtaFamilies = []struct {
	name string
	root ber.OID
}{
	{"PKTC-MTA-MIB of CableLabs", ber.OID{1, 3, 6, 1, 4, 1, 4491, 2, 2, 1}},
	{"the European MIB", ber.OID{1, 3, 6, 1, 4, 1, 7432}},
	{"PKTC-IETF-MTA-MIB", ber.OID{1, 3, 6, 1, 2, 1, 140}},
}

// lineRules are about what an MTA's file must set for its lines to work.
var lineRules = []Rule{
	{
		ID: "mta-frame", Severity: Error, In: []tlv.Dialect{tlv.MTA}, Recalled: true, Cite: "PacketCable MTA provisioning, section 9.1",
		Meaning: "An MTA's file begins with MtaConfigDelimiter 1 and ends with MtaConfigDelimiter 255, and there is none between.",
		Remedy:  "write Mta { … }, which adds both",
		check: func(c *check) {
			if c.tree.Err != nil || len(c.tree.Nodes) == 0 {
				return
			}
			last := len(c.tree.Nodes) - 1
			for i, n := range c.tree.Nodes {
				switch {
				case n.Code != 254:
				case i == 0 && !bytes.Equal(n.Value, []byte{1}):
					c.report(n, "%s is not 1 at the beginning", c.title(n))
				case i == last && i > 0 && !bytes.Equal(n.Value, []byte{255}):
					c.report(n, "%s is not 255 at the end", c.title(n))
				case i > 0 && i < last:
					c.report(n, "%s stands inside of the file: an MTA reads no further", c.title(n))
				}
			}
			if n := c.tree.Nodes[last]; n.Code != 254 || last == 0 {
				c.lacks(n, "MtaConfigDelimiter 255 is missing at the end")
			}
		},
	},
	{
		ID: "mta-family", Severity: Error, In: []tlv.Dialect{tlv.MTA}, Cite: "RFC 4682; MTAs tell an unsupported OID, and pass with warnings",
		Meaning: "The file sets objects of several families of MTA modules: CableLabs', the European and the IETF's. An MTA has one of them.",
		Remedy:  "name the module, as in PKTC-MTA-MIB::pktcMtaDevEnabled.0, or set mib_prefer",
		check: func(c *check) {
			var first [3]*tlv.Node
			for _, s := range c.settings() {
				for i, f := range mtaFamilies {
					if len(s.vb.OID) < len(f.root) || !slices.Equal(s.vb.OID[:len(f.root)], f.root) || first[i] != nil {
						continue
					}
					first[i] = s.n
					for j, other := range first {
						if j != i && other != nil {
							c.also(c.report(s.n, "%s is of %s, others are of %s", c.name(s), f.name, mtaFamilies[j].name), other, "of "+mtaFamilies[j].name)
							break
						}
					}
				}
			}
		},
	},
	{
		ID: "mta-realm", Severity: Error, In: []tlv.Dialect{tlv.MTA}, Cite: "RFC 4682, pktcMtaDevRealmTable, pktcMtaDevCmsTable",
		Meaning: "A Kerberos realm is not in upper case, or there twice, or a call management server names a realm that the file does not have, or its own name is there twice.",
		Remedy:  "write names of realms in upper case, each once",
		check:   mtaRealms,
	},
	{
		ID: "mta-basics", Severity: Warning, In: []tlv.Dialect{tlv.MTA}, Recalled: true, Cite: "RFC 4682, pktcMtaDevEnabled; RFC 2863, ifAdminStatus",
		Meaning: "The lines stay dark: the MTA is not enabled, an end point has no call agent, a call agent has no @, or no line is up. A key that the file sets is not taken in unsecured provisioning.",
		Remedy:  "add SnmpMibObject pktcMtaDevEnabled.0 Integer 1;, and the rows of the end points",
		check:   mtaBasics,
	},
}

// text returns the value of an object that is text; ok is false if the request decides it.
func (c *check) text(s *setting) (text string, ok bool) {
	return string(s.vb.Value), c.constant(s.n)
}

func mtaRealms(c *check) {
	realms, servers := map[string]*tlv.Node{}, map[string]*tlv.Node{}
	known := !c.Partial
	for _, s := range c.settings() {
		text, ok := c.text(s)
		switch {
		case s.obj == nil:
		case s.obj.Label == "pktcMtaDevRealmName" && !ok:
			known = false
		case s.obj.Label == "pktcMtaDevRealmName":
			if text != strings.ToUpper(text) {
				c.report(s.n, "%s: the realm %q is not in upper case", c.name(s), text).fix("write %q", strings.ToUpper(text))
			}
			c.twice(realms, s.n, text, "the realm")
		case s.obj.Label == "pktcMtaDevCmsFqdn" && ok:
			c.twice(servers, s.n, strings.ToLower(text), "the server")
		}
	}
	for _, s := range c.settings() {
		if text, ok := c.text(s); ok && known && len(realms) > 0 && s.obj != nil && s.obj.Label == "pktcMtaDevCmsKerbRealmName" && realms[text] == nil {
			c.report(s.n, "%s: the file has no realm %q", c.name(s), text)
		}
	}
}

// twice reports a text that one of those seen is, and adds it to them.
func (c *check) twice(seen map[string]*tlv.Node, n *tlv.Node, text, what string) {
	if was := seen[text]; was != nil {
		c.also(c.report(n, "%s %q stands twice", what, text), was, "first here").fix("keep one")
		return
	}
	seen[text] = n
}

func mtaBasics(c *check) {
	if c.MIB == nil {
		return
	}
	enabled, endpoints, lines, up := false, false, (*tlv.Node)(nil), false
	for _, s := range c.settings() {
		if s.obj == nil {
			continue
		}
		value, number := s.integer()
		constant := c.constant(s.n)
		switch label := s.obj.Label; {
		case label == "pktcMtaDevEnabled":
			enabled = true
			if constant && number && value == 2 {
				c.report(s.n, "pktcMtaDevEnabled is false: the lines stay dark").fix("write pktcMtaDevEnabled.0 Integer 1;")
			}
		case label == "pktcNcsEndPntConfigCallAgentId":
			endpoints = true
			if text, ok := c.text(s); ok && !strings.Contains(text, "@") {
				c.report(s.n, "%s: %q has no @", c.name(s), text).fix("write it as in ca@ca.example.net")
			}
		case strings.HasPrefix(label, "pktcNcsEndPnt"):
			endpoints = true
		case label == "ifAdminStatus":
			lines = cmp.Or(lines, s.n)
			up = up || !constant || value != 2
		case label == "pktcMtaDevProvConfigKey":
			c.report(s.n, "%s: a key in the file is not taken in unsecured provisioning, and anybody can read it", c.name(s)).fix("delete it")
		}
	}
	if !enabled {
		c.lacks(nil, "pktcMtaDevEnabled is not set: the lines stay dark").fix("add SnmpMibObject pktcMtaDevEnabled.0 Integer 1;")
	}
	if !endpoints {
		c.lacksAs(Note, nil, "no end point has a row (pktcNcsEndPntConfig): the lines get their call agent elsewhere")
	}
	if lines != nil && !up {
		c.report(lines, "ifAdminStatus is down(2) for all lines that the file names")
	}
	for _, r := range c.tableRows() {
		if strings.HasPrefix(r.columns[0].obj.Label, "pktcNcsEndPntConfig") && !r.sets("pktcNcsEndPntConfigCallAgentId") {
			c.lacks(r.columns[0].n, "the end point %v has no call agent", r.columns[0].inst).fix("add pktcNcsEndPntConfigCallAgentId.%v", r.columns[0].inst)
		}
	}
}
