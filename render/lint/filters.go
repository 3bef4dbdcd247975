package lint

import (
	"cmp"
	"slices"
	"strings"
)

// Values of docsDevFilterIpControl and docsDevFilterIpDefault (RFC 4639).
const (
	filterDiscard = 1
	filterAccept  = 2
)

// filterRules are about the filters of docsDevFilterIpTable, and objects that stand in the wrong place.
var filterRules = []Rule{
	{
		ID: "filter-drops-all", Severity: Warning, Cite: "RFC 4639, docsDevFilterIpTable",
		Meaning: "A filter discards every packet: its row has no criterion and none before it accepts anything, or docsDevFilterIpDefault discards what no row accepts.",
		Remedy:  "add a criterion, such as docsDevFilterIpDestPortLow and docsDevFilterIpDestPortHigh, or a row that accepts",
		check:   filtersDropAll,
	},
	{
		ID: "erouter-snmp", Severity: Warning, Recalled: true, Cite: "eRouter, B.4.8",
		Meaning: "An object of the router (CLAB-GW-MIB, ipNetToPhysical) is set for the modem, or one of the modem (docsDev, docsIf, docsBpi) for the router: the agent that gets it does not have it.",
		Remedy:  "objects of the router belong into eRouter { SnmpMibObject … }, those of the modem outside",
		check: func(c *check) {
			if !c.has(202) {
				return
			}
			for _, s := range c.settings() {
				if s.obj == nil {
					continue
				}
				has := func(prefix string) bool { return strings.HasPrefix(s.obj.Label, prefix) }
				switch {
				case s.in == "" && s.n.Code == 11 && slices.ContainsFunc([]string{"clabGW", "clabWIFI", "ipNetToPhysical"}, has):
					c.report(s.n, "%s is an object of the router, and set for the modem", c.name(s)).fix("move it into eRouter { … }")
				case s.in == "202" && slices.ContainsFunc([]string{"docsDev", "docsIf", "docsBpi"}, has):
					c.report(s.n, "%s is an object of the modem, and set for the router", c.name(s)).fix("move it out of eRouter { … }")
				}
			}
		},
	},
}

// unlimited are the values of columns of a filter that match any packet.
var unlimited = map[string]int64{
	"docsDevFilterIpBroadcast": 2, "docsDevFilterIpProtocol": 256, "docsDevFilterIpSourcePortLow": 0, "docsDevFilterIpSourcePortHigh": 65535,
	"docsDevFilterIpDestPortLow": 0, "docsDevFilterIpDestPortHigh": 65535,
}

// selective reports whether a filter leaves some packets alone, as far as is known.
func (c *check) selective(r *tableRow) bool {
	for _, s := range r.columns {
		if !c.constant(s.n) {
			return true
		}
		switch s.obj.Label {
		case "docsDevFilterIpSmask", "docsDevFilterIpDmask", "docsDevFilterIpTosMask":
			if uintOf(s.vb.Value) != 0 {
				return true
			}
		default:
			if all, known := unlimited[s.obj.Label]; known {
				if x, ok := s.integer(); !ok || x != all {
					return true
				}
			}
		}
	}
	return false
}

func filtersDropAll(c *check) {
	if c.Partial {
		return // a row that accepts may be in what is not known
	}
	var rows []*tableRow
	for _, r := range c.tableRows() {
		if r.status != nil && r.status.obj.Label == "docsDevFilterIpStatus" {
			rows = append(rows, r)
		}
	}
	slices.SortStableFunc(rows, func(a, b *tableRow) int { return slices.CompareFunc(a.status.inst, b.status.inst, cmp.Compare) })
	accepts := false
	for _, r := range rows {
		control, set := c.columnNumber(r, "docsDevFilterIpControl")
		if !set && r.sets("docsDevFilterIpControl") {
			control = filterAccept // the request decides
		} else if !set {
			control = filterDiscard
		}
		goesOn, _ := c.columnNumber(r, "docsDevFilterIpContinue")
		switch {
		case control != filterDiscard:
			accepts = true
		case !accepts && goesOn != 1 && !c.selective(r):
			c.report(r.status.n, "the row of %s discards every packet: it has no criterion", c.name(r.status))
		}
	}
	for _, s := range c.settings() {
		if s.obj == nil || s.obj.Label != "docsDevFilterIpDefault" || !c.constant(s.n) {
			continue
		}
		if x, ok := s.integer(); ok && x == filterDiscard && !accepts {
			c.report(s.n, "docsDevFilterIpDefault is discard(1), and no row accepts anything: every packet is discarded")
		}
	}
}
