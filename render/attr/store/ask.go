package store

import (
	"context"
	"errors"
	"hash/maphash"
	"net/netip"
	"slices"
	"sync"
	"time"

	"dcs/render/attr"
	"dcs/render/device"
)

// Miss is the result of a question about a device that is in no View.
type Miss uint8

const (
	// Unknown means that no source has the device.
	Unknown Miss = iota
	// Asking means that a source may have the device. It should not be answered yet, so that it asks again.
	Asking
)

// question is a device to be looked up in sources: by MAC address or, if that is zero, by IP address.
type question struct {
	mac device.MAC
	ip  netip.Addr
}

// key returns the device's key: without the IP address if there is a MAC address.
func (q question) key() question {
	if !q.mac.IsZero() {
		q.ip = netip.Addr{}
	}
	return q
}

// asker is the part of a Store that looks up single devices in sources. Workers put questions into the intake; the dispatcher orders
// them, and passes them to goroutines that wait for the sources' answers.
type asker struct {
	intake  *intake // nil: no source can be asked
	likely  *likely // nil: as intake
	prefix  maphash.Seed
	unknown *unknowns     // nil: as intake
	work    chan *waiting // to be asked; has room for all that may be
	answers chan answered
	stats   askStats

	askMu     sync.Mutex
	inFlight  map[question]struct{} // being asked
	scheduled map[question]struct{} // in due
	due       []dueQuestion         // devices that were found by asking, by when they are to be asked for again
}

// answered is a question and its answer.
type answered struct {
	*waiting
	answer answer
}

type answer uint8

const (
	deviceUnknown answer = iota
	deviceKnown          // found now, or by an earlier question
	deviceUnsure         // a source could not be asked, or is not loaded yet
	deviceFailed         // a source returned an error
)

type dueQuestion struct {
	question
	at time.Time
}

func (a *asker) init(cfg *Config) {
	a.inFlight, a.scheduled = make(map[question]struct{}), make(map[question]struct{})
	if slices.ContainsFunc(cfg.Sources, func(s attr.Source) bool { _, ok := s.(attr.Asker); return ok }) {
		a.unknown = newUnknowns(cfg.AskAgain)
		a.prefix, a.likely, a.intake = maphash.MakeSeed(), newLikely(), newIntake(cfg.AskQueue)
		a.work, a.answers = make(chan *waiting, cfg.Askers), make(chan answered, cfg.Askers)
	}
}

// Miss requests a look-up in the sources of a device that the View does not have; ip is the source address of its request, and now the
// time in nanoseconds since 1970. It does not wait or allocate, and may be called by workers; it takes a lock when it
// wakes the dispatcher, about once per intakeRest. A device that no source has is looked up again after Config.AskAgain at the earliest.
func (s *Store) Miss(now int64, mac device.MAC, ip netip.Addr) Miss {
	q := question{mac, ip.Unmap()}
	if mac.IsZero() && !ip.IsValid() {
		return Unknown
	}
	if s.intake == nil {
		if s.allLoaded.Load() {
			return Unknown
		}
		return Asking // a source that is not loaded yet may have the device
	}
	if s.unknown.has(s.unknown.hash(q), now) {
		return Unknown
	}
	s.intake.put(q, s.laneOf(q.ip)) // a device whose question is dropped asks again
	return Asking
}

// laneOf hashes the prefix of an address: an IPv4 address, an IPv6 /64.
func (a *asker) laneOf(ip netip.Addr) uint64 {
	b := ip.As16()
	if ip.Is6() {
		clear(b[8:])
	}
	return maphash.Bytes(a.prefix, b[:])
}

func (s *Store) startAskers() {
	if s.intake == nil {
		return
	}
	for range s.cfg.Askers {
		s.wg.Go(func() {
			for {
				select {
				case <-s.ctx.Done():
					return
				case w := <-s.work:
					s.answers <- answered{w, s.ask(w.question, false)}
				}
			}
		})
	}
	s.wg.Go(s.dispatch)
	s.wg.Go(s.refresh)
}

