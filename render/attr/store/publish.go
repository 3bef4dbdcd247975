package store

import (
	"dcs/render/attr/localdb"
)

// unpublished is what the next View has and the one before it has not.
type unpublished struct {
	base    *localdb.DB
	rebased bool // base has changed: the overlay begins anew
	macs    []*entry
	ips     []*entry
	frames  []byte // the journal's
}

// flush writes changes to the journal, and then publishes a View with them. The View has only changes that are on disk, unless the
// disk fails.
func (s *Store) flush() {
	s.flushing.Lock()
	defer s.flushing.Unlock()
	u := s.take()
	s.journal.append(u.frames)
	s.install(u)
}

// take removes and returns what is not published yet.
func (s *Store) take() *unpublished {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.timer != nil {
		s.timer.Stop()
		s.timer = nil
	}
	u := &unpublished{base: s.base, rebased: s.rebased}
	s.rebased = false
	var f frames
	for _, l := range s.logged {
		f.add(l.src.record(l.c, s.names))
	}
	for _, r := range touched(s, s.newMACs, s.newIPs) {
		f.add(r)
	}
	u.frames = f.end()
	s.logged = nil
	for mac := range s.newMACs {
		e := s.fleet.lookup(func() (merged, bool) { return s.fleet.byMAC(mac) })
		if e.mac = mac; e.unsure {
			s.unsureMACs = append(s.unsureMACs, mac)
		}
		u.macs = append(u.macs, e)
	}
	for ip := range s.newIPs {
		e := s.fleet.lookup(func() (merged, bool) { return s.fleet.byIP(ip) })
		if e.ip = ip; e.unsure {
			s.unsureIPs = append(s.unsureIPs, ip)
		}
		u.ips = append(u.ips, e)
	}
	clear(s.newMACs)
	clear(s.newIPs)
	return u
}

// install publishes u in a new View. s.flushing must be held.
func (s *Store) install(u *unpublished) {
	over := s.view.Load().over
	if u.rebased {
		over = nil
	}
	if len(u.macs)+len(u.ips) > 0 {
		over = over.with(u.macs, u.ips)
	} else if !u.rebased {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.view.Store(&View{schema: s.schema, base: u.base, over: over})
}
