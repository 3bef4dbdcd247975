package lint

import (
	"slices"
	"strings"

	"dcs/render/ber/mib"
)

// Values of RowStatus (RFC 2579).
const (
	rowActive        = 1
	rowCreateAndGo   = 4
	rowCreateAndWait = 5
)

// tableRow is a row of which a file sets columns.
type tableRow struct {
	columns []*setting
	status  *setting // nil: it is not set
}

// tableRows returns the rows of tables that the file writes, in order.
func (v *view) tableRows() []*tableRow {
	if v.rows != nil {
		return v.rows
	}
	rows := []*tableRow{}
	byKey := map[string]*tableRow{}
	var key []byte
	for _, s := range v.settings() {
		if s.obj == nil || s.obj.Kind != mib.Column {
			continue
		}
		key = s.appendRow(key[:0])
		r := byKey[string(key)]
		if r == nil {
			r = new(tableRow)
			rows, byKey[string(key)] = append(rows, r), r
		}
		r.columns = append(r.columns, s)
		if s.obj.TC == "RowStatus" {
			r.status = s
		}
	}
	v.rows = rows
	return rows
}

// sets reports whether the row has a column of a label.
func (r *tableRow) sets(label string) bool {
	return slices.ContainsFunc(r.columns, func(s *setting) bool { return s.obj.Label == label })
}

// statusOf returns the label of the RowStatus column beside a column, "" if there is none.
func (c *check) statusOf(s *setting) string {
	for _, o := range c.MIB.Under(s.obj.OID[:len(s.obj.OID)-1]) {
		if o.TC == "RowStatus" {
			return o.Label
		}
	}
	return ""
}

// empty are the beginnings of the tables that have no rows before a file makes them.
var empty = []string{
	"docsDevNmAccess", "docsDevFilter", "snmpCommunity", "snmpTarget", "vacmSecurityToGroup", "vacmAccess", "vacmViewTreeFamily",
	"pktcMtaDevRealm", "pktcMtaDevCms",
}

// needed are the columns that a row cannot be active without, by the label of its status.
var needed = map[string]struct {
	columns  []string
	severity Severity // Warning: all columns have defaults
}{
	"docsDevNmAccessStatus": {
		[]string{"docsDevNmAccessIp", "docsDevNmAccessIpMask", "docsDevNmAccessCommunity", "docsDevNmAccessControl", "docsDevNmAccessInterfaces"}, Warning,
	},
	"pktcMtaDevRealmStatus": {[]string{"pktcMtaDevRealmName", "pktcMtaDevRealmOrgName"}, Error},
	"pktcMtaDevCmsStatus":   {[]string{"pktcMtaDevCmsFqdn", "pktcMtaDevCmsKerbRealmName"}, Error},
	"snmpCommunityStatus":   {[]string{"snmpCommunityName", "snmpCommunitySecurityName"}, Error},
}

// knownCommunities are those that scanners try first.
var knownCommunities = []string{"", "public", "private", "cable-docsis", "admin"}

