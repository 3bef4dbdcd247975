package sqldb

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"maps"
	"net/netip"
	"strings"
	"sync"
	"time"

	"dcs/render/attr"
	"dcs/render/device"
)

// key tells devices apart among changes.
type key struct {
	mac    [6]byte
	hasMAC bool
	ip     netip.Addr // of a device without a MAC address
}

func keyOf(d *attr.Device) key {
	if d.HasMAC {
		return key{mac: d.MAC, hasMAC: true}
	}
	return key{ip: d.IP}
}

// ears is a subscription with what it has heard: devices, each once and at most maxAsked,
// or that something has changed.
type ears struct {
	cancel context.CancelFunc
	done   chan struct{} // closed when the subscription has ended

	mu      sync.Mutex
	devices map[key]struct{}
	poll    bool // something has changed
	reload  bool // all is to be loaded anew
	err     error
	heard   chan struct{} // holds one while there may be news
}

// listen subscribes, unless there is a subscription that works.
func (s *source) listen(ctx context.Context) error {
	s.mu.Lock()
	old, dsn := s.ears, s.dsn
	s.mu.Unlock()
	if old != nil {
		select {
		case <-old.done:
		default:
			return nil
		}
	}
	ctx, cancel := context.WithTimeout(ctx, s.cfg.Timeout)
	defer cancel()
	l, err := s.drv.Listen(ctx, dsn, s.cfg.Channel)
	if err != nil {
		return timeout(ctx, err)
	}
	// It outlives the call: Close ends it.
	life, end := context.WithCancel(context.WithoutCancel(ctx))
	e := &ears{cancel: end, done: make(chan struct{}), devices: make(map[key]struct{}), heard: make(chan struct{}, 1)}
	if old != nil {
		e.giveBack(old.take()) // the load that follows brings it, and may be held back
	}
	go s.hear(life, l, e)
	s.mu.Lock()
	if s.db == nil { // closed meanwhile
		s.mu.Unlock()
		e.close()
		return errors.New("closed")
	}
	s.ears = e
	s.mu.Unlock()
	return nil
}

func (e *ears) close() {
	e.cancel()
	<-e.done
}

// hear collects notifications until the connection fails. A server that has gone without a
// word is found out by a ping after each Timeout of silence.
func (s *source) hear(ctx context.Context, l Listener, e *ears) {
	defer close(e.done)
	defer l.Close()
	for {
		wait, cancel := context.WithTimeout(ctx, s.cfg.Timeout)
		payload, err := l.Wait(wait)
		silent := wait.Err() != nil && ctx.Err() == nil
		cancel()
		if err == nil {
			e.hear(payload)
			continue
		}
		if silent {
			ping, cancel := context.WithTimeout(ctx, s.cfg.Timeout)
			err = l.Ping(ping)
			cancel()
			if err == nil {
				continue
			}
		}
		e.mu.Lock()
		e.err = err
		e.mu.Unlock()
		return
	}
}

func (e *ears) hear(payload string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	k := key{}
	payload = strings.TrimSpace(payload)
	if payload == "" {
		e.reload = true
	} else if mac, err := device.ParseMAC(payload); err == nil {
		k.mac, k.hasMAC = mac, true
		e.devices[k] = struct{}{}
	} else if a, err := netip.ParseAddr(payload); err == nil {
		e.devices[key{ip: a.WithZone("").Unmap()}] = struct{}{}
	} else {
		e.poll = true
	}
	e.bound()
}

// giveBack has what take returned be taken again.
func (e *ears) giveBack(devices map[key]struct{}, poll, reload bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	maps.Copy(e.devices, devices)
	e.poll, e.reload = e.poll || poll, e.reload || reload
	e.bound()
}

// bound has so many devices that have changed be one change of all, and tells whoever waits. mu is held.
func (e *ears) bound() {
	if len(e.devices) > maxAsked {
		clear(e.devices)
		e.poll = true
	}
	if len(e.devices) == 0 && !e.poll && !e.reload {
		return
	}
	select {
	case e.heard <- struct{}{}:
	default:
	}
}

func (e *ears) take() (devices map[key]struct{}, poll, reload bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	devices, poll, reload = e.devices, e.poll, e.reload
	e.devices, e.poll, e.reload = make(map[key]struct{}), false, false
	return devices, poll, reload
}

