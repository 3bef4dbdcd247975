package storm

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

const (
	maxModems = 65536
	maxGroups = 64
	maxErrors = 20 // kinds that are told apart
	maxWrong  = 20 // wrong files that are described
	maxName   = 450
)

// TFTP, RFC 1350 section 5 and RFC 2347.
const (
	opRRQ   = 1
	opDATA  = 3
	opACK   = 4
	opERROR = 5
	opOACK  = 6

	errUnknownTID  = 5
	defaultBlkSize = 512
)

// link carries datagrams between modems and the server.
type link interface {
	// slot returns an empty buffer with room for any request; send sends what was appended to it.
	slot() []byte
	send(modem int, from, to uint16, payload []byte)
	flush()
	// port returns a modem's port for its n-th download.
	port(modem, n int) uint16
	// addr returns the address that the server sees.
	addr(modem int) netip.Addr
	// receive hands what has arrived to e.handle, at most a few batches, and returns how much it was.
	receive(now int64, e *engine) int
	wait(d time.Duration)
	stats() linkStats
	close() error
}

type linkStats struct{ sent, unsent, received, lost, damaged, foreign uint64 }

type state uint8

const (
	idle    state = iota // never asked, or done and free to ask again
	asking               // RRQ sent, nothing heard
	loading              // DATA or OACK heard
	resting              // refused, waits before its fresh start
	failed
)

type modem struct {
	intended int64 // ns; when the download should have begun
	begun    int64 // ns; when its first request left, of the fresh start under way
	size     int   // bytes received
	tsize    int64 // that the server announced, or -1
	body     []byte
	turn     int // downloads begun
	blksize  int
	port     uint16 // its own
	peer     uint16 // the server's, 0 until heard
	block    uint16 // the last in order
	state    state
	group    uint8
	tries    uint8 // timeouts in a row
	failures uint8 // of the file under way
	options  bool  // the RRQ had some, and neither OACK nor DATA has come
	bad      bool  // differs from what is expected
	fetched  bool  // the last download ended well: its last block may come again
}

// group is a Group under way.
type group struct {
	Group
	first   int // modem
	names   *Names
	cursor  int
	arrival int64 // ns; when the next download should begin, in an open loop
	res     GroupResult
	latency *hdrhistogram.Histogram // ns; nil where there is one group: that of the engine then
	first1  int64                   // when the first download began, -1 before
	last    int64                   // when the last file was complete
}

// engine is the modems' behaviour. It knows neither sockets nor clocks: times are nanoseconds since the beginning.
type engine struct {
	cfg    *Config
	groups []group
	link   link
	modems []modem
	wheel  *wheel
	rnd    *rand.PCG
	tail   []byte // of an RRQ, behind the name
	check  *checker
	turn   int   // files since the last that was examined
	wall   int64 // ns; Unix time of the beginning
	waits  []int64
	bodies [][]byte // spare ones
	name   []byte
	expire func(int32)

	under int // downloads under way
	now   int64

	res       *Result
	errors    map[string]*int
	latency   *hdrhistogram.Histogram // ns
	period    int64                   // ns; when the last download began
	inPeriod  int                     // served until then
	firstTime int64
	lastTime  int64
	line      timeline
	events    int // that have been told
}

func newEngine(cfg *Config, l link) (*engine, error) {
	e := &engine{
		cfg: cfg, link: l,
		modems:    make([]modem, cfg.Modems),
		wheel:     newWheel(cfg.Modems),
		rnd:       rand.NewPCG(cfg.Seed, 0),
		res:       &Result{Schema: schema, Target: cfg.Target.String()},
		errors:    map[string]*int{},
		latency:   hdrhistogram.New(1000, int64(time.Hour), 3),
		name:      make([]byte, 0, 512),
		check:     newChecker(cfg),
		firstTime: -1,
		line:      newTimeline(cfg.Interval),
	}
	if err := e.openGroups(); err != nil {
		return nil, err
	}
	for _, d := range cfg.Backoff {
		e.waits = append(e.waits, int64(d))
	}
	e.tail = append(e.tail, "\x00octet\x00"...)
	if cfg.BlkSize > 0 {
		e.tail = append(append(append(e.tail, "blksize\x00"...), strconv.Itoa(cfg.BlkSize)...), 0)
	}
	if cfg.TSize {
		e.tail = append(e.tail, "tsize\x000\x00"...)
	}
	e.expire = e.timeout
	return e, nil
}

