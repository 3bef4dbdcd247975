package main

import (
	"cmp"
	"context"
	"net/netip"
	"time"

	"dcs/bench/netlab"
	"dcs/fastpath/tftp"
)

// scale is the extent of the attacks.
type scale struct {
	fill    int           // requests that fill the table before modems ask
	burst   float64       // rate of these, per second
	trickle float64       // requests per second of attacks that are not counted in packets
	flood   float64       // requests per second of the attack that is to overload the server
	victims int           // number of victims for whom windows are requested
	windows int           // windows acknowledged blindly
	wait    time.Duration // pause between two windows
	sweep   float64       // packets per second to guessed ports; they should have the wrong port, not be dropped
	quiet   time.Duration // an attack is over when nothing has arrived for its victims for so long
	backoff time.Duration // the same, for servers with back-off
}

// full fills more than a worker's table, and waits longer than the longest back-off of a server, 8 s.
var full = scale{fill: 70_000, burst: 30_000, trickle: 2000, flood: 300_000, victims: 8, windows: 10, wait: 300 * time.Millisecond, sweep: 20_000, quiet: 3 * time.Second, backoff: 9 * time.Second}

// brief fills the same table, with fewer victims.
var brief = scale{fill: 70_000, burst: 25_000, trickle: 1000, flood: 20_000, victims: 4, windows: 5, wait: 100 * time.Millisecond, sweep: 8000, quiet: 1500 * time.Millisecond, backoff: 2500 * time.Millisecond}

// An attack misuses the server from addresses that are not the attacker's own.
type attack struct {
	name, how string
	args      []string // further arguments of the server
	config    string   // configuration of the server; empty: dcs.yaml
	asks      string   // what known modems ask for, a name template of storm; empty: modem.bin
	v6        bool     // sources are IPv6
	targeted  int      // downloads that the attack is to break off
	overloads bool     // keeps the server busy: do not wait until it has caught up
	backoff   bool     // relies on the server's back-off: no client asks for another timeout
	ends      bool     // ends by itself; otherwise it runs as long as known modems ask

	bound   float64       // most octets sent for each octet received
	slowest time.Duration // longest download of a known modem; 0: unbounded

	// play attacks until ctx ends or the attack is over. It calls opened when the modems may start.
	play func(ctx context.Context, a *assault, opened func()) error
}

// An assault is the attacker's side of a running attack.
type assault struct {
	*spoofer
	scale
	victims netip.Prefix
}

// request returns an RRQ with all options and the given timeout in seconds; 0: without options.
func request(name string, timeout int) []byte {
	var o tftp.Options
	if timeout > 0 {
		o.Has = tftp.Blksize | tftp.Timeout | tftp.Tsize | tftp.Windowsize
		o.Blksize, o.Timeout, o.Windowsize = tftp.MaxBlksize, timeout, 64
	}
	return tftp.AppendRequest(nil, name, "octet", &o)
}

// Most octets sent for each octet received, to the victims of an attacker who sees no answers.
const (
	blockBound    = 24  // for a plain RRQ: a block of 512 octets, sent twice
	pressureBound = 12  // under pressure: one block
	otherBound    = 3   // for everything else
	limitedBound  = 0.5 // for requests from one rate-limited prefix: 20 at once and 5 per second, out of 1,000 or more
)

