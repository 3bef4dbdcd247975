package store

import (
	"cmp"
	"net/netip"
	"slices"

	"dcs/render/attr/localdb"
)

// logged is a change that the journal does not have yet.
type logged struct {
	src *source
	c   *change
}

// unpublished is what the next View has and the one before it has not.
type unpublished struct {
	base   *localdb.DB
	anew   bool // base has changed: the overlay begins anew
	macs   []*entry
	ips    []*entry
	frames []byte // the journal's
}

// flush brings what has changed to the journal, and has it served then. What is served is what was known when it began:
// nothing is that is not on disk, unless the disk fails.
func (s *Store) flush() {
	s.flushing.Lock()
	defer s.flushing.Unlock()
	u := s.take()
	s.journal.append(u.frames)
	s.install(u)
}

// take takes what is not published.
func (s *Store) take() *unpublished {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.timer != nil {
		s.timer.Stop()
		s.timer = nil
	}
	u := &unpublished{base: s.base, anew: s.rebased}
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
		if e.mac, e.hasMAC = mac, true; e.unsure {
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

// install serves it. flushing is held.
func (s *Store) install(u *unpublished) {
	over := s.view.Load().over
	if u.anew {
		over = nil
	}
	if len(u.macs)+len(u.ips) > 0 {
		over = over.with(u.macs, u.ips)
	} else if !u.anew {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.view.Store(&View{schema: s.schema, base: u.base, over: over})
}

// record returns a change as the journal has it. Store.mu is held.
func (src *source) record(c *change, schema []string) *record {
	r := &record{seq: c.seq, source: src.Name(), attrs: src.names, mac: c.MAC, ip: c.IP, flags: keyFlags(c.HasMAC, c.IP)}
	if c.gone {
		r.flags |= recordGone
	} else {
		r.names, r.values = schema, c.Values
	}
	return r
}

// touched returns records of devices and addresses that look different for changes: the sources' files may have these when the
// merged one does not. mu is held.
func touched[V any](s *Store, macs map[[6]byte]V, ips map[netip.Addr]V) []*record {
	var list []*record
	for mac := range macs {
		list = append(list, &record{flags: recordTouch | recordMAC, seq: s.macs[mac], mac: mac})
	}
	for ip := range ips {
		list = append(list, &record{flags: recordTouch | recordIP, seq: s.ips[ip], ip: ip})
	}
	return list
}

// liveChanges returns all that the journal has to hold.
func (s *Store) liveChanges() []byte {
	type live struct {
		logged
		seq uint64
	}
	s.mu.Lock()
	var list []live
	for _, src := range s.srcs {
		for _, c := range s.fleet[src.i].macs {
			list = append(list, live{logged{src, c}, c.seq})
		}
		for _, c := range s.fleet[src.i].ips {
			list = append(list, live{logged{src, c}, c.seq})
		}
	}
	slices.SortFunc(list, func(a, b live) int { return cmp.Compare(a.seq, b.seq) })
	list = slices.CompactFunc(list, func(a, b live) bool { return a.seq == b.seq })
	var records []*record
	for _, l := range list {
		records = append(records, l.src.record(l.c, s.names))
	}
	records = append(records, touched(s, s.macs, s.ips)...)
	mark := &record{flags: recordMark, seq: s.seq}
	orphans := s.orphans
	s.mu.Unlock()
	var f frames
	for i := range orphans {
		f.add(&orphans[i])
	}
	for _, r := range records {
		f.add(r)
	}
	f.add(mark)
	return f.end()
}

// replay applies what the journal holds and the sources' files lack. What the merged file lacks, whose number is mergedSeq, is
// laid over it. Nobody else is there yet.
func (s *Store) replay(records []record, mergedSeq uint64) {
	byName := make(map[string]*source)
	for _, src := range s.srcs {
		byName[src.Name()] = src
	}
	last := uint64(0)
	for i := range records {
		r := &records[i]
		s.seq = max(s.seq, r.seq)
		switch {
		case r.flags&recordMark != 0:
		case r.flags&recordTouch != 0:
			if r.seq <= mergedSeq {
				continue
			}
			if r.flags&recordMAC != 0 {
				s.macs[r.mac], s.newMACs[r.mac] = r.seq, struct{}{}
			} else {
				s.ips[r.ip], s.newIPs[r.ip] = r.seq, struct{}{}
			}
		case byName[r.source] == nil:
			s.orphans = append(s.orphans, *r)
		case r.seq > last: // one that was queued while the journal was written anew comes twice
			last = r.seq
			src := byName[r.source]
			s.learnOf(src, r.attrs)
			if r.seq > src.meta.Seq {
				s.set(src, r.change(s.learn(r.names)))
			}
		}
	}
}

// learnOf notes attributes of a source that is not open yet.
func (s *Store) learnOf(src *source, attrs []string) {
	for _, n := range attrs {
		if !slices.Contains(src.names, n) {
			src.names = append(src.names, n)
		}
	}
	src.named = true
	s.learn(attrs)
}

// names returns the attributes that a file of rows has to have: those that the source has now, and those that its file has
// and the source has lost, until a load says so, too.
func (r *rows) names(now []string) []string {
	names := slices.Clone(now)
	if r.base == nil {
		return names
	}
	for _, n := range r.base.Names() {
		if !slices.Contains(names, n) {
			names = append(names, n)
		}
	}
	return names
}

// affected returns the devices and addresses that may look different for a change of c's source, as all sources are now: the
// addresses that any source has for the device, for those that have its addresses, and all that have any of these.
func (s *Store) affected(c *change) (macs [][6]byte, ips []netip.Addr) {
	device := func(mac [6]byte) {
		for i := range s.fleet {
			if d, ok := s.fleet[i].byMAC(mac); ok && d.IP.IsValid() && !slices.Contains(ips, d.IP) {
				ips = append(ips, d.IP)
			}
		}
	}
	owners := func() {
		for _, ip := range ips {
			for i := range s.fleet {
				if d, ok := s.fleet[i].byIP(ip); ok && d.HasMAC && !slices.Contains(macs, d.MAC) {
					macs = append(macs, d.MAC)
				}
			}
		}
	}
	if c.IP.IsValid() {
		ips = append(ips, c.IP)
	}
	if c.HasMAC {
		device(c.MAC)
	}
	owners()
	for _, mac := range macs {
		device(mac)
	}
	owners()
	return macs, ips
}
