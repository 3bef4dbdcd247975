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

// load loads all devices of a source, and writes its file.
func (s *Store) load(src *source, force bool) error {
	began := s.cfg.Now()
	s.mu.Lock()
	src.busy = true
	before := s.seq
	file := s.inOrder(src.names)
	cols := make([]int, len(file)) // index in the file by attribute of the source
	for i, name := range src.names {
		cols[i] = slices.Index(file, name)
	}
	s.mu.Unlock()
	src.loading.Store(0)
	defer func() {
		src.loading.Store(-1)
		s.mu.Lock()
		src.busy = false
		s.mu.Unlock()
		if force {
			s.requestRebuild() // write accepted changes to the file, which is not done while a source is loaded
		}
	}()

	b, err := s.create(src.path, file)
	if err != nil {
		return &unwrittenFile{err}
	}
	defer b.Abort()
	ctx, cancel := context.WithCancelCause(s.ctx)
	defer cancel(nil)
	stall := time.AfterFunc(s.cfg.Stall, func() { cancel(ErrStalled) })
	defer stall.Stop()
	var rejected attr.Rejected
	n := 0
	d := attr.Device{Values: make([]string, len(file))}
	err = src.Load(ctx, func(in *attr.Device) error {
		if err := context.Cause(ctx); err != nil {
			return err
		}
		if n++; n%1024 == 1 {
			stall.Reset(s.cfg.Stall)
			src.loading.Store(int64(n))
		}
		err := place(&d, in, cols)
		if err == nil {
			err = b.Add(&d)
		}
		if err == nil || countRejected(&rejected, err) {
			return nil
		}
		return &unwrittenFile{err}
	})
	if cause := context.Cause(ctx); errors.Is(cause, ErrStalled) {
		err = fmt.Errorf("%w: %v without a device, after %d", ErrStalled, s.cfg.Stall, n)
	}
	if errors.Is(err, errors.ErrUnsupported) {
		s.noteUnlisted(src, force)
		return s.refreshAll(src) // what was looked up so far is all that is known
	}
	if err != nil {
		return err
	}
	if err := checkRejected(&rejected, src.Source, n); err != nil {
		return err
	}
	meta := fileMeta{Source: src.Name(), Loaded: began, Rejected: rejected}
	if m, ok := src.Source.(attr.Marker); ok {
		meta.Mark = m.Mark()
	}
	if v, ok := src.Source.(attr.Versioned); ok {
		meta.Version = v.Version(began)
	}
	return s.commit(src, b, file, meta, before, force)
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
