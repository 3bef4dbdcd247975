package storm

import (
	"fmt"
	"math"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// group is a running Group.
type group struct {
	Group
	first   int // index of its first modem
	names   *Names
	cursor  int
	arrival int64 // ns; when the next download should begin in an open loop
	res     GroupResult
	latency *hdrhistogram.Histogram // ns; nil if there is one group, for which the engine's counts
	first1  int64                   // when the first download began; -1: not yet
	last    int64                   // when the last file was complete
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
	var x float64 // when it would begin without a ramp
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
	// While the rate rises, the number of downloads begun grows with the square of the time.
	if x < ramp/2 {
		x = math.Sqrt(2 * ramp * x)
	} else {
		x += ramp / 2
	}
	return int64(g.After) + int64(x)
}

// sendMax bounds what is sent before the received packets are handled.
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

// flood sends the requests of a flooding group.
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

// more reports whether another download will begin. A generator in an open loop that fell behind catches up: no
// download is skipped.
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

// free returns an idle modem, the longest idle first, or -1.
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
