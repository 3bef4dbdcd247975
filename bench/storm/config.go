package storm

import (
	"errors"
	"flag"
	"fmt"
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"
	"time"
)

// Verifier checks one file as a modem received it. body is valid during the call only.
type Verifier func(name []byte, modem netip.Addr, body []byte) error

// Group is a set of modems with a behaviour of its own. Their addresses follow those of the previous group.
type Group struct {
	Name   string        // in reports
	Modems int           // how many there are
	File   string        // file name or template, see parseNames; empty: the Config's
	After  time.Duration // wait before its first download

	// Exactly one of the next four must be set.
	Window int           // closed loop: number of transfers at any time
	Rate   float64       // open loop: transfers begun per second, whether or not the server keeps up
	Within time.Duration // storm: every modem once, spread at random over this time
	Flood  float64       // requests per second whose answers are not acknowledged, each from a new port and for a random name

	Ramp     time.Duration // time in which Rate or Within rises linearly to its full rate
	Count    int           // transfers to begin, 0: until Duration (with Within: one for each modem)
	Duration time.Duration // for which transfers are begun, 0: until Count
}

// Event is a moment of a scenario at which something is to be done to the server.
type Event struct {
	Name string        // for binding a command to it
	At   time.Duration // after the start
	Note string        // what is to be done, for people
}

// Config describes the load. Start from Default and set Target.
type Config struct {
	Target netip.AddrPort // the server

	// At most one of the next three may be set; none means Window 64.
	Window int           // closed loop: number of transfers at any time
	Rate   float64       // open loop: transfers begun per second, whether or not the server keeps up
	Within time.Duration // storm: every modem once, spread at random over this time
	Ramp   time.Duration // time in which Rate or Within rises linearly to its full rate

	Count    int           // transfers to begin, 0: until Duration (a storm: one for each modem)
	Duration time.Duration // for which transfers are begun, 0: until Count; one of the two is needed outside a storm
	Drain    time.Duration // longest wait after that for running transfers; 0: until each has ended, which Backoff bounds
	MaxTime  time.Duration // when the load ends even if transfers are running

	Groups []Group // groups of modems instead of one behaviour for all; the fields above other than Drain and MaxTime are ignored then
	Events []Event // passed to OnEvent when they are due

	Modems int          // simulated, 1 to 65536
	Net    netip.Prefix // prefix of the modems' addresses; zero: 198.18.0.0/16, fd00:198:18::/64 or 127.18.0.0/16
	Name   string       // file name or template, see parseNames
	Names  []string     // names instead of a template: modem i asks for number i modulo their count

	Backoff  []time.Duration // waits for an answer after the first try, the second, …; the last one repeats
	Retries  int             // repetitions of a request before the download fails
	Restarts int             // restarts, from a new port, after a failed download
	Rest     time.Duration   // wait before a restart after a timeout; after an ERROR it is at least the first of Backoff
	Jitter   float64         // random part of each wait, 0 to 1: up to half of it less or more
	BlkSize  int             // blksize to request; 0: do not request it (RFC 2348: 8 to 65464)
	WinSize  int             // windowsize to request; 0: do not request it (RFC 7440: 1 to 65535 blocks)
	TSize    bool            // request tsize (RFC 2349)
	HWAddr   bool            // add the option hwaddr with the modem's MAC address, as a CMTS that proxies TFTP does

	Expect     []byte        // what every file must equal; nil: not compared
	Verify     Verifier      // check of every file; nil: none
	Check      Check         // what every file is checked for
	CheckEvery int           // check one file of so many; 0: every file
	Keys       []Key         // secrets that the CMTS MIC may be signed with, for CheckAll
	Skew       time.Duration // how far TLV 19 may be before the beginning or after the end of the download, beyond its own second

	Interface  string           // send frames from this interface; empty: plain UDP sockets
	Via        Via              // how frames are sent
	SourceMAC  net.HardwareAddr // source address of frames; empty: the interface's
	GatewayMAC net.HardwareAddr // destination address of frames; empty: found by ARP or neighbour discovery
	MTU        int              // of the interface, 0: 1500
	CPU        int              // to pin the thread to; negative: none
	Seed       uint64           // of the random numbers

	IOwnThisNetwork bool // permits targets outside loopback, 198.18.0.0/15 and fd00::/8

	Interval time.Duration  // of the timeline; 0: chosen to give a few hundred samples
	Progress func(Progress) // called twice a second from the sending thread; must not block
	OnEvent  func(Event)    // likewise
}