// rowRules are about rows of SNMP tables, and what they let others do.
var rowRules = []Rule{
	{
		ID: "row-status", Severity: Error, In: all, Cite: "RFC 2579, RowStatus; RFC 4639; RFC 4682",
		Meaning: "Columns of a row are set, and nothing creates the row: the modem has none.",
		Remedy:  "set the row's status to createAndGo(4)",
		check: func(c *check) {
			for _, r := range c.tableRows() {
				first := r.columns[0]
				switch {
				case r.status == nil:
					label := c.statusOf(first)
					if label == "" || first.obj.Access != "read-create" || strings.HasPrefix(label, "pktcNcsEndPnt") {
						continue // the lines of an MTA have their rows
					}
					severity := Warning // an agent may have made the row
					if slices.ContainsFunc(empty, func(table string) bool { return strings.HasPrefix(label, table) }) {
						severity = Error
					}
					c.lacksAs(severity, first.n, "%s without %s.%v", c.name(first), label, first.inst).fix("add SnmpMibObject %s.%v Integer createAndGo;", label, first.inst)
				case c.constant(r.status.n):
					if v, ok := r.status.integer(); ok && (v == rowActive || v == rowCreateAndWait) {
						c.reportAs(Warning, r.status.n, "%s is %d: a new row is active only after createAndGo(4)", c.name(r.status), v)
					}
				}
			}
		},
	},
	{
		ID: "row-incomplete", Severity: Error, In: all, Cite: "RFC 4639; RFC 4682; RFC 3584",
		Meaning: "A row lacks columns that it needs to become active: it stays notReady, or takes defaults that are wide open.",
		Remedy:  "set the columns that are missing",
		check: func(c *check) {
			for _, r := range c.tableRows() {
				if r.status == nil {
					continue
				}
				if v, ok := r.status.integer(); ok && v != rowCreateAndGo && v != rowActive {
					continue
				}
				need := needed[r.status.obj.Label]
				var missing []string
				for _, label := range need.columns {
					if !r.sets(label) {
						missing = append(missing, label)
					}
				}
				if len(missing) > 0 {
					c.lacksAs(need.severity, r.status.n, "the row of %s has no %s", c.name(r.status), strings.Join(missing, ", "))
				}
			}
		},
	},
	{
		ID: "nm-and-coexistence", Severity: Warning, Since: V11, Cite: "RFC 4639, docsDevNmAccessTable",
		Meaning: "Rows of docsDevNmAccessTable stand beside SNMPv3 or community settings: the modem then ignores them.",
		Remedy:  "keep one of the two",
		check: func(c *check) {
			var other *setting
			for _, s := range c.settings() {
				if s.obj != nil && other == nil && slices.ContainsFunc([]string{"snmpCommunity", "vacm", "usm"}, func(p string) bool { return strings.HasPrefix(s.obj.Label, p) }) {
					other = s
				}
			}
			if other == nil && !c.has(34, 53, 54) {
				return
			}
			for _, s := range c.settings() {
				if s.obj != nil && s.obj.Label == "docsDevNmAccessStatus" {
					f := c.report(s.n, "%s is ignored: other settings put the modem's agent into coexistence mode", c.name(s))
					if other != nil {
						c.also(f, other.n, "coexistence mode")
					}
					return
				}
			}
		},
	},
	{
		ID: "community-known", Severity: Warning, In: all, Cite: "communities that scanners try first",
		Meaning: "Everybody knows the community.",
		Remedy:  "choose one that cannot be guessed",
		check: func(c *check) {
			for _, s := range c.settings() {
				if s.obj == nil || !c.constant(s.n) || s.obj.Label != "docsDevNmAccessCommunity" && s.obj.Label != "snmpCommunityName" {
					continue
				}
				if community := string(s.vb.Value); slices.Contains(knownCommunities, community) {
					c.report(s.n, "%s: everybody knows the community %q", c.name(s), community)
				}
			}
			for _, n := range c.top(53) {
				if community, ok := c.octets(sub(n, 1)); ok && slices.Contains(knownCommunities, strings.TrimRight(string(community), "\x00")) {
					c.report(sub(n, 1), "%s: everybody knows the community %q", c.title(sub(n, 1)), community)
				}
			}
		},
	},
	{
		ID: "nm-destroy", Severity: Warning, Cite: "RFC 4639, docsDevNmAccessControl",
		Meaning: "docsDevNmAccessControl none(1) destroys the row.",
		Remedy:  "write read(2) or readWrite(3)",
		check: func(c *check) {
			for _, s := range c.settings() {
				if v, ok := s.integer(); s.obj != nil && s.obj.Label == "docsDevNmAccessControl" && c.constant(s.n) && ok && v == 1 {
					c.report(s.n, "%s is none(1), which destroys the row", c.name(s))
				}
			}
		},
	},
	{
		ID: "filter-mask", Severity: Error, Cite: "RFC 4639, docsDevFilterIpTable",
		Meaning: "A mask of an IP filter has a zero left of a one.",
		Remedy:  "write a mask of leading ones",
		check: func(c *check) {
			for _, s := range c.settings() {
				if s.obj == nil || len(s.vb.Value) != 4 || !c.constant(s.n) || s.obj.Label != "docsDevFilterIpSmask" && s.obj.Label != "docsDevFilterIpDmask" {
					continue
				}
				if inverse := ^uint32(uintOf(s.vb.Value)); inverse&(inverse+1) != 0 {
					c.report(s.n, "%s: the mask has a zero left of a one", c.name(s))
				}
			}
		},
	},
}
