package sqldb

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"net/netip"
	"time"

	"dcs/render/attr"
	"dcs/render/device"
)

// key tells devices apart among changes.
type key struct {
	mac device.MAC
	ip  netip.Addr // of a device without a MAC address
}

func keyOf(d *attr.Device) key {
	if !d.MAC.IsZero() {
		return key{mac: d.MAC}
	}
	return key{ip: d.IP}
}

// follow applies changes.
func (s *source) follow(ctx context.Context, apply func([]attr.Change) error) error {
	s.mu.Lock()
	e, loaded := s.sub, s.loaded
	s.mu.Unlock()
	if !loaded {
		return s.wrap("follow", errors.New("not loaded yet"))
	}
	s.rewind()
	var heard, deaf <-chan struct{}
	if e != nil {
		heard, deaf = e.news, e.done
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
	if s.comparesQuery {
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
			next.Reset(s.cfg.Poll) // from now on: the query may take longer than the interval
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
		// Also before a reload, which may be held back.
		changes, err := s.askFor(ctx, devices)
		asked := err == nil
		if len(changes) > 0 {
			err = apply(changes)
		}
		if err != nil {
			// A load may follow, and be held back. A device whose query fails is not looked up again, or the source would
			// be loaded for ever.
			if asked || ctx.Err() != nil {
				e.requeue(devices, false, false)
			}
			return err
		}
		if reload {
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

// askFor looks up devices that have changed.
func (s *source) askFor(ctx context.Context, devices map[key]struct{}) (changes []attr.Change, err error) {
	for k := range devices {
		d, found, err := s.ask(ctx, k.mac, k.ip)
		if err != nil {
			return nil, err
		}
		if !found {
			d = attr.Device{MAC: k.mac, IP: k.ip}
		}
		changes = append(changes, attr.Change{Device: d, Gone: !found})
	}
	return changes, nil
}

// poll applies what has changed since the watermark, except rows that the previous poll returned with the same values.
func (s *source) poll(ctx context.Context, apply func([]attr.Change) error) error {
	s.mu.Lock()
	mark, seen := s.mark, s.seen
	s.mu.Unlock()

	query, args := s.cfg.ChangedQuery, []any{mark}
	switch m := mark.(type) {
	case nil: // no device so far
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
			s.rejectNew(fmt.Errorf("changed: %w", err))
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

func (s follower) Follow(ctx context.Context, apply func([]attr.Change) error) error {
	return s.follow(ctx, apply)
}

func (s askerFollower) Follow(ctx context.Context, apply func([]attr.Change) error) error {
	return s.follow(ctx, apply)
}