// Default returns a configuration with the behaviour of a DOCSIS modem: waits of 4, 8 and 16 seconds, four retries,
// three restarts (the waits are from a log, the counts are those of common modems).
func Default() Config {
	return Config{
		Modems:   65536,
		Name:     "modem{i}.bin",
		Backoff:  []time.Duration{4 * time.Second, 8 * time.Second, 16 * time.Second},
		Retries:  4,
		Restarts: 3,
		MaxTime:  time.Hour,
		Skew:     time.Second,
		CPU:      -1,
		Seed:     1,
	}
}

// Bind adds a flag for each field that users may set; the fields' values are the defaults.
func (c *Config) Bind(fs *flag.FlagSet) {
	fs.IntVar(&c.Window, "window", c.Window, "closed loop: `N` transfers at a time (default 64 unless --rate or --within is given)")
	fs.Float64Var(&c.Rate, "rate", c.Rate, "open loop: begin `N` transfers a second")
	fs.DurationVar(&c.Within, "within", c.Within, "storm: every modem asks once within this `time`")
	fs.DurationVar(&c.Ramp, "ramp", c.Ramp, "`time` in which the rate of --rate or --within rises to its full value")
	fs.IntVar(&c.Count, "count", c.Count, "transfers to begin")
	fs.DurationVar(&c.Duration, "duration", c.Duration, "begin transfers for this `time`")
	fs.DurationVar(&c.Drain, "drain", c.Drain, "then wait at most this `time` for running transfers (default: until each has ended)")
	fs.DurationVar(&c.MaxTime, "max-time", c.MaxTime, "end after this `time` even if transfers are running")
	fs.IntVar(&c.Modems, "modems", c.Modems, "modems to simulate, at most 65536")
	fs.TextVar(&c.Net, "net", c.Net, "`prefix` of the modems' addresses")
	fs.StringVar(&c.Name, "name", c.Name, "file name; {i} is the modem's number, {ip} its address, {mac} its MAC, {1-16} a number drawn for it")
	fs.Func("names", "take the names from this `file`, one per line", func(file string) error {
		b, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		c.Names = strings.Fields(string(b))
		return nil
	})
	fs.Func("backoff", "`waits` for an answer (default 4s,8s,16s)", func(s string) error {
		var waits []time.Duration
		for f := range strings.SplitSeq(s, ",") {
			d, err := time.ParseDuration(f)
			if err != nil {
				return err
			}
			waits = append(waits, d)
		}
		c.Backoff = waits
		return nil
	})
	fs.IntVar(&c.Retries, "retries", c.Retries, "repetitions of a request before a download fails")
	fs.IntVar(&c.Restarts, "restarts", c.Restarts, "restarts after a failed download")
	fs.DurationVar(&c.Rest, "rest", c.Rest, "`time` before a restart after a timeout")
	fs.Float64Var(&c.Jitter, "jitter", c.Jitter, "random `fraction` of each wait, 0 to 1")
	fs.IntVar(&c.BlkSize, "blksize", c.BlkSize, "request blocks of so many `bytes` (0: do not request the option)")
	fs.IntVar(&c.WinSize, "windowsize", c.WinSize, "request windows of so many `blocks` (0: do not request the option)")
	fs.IntVar(&c.CheckEvery, "check-every", c.CheckEvery, "check one file of `N` (default: every file)")
	fs.BoolVar(&c.TSize, "tsize", c.TSize, "request the file's size")
	fs.BoolVar(&c.HWAddr, "hwaddr", c.HWAddr, "add the option hwaddr, as a CMTS that proxies TFTP does")
	fs.Func("expect", "every file must equal this `file`", func(file string) (err error) {
		c.Expect, err = os.ReadFile(file)
		return err
	})
	fs.StringVar(&c.Interface, "interface", c.Interface, "send frames from this `interface`, each modem with its own address (needs root)")
	fs.TextVar(&c.Via, "via", c.Via, "how frames are sent: xdp (AF_XDP, the fastest; not if the interface has an XDP program), packet (AF_PACKET), or auto: xdp where possible, `auto|xdp|packet`")
	fs.Func("source-mac", "source `address` of the frames (default: the interface's)", macFlag(&c.SourceMAC))
	fs.Func("gateway-mac", "destination `address` of the frames (default: by ARP or neighbour discovery)", macFlag(&c.GatewayMAC))
	fs.IntVar(&c.MTU, "mtu", c.MTU, "MTU of the interface in `bytes` (default 1500)")
	fs.IntVar(&c.CPU, "cpu", c.CPU, "pin the sending thread to this CPU `number`")
	fs.Uint64Var(&c.Seed, "seed", c.Seed, "`number` that seeds the random numbers")
	fs.BoolVar(&c.IOwnThisNetwork, "i-own-this-network", c.IOwnThisNetwork, "send the load to a target outside loopback, 198.18.0.0/15 and fd00::/8")
}