func (e *engine) openGroups() error {
	first := 0
	for k, c := range e.cfg.Groups {
		g := group{Group: c, first: first, cursor: first, first1: -1, res: GroupResult{Name: c.Name, Modems: c.Modems}}
		var err error
		if g.names = (&Names{list: e.cfg.Names}); len(e.cfg.Names) == 0 {
			if g.names, err = parseNames(c.File, e.cfg.Net, e.cfg.Seed); err != nil {
				return err
			}
		}
		for i := range c.Modems {
			e.modems[first+i].group = uint8(k)
			if n := len(g.names.Append(e.name[:0], first+i)); n > maxName {
				return fmt.Errorf("name of %d bytes too long for a request", n)
			}
		}
		if len(e.cfg.Groups) > 1 {
			g.latency = hdrhistogram.New(1000, int64(time.Hour), 3)
		}
		g.arrival = e.arrivalOf(&g, 0)
		e.groups = append(e.groups, g)
		first += c.Modems
	}
	return nil
}

// arrivalOf returns when the n-th download of a group should begin, in an open loop.
func (e *engine) arrivalOf(g *group, n int) int64 {
	ramp := float64(g.Ramp)
	var x float64 // when it would begin at full height from the start
	switch {
	case g.Within > 0:
		// One at random in each of Count equal parts: in order without sorting, and never all at once.
		u := float64(e.rnd.Uint64()>>11) / (1 << 53)
		x = (float64(n) + u) * (float64(g.Within) - ramp/2) / float64(g.Count)
	case g.Window > 0:
		return int64(g.After)
	default:
		x = float64(n) * 1e9 / (g.Rate + g.Flood)
	}
	// While the rate rises, the downloads that have begun grow with the square of the time.
	if x < ramp/2 {
		x = math.Sqrt(2 * ramp * x)
	} else {
		x += ramp / 2
	}
	return int64(g.After) + int64(x)
}

// tick begins what is due and repeats what has waited too long. It returns how much it did.
func (e *engine) tick(now int64) int {
	e.now = now
	did := e.wheel.expire(now, e.expire)
	for k := range e.groups {
		if g := &e.groups[k]; g.Flood > 0 {
			did += e.flood(g, now)
		} else {
			did += e.arrive(g, now)
		}
	}
	return did
}

// A bound on what is sent before what has arrived is looked at.
const sendMax = 64

func (e *engine) arrive(g *group, now int64) int {
	did := 0
	for ; did < sendMax && g.more(now); did++ {
		intended := g.arrival
		if g.Window > 0 {
			if intended = now; g.res.Unfinished >= g.Window || now < g.arrival {
				break
			}
		} else if intended > now {
			break
		}
		i := e.free(g)
		if i < 0 {
			break
		}
		e.res.Offered++
		g.res.Offered++
		g.res.Unfinished++
		e.under++
		e.period = now
		if e.firstTime < 0 {
			e.firstTime = now
		}
		if g.first1 < 0 {
			g.first1 = now
		}
		m := &e.modems[i]
		m.intended, m.failures = intended, 0
		e.begin(i)
		g.arrival = e.arrivalOf(g, g.res.Offered)
	}
	return did
}

// flood sends the requests of a group that waits for nothing.
func (e *engine) flood(g *group, now int64) int {
	did := 0
	for ; did < sendMax && g.arrival <= now && g.more(now); did++ {
		n := g.res.Flood
		i := g.first + int(mix(e.cfg.Seed^uint64(n))%uint64(g.Modems))
		m := &e.modems[i]
		m.turn++
		e.request(i, e.link.port(i, m.turn), g, uint64(n))
		g.res.Flood++
		e.res.Flood++
		g.arrival = e.arrivalOf(g, g.res.Flood)
	}
	return did
}

// more tells whether another download will begin. In an open loop a generator that was held up catches up: what should
// have begun in time is not left out.
func (g *group) more(now int64) bool {
	if g.Window == 0 {
		now = g.arrival
	}
	n := g.res.Offered + g.res.Flood
	return (g.Count == 0 || n < g.Count) && (g.Duration == 0 || now < int64(g.After+g.Duration))
}

func (e *engine) more(now int64) bool {
	for k := range e.groups {
		if e.groups[k].more(now) {
			return true
		}
	}
	return false
}

// over tells whether nothing is left to do. The drain ends only while nothing comes in: a generator that was held up has
// answers to read.
func (e *engine) over(now int64, quiet bool) bool {
	if now >= int64(e.cfg.MaxTime) {
		return true
	}
	if e.more(now) {
		return false
	}
	return e.under == 0 || quiet && e.cfg.Drain > 0 && now-e.period > int64(e.cfg.Drain)
}

