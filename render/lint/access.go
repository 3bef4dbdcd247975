package lint

import (
	"slices"

	"dcs/render/tlv"
)

// anyHost are the addresses of docsDevNmAccessIp that stand for every manager (RFC 4639).
var anyHost = []uint64{0, 0xffffffff}

// managerView is the view of everything that modems have without a statement for it.
const managerView = "docsisManagerView"

// accessRules are about who may manage a modem by SNMP.
var accessRules = []Rule{
	{
		ID: "nm-open", Severity: Warning, Cite: "RFC 4639, docsDevNmAccessTable",
		Meaning: "Anyone may write to the modem by SNMP, or a row admits any community: \"public\" is the default, and an empty one matches all. That nothing limits SNMP at all is a note, for a CMTS may do so.",
		Remedy:  "write docsDevNmAccess rows with the managers' network and a community that cannot be guessed, or SNMPv1v2cCoexistenceConfig",
		check:   openAccess,
	},
	{
		ID: "coexistence", Severity: Error, Since: V30, Recalled: true, Cite: "MULPI C.1.2.13, C.1.2.14",
		Meaning: "SNMPv1v2cCoexistenceConfig (53) lacks its community or the addresses of managers, repeats a community, or names a view that SNMPv3AccessViewConfiguration (54) does not define: the modem ignores it or refuses the file.",
		Remedy:  "write SNMPv1v2cCommunityName, SNMPv1v2cTransportAddressAccess and, for a view, SNMPv3AccessViewConfiguration",
		check:   coexistence,
	},
	{
		ID: "kickstart", Severity: Error, Since: V11, Recalled: true, Cite: "MULPI C.1.2.9",
		Meaning: "SnmpV3Kickstart (34) needs a name and a public number, each name once; a modem takes five.",
		Remedy:  "write SnmpV3SecurityName and SnmpV3MgrPublicNumber in each",
		check: func(c *check) {
			list := c.top(34)
			names := map[string]*tlv.Node{}
			for i, n := range list {
				name := sub(n, 1)
				switch {
				case name == nil:
					c.lacks(n, "%s has no SnmpV3SecurityName (1)", c.title(n))
				case sub(n, 2) == nil:
					c.lacks(n, "%s has no SnmpV3MgrPublicNumber (2)", c.title(n))
				}
				if i == 5 {
					c.report(n, "%d of SnmpV3Kickstart: a modem takes five", len(list)).fix("keep five")
				}
				c.repeated(names, name, "the name")
			}
		},
	},
	{
		ID: "trap-receiver", Severity: Error, Since: V11, Recalled: true, Cite: "OCAP, events of the same TLVs; MULPI C.1.2.12",
		Meaning: "SnmpV3TrapReceiver (38) has no address, a type that is none, no user for SNMPv3, or is there twice.",
		Remedy:  "write SnmpV3TrapRxIP or SnmpV3TrapRxIP6, and for the types 4 and 5 SnmpV3TrapRxSecurityName",
		check: func(c *check) {
			seen := map[string]*tlv.Node{}
			for _, n := range c.top(38) {
				kind := sub(n, 3)
				if sub(n, 1) == nil && sub(n, 8) == nil {
					c.lacks(n, "%s has no address (1, 8)", c.title(n))
				}
				if kind != nil {
					c.judge(c.number(kind).outside(1, 5), kind, "%s is out of range, 1 to 5", c.title(kind))
				}
				if x, ok := c.exact(kind); ok && (x == 4 || x == 5) && sub(n, 7) == nil {
					c.lacks(n, "%s: type %d is SNMPv3, and there is no SnmpV3TrapRxSecurityName (7)", c.title(n), x)
				}
				c.repeated(seen, n, "the receiver")
			}
		},
	},
}

// repeated reports a TLV whose value one of those seen has, and adds it to them. n may be nil.
func (c *check) repeated(seen map[string]*tlv.Node, n *tlv.Node, what string) {
	value, ok := c.octets(n)
	if !ok {
		return
	}
	if was := seen[string(value)]; was != nil {
		c.also(c.report(n, "%s: %s stands twice", c.title(n), what), was, "first here").fix("keep one")
		return
	}
	seen[string(value)] = n
}

// column returns the value of a row's column; nil: it is not set, or the request decides it.
func (c *check) column(r *tableRow, label string) []byte {
	for _, s := range r.columns {
		if s.obj.Label == label && c.constant(s.n) {
			return s.vb.Value
		}
	}
	return nil
}