var attacks = []attack{
	{
		name: "plain RRQs", backoff: true, how: "requests of three blocks each, 2,000 a second, that nobody acknowledges", bound: blockBound,
		play: func(ctx context.Context, a *assault, opened func()) error {
			opened()
			a.repeat(ctx, 0, a.trickle, request(modem, 0))
			return nil
		},
	},
	{
		name: "refusals", how: "RRQs and WRQs of names that do not exist, one octet long, 4,000 a second", bound: otherBound,
		play: func(ctx context.Context, a *assault, opened func()) error {
			opened()
			rrq, wrq := request("a", 0), request("a", 0)
			wrq[1] = tftp.OpWRQ
			a.restart()
			for a.pace(ctx, a.trickle) {
				a.send(a.client(a.victims), 69, rrq)
				a.send(a.client(a.victims), 69, wrq)
			}
			return nil
		},
	},
	{
		name: "repeated RRQs", how: "one request with all options, over and over again in the name of one client, 2,000 times a second", bound: otherBound,
		play: func(ctx context.Context, a *assault, opened func()) error {
			opened()
			from, rrq := a.client(a.victims), request(firmware, 1)
			a.restart()
			for a.pace(ctx, a.trickle) {
				a.send(from, 69, rrq)
			}
			return nil
		},
	},
	{
		name: "half-open, plain", backoff: true, how: "70,000 requests at once of one block each, then 2,000 a second", bound: blockBound,
		play: halfOpen(request(small, 0)),
	},
	{
		name: "half-open, options", how: "the same with all options and `timeout` 255", bound: otherBound,
		play: halfOpen(request(firmware, 255)),
	},
	{
		name: "half-open, one address", backoff: true, ends: true, how: "65,534 requests at once from all ports of one address, of a rendered file of 1.4 kB", bound: blockBound, asks: tier,
		play: func(ctx context.Context, a *assault, opened func()) error {
			from := a.client(a.victims).Addr()
			a.restart()
			for port := uint16(2); port != 0 && a.pace(ctx, a.burst); port++ {
				a.send(netip.AddrPortFrom(from, port), 69, request(tier, 0))
			}
			opened()
			return nil
		},
	},
	{
		name: "blind ACKs", ends: true, how: "windows of 64 large blocks, `timeout` 1; each is acknowledged at every port that the attacker has seen", bound: otherBound,
		play: blindACKs(guess{request: request(firmware, 1)}),
	},
	{
		name: "blind ACKs, IPv6", ends: true, how: "the same over IPv6", bound: otherBound, v6: true,
		play: blindACKs(guess{request: request(firmware, 1)}),
	},
	{
		name: "blind ACKs, first window", ends: true, how: "no more of these than the first", bound: otherBound,
		play: blindACKs(guess{request: request(firmware, 1), windows: 1}),
	},
	{
		name: "blind ACKs, patient", ends: true, how: "each when the server has sent again four times", bound: otherBound,
		play: blindACKs(guess{request: request(firmware, 1), wait: 4500 * time.Millisecond}),
	},
	{
		name: "blind ACKs, no options", backoff: true, ends: true, how: "blocks of 512 octets, acknowledged in the same way one by one", bound: otherBound,
		play: blindACKs(guess{request: request(firmware, 0)}),
	},
	{
		name: "replayed windows", ends: true, how: "blind ACKs, each once more a little later", bound: otherBound,
		play: blindACKs(guess{request: request(firmware, 1), again: 1}),
	},
	{
		name: "blind ERRORs", ends: true, how: "56,464 ERRORs to the ports that the attacker has seen, from the address of four downloads and all ports that these may have", bound: otherBound, targeted: 4,
		play: blindERRORs,
	},
	{
		name: "prefix", how: "2,000 plain requests a second from random addresses of one /64, where `rate` is 5 and `rate_burst` 20", bound: limitedBound, v6: true,
		args: []string{"--rate", "5", "--rate-burst", "20"},
		play: func(ctx context.Context, a *assault, opened func()) error {
			opened()
			a.repeat(ctx, 0, a.trickle, request(modem, 0))
			return nil
		},
	},
	{
		name: "random MACs", overloads: true, how: "4,000 requests a second for devices that do not exist, of a source that answers 2,000 a second; each of the known modems is new", bound: blockBound,
		config: "asked.yaml", asks: tier + "@{mac}", slowest: 1500 * time.Millisecond,
		play: func(ctx context.Context, a *assault, opened func()) error {
			const digits = "0123456789abcdef"
			name := []byte(tier + "@06")
			head := len(name)
			a.restart()
			for n := 0; a.pace(ctx, 4000); n++ {
				for name = name[:head]; len(name) < head+10; {
					name = append(name, digits[a.rng.IntN(len(digits))])
				}
				a.send(a.client(a.victims), 69, request(string(name), 0))
				if n == 4000 { // a second's worth is waiting for the source
					opened()
				}
			}
			return nil
		},
	},
	{
		name: "flood", overloads: true, how: "300,000 plain requests a second of one block each", bound: pressureBound, asks: small,
		play: func(ctx context.Context, a *assault, opened func()) error {
			a.repeat(ctx, a.fill, a.flood, request(small, 0))
			opened()
			a.repeat(ctx, 0, a.flood, request(small, 0))
			return nil
		},
	},
}