func macFlag(to *net.HardwareAddr) func(string) error {
	return func(s string) (err error) {
		*to, err = net.ParseMAC(s)
		return err
	}
}

// ErrForeign is returned for a target outside the test networks unless IOwnThisNetwork is set.
var ErrForeign = errors.New("target outside loopback, 198.18.0.0/15 and fd00::/8; a load there requires --i-own-this-network")

var modemNet4 = netip.MustParsePrefix("198.18.0.0/16")

var ownNets = []netip.Prefix{
	netip.MustParsePrefix("127.0.0.0/8"),
	netip.MustParsePrefix("::1/128"),
	netip.MustParsePrefix("198.18.0.0/15"),
	netip.MustParsePrefix("fd00::/8"),
}

// complete checks the configuration and fills in derived fields.
func (c *Config) complete() error {
	if !c.Target.IsValid() || c.Target.Port() == 0 {
		return errors.New("no target")
	}
	c.Target = netip.AddrPortFrom(c.Target.Addr().Unmap(), c.Target.Port())
	own := c.IOwnThisNetwork
	for _, p := range ownNets {
		own = own || p.Contains(c.Target.Addr())
	}
	if !own {
		return ErrForeign
	}
	if err := c.completeGroups(); err != nil {
		return err
	}
	if c.MaxTime <= 0 || c.MaxTime > maxTime {
		return fmt.Errorf("max-time %[2]v: at most %[1]v", maxTime, c.MaxTime)
	}
	if c.Jitter < 0 || c.Jitter > 1 {
		return fmt.Errorf("jitter %g: must be 0 to 1", c.Jitter)
	}
	if c.Rest < 0 || c.Drain < 0 || c.Skew < 0 || c.Interval < 0 || c.CheckEvery < 0 {
		return errors.New("negative time or count")
	}
	if c.Check == CheckAll && len(c.Keys) == 0 {
		return errors.New("checking the CMTS MIC requires a secret")
	}
	if len(c.Backoff) == 0 {
		return errors.New("no back-off; at least one wait required")
	}
	for _, d := range c.Backoff {
		if d < time.Millisecond {
			return fmt.Errorf("back-off of %s: less than a millisecond", d)
		}
	}
	if c.Retries < 0 || c.Restarts < 0 || c.Retries > 255 || c.Restarts > 255 {
		return errors.New("retries and restarts must be 0 to 255")
	}
	if c.BlkSize != 0 && (c.BlkSize < 8 || c.BlkSize > 65464) {
		return fmt.Errorf("blksize %d: must be 8 to 65464", c.BlkSize)
	}
	if c.WinSize < 0 || c.WinSize > 65535 {
		return fmt.Errorf("windowsize %d: must be 1 to 65535, or 0 for none", c.WinSize)
	}
	if c.MTU == 0 {
		c.MTU = 1500
	}
	if room := c.MTU - ip6Len - udpLen - 4; c.Interface != "" && c.BlkSize > room {
		return fmt.Errorf("blksize %d: blocks would be fragmented; at most %d with this MTU", c.BlkSize, room)
	}
	for _, m := range []net.HardwareAddr{c.SourceMAC, c.GatewayMAC} {
		if len(m) != 0 && len(m) != 6 {
			return fmt.Errorf("%s is not an Ethernet address", m)
		}
	}
	return c.completeNet()
}

