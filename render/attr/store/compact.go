package store

import (
	"context"
	"fmt"
	"time"

	"dcs/render/attr"
	"dcs/render/attr/localdb"
)

// builds writes new files when changes are many or old enough.
func (s *Store) builds() {
	tick := time.NewTicker(max(s.cfg.Compact/10, time.Millisecond))
	defer tick.Stop()
	for {
		select {
		case <-s.ctx.Done():
			return
		case <-s.rebuild:
		case <-tick.C:
			s.mu.Lock()
			due := s.remerge || len(s.macs)+len(s.ips) > 0 && s.cfg.Now().Sub(s.oldest) >= s.patience()
			s.mu.Unlock()
			if !due {
				continue
			}
		}
		var err error
		s.cfg.Spare(func() {
			s.build.Lock()
			err = s.compact()
			s.build.Unlock()
			if err == nil {
				s.journal.rewrite(journalTrim)
			}
		})
		if err == nil || s.ctx.Err() != nil {
			continue
		}
		s.event(Event{Kind: BuildFailed, Err: err, Retry: s.cfg.RetryMax})
		select {
		case <-s.ctx.Done():
		case <-time.After(s.cfg.RetryMax):
		}
	}
}

// buildShare is the age per device at which changes are written to files even if they are few: a hundred times what writing takes,
// so that it takes a hundredth of the time. Ten million devices are written every 20 minutes.
const buildShare = 120 * time.Microsecond

// patience returns the age of changes at which files are written. s.mu must be held.
func (s *Store) patience() time.Duration {
	n := uint64(0)
	for _, src := range s.srcs {
		n += src.stats.Devices
	}
	return max(s.cfg.Compact, time.Duration(n)*buildShare)
}

// requestRebuild requests that new files be written.
func (s *Store) requestRebuild() {
	select {
	case s.rebuild <- struct{}{}:
	default:
	}
}

// compact writes the sources' changes to their files, and merges these. s.build must be held.
func (s *Store) compact() error {
	for _, src := range s.srcs {
		s.mu.Lock()
		idle := src.busy || s.fleet[src.i].changed() == 0
		var r rows
		if !idle {
			r = s.fleet[src.i].clone()
		}
		upTo := s.seq
		names := s.inOrder(r.names(src.names))
		meta := src.meta
		meta.Source, meta.Stamp, meta.Seq = src.Name(), s.nextStamp(), upTo
		s.mu.Unlock()
		if idle {
			continue
		}
		if err := s.rewrite(src, r, names, meta, upTo); err != nil {
			return fmt.Errorf("%s: %w", src.Name(), err)
		}
	}
	return s.makeFiles()
}

// rewrite writes rows to a source's file.
func (s *Store) rewrite(src *source, r rows, names []string, meta fileMeta, upTo uint64) error {
	began := s.cfg.Now()
	s.mu.Lock()
	idx := s.learn(names)
	s.mu.Unlock()
	b, err := s.create(src.path, names)
	if err != nil {
		return err
	}
	defer b.Abort()
	out := attr.Device{Values: make([]string, len(names))}
	err = fleet{r}.guard(func() error {
		return r.each(func(d *attr.Device) error {
			out.MAC, out.IP = d.MAC, d.IP
			for i, j := range idx {
				out.Values[i] = ""
				if j < len(d.Values) {
					out.Values[i] = d.Values[j]
				}
			}
			return s.add(b, &out)
		})
	})
	if err != nil {
		return err
	}
	st, err := s.commitFile(src, b, names, &meta, func(*tally) error { return nil })
	if err != nil {
		return err
	}
	if err := s.adopt(src, meta, upTo); err != nil {
		return err
	}
	s.event(Event{Source: src.Name(), Kind: Merged, Devices: int(st.Devices), Stats: st, Took: s.cfg.Now().Sub(began)})
	return nil
}

// add adds a device to a file, unless the Store is being closed.
func (s *Store) add(b *localdb.Builder, d *attr.Device) error {
	if err := s.building.Err(); err != nil {
		return err
	}
	return b.Add(d)
}

func (s *Store) compactSmall() {
	s.build.Lock()
	defer s.build.Unlock()
	n := uint64(0)
	s.mu.Lock()
	changed := len(s.macs)+len(s.ips) > 0
	for i, src := range s.srcs {
		n += src.stats.Devices + uint64(s.fleet[i].changed())
	}
	s.mu.Unlock()
	if !changed || n > closeDevices || s.Durable() != nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), closeWait)
	defer cancel()
	s.building = ctx
	if err := s.compact(); err != nil && ctx.Err() == nil {
		s.event(Event{Kind: BuildFailed, Err: err})
	}
}

// At Close, changes are written to files if these have few devices, so that less of the journal is left to be replayed. More devices
// would delay the end of the process.
const (
	closeDevices = 100_000
	closeWait    = 2 * time.Second
)
