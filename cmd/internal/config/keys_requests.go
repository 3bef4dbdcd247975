package config

import (
	"fmt"
	"time"
)

// requestKeys are the keys about how requests arrive, and who may send them.
func (c *Config) requestKeys() []Key {
	return []Key{
		{
			"listen", `["0.0.0.0:69", "[::]:69"]`,
			`Addresses and ports to receive TFTP requests on. Ports below 1024 need root or
CAP_NET_BIND_SERVICE. An address that no interface has yet is served as soon
as one has it.`,
			many(&c.Listen, "addresses", "a list of addresses with ports", parseListen),
		},
		{
			"transport", `auto`,
			`How packets are received: xdp (AF_XDP, past the kernel's network stack; an
error if that is impossible), socket (UDP sockets), or auto: xdp where the
interface is known, its driver supports it and the server has the privileges,
else socket. The log says what was chosen, and why.`,
			one(&c.Transport, "auto|xdp|socket", "auto, xdp or socket", text, parseTransport),
		},
		{
			"interface", `[]`,
			`Network interfaces that requests arrive on, for xdp. VLANs on them are served
too: name the underlying device. A bond or team stands for its members, those
that join later included. Empty: the interfaces with the addresses of listen
at the start; for an address of a dummy or loopback interface, all interfaces
that have an address.`,
			many(&c.Interfaces, "interfaces", "a list of names of network interfaces", parseInterface),
		},
		{
			"busy_poll", `off`,
			`Over AF_XDP, run the network card's receive work in the workers instead of in
its interrupts, as long as packets keep coming. Whether that pays depends on
the driver: measure it. Sets napi_defer_hard_irqs and gro_flush_timeout of the
interfaces where these are 0, until the server ends, which needs root; values
that are set already are kept.`,
			boolean(&c.BusyPoll),
		},
		{
			"allow", `[]`,
			`Who may send requests: a list of prefixes such as 10.0.0.0/8 or fd00::/8.
Others get no answer. Empty: everyone. A list without IPv6 prefixes excludes
IPv6. Applies to every transport and every interface.`,
			many(&c.Allow, "prefixes", "a list of prefixes such as 10.0.0.0/8", ParsePrefix),
		},
		{
			"rate", `2000`,
			`Requests answered per second and source, such as 2 or 0.5. Requests above the
rate are dropped, over TFTP and HTTP alike. Running transfers do not count.
Sources in proxies, and this host itself, have no rate. The default suits
sources that are whole CMTSes: use less if each source is one modem.
0: no limit.`,
			one(&c.Rate, "number", fmt.Sprintf("requests per second, 0 or %v to %v", minRate, maxRate), digits, parseRate),
		},
		{
			"rate_burst", `0`,
			`Requests that a source may send at once before its rate applies. 0: those of a
minute, at least 20; at the default rate 120000, two from each of 60,000
modems that ask at once.`,
			number(&c.RateBurst, 0, 1<<20),
		},
		{
			"rate_prefix_v4", `32`,
			`Leading bits of an IPv4 address that make a source: addresses with the same
prefix share one rate, and one limit of HTTP connections.`,
			number(&c.RatePrefixV4, 1, 32),
		},
		{
			"rate_prefix_v6", `64`,
			`The same for IPv6. Whoever has a subnet can use every address in it.`,
			number(&c.RatePrefixV6, 1, 128),
		},
		{
			"workers", `0`,
			`Workers, each with its own sockets and locked to a thread. 0: one per CPU.`,
			number(&c.Workers, 0, 1024),
		},
	}
}

// transferKeys are the keys about TFTP transfers.
func (c *Config) transferKeys() []Key {
	return []Key{
		{
			"single_port", `off`,
			`Answer from the port that was asked, not from a port per transfer, for modems
behind a firewall that passes only that port. Whoever forges a modem's address
can then have files sent to it, or end its transfers.`,
			boolean(&c.SinglePort),
		},
		{
			"tid_ports", `""`,
			`The range of UDP ports that transfers are answered from, such as 30000-30999.
It is divided among the workers; a secret hash of the client picks the port,
so the more ports, the harder to guess. Empty: 384 per worker; 96 where the
kernel cannot deliver them to one socket; fewer where descriptors or ports are
scarce. The system picks them.`,
			one(&c.TIDPorts, "ports", "a range of ports", textOrInteger, parsePorts),
		},
		{
			"dscp", `""`,
			`The DSCP (RFC 2474) of answers: 0 to 63, a name (cs0 to cs7, af11 to af43, ef,
va, le), or mirror: that of the request. Over HTTP, mirror leaves it to the
system (net.ipv4.tcp_reflect_tos). Empty: 0.`,
			one(&c.DSCP, "dscp", "a DSCP: 0 to 63, a name such as af41 or ef, or mirror", textOrInteger, parseDSCP),
		},
		{
			"transfers", `65536`,
			`Concurrent transfers per worker. A request above that evicts the transfer that
has waited longest for its first acknowledgement.`,
			number(&c.Transfers, 16, 1<<24),
		},
		{
			"retries", `5`,
			`How often an unacknowledged block is sent again before the transfer ends.`,
			number(&c.Retries, 1, 100),
		},
		{
			"max_blksize", `0`,
			`The largest block size granted, in octets. 0: the largest that no interface of
listen has to fragment, at an MTU of 1500 octets at most: 1468 over IPv4, 1448
over IPv6. A changed MTU takes effect within a second. Over AF_XDP a block
never exceeds the MTU.`,
			number(&c.MaxBlksize, 0, 65464),
		},
		{
			"max_windowsize", `16`,
			`The largest window (RFC 7440) granted, in blocks. It is lowered where a worker
has few ports for transfers, or retries are many: otherwise an attacker who
acknowledges in another's name and guesses the port would cause more than
three octets for each that he sends. With 384 ports and 5 retries: at most 18.`,
			number(&c.MaxWindowsize, 1, 65535),
		},
		{
			"options", `[blksize, timeout, tsize, windowsize]`,
			`TFTP options to grant; others are ignored.`,
			many(&c.Options, "options", "a list of blksize, timeout, tsize and windowsize", parseOption),
		},
		{
			"stale_after", `4s`,
			`Requests that have waited longer than this are dropped: their modem has asked
again. Set it to the modem's first retry. 0s: never.`,
			duration(&c.StaleAfter, 0, time.Minute),
		},
		{
			"receive_buffer", `32M`,
			`Receive buffer of each socket, in octets (k and M are 1024 and 1024 * 1024).
net.core.rmem_max limits it unless the server has CAP_NET_ADMIN.`,
			size(&c.ReceiveBuffer, 4<<10, 1<<30),
		},
		{
			"drain", `5s`,
			`How long running transfers may continue after SIGTERM.`,
			duration(&c.Drain, 0, 10*time.Minute),
		},
	}
}
