package lint

import "dcs/render/tlv"

// rateRules are about rates, bursts and buffers of service flows and their aggregates.
var rateRules = []Rule{
	{
		ID: "rate-overflow", Severity: Error, Since: V11, Cite: "width of the TLVs; DataRateUnitSetting (24.41)",
		Meaning: "A rate does not fit into 32 bits.",
		Remedy:  "write the rate in kbit/s, with DataRateUnitSetting 1;",
		check: func(c *check) {
			for _, flow := range c.top(24, 25, 70, 71) {
				for _, code := range []uint8{8, 10, 27} {
					if n := sub(flow, code); n != nil {
						c.judge(c.number(n).above(1<<32-1), n, "%s is over 4,294,967,295", c.title(n))
					}
				}
			}
		},
	},
	{
		ID: "rate-min-over-max", Severity: Error, Since: V11, Recalled: true, Cite: "RFC 4323: a maximum of 0 is none",
		Meaning: "The reserved rate (10) of a flow is over its maximum (8), or those of its members are over that of an aggregate: the CMTS says reject(c).",
		Remedy:  "lower MinReservedRate, or raise MaxRateSustained",
		check:   minOverMax,
	},
	{
		ID: "rate-peak-below-max", Severity: Warning, Since: V30, Recalled: true, Cite: "DOCS-QOS3-MIB: 0 is none; MULPI C.2.2.7.10",
		Meaning: "The peak rate (27) is below the sustained rate (8) and throttles the flow, or has no burst (9) to apply to.",
		Remedy:  "raise the peak rate, or delete it",
		check: func(c *check) {
			for _, flow := range c.top(24, 25, 70, 71) {
				peak := sub(flow, 27)
				if peak == nil {
					continue
				}
				some := c.number(peak).above(0)
				if most := sub(flow, 8); most != nil {
					c.judge(c.exceeds(most, peak).and(some), peak, "%s is below MaxRateSustained", c.title(peak))
				}
				if sub(flow, 9) == nil && sub(flow, 4) == nil && some == always {
					c.lacksAs(Note, peak, "%s without MaxTrafficBurst", c.title(peak))
				}
			}
		},
	},
	{
		ID: "rate-zero", Severity: Note, Since: V11, Cite: "RFC 4323 docsIetfQosParamSetMaxTrafficRate: 0 is no limit",
		Meaning: "A service flow has no maximum rate: 0 and none both mean that it is not limited.",
		Remedy:  "write MaxRateSustained, or name a service class",
		check: func(c *check) {
			for _, flow := range c.top(24, 25) {
				switch n := sub(flow, 8); {
				case n != nil:
					c.judge(c.number(n).is(0), n, "%s 0 is no limit", c.title(n))
				case sub(flow, 4) == nil && sub(flow, 36) == nil:
					c.lacks(flow, "%s has no MaxRateSustained (%d.8): it is not limited", c.title(flow), flow.Code)
				}
			}
		},
	},
	{
		ID: "rate-unit-guess", Severity: Warning, Since: V11, Cite: "RFC 4323: rates are in bit/s; the thresholds are a judgement",
		Meaning: "A maximum rate below 64 kbit/s, or a downstream rate below a tenth of the upstream one, was likely written in another unit.",
		Remedy:  "write rates in bit/s, or in the unit of DataRateUnitSetting",
		check:   unitGuess,
	},
	{
		ID: "rate-unit-old", Severity: Warning, Until: V30, Recalled: true, Cite: "dictionary: 24.41 came late in 3.0",
		Meaning: "A modem or CMTS that does not know DataRateUnitSetting (41) reads the rates as bit/s.",
		Remedy:  "serve it to modems of 3.1 and later only",
		check: func(c *check) {
			for _, flow := range c.top(24, 25, 70, 71) {
				if n := sub(flow, 41); n != nil {
					c.judge(c.number(n).above(0), n, "%s: modems that do not know it read the rates as bit/s", c.title(n))
				}
			}
		},
	},
	{
		ID: "rate-reserved", Severity: Warning, Since: V11, Cite: "Cisco cBR QoS guide: reserved bandwidth and admission limits",
		Meaning: "A reserved rate (10) is subject to admission control: when the channel is full, modems get reject(c).",
		Remedy:  "reserve rates only where they are needed, such as for voice",
		check: func(c *check) {
			for _, flow := range c.top(24, 25) {
				if n := sub(flow, 10); n != nil && c.number(n).above(0) == always {
					c.report(n, "%s: when the channel is full, modems are refused", c.title(n))
				}
			}
		},
	},
	{
		ID: "burst-small", Severity: Error, Since: V11, Recalled: true, Cite: "RFC 4323: the default is 3044",
		Meaning: "The burst of a flow (9) does not hold an Ethernet frame.",
		Remedy:  "write MaxTrafficBurst 1522; or more",
		check: func(c *check) {
			for _, flow := range c.top(24, 25, 70, 71) {
				if n := sub(flow, 9); n != nil {
					c.judge(c.number(n).below(1522).and(c.number(n).above(0)), n, "%s is less than one Ethernet frame, 1522 octets", c.title(n))
				}
			}
		},
	},
	{
		ID: "burst-default", Severity: Warning, Since: V11, Cite: "RFC 4323 docsIetfQosParamSetMaxTrafficBurst: 3044 octets; its effect is recalled",
		Meaning: "A flow of 10 Mbit/s or more has the default burst of 3,044 octets, with which TCP does not reach the rate.",
		Remedy:  "write MaxTrafficBurst, such as the octets of 50 ms at this rate",
		check: func(c *check) {
			for _, flow := range c.top(24, 25) {
				n := sub(flow, 8)
				if n != nil && sub(flow, 9) == nil && sub(flow, 4) == nil && c.rate(flow, n).above(10_000_000-1) == always {
					c.lacks(n, "%s: with the default burst of 3,044 octets TCP does not reach this rate", c.title(n))
				}
			}
		},
	},
	{
		ID: "concat-over-burst", Severity: Error, Since: V11, Recalled: true, Cite: "RFC 4323: defaults 1522 and 3044; 0 is no limit",
		Meaning: "MaxConcatenatedBurst (24.14) is over MaxTrafficBurst (24.9). On a plant before 3.0, 0, which is no limit, is a warning.",
		Remedy:  "lower MaxConcatenatedBurst, or raise MaxTrafficBurst",
		check:   concatOverBurst,
	},
	{
		ID: "buffer-order", Severity: Error, Since: V30, Recalled: true, Cite: "MULPI C.2.2.7.11",
		Meaning: "The buffers of a flow (35) are not in order: minimum, target, maximum.",
		Remedy:  "put them in order",
		check: func(c *check) {
			for _, flow := range c.top(24, 25) {
				var last *tlv.Node
				for code := uint8(1); code <= 3; code++ {
					n := sub(flow, 35, code)
					if n == nil || code == 3 && c.number(n).is(0) != never {
						continue // no maximum
					}
					if last != nil {
						c.disorder(always, last, n)
					}
					last = n
				}
			}
		},
	},
}

