package lint

import "bytes"

// originRules are about the time and the address that prove that a file was fetched by the modem, just now.
var originRules = []Rule{
	{
		ID: "time-literal", Severity: Error, Cite: "Cisco cBR QoS guide: reject(ts)",
		Meaning: "A constant TftpTimestamp (19) is stale 30 seconds after it was made: the CMTS says reject(ts).",
		Remedy:  "write TftpTimestamp $time;",
		check: func(c *check) {
			for _, n := range c.top(19) {
				if c.constant(n) {
					c.report(n, "%s is constant: the CMTS refuses a stale time, reject(ts)", c.title(n))
				}
			}
		},
	},
	{
		ID: "address-literal", Severity: Error, Cite: "Cisco cBR QoS guide: reject(ip)",
		Meaning: "With a constant TftpModemAddress (20, 59) the CMTS refuses all modems but one, reject(ip). A warning where a file may be a single modem's.",
		Remedy:  "write TftpModemAddress $ip;",
		check: func(c *check) {
			for _, n := range c.top(20, 59) {
				if !c.constant(n) {
					continue
				}
				severity := Error
				if !c.Shared {
					severity = Warning
				}
				f := c.reportAs(severity, n, "%s is constant: the CMTS refuses all modems but one, reject(ip)", c.title(n))
				if n.Code == 59 {
					f.fix("write TFTPProvisionedModemIPv6Address $ip;")
				}
			}
		},
	},
	{
		ID: "address-family", Severity: Warning, Since: V30, Recalled: true, Cite: "MULPI C.1.1.9, C.1.1.10; Cisco cBR QoS guide",
		Meaning: "The CMTS compares the address with the one that the modem has: a file with both families, or with a zero address, fits no modem.",
		Remedy:  "leave them out and set modem_address: on, which adds the one of the modem's family",
		check: func(c *check) {
			if c.has(20) && c.has(59) {
				c.also(c.report(c.tops[59][0], "an IPv4 and an IPv6 address of the modem in one file"), c.tops[20][0], "the IPv4 address is here")
			}
			for _, n := range c.top(20, 59) {
				if b, ok := c.octets(n); ok && len(bytes.Trim(b, "\x00")) == 0 {
					c.report(n, "%s is zero", c.title(n))
				}
			}
		},
	},
}