// columnNumber is column for a number; ok is false if there is none.
func (c *check) columnNumber(r *tableRow, label string) (x int64, ok bool) {
	for _, s := range r.columns {
		if s.obj.Label == label && c.constant(s.n) {
			return s.integer()
		}
	}
	return 0, false
}

func openAccess(c *check) {
	if c.MIB == nil {
		return
	}
	limited := c.has(34, 53)
	for _, r := range c.tableRows() {
		if r.status == nil {
			continue
		}
		switch r.status.obj.Label {
		case "snmpCommunityStatus", "usmUserStatus", "vacmAccessStatus":
			limited = true
			continue
		case "docsDevNmAccessStatus":
			limited = true
		default:
			continue
		}
		host, mask := c.column(r, "docsDevNmAccessIp"), c.column(r, "docsDevNmAccessIpMask")
		everybody := len(host) == 4 && slices.Contains(anyHost, uintOf(host)) || len(mask) == 4 && uintOf(mask) == 0
		control, _ := c.columnNumber(r, "docsDevNmAccessControl")
		if everybody && (control == 3 || control == 5) {
			c.report(r.status.n, "any address may write to the modem by SNMP: the row of %s admits all", c.name(r.status)).
				fix("write the managers' network in docsDevNmAccessIp and docsDevNmAccessIpMask")
		}
		if !r.sets("docsDevNmAccessCommunity") {
			c.lacks(r.status.n, "the row of %s has no docsDevNmAccessCommunity: it admits \"public\"", c.name(r.status)).
				fix("set docsDevNmAccessCommunity to one that cannot be guessed")
		}
	}
	if !limited {
		c.lacksAs(Note, nil, "nothing limits who may read and write the modem by SNMP")
	}
}

func coexistence(c *check) {
	views, communities := map[string]bool{managerView: true}, map[string]*tlv.Node{}
	known := true // all views are known
	for _, n := range c.top(54) {
		name, ok := c.octets(sub(n, 1))
		known = known && ok
		views[string(name)] = true
		if sub(n, 1) == nil {
			c.lacks(n, "%s has no SNMPv3AccessViewName (1)", c.title(n))
		}
		if sub(n, 2) == nil {
			c.lacksAs(Warning, n, "%s has no SNMPv3AccessViewSubtree (2)", c.title(n)).fix("write SNMPv3AccessViewSubtree .1.3.6;")
		}
		if kind := sub(n, 4); kind != nil {
			c.judge(c.number(kind).outside(1, 2), kind, "%s is out of range, 1 (included) or 2 (excluded)", c.title(kind))
		}
	}
	for _, s := range c.settings() {
		if s.obj != nil && s.obj.Label == "vacmViewTreeFamilyStatus" {
			known = false
		}
	}
	for _, n := range c.top(53) {
		if sub(n, 1) == nil {
			c.lacks(n, "%s has no SNMPv1v2cCommunityName (1)", c.title(n))
		}
		c.repeated(communities, sub(n, 1), "the community")
		if sub(n, 2) == nil {
			c.lacks(n, "%s has no SNMPv1v2cTransportAddressAccess (2)", c.title(n))
		}
		for _, access := range subs(n, 2) {
			c.transport(access)
		}
		if kind := sub(n, 3); kind != nil {
			c.judge(c.number(kind).outside(1, 2), kind, "%s is out of range, 1 (read-only) or 2 (read-write)", c.title(kind))
		}
		if view, ok := c.octets(sub(n, 4)); ok && known && !views[string(view)] && !c.Partial {
			c.report(sub(n, 4), "the view %q is not defined", view).fix("add SNMPv3AccessViewConfiguration { SNMPv3AccessViewName %q; SNMPv3AccessViewSubtree .1.3.6; }", view)
		}
	}
}

// transport judges the address and the mask of managers (53.2).
func (c *check) transport(access *tlv.Node) {
	address, mask := sub(access, 1), sub(access, 2)
	switch {
	case address == nil:
		c.lacks(access, "%s has no SNMPv1v2cTransportAddress (1)", c.title(access))
	case mask != nil && c.constant(mask) && c.constant(address) && len(address.Value) != len(mask.Value):
		c.report(mask, "the mask is of %d octets, the address of %d: they are of different families", len(mask.Value), len(address.Value))
	case mask != nil && c.constant(mask) && len(mask.Value) > 2 && !slices.ContainsFunc(mask.Value[:len(mask.Value)-2], func(x byte) bool { return x != 0 }):
		c.reportAs(Note, mask, "the mask is zero: any address may use the community").fix("write the mask of the managers' network")
	}
}
