package store

import (
	"errors"
	"runtime/debug"
	"slices"
	"time"

	"dcs/render/attr/localdb"
	"dcs/render/mapped"
)

// watchPeriod is how often files that serve are looked at.
const watchPeriod = time.Second

// watchFiles looks whether files that serve were found to be damaged, or were written to by somebody.
func (s *Store) watchFiles() {
	tick := time.NewTicker(watchPeriod)
	defer tick.Stop()
	for {
		select {
		case <-s.ctx.Done():
			return
		case <-tick.C:
		}
		for _, src := range s.srcs {
			s.watchFile(src)
		}
		s.watchFile(nil)
		s.lookAgain()
	}
}

// lookAgain looks again for devices of which nobody could say: another look-up may have met what is damaged at that moment.
func (s *Store) lookAgain() {
	s.mu.Lock()
	again := len(s.unsureMACs)+len(s.unsureIPs) > 0
	for _, mac := range s.unsureMACs {
		if _, ok := s.macs[mac]; ok {
			s.newMACs[mac] = struct{}{}
		}
	}
	for _, ip := range s.unsureIPs {
		if _, ok := s.ips[ip]; ok {
			s.newIPs[ip] = struct{}{}
		}
	}
	s.unsureMACs, s.unsureIPs = nil, nil
	s.mu.Unlock()
	if again {
		s.flush()
	}
}

// serving returns the file of a source; the merged one, if there is one, if src is nil.
func (s *Store) serving(src *source) *localdb.DB {
	s.mu.Lock()
	defer s.mu.Unlock()
	if src == nil {
		if slices.ContainsFunc(s.fleet, func(r rows) bool { return r.base == s.base }) {
			return nil
		}
		return s.base
	}
	return s.fleet[src.i].base
}

func (s *Store) watchFile(src *source) {
	db := s.serving(src)
	switch {
	case db == nil:
	case db.Damaged() != nil:
		s.damaged(src, db, db.Damaged())
	case db.Altered():
		db.ForgetVerified()
		if err := db.Verify(s.ctx); err != nil && s.ctx.Err() == nil {
			s.damaged(src, db, err)
		}
	}
}

// damaged has what is damaged replaced: a source is loaded anew, the merged file made anew. It tells once of each file.
func (s *Store) damaged(src *source, db *localdb.DB, err error) {
	s.mu.Lock()
	known := slices.Contains(s.damagedFiles, db)
	if !known {
		s.damagedFiles = append(slices.DeleteFunc(s.damagedFiles, func(d *localdb.DB) bool { return !s.inUse(d) }), db)
	}
	if src == nil && !known {
		s.remerge = true
	} else if src != nil {
		src.err = err
	}
	s.mu.Unlock()
	if known {
		return
	}
	e := Event{Kind: Damaged, Err: err}
	if src != nil {
		e.Source = src.Name()
	}
	s.event(e)
	if src == nil {
		s.requestRebuild()
		return
	}
	select {
	case src.reload <- false:
	default:
	}
}

// inUse tells whether a file serves. mu is held.
func (s *Store) inUse(db *localdb.DB) bool {
	return s.base == db || slices.ContainsFunc(s.fleet, func(r rows) bool { return r.base == db })
}

// misread counts look-ups in the sources' files that have met what is damaged. mu is held, or nobody else is there.
func (f fleet) misread() (n uint64) {
	for i := range f {
		if f[i].base != nil {
			n += f[i].base.DamagedReads()
		}
	}
	return n
}

// lookup returns what look finds, in memory of its own. What cannot be read is not found, and says so. mu is held.
func (f fleet) lookup(look func() (merged, bool)) *entry {
	for range 4 { // what could not be read is known to be damaged then
		var e *entry
		before := f.misread()
		err := f.guard(func() error {
			m, ok := look()
			e = m.entry(ok)
			return nil
		})
		if err == nil && f.misread() == before {
			return e
		}
	}
	return &entry{gone: true, unsure: true}
}

// guard calls f, and returns an error if a part of the sources' files cannot be read.
func (f fleet) guard(read func() error) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		r := recover()
		if r == nil {
			return
		}
		addr, ok := mapped.Fault(r)
		for i := range f {
			if db := f[i].base; ok && db != nil && db.Contains(addr) {
				db.MarkDamaged(mapped.ErrCut)
				err = errors.Join(err, db.Damaged())
			}
		}
		if err == nil {
			panic(r) //nolint:forbidigo // not ours: it goes on
		}
	}()
	return read()
}
