package store

import (
	"strings"
	"time"

	"dcs/render/attr"
)

// mark tells a source what it has loaded before.
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

// holdLoad notes that a load is held back, and has the source loaded again some time.
func (s *Store) holdBackLoad(src *source, err error) {
	s.mu.Lock()
	g := &src.guard
	g.loadErr = err
	now, what := s.cfg.Now(), strings.Map(noDigit, err.Error())
	news := what != g.reportedLoad || now.Sub(g.reportedAt) >= s.cfg.RetryMax
	if news {
		g.reportedLoad, g.reportedAt = what, now
	}
	held := g.heldBack()
	s.scheduleReload(src)
	s.mu.Unlock()
	if news {
		s.event(Event{Source: src.Name(), Kind: HeldBack, Err: held})
	}
}

// noDigit drops digits: the same loss with other numbers is told again only after a while.
func noDigit(r rune) rune {
	if r >= '0' && r <= '9' {
		return -1
	}
	return r
}

// heldChanges tells of changes that are held back: of the first, and whenever there are twice as many.
func (s *Store) reportHeldBack(src *source) {
	s.mu.Lock()
	g := &src.guard
	news := g.changes >= max(1, 2*g.reportedChanges)
	if news {
		g.reportedChanges = g.changes
	}
	held := g.heldBack()
	if !g.unlisted && g.retry == nil {
		s.scheduleReload(src)
	}
	s.mu.Unlock()
	if news {
		s.event(Event{Source: src.Name(), Kind: HeldBack, Err: held})
	}
}

// again has a source that is held back loaded again: what it has lost may be back, and nothing may tell of that. mu is held.
func (s *Store) scheduleReload(src *source) {
	g := &src.guard
	g.wait = min(max(2*g.wait, s.cfg.RetryMax), 64*s.cfg.RetryMax)
	if g.retry != nil {
		g.retry.Stop()
	}
	g.retry = time.AfterFunc(g.wait, func() {
		select {
		case src.reload <- false:
		default:
		}
	})
}

// release forgets what was held back: the source was loaded. mu is held.
func (s *Store) release(src *source) {
	g := &src.guard
	if g.retry != nil {
		g.retry.Stop()
	}
	*g = guard{now: g.now, peak: g.peak, since: g.since, unlisted: g.unlisted}
	g.roll(s.cfg.Now())
}

// unlisted notes that a source cannot list its devices. With force it applies the changes that are held back: there is no
// load that would bring them.
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

// reapply lays all that a load brings and is not served over what is served, since no file can be made of it. It is held back
// as changes are, and those that were held back before count no more. With force none is held back, and a new day begins.
func (s *Store) reapply(src *source, changes []attr.Change, force bool) error {
	g := &src.guard
	s.mu.Lock()
	if g.changes, g.exceeded = 0, nil; g.loadErr == nil {
		g.blocked = nil
	}
	s.mu.Unlock()
	held, err := s.layOver(src, changes, force)
	if err != nil {
		return err
	}
	if held > 0 {
		s.reportHeldBack(src)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if force {
		s.resetPeak(src, &g.now)
	}
	if force || held == 0 && g.loadErr == nil {
		s.release(src)
	}
	return nil
}
