package storm

import (
	"fmt"
)

// TFTP opcodes and error codes: RFC 1350 section 5 and RFC 2347.
const (
	opRRQ   = 1
	opDATA  = 3
	opACK   = 4
	opERROR = 5
	opOACK  = 6

	errUnknownTID  = 5
	defaultBlkSize = 512
)

type state uint8

const (
	idle    state = iota // never asked, or done
	asking               // RRQ sent, no answer yet
	loading              // DATA or OACK received
	resting              // waits for its restart
	failed
)

type modem struct {
	intended int64 // ns; when the download should have begun
	begun    int64 // ns; when the first request of the current try was sent
	size     int   // bytes received
	tsize    int64 // as reported by the server, or -1
	body     []byte
	turn     int // downloads begun
	blksize  int
	window   uint16 // blocks that one ACK answers
	unacked  uint16 // blocks received since the last ACK
	port     uint16 // the modem's
	peer     uint16 // the server's; 0: not known yet
	block    uint16 // last block received in order
	state    state
	group    uint8
	tries    uint8 // timeouts in a row
	failures uint8 // of the current file
	options  bool  // the RRQ had options, and neither OACK nor DATA has come
	bad      bool  // differs from what is expected
	gap      bool  // a block is missing, and the server has been told
	fetched  bool  // the last download succeeded: its last block may be repeated
}

// begin sends a modem's first request of a download.
func (e *engine) begin(i int) {
	m := &e.modems[i]
	m.turn++
	m.port, m.begun = e.link.port(i, m.turn), e.now
	m.peer, m.block, m.size, m.tsize, m.tries = 0, 0, 0, -1, 0
	m.state, m.blksize, m.bad, m.fetched = asking, defaultBlkSize, false, false
	m.window, m.unacked, m.gap = 1, 0, false
	m.options = e.cfg.BlkSize > 0 || e.cfg.WinSize > 0 || e.cfg.TSize || e.cfg.HWAddr
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

// wait returns how long a modem waits for an answer after that many timeouts in a row.
func (e *engine) wait(tries int) int64 {
	d := e.waits[min(tries, len(e.waits)-1)]
	if e.cfg.Jitter > 0 {
		u := float64(e.rnd.Uint64()>>11) / (1 << 53)
		d += int64(float64(d) * e.cfg.Jitter * (u - 0.5))
	}
	return d
}

func (e *engine) ack(i int, m *modem) {
	m.unacked = 0
	e.link.send(i, m.port, m.peer, append(e.link.slot(), 0, opACK, byte(m.block>>8), byte(m.block)))
}

func (e *engine) finish(i int, m *modem) {
	if m.tsize >= 0 && m.tsize != int64(m.size) {
		m.bad = true
		e.wrong(i, m, fmt.Sprintf("tsize %d, received %d bytes", m.tsize, m.size))
	}
	g := &e.groups[m.group]
	if m.bad {
		e.res.Wrong++
		g.res.Wrong++
		if len(e.res.Mismatches) == 0 {
			e.wrong(i, m, "not the expected file")
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
		// Beyond an hour, the end of the histogram, nothing is recorded.
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

// timeout is called when a modem's wait is over.
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

// fail ends a download. The modem restarts: at once after a timeout, after a wait if it got an ERROR.
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