// free returns a modem that has nothing under way, the longest idle first, or -1.
func (e *engine) free(g *group) int {
	for range g.Modems {
		i := g.cursor
		if g.cursor++; g.cursor == g.first+g.Modems {
			g.cursor = g.first
		}
		if s := e.modems[i].state; s == idle || s == failed {
			return i
		}
		if g.res.Unfinished >= g.Modems {
			break
		}
	}
	return -1
}

// begin sends a modem's first request of a download.
func (e *engine) begin(i int) {
	m := &e.modems[i]
	m.turn++
	m.port, m.begun = e.link.port(i, m.turn), e.now
	m.peer, m.block, m.size, m.tsize, m.tries = 0, 0, 0, -1, 0
	m.state, m.blksize, m.bad, m.fetched = asking, defaultBlkSize, false, false
	m.options = e.cfg.BlkSize > 0 || e.cfg.TSize
	m.options = m.options || e.cfg.HWAddr
	e.request(i, m.port, &e.groups[m.group], uint64(i))
	e.wheel.set(int32(i), e.now+e.wait(0))
}

func (e *engine) request(i int, from uint16, g *group, draw uint64) {
	p := append(e.link.slot(), 0, opRRQ)
	p = g.names.append(p, i, draw)
	p = append(p, e.tail...)
	if e.cfg.HWAddr {
		p = append(appendMAC(append(p, "hwaddr\x00"...), i), 0)
	}
	e.link.send(i, from, e.cfg.Target.Port(), p)
}

// wait returns how long a modem waits for an answer after so many timeouts in a row.
func (e *engine) wait(tries int) int64 {
	d := e.waits[min(tries, len(e.waits)-1)]
	if e.cfg.Jitter > 0 {
		u := float64(e.rnd.Uint64()>>11) / (1 << 53)
		d += int64(float64(d) * e.cfg.Jitter * (u - 0.5))
	}
	return d
}

func (e *engine) ack(i int, m *modem) {
	e.link.send(i, m.port, m.peer, append(e.link.slot(), 0, opACK, byte(m.block>>8), byte(m.block)))
}

// handle takes one datagram from the server's address. payload may be changed and is not kept.
func (e *engine) handle(now int64, i int, to, from uint16, p []byte) {
	e.now = now
	if i < 0 || i >= len(e.modems) || len(p) < 4 {
		e.res.Strays++
		return
	}
	m := &e.modems[i]
	if g := &e.groups[m.group]; g.Flood > 0 {
		g.res.FloodAnswers++
		e.res.FloodAnswers++
		return
	}
	if to != m.port || m.state == failed || m.state == resting || m.state == idle && !m.fetched {
		e.res.Strays++
		return
	}
	if m.peer == 0 {
		m.peer = from
	} else if m.peer != from {
		// The server took a repeated request for a new one. RFC 1350, section 4: an error to the other, not to ours.
		e.res.Strays++
		if p[1] != opERROR {
			e.link.send(i, m.port, from, append(e.link.slot(), 0, opERROR, 0, errUnknownTID, 0))
		}
		return
	}
	switch binary.BigEndian.Uint16(p) {
	case opDATA:
		e.data(i, m, binary.BigEndian.Uint16(p[2:]), p[4:])
	case opOACK:
		e.oack(i, m, p[2:])
	case opERROR:
		e.refused(i, m, binary.BigEndian.Uint16(p[2:]), p[4:])
	default:
		e.res.Strays++
	}
}

func (e *engine) data(i int, m *modem, block uint16, body []byte) {
	first := m.state == asking || m.block == 0 && m.size == 0
	switch {
	case m.fetched, !first && block == m.block:
		if block == m.block {
			e.res.Duplicates++
			e.ack(i, m)
			return
		}
		e.res.Strays++
		return
	case block != m.block+1:
		e.res.Strays++
		return
	}
	if m.options { // ignored by the server
		m.options, m.blksize = false, defaultBlkSize
	}
	m.state, m.block, m.tries = loading, block, 0
	e.ack(i, m)
	last := len(body) < m.blksize
	if len(body) > m.blksize {
		m.bad, last = true, true
	}
	e.take(i, m, body, last)
	if last {
		e.finish(i, m)
		return
	}
	e.wheel.set(int32(i), e.now+e.wait(0))
}

// take compares or keeps one block.
func (e *engine) take(i int, m *modem, body []byte, last bool) {
	if e.cfg.Expect != nil {
		want := e.cfg.Expect[min(m.size, len(e.cfg.Expect)):]
		if !bytes.HasPrefix(want, body) || last && len(want) != len(body) {
			m.bad = true
		}
	}
	m.size += len(body)
	e.res.Bytes += int64(len(body))
	if e.cfg.Verify == nil && e.check == nil {
		return
	}
	if last && m.body == nil {
		e.verify(i, m, body) // where it lies, without copying
		return
	}
	if m.body == nil && len(e.bodies) > 0 {
		m.body, e.bodies = e.bodies[len(e.bodies)-1], e.bodies[:len(e.bodies)-1]
	}
	m.body = append(m.body, body...)
	if last {
		e.verify(i, m, m.body)
	}
}

