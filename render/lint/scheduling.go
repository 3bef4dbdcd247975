package lint

import (
	"fmt"

	"dcs/render/tlv"
)

// Scheduling types (24.15).
const (
	bestEffort = 2
	nrtPS      = 3
	rtPS       = 4
	ugsAD      = 5
	ugs        = 6
	pgs        = 7
)

var schedulingNames = map[int64]string{bestEffort: "best effort", nrtPS: "nrtPS", rtPS: "rtPS", ugsAD: "UGS/AD", ugs: "UGS", pgs: "PGS"}

// inapplicable lists the parameters that mean nothing to each scheduling type: RFC 4323, and from memory those of rates and
// priority.
var inapplicable = map[int64][]uint8{
	bestEffort: {17, 18, 19, 20, 21, 22},
	nrtPS:      {18, 19, 20, 21, 22},
	rtPS:       {7, 19, 20, 21, 22},
	ugsAD:      {7, 8, 9, 10, 11, 14},
	ugs:        {7, 8, 9, 10, 11, 14, 17, 18},
	pgs:        {17, 18, 19, 20, 21, 22},
}

// schedulingRules are about the scheduling of upstream flows.
var schedulingRules = []Rule{
	{
		ID: "sched-value", Severity: Error, Since: V11, Cite: "RFC 4323 docsIetfQosParamSetSchedulingType; ns-3 for 7",
		Meaning: "SchedulingType (24.15) is 0, which is reserved, or over 7; 1 leaves it to the CMTS, which is a warning.",
		Remedy:  "write 2 for best effort, 3 nrtPS, 4 rtPS, 5 UGS/AD, 6 UGS, 7 PGS",
		check: func(c *check) {
			for _, flow := range c.top(24) {
				if n := sub(flow, 15); n != nil {
					c.judge(c.number(n).outside(1, 7), n, "%s is reserved", c.title(n))
					c.judgeAs(Warning, c.number(n).is(1), n, "%s 1 is undefined: the CMTS chooses", c.title(n))
				}
			}
		},
	},
	{
		ID: "ugs-required", Severity: Error, Since: V11, Cite: "RFC 4323: mandatory when applicable",
		Meaning: "A flow of unsolicited grants (24.15 is 5 or 6) lacks size (19), interval (20), jitter (21) or number (22) of its grants.",
		Remedy:  "add the parameter",
		check: func(c *check) {
			for _, flow := range c.top(24) {
				if kind := c.scheduling(flow); kind != ugs && kind != ugsAD || sub(flow, 4) != nil {
					continue
				}
				for code := uint8(19); code <= 22; code++ {
					if sub(flow, code) == nil {
						c.lacks(sub(flow, 15), "%s needs %s", schedulingNames[c.scheduling(flow)], parameter(code))
					}
				}
			}
		},
	},
	{
		ID: "rtps-required", Severity: Error, Since: V11, Cite: "RFC 4323",
		Meaning: "A flow of real-time polls (24.15 is 4) has no NominalPollInterval (24.17).",
		Remedy:  "add NominalPollInterval, microseconds",
		check: func(c *check) {
			for _, flow := range c.top(24) {
				if c.scheduling(flow) == rtPS && sub(flow, 17) == nil && sub(flow, 4) == nil {
					c.lacks(sub(flow, 15), "rtPS needs %s", parameter(17))
				}
			}
		},
	},
	{
		ID: "sched-not-applicable", Severity: Warning, Since: V11, Cite: "RFC 4323; what of rates and priority does not apply is recalled",
		Meaning: "A parameter means nothing in a flow of this scheduling type.",
		Remedy:  "delete it",
		check: func(c *check) {
			for _, flow := range c.top(24) {
				kind := c.scheduling(flow)
				for _, code := range inapplicable[kind] {
					if n := sub(flow, code); n != nil {
						c.report(n, "%s means nothing in %s", c.title(n), schedulingNames[kind])
					}
				}
			}
		},
	},
	{
		ID: "sched-policy", Severity: Error, Since: V11, Recalled: true, Cite: "RFC 4323 docsIetfQosParamSetRequestPolicyOct: the bits; which are needed is recalled",
		Meaning: "RequestOrTxPolicy (24.16) is missing, or permits requests that the scheduling type makes needless.",
		Remedy:  "write RequestOrTxPolicy 0x0000007f; for UGS, 0x0000001f; for rtPS",
		check:   schedulingPolicy,
	},
	{
		ID: "sched-pgs", Severity: Error, Recalled: true, Cite: "ns-3 docsis: 7 is proactive grants; MULPI C.2.2.10.13 to .16",
		Meaning: "A flow of proactive grants (24.15 is 7) has no rate or interval, a modem before 3.1 does not know it, or a flow of another type has its parameters.",
		Remedy:  "add GuaranteedGrantRate (24.45)",
		check:   proactive,
	},
}

// scheduling returns the scheduling type of a flow, best effort if it has none; 0: it varies, or the class of the flow decides.
func (c *check) scheduling(flow *tlv.Node) int64 {
	n := sub(flow, 15)
	if n == nil {
		if sub(flow, 4) != nil {
			return 0
		}
		return bestEffort
	}
	x, _ := c.exact(n)
	return x
}

// parameter returns the name and path of a parameter of an upstream flow.
func parameter(code uint8) string {
	if up, ok := tlv.Root(tlv.CM).ChildByCode(24); ok {
		if d, ok := up.ChildByCode(code); ok {
			return d.Title()
		}
	}
	return fmt.Sprintf("24.%d", code)
}

func schedulingPolicy(c *check) {
	for _, flow := range c.top(24) {
		kind, n := c.scheduling(flow), sub(flow, 16)
		if b, ok := c.octets(n); ok && len(b) == 4 {
			policy := uintOf(b)
			switch {
			case (kind == ugs || kind == ugsAD) && policy&0x1f != 0x1f:
				c.report(n, "%s: %s must not request by contention or piggyback, bits 0 to 4", c.title(n), schedulingNames[kind])
			case (kind == ugs || kind == ugsAD) && policy&0x60 != 0x60:
				c.reportAs(Warning, n, "%s: %s should not concatenate or fragment, bits 5 and 6", c.title(n), schedulingNames[kind])
			case kind == rtPS && policy&7 != 7:
				c.report(n, "%s: rtPS must not request by contention, bits 0 to 2", c.title(n))
			}
			if policy>>11 != 0 {
				c.reportAs(Warning, n, "%s: bits above 10 are reserved", c.title(n))
			}
		}
		if n == nil && kind >= nrtPS && kind <= ugs && sub(flow, 4) == nil {
			c.lacks(sub(flow, 15), "%s needs %s", schedulingNames[kind], parameter(16))
		}
	}
}

func proactive(c *check) {
	for _, flow := range c.top(24) {
		kind := c.scheduling(flow)
		if kind == pgs {
			n := sub(flow, 15)
			if c.Version != AnyVersion && c.Version < V31 {
				c.report(n, "%s 7: proactive grants came with 3.1", c.title(n)).fix("serve this flow to modems of 3.1 and later")
			}
			if sub(flow, 45) == nil && sub(flow, 44) == nil && sub(flow, 46) == nil && sub(flow, 4) == nil {
				c.lacks(n, "PGS needs %s", parameter(45))
			}
			continue
		}
		for _, code := range []uint8{44, 45, 46, 49} {
			if n := sub(flow, code); n != nil && kind != 0 && c.Dialect == tlv.CM {
				c.reportAs(Warning, n, "%s means nothing in %s", c.title(n), schedulingNames[kind]).fix("delete it, or write SchedulingType 7;")
			}
		}
	}
}