// repeat sends n requests, each from another client; 0: until ctx ends.
func (a *assault) repeat(ctx context.Context, n int, rate float64, request []byte) {
	a.restart()
	for i := 0; (n == 0 || i < n) && a.pace(ctx, rate); i++ {
		a.send(a.client(a.victims), 69, request)
	}
}

// halfOpen requests as many transfers as the table holds, and acknowledges none.
func halfOpen(request []byte) func(context.Context, *assault, func()) error {
	return func(ctx context.Context, a *assault, opened func()) error {
		a.repeat(ctx, a.fill, a.burst, request)
		opened()
		a.repeat(ctx, 0, a.trickle, request)
		return nil
	}
}

// A guess configures blind ACKs.
type guess struct {
	request []byte
	windows int           // windows acknowledged; 0: as in the scale
	wait    time.Duration // pause between two windows; 0: as in the scale
	again   int           // repetitions of each ACK
}

// blindACKs requests files for victims and goes on as they would, with every ACK sent to all ports from which the
// server may answer.
func blindACKs(g guess) func(context.Context, *assault, func()) error {
	return func(ctx context.Context, a *assault, opened func()) error {
		ports, err := tids(ctx, g.request, a.victims.Addr().Is6())
		if err != nil {
			return err
		}
		blocks, err := acks(g.request, cmp.Or(g.windows, a.windows), a.victims.Addr().Is6())
		if err != nil {
			return err
		}
		opened()
		victims := make([]netip.AddrPort, a.scale.victims)
		for i := range victims {
			victims[i] = a.client(a.victims)
			a.send(victims[i], 69, g.request)
		}
		for i, block := range blocks {
			wait := a.wait
			if i > 0 { // a transfer without an early first ACK is gone
				wait = cmp.Or(g.wait, wait)
			}
			for range 1 + g.again {
				if !a.sleep(ctx, wait) {
					return nil
				}
				a.sweep(ctx, victims, ports, tftp.AppendACK(nil, block))
			}
		}
		return nil
	}
}

// sweep sends a packet from each victim to each port.
func (a *assault) sweep(ctx context.Context, victims []netip.AddrPort, ports []uint16, payload []byte) {
	a.restart()
	for _, v := range victims {
		for _, p := range ports {
			if !a.pace(ctx, a.scale.sweep) {
				return
			}
			a.send(v, p, payload)
		}
	}
}

// blindERRORs sends ERRORs for downloads of modems at the load's address, for the ports that their system may have
// picked.
func blindERRORs(ctx context.Context, a *assault, opened func()) error {
	const errorRate = 20_000 // per second
	ports, err := tids(ctx, request(firmware, 0), false)
	if err != nil {
		return err
	}
	opened()
	from := ephemeral()
	a.rng.Shuffle(len(from), func(i, k int) { from[i], from[k] = from[k], from[i] })
	e := tftp.AppendERROR(nil, tftp.CodeUndefined, "")
	a.restart()
	for round := range 2 {
		for i, port := range from {
			if !a.pace(ctx, errorRate) {
				return nil
			}
			a.send(netip.AddrPortFrom(netlab.LoadAddr4, port), ports[(i+round)%len(ports)], e)
		}
	}
	return nil
}
