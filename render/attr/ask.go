package attr

import (
	"context"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// Miss says what became of a question for a device that no View has.
type Miss uint8

const (
	// Unknown: no source has the device.
	Unknown Miss = iota
	// Asking: a source may have it. The device had best be left without an answer, so that it asks again.
	Asking
)

// question is a device that is to be asked for: by MAC address or, if it has none, by IP address.
type question struct {
	mac    [6]byte
	hasMAC bool
	ip     netip.Addr
}

// key returns what tells a device apart: the IP address does not, if there is a MAC address.
func (q question) key() question {
	if q.hasMAC {
		q.ip = netip.Addr{}
	}
	return q
}

func (q question) hash() uint64 {
	if q.hasMAC {
		return macKey(q.mac)
	}
	return ipKey(q.ip)
}

// asker is the part of a Store that asks sources for single devices.
type asker struct {
	queue   chan question
	unknown [negatives]atomic.Uint64
	dropped atomic.Int64

	askMu  sync.Mutex
	flying map[question]struct{} // being asked for, or waiting
	fresh  map[question]struct{} // in due
	due    []dueQuestion         // devices that were found by asking, by when they are to be asked for again
}

type dueQuestion struct {
	question
	at time.Time
}

// negatives is how many devices that no source has are remembered: 512 KiB. A slot holds 32 bits of
// the hash and the second until which it counts.
const negatives = 1 << 16

func (a *asker) init(cfg *Config) {
	a.flying, a.fresh = make(map[question]struct{}), make(map[question]struct{})
	if slices.ContainsFunc(cfg.Sources, func(s Source) bool { _, ok := s.(Asker); return ok }) {
		a.queue = make(chan question, cfg.AskQueue)
	}
}

// Miss has sources asked for a device that the View does not have. It does not wait, lock
// or allocate, and may be called by workers; now is the time in nanoseconds since 1970. A device that no source
// has is asked for again after Config.AskAgain at the earliest.
func (s *Store) Miss(now int64, mac [6]byte, hasMAC bool, ip netip.Addr) Miss {
	q := question{mac, hasMAC, ip.Unmap()}
	if !hasMAC && !ip.IsValid() {
		return Unknown
	}
	h := q.hash()
	if x := s.unknown[h%negatives].Load(); x>>32 == h>>32 {
		// One that counts for longer than any was noted before the clock was set back.
		left := int64(x&0xffffffff) - now/1e9
		if left > 0 && left <= int64(s.cfg.AskAgain/time.Second)+1 {
			return Unknown
		}
	}
	if s.queue == nil {
		if s.settled.Load() {
			return Unknown
		}
		return Asking // a source that is not loaded yet may have it
	}
	select {
	case s.queue <- q:
	default:
		s.dropped.Add(1) // the device asks again
	}
	return Asking
}

// Dropped returns how many questions found the queue full.
func (s *Store) Dropped() int64 { return s.dropped.Load() }

func (s *Store) startAskers() {
	if s.queue == nil {
		return
	}
	for range s.cfg.Askers {
		s.wg.Go(func() {
			for {
				select {
				case <-s.ctx.Done():
					return
				case q := <-s.queue:
					s.ask(q, false)
				}
			}
		})
	}
	s.wg.Go(s.refresh)
}

// refresh asks again for devices that were found by asking: nothing else tells of their changes.
func (s *Store) refresh() {
	tick := time.NewTicker(min(time.Second, max(s.cfg.AskFresh/4, time.Millisecond)))
	defer tick.Stop()
	for {
		select {
		case <-s.ctx.Done():
			return
		case <-tick.C:
		}
		for s.ctx.Err() == nil {
			s.askMu.Lock()
			if len(s.due) == 0 || s.due[0].at.After(s.cfg.Now()) {
				s.askMu.Unlock()
				break
			}
			q := s.due[0].question
			s.due = s.due[1:]
			delete(s.fresh, q)
			s.askMu.Unlock()
			s.ask(q, true)
		}
	}
}

// askAgain has a device asked for again when it is no longer fresh.
func (s *Store) askAgain(q question) {
	s.askMu.Lock()
	defer s.askMu.Unlock()
	q = q.key()
	if _, ok := s.fresh[q]; ok {
		return
	}
	s.fresh[q] = struct{}{}
	s.due = append(s.due, dueQuestion{q, s.cfg.Now().Add(s.cfg.AskFresh)})
}

// ask asks all sources that can be asked. again says that the device is known: it goes if no source has it any more.
func (s *Store) ask(q question, again bool) {
	s.askMu.Lock()
	_, flying := s.flying[q.key()]
	s.flying[q.key()] = struct{}{}
	s.askMu.Unlock()
	if flying {
		return
	}
	defer func() {
		s.askMu.Lock()
		delete(s.flying, q.key())
		s.askMu.Unlock()
	}()
	v := s.View()
	known := false
	if q.hasMAC {
		_, known = v.Lookup(q.mac, nil)
	} else {
		_, _, _, known = v.LookupIP(q.ip, nil)
	}
	if known && !again {
		return // the answer to an earlier question brought it
	}
	found, failed, silent := false, false, false
	for _, src := range s.srcs {
		a, ok := src.Source.(Asker)
		if !ok {
			continue
		}
		switch f, err := s.askOne(src, a, q, again); {
		case err != nil:
			failed = true
		case f:
			found = true
			_, follows := src.Source.(Follower)
			silent = silent || !follows
		}
	}
	switch {
	case silent || again && failed: // nothing else would tell of its changes
		s.askAgain(q)
	case found:
	case !failed && s.settled.Load():
		h := q.hash()
		until := uint64(s.cfg.Now().Add(s.cfg.AskAgain).Unix()) & 0xffffffff
		s.unknown[h%negatives].Store(h>>32<<32 | until)
	}
}

// askOne asks one source, and applies what it says.
func (s *Store) askOne(src *source, a Asker, q question, again bool) (found bool, err error) {
	s.mu.Lock()
	ready := src.perm != nil && !s.cfg.Now().Before(src.rest)
	s.mu.Unlock()
	if !ready {
		return false, errNotOpen
	}
	ctx, cancel := context.WithTimeout(s.ctx, s.cfg.AskTimeout)
	defer cancel()
	src.asked.Add(1)
	d, found, err := a.Ask(ctx, q.mac, q.hasMAC, q.ip)
	if err == nil && found && (q.hasMAC && d.HasMAC && d.MAC != q.mac || !q.hasMAC && d.IP.IsValid() && d.IP.Unmap() != q.ip) {
		err = errOther
	}
	if err != nil {
		s.mu.Lock()
		src.err, src.rest = err, s.cfg.Now().Add(s.cfg.RetryMin)
		s.mu.Unlock()
		return false, err
	}
	if found {
		if q.hasMAC {
			d.MAC, d.HasMAC = q.mac, true
		} else {
			d.IP = q.ip
		}
		src.found.Add(1)
		return true, s.apply(src, []Change{{Device: d}})
	}
	if again {
		held, err := s.applyGuarded(src, []Change{{Device: Device{MAC: q.mac, HasMAC: q.hasMAC, IP: q.ip}, Gone: true}})
		if held > 0 {
			err = ErrHeld // it is asked for again, as after an error
		}
		return false, err
	}
	return false, nil
}