// follow applies changes.
func (s *source) follow(ctx context.Context, apply func([]attr.Change) error) error {
	s.mu.Lock()
	e, loaded := s.ears, s.loaded
	s.mu.Unlock()
	if !loaded {
		return s.wrap("follow", errors.New("nothing was loaded yet"))
	}
	s.rewind()
	var heard, deaf <-chan struct{}
	if e != nil {
		heard, deaf = e.heard, e.done
	}
	tick := func(d time.Duration, on bool) (<-chan time.Time, func()) {
		if !on {
			return nil, func() {}
		}
		t := time.NewTicker(d)
		return t.C, t.Stop
	}
	polls, stop := tick(s.cfg.Poll, s.cfg.ChangedQuery != "")
	defer stop()
	reloads, stop := tick(s.cfg.Reload, s.cfg.Reload > 0)
	defer stop()
	var wholes <-chan time.Time
	next := time.NewTimer(s.cfg.Poll)
	defer next.Stop()
	if s.whole {
		wholes = next.C
	}
	for {
		var devices map[key]struct{} // have changed
		poll, reload := false, false
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-deaf:
			e.mu.Lock()
			err := e.err
			e.mu.Unlock()
			return s.wrap("listen", err)
		case <-polls:
			poll = true
		case <-reloads:
			reload = true
		case <-heard:
		case <-wholes:
			var err error
			if reload, err = s.changed(ctx); err != nil {
				return err
			}
			next.Reset(s.cfg.Poll) // from the end on: the query may take longer than that
		}
		if e != nil {
			d, p, r := e.take()
			devices, poll, reload = d, poll || p, reload || r
		}
		if s.cfg.AskQuery == "" && len(devices) > 0 {
			devices, poll = nil, true
		}
		if poll && s.cfg.ChangedQuery == "" {
			poll, reload = false, true
		}
		// Before a reload, too: what that brings may be held back.
		changes, err := s.askFor(ctx, devices)
		asked := err == nil
		if len(changes) > 0 {
			err = apply(changes)
		}
		if err != nil {
			// The source may be loaded next, and that be held back. A device that the database fails on is not asked
			// for again: it would have the source loaded for ever.
			if asked || ctx.Err() != nil {
				e.giveBack(devices, false, false)
			}
			return err
		}
		if reload { // which brings the rest
			if err := apply(nil); err != nil {
				return err
			}
			continue
		}
		if poll {
			if err := s.poll(ctx, apply); err != nil {
				return err
			}
		}
	}
}

// askFor returns what became of devices that have changed.
func (s *source) askFor(ctx context.Context, devices map[key]struct{}) (changes []attr.Change, err error) {
	for k := range devices {
		d, found, err := s.ask(ctx, k.mac, k.hasMAC, k.ip)
		if err != nil {
			return nil, err
		}
		if !found {
			d = attr.Device{MAC: k.mac, HasMAC: k.hasMAC, IP: k.ip}
		}
		changes = append(changes, attr.Change{Device: d, Gone: !found})
	}
	return changes, nil
}

// poll applies what has changed since the watermark. Rows that it gave at the poll before,
// with the same values, it leaves out.
func (s *source) poll(ctx context.Context, apply func([]attr.Change) error) error {
	s.mu.Lock()
	mark, seen := s.mark, s.seen
	s.mu.Unlock()

	query, args := s.cfg.ChangedQuery, []any{mark}
	switch m := mark.(type) {
	case nil: // there was no device yet
		query, args = s.cfg.Query, nil
	case time.Time:
		args[0] = m.Add(-s.cfg.Overlap)
	}
	var hash maphash.Hash
	hash.SetSeed(s.hash)
	now := make(map[key]uint64)
	var changes []attr.Change
	var stop error
	flush := func() error {
		if len(changes) == 0 {
			return nil
		}
		stop = apply(changes)
		changes = changes[:0]
		return stop
	}
	err := s.rows(ctx, query, args, func(r *row) (err error) {
		if r.m.mark < 0 {
			return fmt.Errorf("no column %s", s.cfg.Watermark)
		}
		if mark, err = s.later(mark, r.values[r.m.mark]); err != nil {
			return err
		}
		gone := r.gone()
		d, err := r.device()
		if err != nil {
			s.rejectOnce(fmt.Errorf("changed: %w", err))
			return nil
		}
		k, h := keyOf(d), sum(&hash, d, gone)
		now[k] = h
		if old, ok := seen[k]; ok && old == h {
			return nil
		}
		c := attr.Change{Device: *d, Gone: gone}
		c.Values = append([]string(nil), d.Values...)
		if changes = append(changes, c); len(changes) == batch {
			return flush()
		}
		return nil
	})
	if err == nil {
		err = flush()
	}
	if stop != nil {
		return stop
	}
	if err != nil {
		return s.wrap("changed_query", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mark, s.seen = mark, now
	return nil
}

func sum(h *maphash.Hash, d *attr.Device, gone bool) uint64 {
	h.Reset()
	a := d.IP.As16()
	if !d.IP.IsValid() {
		h.WriteByte(1)
	}
	h.Write(a[:])
	if gone {
		h.WriteByte(1)
	}
	for _, v := range d.Values {
		h.WriteString(v)
		h.WriteByte(0xff)
	}
	return h.Sum64()
}
