package store

import (
	"errors"
	"runtime/debug"
	"slices"
	"time"

	"dcs/render/attr/localdb"
	"dcs/render/mapped"
)

// watchPeriod is the interval at which files in service are checked.
const watchPeriod = time.Second

// watchFiles checks whether files in service are damaged, or were written to by another program.
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

// lookAgain looks devices up again whose data could not be read: another look-up may have met the damage at that moment.
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

// serving returns the file of a source or, if src is nil, the merged one. It returns nil if there is none.
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
		s.cfg.Spare(func() {
			db.ForgetVerified()
			if err := db.Verify(s.ctx); err != nil && s.ctx.Err() == nil {
				s.damaged(src, db, err)
			}
		})
	}
}

// damaged replaces a damaged file, by a load of its source or another merge. It reports each file once.
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
	src.request(false)
}

// inUse reports whether a file is in service. s.mu must be held.
func (s *Store) inUse(db *localdb.DB) bool {
	return s.base == db || slices.ContainsFunc(s.fleet, func(r rows) bool { return r.base == db })
}

// misread returns the number of look-ups in the sources' files that met damage. Store.mu must be held, or the Store not be shared yet.
func (f fleet) misread() (n uint64) {
	for i := range f {
		if f[i].base != nil {
			n += f[i].base.DamagedReads()
		}
	}
	return n
}

// lookup returns a copy of what look finds. If its data cannot be read, the entry is unsure. Store.mu must be held.
func (f fleet) lookup(look func() (merged, bool)) *entry {
	for range 4 { // a file that could not be read is known to be damaged at the next attempt
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

// guard calls read, and returns an error if it faults in one of the sources' files.
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
