package store

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"dcs/render/attr"
	"dcs/render/attr/localdb"
)

// A loading is a load of a source that runs.
type loading struct {
	src    *source
	began  time.Time
	before uint64   // number of the last change that the load supersedes
	file   []string // attributes of the source in the order of the schema, as in its file
	cols   []int    // index in file by attribute of the source
	force  bool

	devices  int
	rejected attr.Rejected
}

// load loads all devices of a source. If they are few that differ from those in service, it applies the differences, else it writes
// the source's file.
func (s *Store) load(src *source, force bool) error {
	l := s.begin(src, force)
	defer s.end(l)
	if s.comparable(l) {
		if err := s.loadDifferences(l); !errors.Is(err, errManyDiffer) && !errors.Is(err, errors.ErrUnsupported) {
			return err
		}
	}
	b, err := s.create(src.path, l.file)
	if err != nil {
		return &unwrittenFile{err}
	}
	defer b.Abort()
	err = s.list(l, func(d *attr.Device) error {
		err := b.Add(d)
		if err == nil || countRejected(&l.rejected, err) {
			return nil
		}
		return &unwrittenFile{err}
	})
	if errors.Is(err, errors.ErrUnsupported) {
		s.noteUnlisted(src, force)
		return s.refreshAll(src) // what was looked up so far is all that is known
	}
	if err != nil {
		return err
	}
	return s.commit(src, b, l.file, l.meta(), l.before, force)
}

// begin begins a load.
func (s *Store) begin(src *source, force bool) *loading {
	s.mu.Lock()
	defer s.mu.Unlock()
	src.busy = true
	src.loading.Store(0)
	l := &loading{src: src, began: s.cfg.Now(), before: s.seq, file: s.inOrder(src.names), force: force}
	l.cols = make([]int, len(l.file))
	for i, name := range src.names {
		l.cols[i] = slices.Index(l.file, name)
	}
	return l
}

// end ends a load, whatever came of it.
func (s *Store) end(l *loading) {
	l.src.loading.Store(-1)
	s.mu.Lock()
	l.src.busy = false
	s.mu.Unlock()
	if l.force {
		s.requestRebuild() // write accepted changes to the file, which is not done while a source is loaded
	}
}

// list calls add for every device of the source, with values by attribute of the file.
func (s *Store) list(l *loading, add func(d *attr.Device) error) error {
	ctx, cancel := context.WithCancelCause(s.ctx)
	defer cancel(nil)
	stall := time.AfterFunc(s.cfg.Stall, func() { cancel(ErrStalled) })
	defer stall.Stop()
	l.rejected, l.devices = attr.Rejected{}, 0
	d := attr.Device{Values: make([]string, len(l.file))}
	err := l.src.Load(ctx, func(in *attr.Device) error {
		if err := context.Cause(ctx); err != nil {
			return err
		}
		if l.devices++; l.devices%1024 == 1 {
			stall.Reset(s.cfg.Stall)
			l.src.loading.Store(int64(l.devices))
		}
		err := place(&d, in, l.cols)
		if err == nil {
			return add(&d)
		}
		countRejected(&l.rejected, err)
		return nil
	})
	if cause := context.Cause(ctx); errors.Is(cause, ErrStalled) {
		err = fmt.Errorf("%w: %v without a device, after %d", ErrStalled, s.cfg.Stall, l.devices)
	}
	if err != nil {
		return err
	}
	return checkRejected(&l.rejected, l.src.Source, l.devices)
}

// meta returns the metadata of the load, after list.
func (l *loading) meta() fileMeta {
	meta := fileMeta{Source: l.src.Name(), Loaded: l.began, Rejected: l.rejected}
	if m, ok := l.src.Source.(attr.Marker); ok {
		meta.Mark = m.Mark()
	}
	if v, ok := l.src.Source.(attr.Versioned); ok {
		meta.Version = v.Version(l.began)
	}
	return meta
}

// refreshAll schedules look-ups of all devices of a source that cannot list them, once, since nothing else reports their changes.
func (s *Store) refreshAll(src *source) error {
	s.mu.Lock()
	done := src.refreshed
	src.refreshed = true
	r := s.fleet[src.i].clone()
	s.mu.Unlock()
	if _, asks := src.Source.(attr.Asker); !asks || done {
		return nil
	}
	return r.each(func(d *attr.Device) error {
		s.scheduleRefresh(question{d.MAC, d.IP})
		return s.ctx.Err()
	})
}

// place copies a device, with value i at index cols[i].
func place(d, in *attr.Device, cols []int) error {
	if len(in.Values) > len(cols) {
		return fmt.Errorf("%w: %d values for %d attributes", attr.ErrDevice, len(in.Values), len(cols))
	}
	d.MAC, d.IP = in.MAC, in.IP
	clear(d.Values)
	for i, v := range in.Values {
		d.Values[cols[i]] = v
	}
	return nil
}

// commit replaces a source's file and puts it in service, unless the source has lost too much.
func (s *Store) commit(src *source, b *localdb.Builder, names []string, meta fileMeta, before uint64, force bool) error {
	s.build.Lock()
	defer s.build.Unlock()
	s.mu.Lock()
	meta.Stamp, meta.Seq = s.nextStamp(), before
	s.mu.Unlock()
	st, err := s.commitFile(src, b, names, &meta, func(after *tally) error {
		if force {
			s.resetPeak(src, after)
			return nil
		}
		return s.checkLoad(src, after, s.cfg.Now())
	})
	if errors.Is(err, attr.ErrHeldBack) {
		return err
	}
	if err != nil {
		return &unwrittenFile{err}
	}
	if err := s.adopt(src, meta, before); err != nil {
		return err
	}
	s.mu.Lock()
	if force { // anew: a change that came before adopt has compared with what was in service, and raised the peak to it
		s.resetPeak(src, &src.guard.now)
	}
	s.release(src)
	s.mu.Unlock()
	s.setMark(src, false)
	loaded := Event{
		Source: src.Name(), Kind: Loaded, Devices: int(st.Devices), Stats: st, Reject: meta.Rejected,
		Took: s.cfg.Now().Sub(meta.Loaded),
	}
	err = s.makeFiles() // first, so that the View has the load when the event is reported
	s.event(loaded)
	if err != nil {
		s.event(Event{Kind: BuildFailed, Err: err, Retry: s.cfg.RetryMax})
	}
	return nil
}
