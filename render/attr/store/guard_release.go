package store

import (
	"strings"
	"time"

	"dcs/render/attr"
)

// setMark passes the mark of the load in service to a source.
func (s *Store) setMark(src *source, force bool) {
	m, ok := src.Source.(attr.Marker)
	if !ok {
		return
	}
	s.mu.Lock()
	mark := src.meta.Mark
	s.mu.Unlock()
	if force {
		mark = ""
	}
	m.SetMark(mark)
}

// holdBackLoad records that a load is held back, and schedules another one.
func (s *Store) holdBackLoad(src *source, err error) {
	s.mu.Lock()
	g := &src.guard
	g.loadErr = err
	now, what := s.cfg.Now(), strings.Map(noDigit, err.Error())
	news := what != g.reportedLoad || now.Sub(g.reportedAt) >= s.cfg.RetryMax
	if news {
		g.reportedLoad, g.reportedAt = what, now
	}
	heldBack := g.heldBack()
	s.scheduleReload(src)
	s.mu.Unlock()
	if news {
		s.event(Event{Source: src.Name(), Kind: HeldBack, Err: heldBack})
	}
}

// noDigit drops digits, so that the same loss with other numbers is reported again only after a while.
func noDigit(r rune) rune {
	if r >= '0' && r <= '9' {
		return -1
	}
	return r
}

// reportHeldBack reports changes that are held back: the first, and whenever their number has doubled.
func (s *Store) reportHeldBack(src *source) {
	s.mu.Lock()
	g := &src.guard
	news := g.changes >= max(1, 2*g.reportedChanges)
	if news {
		g.reportedChanges = g.changes
	}
	heldBack := g.heldBack()
	if !g.unlisted && g.retry == nil {
		s.scheduleReload(src)
	}
	s.mu.Unlock()
	if news {
		s.event(Event{Source: src.Name(), Kind: HeldBack, Err: heldBack})
	}
}

// scheduleReload schedules a load of a source that is held back: what it lost may be back without a notification. s.mu must be held.
func (s *Store) scheduleReload(src *source) {
	g := &src.guard
	g.wait = min(max(2*g.wait, s.cfg.RetryMax), 64*s.cfg.RetryMax)
	if g.retry != nil {
		g.retry.Stop()
	}
	g.retry = time.AfterFunc(g.wait, func() { src.request(false) })
}

// release clears what is held back, after a load. s.mu must be held.
func (s *Store) release(src *source) {
	g := &src.guard
	if g.retry != nil {
		g.retry.Stop()
	}
	*g = guard{now: g.now, peak: g.peak, since: g.since, unlisted: g.unlisted}
	g.roll(s.cfg.Now())
}

// noteUnlisted records that a source cannot list its devices. With force it applies the changes that are held back, since no load
// has them.
func (s *Store) noteUnlisted(src *source, force bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	g := &src.guard
	g.unlisted = true
	if !force {
		return
	}
	var list []*change
	for _, c := range g.withheld {
		list = append(list, &change{Device: c.Device, gone: c.Gone})
	}
	s.overlay(src, list)
	s.resetPeak(src, &g.now)
	s.release(src)
}

// reapply adds the differences of a load to the overlay, because no file can be written. They are held back as changes are, and
// replace those held back before. With force none is held back, and a new day starts.
func (s *Store) reapply(src *source, changes []attr.Change, force bool) error {
	g := &src.guard
	s.mu.Lock()
	if g.changes, g.exceeded = 0, nil; g.loadErr == nil {
		g.blocked = nil
	}
	s.mu.Unlock()
	withheld, err := s.layOver(src, changes, force)
	if err != nil {
		return err
	}
	if withheld > 0 {
		s.reportHeldBack(src)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if force {
		s.resetPeak(src, &g.now)
	}
	if force || withheld == 0 && g.loadErr == nil {
		s.release(src)
	}
	return nil
}
