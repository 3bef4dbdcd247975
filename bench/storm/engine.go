package storm

import (
	"math/rand/v2"
	"net/netip"
	"strconv"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

const (
	maxModems = 65536
	maxGroups = 64
	maxErrors = 20 // distinct error texts that are counted
	maxWrong  = 20 // wrong files that are reported in detail
	maxName   = 450
)

// link carries datagrams between modems and the server.
type link interface {
	// slot returns an empty buffer with room for any request; send sends what was appended to it.
	slot() []byte
	send(modem int, from, to uint16, payload []byte)
	flush()
	// port returns a modem's port for its n-th download.
	port(modem, n int) uint16
	// addr returns the modem's address as the server sees it.
	addr(modem int) netip.Addr
	// receive passes what has arrived to e.handle, at most a few batches, and returns the number of packets.
	receive(now int64, e *engine) int
	wait(d time.Duration)
	stats() linkStats
	close() error
}

type linkStats struct{ sent, unsent, received, lost, damaged, foreign uint64 }

// engine simulates the modems. It uses neither sockets nor clocks: times are nanoseconds since the start.
type engine struct {
	cfg    *Config
	groups []group
	link   link
	modems []modem
	wheel  *wheel
	rnd    *rand.PCG
	tail   []byte // end of an RRQ, after the name
	check  *checker
	turn   int   // files since the last one that was checked
	wall   int64 // ns; Unix time of the start
	waits  []int64
	bodies [][]byte // free buffers
	name   []byte
	expire func(int32)

	under int // running downloads
	now   int64

	res       *Result
	errors    map[string]*int
	latency   *hdrhistogram.Histogram // ns
	period    int64                   // ns; when the last download began
	inPeriod  int                     // served until then
	firstTime int64
	lastTime  int64
	line      timeline
	events    int // events that have been passed on
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
	if cfg.WinSize > 0 {
		e.tail = append(append(append(e.tail, "windowsize\x00"...), strconv.Itoa(cfg.WinSize)...), 0)
	}
	if cfg.TSize {
		e.tail = append(e.tail, "tsize\x000\x00"...)
	}
	e.expire = e.timeout
	return e, nil
}

// tick begins downloads that are due and repeats requests that have timed out. It returns how many.
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

// over reports whether nothing is left to do. The drain ends only while nothing arrives: a generator that fell behind
// still has answers to read.
func (e *engine) over(now int64, quiet bool) bool {
	if now >= int64(e.cfg.MaxTime) {
		return true
	}
	if e.more(now) {
		return false
	}
	return e.under == 0 || quiet && e.cfg.Drain > 0 && now-e.period > int64(e.cfg.Drain)
}