// refresh repeats look-ups of devices that were found by one, since nothing else reports their changes.
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
			delete(s.scheduled, q)
			s.askMu.Unlock()
			s.ask(q, true)
		}
	}
}

// scheduleRefresh schedules another look-up of a device, after Config.AskFresh.
func (s *Store) scheduleRefresh(q question) {
	s.askMu.Lock()
	defer s.askMu.Unlock()
	q = q.key()
	if _, ok := s.scheduled[q]; ok {
		return
	}
	s.scheduled[q] = struct{}{}
	s.due = append(s.due, dueQuestion{q, s.cfg.Now().Add(s.cfg.AskFresh)})
}

// ask looks a device up in all sources that can be asked. again says that the device is known, and is removed if no source has it.
func (s *Store) ask(q question, again bool) answer {
	s.askMu.Lock()
	_, flying := s.inFlight[q.key()]
	s.inFlight[q.key()] = struct{}{}
	s.askMu.Unlock()
	if flying {
		if again { // the look-up in flight may end without scheduling a refresh: if it fails, or finds the device known
			s.scheduleRefresh(q)
		}
		return deviceUnsure
	}
	defer func() {
		s.askMu.Lock()
		delete(s.inFlight, q.key())
		s.askMu.Unlock()
	}()
	v := s.View()
	had := false
	if !q.mac.IsZero() {
		_, had = v.Lookup(q.mac, nil)
	} else {
		_, _, had = v.LookupIP(q.ip, nil)
	}
	if had && !again {
		return deviceKnown // found by an earlier question
	}
	found, failed, silent, unasked := false, false, false, false
	for _, src := range s.srcs {
		a, ok := src.Source.(attr.Asker)
		if !ok {
			continue
		}
		switch f, err := s.askOne(src, a, q, again); {
		case errors.Is(err, errNotOpen):
			unasked = true
		case err != nil:
			failed = true
		case f:
			found = true
			_, follows := src.Source.(attr.Follower)
			silent = silent || !follows
		}
	}
	if silent || again && (failed || unasked) { // nothing else would report its changes
		s.scheduleRefresh(q)
	}
	switch {
	case found:
		return deviceKnown
	case failed:
		return deviceFailed
	case unasked || !s.allLoaded.Load():
		return deviceUnsure
	}
	return deviceUnknown
}

// askOne looks a device up in one source, and applies the result. A source that fails on two different devices in a row is paused; one
// device that always fails does not delay the others.
func (s *Store) askOne(src *source, a attr.Asker, q question, again bool) (found bool, err error) {
	s.mu.Lock()
	ready := src.perm != nil && !s.cfg.Now().Before(src.pausedUntil)
	s.mu.Unlock()
	if !ready {
		return false, errNotOpen
	}
	ctx, cancel := context.WithTimeout(s.ctx, s.cfg.AskTimeout)
	defer cancel()
	src.asked.Add(1)
	d, found, err := a.Ask(ctx, q.mac, q.ip)
	if err == nil && found && (!q.mac.IsZero() && !d.MAC.IsZero() && d.MAC != q.mac || q.mac.IsZero() && d.IP.IsValid() && d.IP.Unmap() != q.ip) {
		err = errWrongDevice
	}
	s.mu.Lock()
	before := src.failed
	src.failed = nil
	if err != nil {
		key := q.key()
		src.err, src.failed = err, &key
		if before != nil && *before != key {
			src.pausedUntil = s.cfg.Now().Add(s.cfg.RetryMin)
		}
	}
	s.mu.Unlock()
	if err != nil {
		return false, err
	}
	if found {
		if !q.mac.IsZero() {
			d.MAC = q.mac
		} else {
			d.IP = q.ip
		}
		src.found.Add(1)
		return true, s.apply(src, []attr.Change{{Device: d}})
	}
	if again {
		withheld, err := s.applyGuarded(src, []attr.Change{{Device: attr.Device{MAC: q.mac, IP: q.ip}, Gone: true}})
		if withheld > 0 {
			err = attr.ErrHeldBack // look it up again, as after an error
		}
		return false, err
	}
	return false, nil
}