func (e *engine) verify(i int, m *modem, body []byte) {
	addr := e.link.addr(i)
	if e.check != nil && e.due() {
		if err := e.check.examine(addr, body, e.wall+m.begun, e.wall+e.now); err != nil {
			m.bad = true
			e.wrong(i, m, err.Error())
		}
	}
	if e.cfg.Verify == nil {
		return
	}
	e.name = e.names(m).Append(e.name[:0], i)
	if err := e.cfg.Verify(e.name, addr, body); err != nil {
		m.bad = true
		e.wrong(i, m, err.Error())
	}
}

// due tells whether it is this file's turn to be examined.
func (e *engine) due() bool {
	if e.turn++; e.turn >= e.cfg.CheckEvery {
		e.turn = 0
		return true
	}
	return false
}

func (e *engine) names(m *modem) *Names { return e.groups[m.group].names }

// wrong keeps the first few complaints.
func (e *engine) wrong(i int, m *modem, what string) {
	if len(e.res.Mismatches) >= maxWrong {
		return
	}
	e.name = e.names(m).Append(e.name[:0], i)
	w := Mismatch{
		At: seconds(e.now), Modem: i, Address: e.link.addr(i).String(), File: strings.ToValidUTF8(string(e.name), "?"),
		Bytes: m.size, Reason: strings.ToValidUTF8(what, "?"),
	}
	e.res.Mismatches = append(e.res.Mismatches, w)
	e.res.Examples = append(e.res.Examples, w.String())
}

func (e *engine) finish(i int, m *modem) {
	if m.tsize >= 0 && m.tsize != int64(m.size) {
		m.bad = true
		e.wrong(i, m, fmt.Sprintf("tsize said %d bytes, %d came", m.tsize, m.size))
	}
	g := &e.groups[m.group]
	if m.bad {
		e.res.Wrong++
		g.res.Wrong++
		if len(e.res.Mismatches) == 0 {
			e.wrong(i, m, "not the file expected")
		}
	} else {
		e.res.Served++
		g.res.Served++
		if m.failures == 0 {
			e.res.ServedFirst++
		}
		if e.more(e.now) {
			e.inPeriod++
		}
		// Beyond the histogram's hour there is nothing to record.
		took := max(e.now-m.intended, 1)
		_ = e.latency.RecordValue(took)
		_ = e.line.recent.RecordValue(took)
		if g.latency != nil {
			_ = g.latency.RecordValue(took)
		}
		e.lastTime, g.last = e.now, e.now
	}
	m.fetched = true
	e.end(i, m, idle)
}

func (e *engine) end(i int, m *modem, s state) {
	m.state = s
	e.drop(m)
	e.under--
	e.groups[m.group].res.Unfinished--
	e.wheel.clear(int32(i))
}

func (e *engine) drop(m *modem) {
	if m.body != nil {
		e.bodies, m.body = append(e.bodies, m.body[:0]), nil
	}
}

// oack reads the options that the server accepted (RFC 2347).
func (e *engine) oack(i int, m *modem, p []byte) {
	if m.fetched || m.block != 0 {
		e.res.Strays++
		return
	}
	if !m.options {
		if m.state == loading {
			e.res.Duplicates++
			e.ack(i, m)
			return
		}
		e.res.Strays++
		return
	}
	for len(p) > 0 {
		name, rest, ok := bytes.Cut(p, []byte{0})
		value, rest, ok2 := bytes.Cut(rest, []byte{0})
		n, ok3 := number(value)
		ok3 = ok3 || bytes.EqualFold(name, []byte("hwaddr"))
		if !ok || !ok2 || !ok3 {
			e.res.Strays++
			return
		}
		switch {
		case bytes.EqualFold(name, []byte("blksize")) && n >= 8 && n <= e.cfg.BlkSize:
			m.blksize = n
		case bytes.EqualFold(name, []byte("tsize")) && e.cfg.TSize:
			m.tsize = int64(n)
		case bytes.EqualFold(name, []byte("hwaddr")) && e.cfg.HWAddr:
		default:
			e.res.Strays++ // an option that was not asked for, or more than that
			return
		}
		p = rest
	}
	m.options, m.state, m.tries = false, loading, 0
	e.ack(i, m)
	e.wheel.set(int32(i), e.now+e.wait(0))
}