// exceeds judges whether the number of a is greater than that of b. If both vary, they may vary together: then only what holds
// for all values counts.
func (c *check) exceeds(a, b *tlv.Node) verdict {
	v := c.number(a).over(c.number(b))
	if v != always && !c.constant(a) && !c.constant(b) {
		return never
	}
	return v
}

// disorder reports that the number of a is greater than that of b, if that matters.
func (c *check) disorder(matters verdict, a, b *tlv.Node) {
	v := matters.and(c.exceeds(a, b))
	if c.constant(a) && !c.constant(b) { // the finding is where the values are that decide it
		c.also(c.judge(v, b, "%s is below %s", c.title(b), c.title(a)), a, "the other is here")
		return
	}
	c.also(c.judge(v, a, "%s is over %s", c.title(a), c.title(b)), b, "the other is here")
}

// rate returns a rate of a flow in bit/s.
func (c *check) rate(flow, n *tlv.Node) interval {
	i := c.number(n)
	unit, ok := c.exact(sub(flow, 41))
	if sub(flow, 41) == nil {
		unit, ok = 0, true
	}
	if !ok || unit < 0 || unit > 3 || i.min < 0 || i.max > 1<<32 {
		return interval{0, 1<<63 - 1, false}
	}
	scale := [...]int64{1, 1000, 1_000_000, 1_000_000_000}[unit]
	if i.max > (1<<63-1)/scale {
		return interval{i.min, 1<<63 - 1, false}
	}
	return interval{i.min * scale, i.max * scale, i.bounded}
}

func minOverMax(c *check) {
	for _, flow := range c.top(24, 25, 70, 71) {
		least, most := sub(flow, 10), sub(flow, 8)
		if least != nil && most != nil {
			c.disorder(c.number(most).is(0).not(), least, most)
		}
	}
	for _, member := range []uint8{24, 25} {
		reserved, units := map[int64]int64{}, map[int64]bool{} // by aggregate; of all flows
		for _, flow := range c.top(member) {
			unit, _ := c.exact(sub(flow, 41))
			units[unit] = true
			if to, ok := c.exact(sub(flow, 36)); ok {
				least, _ := c.exact(sub(flow, 10))
				reserved[to] += least
			}
		}
		for _, a := range c.top(member + aggregateOf) {
			id, ok := c.exact(sub(a, 1))
			most, known := c.exact(sub(a, 8))
			if !ok || !known || most == 0 {
				continue
			}
			unit, _ := c.exact(sub(a, 41))
			if sum := reserved[id]; sum > most && len(units) == 1 && units[unit] {
				c.report(sub(a, 8), "%s is below the %d that its members reserve", c.title(sub(a, 8)), sum)
			}
		}
	}
}

func unitGuess(c *check) {
	for _, flow := range c.top(24, 25) {
		n := sub(flow, 8)
		if n == nil {
			continue
		}
		if r := c.rate(flow, n); r.above(0).and(r.below(64_000)) == always {
			c.report(n, "%s is %d bit/s: is the unit right?", c.title(n), r.max)
		}
	}
	if !c.has(24) || !c.has(25) {
		return
	}
	up, down := c.tops[24][0], c.tops[25][0]
	a, b := sub(up, 8), sub(down, 8)
	if a == nil || b == nil {
		return
	}
	fast, slow := c.rate(up, a), c.rate(down, b)
	if slow.min >= 64_000 && slow.max < fast.min/10 {
		c.also(c.report(b, "%s is %d bit/s, less than a tenth of the upstream rate", c.title(b), slow.max), a, "the upstream rate is here")
	}
}

func concatOverBurst(c *check) {
	for _, flow := range c.top(24) {
		concat, burst := sub(flow, 14), sub(flow, 9)
		if concat == nil {
			continue
		}
		if x, ok := c.exact(concat); ok && x == 0 && c.Version != AnyVersion && c.Version <= V20 {
			c.reportAs(Warning, concat, "%s 0 is no limit", c.title(concat))
		}
		if burst != nil {
			c.disorder(c.number(burst).is(0).not(), concat, burst)
		} else if sub(flow, 4) == nil {
			c.judge(c.number(concat).above(3044), concat, "%s is over the default of MaxTrafficBurst, 3044", c.title(concat))
		}
	}
}
