package storm

import (
	"bytes"
	"encoding/binary"
	"math"
	"strconv"
)

// handle takes one datagram from the server's address. It may change payload and does not retain it.
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
		// The server took a repeated request for a new one. RFC 1350, section 4: send an ERROR to the stranger, and
		// keep our transfer.
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
		// RFC 7440, section 4: the ACK of the last block before the gap, once, as the rest of the window is on its way. An earlier block
		// gets none: the server repeats a window, whose last block is answered.
		if m.window > 1 && !m.gap && int16(block-m.block) > 0 {
			m.gap = true
			e.ack(i, m)
		}
		e.res.Strays++
		return
	}
	if m.options { // the server ignored them
		m.options, m.blksize = false, defaultBlkSize
	}
	m.state, m.block, m.tries, m.gap = loading, block, 0, false
	last := len(body) < m.blksize
	if len(body) > m.blksize {
		m.bad, last = true, true
	}
	if m.unacked++; last || m.unacked == m.window {
		e.ack(i, m)
	}
	e.take(i, m, body, last)
	if last {
		e.finish(i, m)
		return
	}
	e.wheel.set(int32(i), e.now+e.wait(0))
}

// take compares or stores one block.
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
		e.verify(i, m, body) // in place, without copying
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

// oack parses the options that the server accepted (RFC 2347).
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
		case bytes.EqualFold(name, []byte("windowsize")) && n >= 1 && n <= e.cfg.WinSize:
			m.window = uint16(n)
		case bytes.EqualFold(name, []byte("tsize")) && e.cfg.TSize:
			m.tsize = int64(n)
		case bytes.EqualFold(name, []byte("hwaddr")) && e.cfg.HWAddr:
		default:
			e.res.Strays++ // an option that was not requested, or with a larger value
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
		// A server that sends a different text each time must not fill our memory.
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
