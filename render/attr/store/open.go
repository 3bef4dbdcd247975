package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"path/filepath"
	"slices"
	"time"

	"dcs/render/attr/localdb"
	"dcs/render/device"
)

// Open opens a Store with the last known data, and starts to load its sources. For sources without data it waits until their
// attributes are known, for Config.OpenWait at most. It returns an error if another Store uses Dir. If Dir is not writable, its data
// are served, and changes are not durable.
func Open(cfg Config) (*Store, error) {
	if err := cfg.defaults(); err != nil {
		return nil, err
	}
	lock, unwritable := lockDir(cfg.Dir)
	if errors.Is(unwritable, errInUse) {
		return nil, unwritable
	}
	s := &Store{
		cfg: cfg, lock: lock, rebuild: make(chan struct{}, 1), ready: make(chan struct{}), settled: make(chan struct{}),
		macs: make(map[device.MAC]uint64), ips: make(map[netip.Addr]uint64),
		newMACs: make(map[device.MAC]struct{}), newIPs: make(map[netip.Addr]struct{}),
	}
	if lock != nil && unwritable == nil {
		unwritable = localdb.RemoveTemp(cfg.Dir)
	}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	s.building = s.ctx
	s.asker.init(&s.cfg)
	s.startJournal(s.openFiles(), unwritable)
	close(s.ready)
	s.untried.Store(int64(len(s.srcs)))
	var unknown []*source
	for _, src := range s.srcs {
		if s.fleet[src.i].base == nil {
			unknown = append(unknown, src)
		}
		s.wg.Go(func() { s.run(src) })
	}
	s.wg.Go(s.builds)
	s.wg.Go(s.watchFiles)
	s.startAskers()
	wait := time.NewTimer(cfg.OpenWait)
	defer wait.Stop()
	for _, src := range unknown {
		select {
		case <-src.opened:
		case <-wait.C:
			return s, nil
		}
	}
	return s, nil
}

// openFiles opens the files in Dir, and reports whether the journal may be appended to.
func (s *Store) openFiles() (whole bool) {
	changes, err := openJournal(s.cfg.Dir)
	if err != nil {
		s.event(Event{Kind: Damaged, Err: err})
	}
	merged, meta, err := openFile(filepath.Join(s.cfg.Dir, mergedName))
	if err != nil {
		s.event(Event{Kind: Damaged, Err: err})
	}
	parts := s.openSources()
	fits := merged != nil && slices.EqualFunc(meta.Parts, parts, func(a, b part) bool { return a.Source == b.Source })
	if single, ok := s.fleet.single(); fits && ok && single != nil && slices.Equal(meta.Parts, parts) {
		fits = false // the single file has the same data
		s.learn(single.Names())
	}
	if fits { // the merged file's attributes become the schema's first
		s.learn(merged.Names())
	}
	for i, src := range s.srcs {
		if r := &s.fleet[i]; r.base != nil {
			r.cols = s.columns(r.base.Names())
			s.remember(src)
		}
	}
	s.noteAllLoaded()
	s.seq = max(s.seq, meta.Seq)
	reached := meta.Seq // last number in the journal and the merged file
	for i := range changes.records {
		reached = max(reached, changes.records[i].seq)
	}
	// A source's file may have changes that are in neither, if the disk was full.
	behind := fits && slices.ContainsFunc(s.srcs, func(src *source) bool { return src.meta.Seq > reached })
	s.replay(changes.records, meta.Seq)
	s.learn(nil) // now that it is known which sources have no attributes yet
	s.view.Store(&View{schema: s.schema})
	if fits {
		s.stamp = max(s.stamp, meta.Stamp)
		s.verify(nil, merged)
		s.base, s.merged, s.rebased = merged, true, true
		s.remerge = !slices.Equal(meta.Parts, parts)
	}
	s.flush()
	if !fits || behind {
		s.remerge = true
		if err := s.makeFiles(); err != nil {
			s.event(Event{Kind: BuildFailed, Err: err})
		}
	}
	if s.remerge {
		s.requestRebuild()
	}
	return changes.whole
}

// openSources opens the sources' files, and returns the names and stamps of these.
func (s *Store) openSources() (parts []part) {
	s.fleet = make(fleet, len(s.cfg.Sources))
	for i, src := range s.cfg.Sources {
		o := &source{
			Source: src, i: i, path: filepath.Join(s.cfg.Dir, fileName(src.Name())),
			reload: make(chan bool, 1), opened: make(chan struct{}),
		}
		o.loading.Store(-1)
		db, m, err := openFile(o.path)
		if err != nil {
			s.event(Event{Source: src.Name(), Kind: Damaged, Err: err})
		}
		if db != nil {
			o.meta, o.stats, o.loaded, o.named, o.names = m, db.Stats(), true, true, db.Names()
			s.fleet[i].base = db
			s.verify(o, db)
			if ahead := m.Loaded.Sub(s.cfg.Now()); ahead > clockSlack {
				s.event(Event{Source: src.Name(), Kind: ClockAhead, Err: fmt.Errorf("loaded at %s, %v in the future", m.Loaded.Format(time.RFC3339), ahead.Round(time.Second))})
			}
		}
		s.stamp, s.seq = max(s.stamp, o.meta.Stamp), max(s.seq, o.meta.Seq)
		s.srcs = append(s.srcs, o)
		parts = append(parts, part{src.Name(), o.meta.Stamp})
	}
	return parts
}

// openFile opens a file of devices. It returns nil and no error if there is none.
func openFile(path string) (*localdb.DB, fileMeta, error) {
	db, err := localdb.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fileMeta{}, nil
	}
	if err != nil {
		return nil, fileMeta{}, err
	}
	var m fileMeta
	if err := json.Unmarshal(db.Meta(), &m); err != nil {
		return nil, fileMeta{}, fmt.Errorf("%s: not a store's file: %w", path, err)
	}
	return db, m, nil
}

// clockSlack is the tolerated difference of clocks.
const clockSlack = time.Minute

// verify compares a file with its sums in the background. src is nil for the merged file.
func (s *Store) verify(src *source, db *localdb.DB) {
	s.wg.Go(func() {
		<-s.ready
		s.cfg.Spare(func() {
			if err := db.Verify(s.ctx); err != nil && s.ctx.Err() == nil {
				s.damaged(src, db, err)
			}
			if s.likely != nil {
				db.EachMAC(s.ctx, s.likely.add)
			}
		})
	})
}

// nextStamp returns the stamp of a new file. s.mu must be held.
func (s *Store) nextStamp() int64 {
	s.stamp = max(s.stamp+1, s.cfg.Now().UnixNano())
	return s.stamp
}