func number(b []byte) (int, bool) {
	n := 0
	for _, c := range b {
		if c < '0' || c > '9' || n > math.MaxInt32 {
			return 0, false
		}
		n = n*10 + int(c-'0')
	}
	return n, len(b) > 0
}

func (e *engine) refused(i int, m *modem, code uint16, text []byte) {
	if m.state == idle {
		e.res.Strays++
		return
	}
	text, _, _ = bytes.Cut(text, []byte{0})
	e.name = append(append(strconv.AppendUint(e.name[:0], uint64(code), 10), ' '), text...)
	n := e.errors[string(e.name)]
	if n == nil {
		// A server that says something new each time must not fill our memory.
		if len(e.errors) == maxErrors {
			e.name = append(e.name[:0], "others"...)
		}
		if n = e.errors[string(e.name)]; n == nil {
			n = new(int)
			e.errors[string(e.name)] = n
		}
	}
	*n++
	e.fail(i, m, true)
}

// timeout is called when a modem has waited in vain.
func (e *engine) timeout(at int32) {
	i := int(at)
	m := &e.modems[i]
	switch {
	case m.state == resting:
		e.begin(i)
	case int(m.tries) >= e.cfg.Retries:
		e.fail(i, m, false)
	default:
		m.tries++
		e.res.Retries++
		e.groups[m.group].res.Retries++
		if m.state == asking {
			e.request(i, m.port, &e.groups[m.group], uint64(i))
		} else {
			e.ack(i, m)
		}
		e.wheel.set(at, e.now+e.wait(int(m.tries)))
	}
}

// fail ends a download. The modem starts afresh, at once after a silence, after a wait when it was refused.
func (e *engine) fail(i int, m *modem, refused bool) {
	m.failures++
	e.res.FailedDownloads++
	if m.failures == 2 {
		e.res.FailedTwice++
	}
	if int(m.failures) > e.cfg.Restarts {
		e.res.Failed++
		e.groups[m.group].res.Failed++
		e.end(i, m, failed)
		return
	}
	e.drop(m)
	rest := int64(e.cfg.Rest)
	if refused {
		rest = max(rest, e.wait(0))
	}
	if rest > 0 {
		m.state = resting
		e.wheel.set(int32(i), e.now+rest)
		return
	}
	e.begin(i)
}

// result sums up.
func (e *engine) result(now int64) *Result {
	r := e.res
	r.Unfinished = e.under
	if len(e.errors) > 0 {
		r.Errors = map[string]int{}
		for text, n := range e.errors {
			r.Errors[strings.ToValidUTF8(text, "?")] += *n
		}
	}
	r.Elapsed = seconds(now)
	e.line.close(now, e)
	r.Timeline, r.Interval = e.line.samples, seconds(e.line.interval)
	if e.check != nil {
		r.Keys = e.check.signed()
	}
	if r.Served > 0 {
		r.LastServed = seconds(e.lastTime - e.firstTime)
	}
	end := e.period
	for k := range e.groups {
		g := &e.groups[k]
		if g.Duration > 0 && g.Count == 0 && g.Flood == 0 {
			end = max(end, int64(g.After+g.Duration))
		}
		if g.latency != nil {
			g.res.Latency = latencyOf(g.latency)
			if g.res.Served > 0 {
				g.res.LastServed = seconds(g.last - g.first1)
			}
			r.Groups = append(r.Groups, g.res)
		}
	}
	end = min(end, now)
	if took := seconds(end - e.firstTime); took > 0 && e.inPeriod > 0 {
		r.Rate = float64(e.inPeriod) / took
	}
	r.Latency = latencyOf(e.latency)
	for _, b := range e.latency.CumulativeDistribution() {
		r.Distribution = append(r.Distribution, Bracket{Percent: b.Quantile, Count: b.Count, Micros: float64(b.ValueAt) / 1e3})
	}
	r.Distribution = slices.Clip(r.Distribution)
	st := e.link.stats()
	r.PacketsSent, r.PacketsUnsent, r.PacketsReceived = st.sent, st.unsent, st.received
	r.PacketsLost, r.PacketsDamaged, r.PacketsForeign = st.lost, st.damaged, st.foreign
	return r
}

func latencyOf(h *hdrhistogram.Histogram) Latency {
	q := func(p float64) float64 { return float64(h.ValueAtPercentile(p)) / 1e3 }
	return Latency{P50: q(50), P90: q(90), P99: q(99), P999: q(99.9), Mean: h.Mean() / 1e3, Max: float64(h.Max()) / 1e3}
}

func seconds(ns int64) float64 { return float64(ns) / 1e9 }
