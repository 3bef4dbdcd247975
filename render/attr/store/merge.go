package store

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"dcs/render/attr"
	"dcs/render/attr/localdb"
)

// adopt opens a source's new file, and drops the changes up to number before. s.build must be held.
func (s *Store) adopt(src *source, meta fileMeta, before uint64) error {
	db, err := localdb.Open(src.path)
	if err != nil {
		return err
	}
	s.verify(src, db)
	s.mu.Lock()
	r := &s.fleet[src.i]
	r.base, r.cols = db, s.columns(db.Names())
	r.forget(before)
	src.meta, src.stats = meta, db.Stats()
	s.recount(src)
	s.remerge = true
	s.mu.Unlock()
	return nil
}

// rebase makes the next View use base, the merged file or a source's, with an overlay of the changes after number before. s.mu must
// be held.
func (s *Store) rebase(base *localdb.DB, merged bool, before uint64) {
	for m, seq := range s.macs {
		if seq <= before {
			delete(s.macs, m)
			delete(s.newMACs, m)
		} else {
			s.newMACs[m] = struct{}{}
		}
	}
	for ip, seq := range s.ips {
		if seq <= before {
			delete(s.ips, ip)
			delete(s.newIPs, ip)
		} else {
			s.newIPs[ip] = struct{}{}
		}
	}
	s.oldest = s.cfg.Now()
	s.base, s.merged, s.rebased = base, merged, true
}

// makeFiles merges the sources into one file, and puts it in service. The merge of one file is that file. s.build must be held, or
// the Store not be shared yet.
func (s *Store) makeFiles() error {
	began := s.cfg.Now()
	s.mu.Lock()
	// The overlay of a merged file has only the changes that this file lacks, not those that the sources' files lack: these must
	// be in the files before one of them is used alone.
	if db, ok := s.fleet.single(); ok && (!s.merged || s.filedSeq() == s.seq) {
		s.remerge = false
		s.rebase(db, false, s.filedSeq())
		s.mu.Unlock()
		s.flush()
		return s.removeMerged()
	}
	frozen := make(fleet, len(s.fleet))
	meta := fileMeta{Stamp: s.nextStamp()}
	for i := range s.fleet {
		frozen[i] = s.fleet[i].clone()
		p := part{s.srcs[i].Name(), s.srcs[i].meta.Stamp}
		if frozen[i].changed() > 0 {
			p.Stamp = -1 // matches no file, so that it is merged again after a restart
		}
		meta.Parts = append(meta.Parts, p)
	}
	upTo := s.seq
	meta.Seq = upTo
	names := append([]string(nil), s.names...)
	s.remerge = false
	s.mu.Unlock()
	again := func(err error) error {
		s.mu.Lock()
		s.remerge = true
		s.mu.Unlock()
		return err
	}
	path := filepath.Join(s.cfg.Dir, mergedName)
	b, err := s.create(path, names)
	if err != nil {
		return again(err)
	}
	defer b.Abort()
	err = frozen.guard(func() error { return frozen.each(func(d *attr.Device) error { return s.add(b, d) }) })
	if err != nil {
		return again(err)
	}
	text, err := json.Marshal(meta)
	if err != nil {
		return again(err)
	}
	st, err := b.Commit(text)
	if err != nil {
		return again(err)
	}
	db, err := localdb.Open(path)
	if err != nil {
		return again(err)
	}
	s.verify(nil, db)
	s.mu.Lock()
	s.rebase(db, true, upTo)
	s.mu.Unlock()
	s.flush()
	s.event(Event{Kind: Merged, Devices: int(st.Devices), Stats: st, Took: s.cfg.Now().Sub(began)})
	return nil
}

// filedSeq returns the number up to which the changes of all sources are in their files. s.mu must be held.
func (s *Store) filedSeq() uint64 {
	seq := s.seq
	for i, src := range s.srcs {
		if s.fleet[i].changed() > 0 {
			seq = min(seq, src.meta.Seq)
		}
	}
	return seq
}

// removeMerged removes the merged file, because a source's file is used instead.
func (s *Store) removeMerged() error {
	if s.claim() != nil {
		return nil // no source's file can be newer
	}
	err := os.Remove(filepath.Join(s.cfg.Dir, mergedName))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// commitFile commits a source's new file, with its counts in meta, unless accept returns an error.
func (s *Store) commitFile(src *source, b *localdb.Builder, names []string, meta *fileMeta, accept func(*tally) error) (localdb.Stats, error) {
	text, err := json.Marshal(meta)
	if err != nil {
		return localdb.Stats{}, err
	}
	room := len(text) + 256 + 32*len(names)
	return b.CommitFunc(room, func(st localdb.Stats, values []int) ([]byte, error) {
		s.mu.Lock()
		defer s.mu.Unlock()
		g, cols := &src.guard, s.learn(names)
		if err := accept(&tally{int(st.Devices), scatter(values, cols)}); err != nil {
			return nil, err
		}
		meta.Values = values
		meta.Peak = &savedPeak{Since: g.since, Devices: g.peak.devices}
		for _, i := range cols {
			meta.Peak.Values = append(meta.Peak.Values, g.peak.at(i))
		}
		return json.Marshal(meta)
	})
}