const (
	maxTime  = 24 * time.Hour
	maxCount = 1 << 32
	maxFlood = 2e6 // requests per second
)

// completeGroups makes one group of a load without groups, and checks them all.
func (c *Config) completeGroups() error {
	if len(c.Groups) == 0 {
		if c.Modems < 1 || c.Modems > maxModems {
			return fmt.Errorf("%d modems: must be 1 to %d", c.Modems, maxModems)
		}
		if c.Window <= 0 && c.Rate <= 0 && c.Within <= 0 {
			c.Window = 64
		}
		c.Groups = []Group{{
			Modems: c.Modems, File: c.Name, Window: c.Window, Rate: c.Rate, Within: c.Within, Ramp: c.Ramp, Count: c.Count, Duration: c.Duration,
		}}
	}
	c.Groups = slices.Clone(c.Groups) // do not change the caller's
	if len(c.Groups) > maxGroups {
		return fmt.Errorf("%d groups: at most %d", len(c.Groups), maxGroups)
	}
	c.Modems = 0
	for i := range c.Groups {
		g := &c.Groups[i]
		if err := g.complete(); err != nil {
			if g.Name != "" {
				err = fmt.Errorf("group %s: %w", g.Name, err)
			}
			return err
		}
		if g.File == "" {
			g.File = c.Name
		}
		c.Modems += g.Modems
	}
	if c.Modems > maxModems {
		return fmt.Errorf("%d modems: at most %d", c.Modems, maxModems)
	}
	return nil
}

func (g *Group) complete() error {
	modes := 0
	for _, set := range []bool{g.Window > 0, g.Rate > 0, g.Within > 0, g.Flood > 0} {
		if set {
			modes++
		}
	}
	switch {
	case modes != 1:
		return errors.New("exactly one of window, rate, within and flood required")
	case g.Modems < 1 || g.Modems > maxModems:
		return fmt.Errorf("%d modems: must be 1 to %d", g.Modems, maxModems)
	case g.Ramp < 0 || g.After < 0 || g.Duration < 0 || g.Count < 0:
		return errors.New("negative time or count")
	case g.Ramp > 0 && g.Window > 0:
		return errors.New("ramp in a closed loop")
	case g.Within > 0 && g.Ramp > g.Within:
		return fmt.Errorf("ramp of %v longer than %v", g.Ramp, g.Within)
	case g.Rate > maxFlood || g.Flood > maxFlood:
		return fmt.Errorf("rate above %.0f requests a second", float64(maxFlood))
	case g.Count > maxCount:
		return fmt.Errorf("count above %d", uint64(maxCount))
	}
	if g.Within > 0 && g.Count == 0 {
		g.Count = g.Modems
	}
	if g.Count == 0 && g.Duration == 0 {
		return errors.New("endless load; give a count or a duration")
	}
	return nil
}

func (c *Config) completeNet() error {
	target := c.Target.Addr()
	if !c.Net.IsValid() {
		switch {
		case target.Is6():
			c.Net = netip.MustParsePrefix("fd00:198:18::/64")
		case target.IsLoopback():
			c.Net = netip.MustParsePrefix("127.18.0.0/16")
		default:
			c.Net = modemNet4
		}
	}
	c.Net = c.Net.Masked()
	if c.Net.Addr().Is4() != target.Is4() {
		return fmt.Errorf("modem addresses %s and target %s: different address families", c.Net, target)
	}
	if host := c.Net.Addr().BitLen() - c.Net.Bits(); host < 16 && c.Modems > 1<<host {
		return fmt.Errorf("%s: too small for %d modems", c.Net, c.Modems)
	}
	return nil
}
