package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"dcs/render/attr"
	"dcs/render/attr/localdb"
)

// run keeps one source: opens it, loads it, follows it, and begins again when it fails.
func (s *Store) run(src *source) {
	wait := s.cfg.RetryMin
	force, again := false, false
	for s.ctx.Err() == nil {
		err := s.keep(src, &force, func() { wait, again = s.cfg.RetryMin, false })
		if s.ctx.Err() != nil {
			return
		}
		if errors.Is(err, attr.ErrColumns) && !again {
			again = true
			continue
		}
		again = false
		s.mu.Lock()
		src.up, src.err = false, err
		s.mu.Unlock()
		if errors.Is(err, attr.ErrHeld) {
			s.holdLoad(src, err)
		} else {
			s.event(Event{Source: src.Name(), Kind: Failed, Err: err, Retry: wait})
		}
		select {
		case <-s.ctx.Done():
		case force = <-src.reload:
		case <-time.After(wait):
		}
		wait = min(2*wait, s.cfg.RetryMax)
	}
}

// keep opens a source, loads it, and follows it until it fails or is to be loaded anew. ok is called when a load has succeeded.
func (s *Store) keep(src *source, force *bool, ok func()) error {
	s.count(src)
	s.mark(src, *force)
	names, err := src.Open(s.ctx)
	if err == nil {
		err = s.opened(src, names)
	}
	select {
	case <-src.opened:
	default:
		close(src.opened)
	}
	if err != nil {
		return err
	}
	for {
		s.mark(src, *force)
		err := s.load(src, *force)
		unwritten := unwrittenError(err)
		if unwritten != nil {
			err = s.loadOver(src, *force, unwritten)
		}
		held := errors.Is(err, attr.ErrHeld)
		if err != nil && !held {
			return err
		}
		*force = false
		ok()
		s.mu.Lock()
		src.up, src.err, src.told = true, unwritten, src.told || !held
		s.settle()
		s.mu.Unlock()
		if held {
			s.holdLoad(src, err)
		}
		stop := s.awaitDisk(src, unwritten)
		*force, err = s.follow(src)
		if stop(); err != nil {
			return err
		}
	}
}

// opened notes the names of a source's attributes.
func (s *Store) opened(src *source, names []string) error {
	if _, err := attr.NewSchema(names...); err != nil {
		return err
	}
	s.mu.Lock()
	known := s.schema
	src.names, src.named = append([]string(nil), names...), true
	src.perm = s.learn(names)
	more := s.schema != known
	if more {
		v := *s.view.Load()
		v.schema = s.schema
		s.view.Store(&v)
	}
	s.mu.Unlock()
	if more {
		s.event(Event{Source: src.Name(), Kind: Grown})
	}
	return nil
}

// follow waits until the source is to be loaded anew, applying the changes that it tells of.
func (s *Store) follow(src *source) (force bool, err error) {
	f, ok := src.Source.(attr.Follower)
	if !ok {
		select {
		case <-s.ctx.Done():
			return false, s.ctx.Err()
		case force = <-src.reload:
			return force, nil
		}
	}
	ctx, cancel := context.WithCancel(s.ctx)
	defer cancel()
	asked := make(chan bool, 1)
	done := make(chan struct{})
	go func() {
		defer close(done)
		select {
		case <-ctx.Done():
		case force := <-src.reload:
			asked <- force
			cancel()
		}
	}()
	err = f.Follow(ctx, func(changes []attr.Change) error {
		if changes == nil {
			return errReload
		}
		return s.apply(src, changes)
	})
	cancel()
	<-done
	select {
	case force = <-asked:
		return force, nil
	default:
	}
	switch {
	case errors.Is(err, errReload):
		return false, nil
	case err == nil:
		err = errors.New("the source stopped telling of changes")
	}
	return false, err
}

// load asks a source for all its devices, and makes its file of them.
func (s *Store) load(src *source, force bool) error {
	began := s.cfg.Now()
	s.mu.Lock()
	src.busy = true
	before := s.seq
	file := s.inOrder(src.names)
	cols := make([]int, len(file)) // where in the file the source's attributes go
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
			s.soon() // what was held back and is accepted goes into the file, which is not made of a source that loads
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
		if err == nil || refuses(&rejected, err) {
			return nil
		}
		return &unwrittenFile{err}
	})
	if cause := context.Cause(ctx); errors.Is(cause, ErrStalled) {
		err = fmt.Errorf("%w: %v without a device, after %d", ErrStalled, s.cfg.Stall, n)
	}
	if errors.Is(err, errors.ErrUnsupported) {
		s.unlisted(src, force)
		return s.sweep(src) // what was asked for so far is all that there is
	}
	if err != nil {
		return err
	}
	if err := closeRejected(&rejected, src.Source, n); err != nil {
		return err
	}
	meta := fileMeta{Source: src.Name(), Loaded: began, Rejected: rejected}
	if m, ok := src.Source.(attr.Marker); ok {
		meta.Mark = m.Mark()
	}
	return s.commit(src, b, file, meta, before, force)
}

// sweep has all devices of a source that cannot list them asked for again, once, since nothing tells of their changes.
func (s *Store) sweep(src *source) error {
	s.mu.Lock()
	swept := src.swept
	src.swept = true
	r := s.fleet[src.i].clone()
	s.mu.Unlock()
	if _, asks := src.Source.(attr.Asker); !asks || swept {
		return nil
	}
	return r.each(func(d *attr.Device) error {
		s.askAgain(question{d.MAC, d.HasMAC, d.IP})
		return s.ctx.Err()
	})
}

// place copies a device whose values stand by the source's names to one whose values stand by cols.
func place(d, in *attr.Device, cols []int) error {
	if len(in.Values) > len(cols) {
		return fmt.Errorf("%w: it has %d values for %d attributes", attr.ErrDevice, len(in.Values), len(cols))
	}
	d.MAC, d.HasMAC, d.IP = in.MAC, in.HasMAC, in.IP
	clear(d.Values)
	for i, v := range in.Values {
		d.Values[cols[i]] = v
	}
	return nil
}

// commit puts a source's new file in the place of the old, and has it served, unless the source has lost too much.
func (s *Store) commit(src *source, b *localdb.Builder, names []string, meta fileMeta, before uint64, force bool) error {
	s.build.Lock()
	defer s.build.Unlock()
	s.mu.Lock()
	meta.Stamp, meta.Seq = s.nextStamp(), before
	s.mu.Unlock()
	st, err := s.commitFile(src, b, names, &meta, func(after *tally) error {
		if force {
			s.forgive(src, after)
			return nil
		}
		return s.judge(src, after, s.cfg.Now())
	})
	if errors.Is(err, attr.ErrHeld) {
		return err
	}
	if err != nil {
		return &unwrittenFile{err}
	}
	if err := s.adopt(src, meta, before); err != nil {
		return err
	}
	s.mu.Lock()
	s.release(src)
	s.mu.Unlock()
	s.mark(src, false)
	s.event(Event{
		Source: src.Name(), Kind: Loaded, Devices: int(st.Devices), Stats: st, Reject: meta.Rejected,
		Took: s.cfg.Now().Sub(meta.Loaded),
	})
	if err := s.makeFiles(); err != nil {
		s.event(Event{Kind: NotMade, Err: err, Retry: s.cfg.RetryMax})
	}
	return nil
}

// adopt opens a source's new file and forgets the changes up to number before. build is held.
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

// rebase has flush serve base, with those changes laid over it that came after number before. mu is held.
func (s *Store) rebase(base *localdb.DB, before uint64) {
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
	s.base, s.rebased = base, true
}

// builds makes files anew when there are enough changes or they are old enough.
func (s *Store) builds() {
	tick := time.NewTicker(max(s.cfg.Compact/10, time.Millisecond))
	defer tick.Stop()
	for {
		select {
		case <-s.ctx.Done():
			return
		case <-s.rebuildSoon:
		case <-tick.C:
			s.mu.Lock()
			due := s.remerge || len(s.macs)+len(s.ips) > 0 && s.cfg.Now().Sub(s.oldest) >= s.cfg.Compact
			s.mu.Unlock()
			if !due {
				continue
			}
		}
		s.build.Lock()
		err := s.compact()
		s.build.Unlock()
		if err == nil {
			s.journal.rewrite(journalTrim)
		}
		if err == nil || s.ctx.Err() != nil {
			continue
		}
		s.event(Event{Kind: NotMade, Err: err, Retry: s.cfg.RetryMax})
		select {
		case <-s.ctx.Done():
		case <-time.After(s.cfg.RetryMax):
		}
	}
}

// compact puts the sources' changes into their files, and merges these. build is held.
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

// rewrite makes a source's file of rows.
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
			out.MAC, out.HasMAC, out.IP = d.MAC, d.HasMAC, d.IP
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

// add adds a device that was taken once, and gives up when the Store is closed.
func (s *Store) add(b *localdb.Builder, d *attr.Device) error {
	if err := s.building.Err(); err != nil {
		return err
	}
	return b.Add(d)
}

// makeFiles merges the sources into one file, and has it served. The merge of one file is that file. build is held, or
// nobody else is there yet.
func (s *Store) makeFiles() error {
	began := s.cfg.Now()
	s.mu.Lock()
	if db, ok := s.fleet.single(); ok {
		s.remerge = false
		s.rebase(db, s.filed())
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
			p.Stamp = -1 // no file has that: it will be merged anew after a start
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
	s.rebase(db, upTo)
	s.mu.Unlock()
	s.flush()
	s.event(Event{Kind: Merged, Devices: int(st.Devices), Stats: st, Took: s.cfg.Now().Sub(began)})
	return nil
}

// filed returns up to which number the changes of all sources are in their files. mu is held.
func (s *Store) filed() uint64 {
	seq := s.seq
	for i, src := range s.srcs {
		if s.fleet[i].changed() > 0 {
			seq = min(seq, src.meta.Seq)
		}
	}
	return seq
}

// removeMerged removes the merged file, in whose place a source's file serves.
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

// inOrder returns names in the schema's order. mu is held.
func (s *Store) inOrder(names []string) []string {
	idx := s.learn(names)
	slices.Sort(idx)
	list := make([]string, len(idx))
	for i, j := range idx {
		list[i] = s.names[j]
	}
	return list
}

// apply lays changes over what is served, as far as they are not held back.
func (s *Store) apply(src *source, changes []attr.Change) error {
	_, err := s.applyGuarded(src, changes)
	return err
}

// applyGuarded is apply, and returns how many changes were held back, in whole or in part.
func (s *Store) applyGuarded(src *source, changes []attr.Change) (held int, err error) {
	if held, err = s.lay(src, changes, false); held > 0 {
		s.heldChanges(src)
	}
	return held, err
}

// lay lays changes over what is served, and returns how many were held back; with force, none is.
func (s *Store) lay(src *source, changes []attr.Change, force bool) (held int, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.room(src); err != nil {
		return 0, err // more has changed than is put into the file at the same time
	}
	list := make([]*change, 0, len(changes))
	for i := range changes {
		c := &changes[i]
		if !c.HasMAC && !c.IP.IsValid() || c.IP.Zone() != "" || len(c.Values) > len(src.perm) || tooLong(c.Values) {
			src.meta.Rejected.Add("a change that is not of a device")
			continue
		}
		n := &change{Device: attr.Device{MAC: c.MAC, HasMAC: c.HasMAC, IP: c.IP.Unmap()}, gone: c.Gone}
		if !c.Gone {
			n.Values = make(attr.Record, len(s.names))
			for j, v := range c.Values {
				n.Values[src.perm[j]] = v
			}
		}
		list = append(list, n)
	}
	if !force {
		if list, held, err = s.admitted(src, list); err != nil {
			return 0, err
		}
	}
	s.overlay(src, list)
	return held, nil
}

// overlay lays changes over what is served, whatever they lose, and has them journaled and a View made of them. mu is held.
func (s *Store) overlay(src *source, list []*change) {
	for _, n := range list {
		s.seq++
		n.seq = s.seq
		s.set(src, n)
		s.logged = append(s.logged, logged{src, n})
		src.changes.Add(1)
	}
	if len(s.macs)+len(s.ips) > s.cfg.Overlay {
		s.soon()
	}
	if s.timer == nil && len(s.newMACs)+len(s.newIPs) > 0 {
		s.timer = time.AfterFunc(s.cfg.Publish, s.flush)
	}
}

func tooLong(values []string) bool {
	for _, v := range values {
		if len(v) > localdb.MaxValue {
			return true
		}
	}
	return false
}

// set applies one change, and notes all devices and addresses that may look different for it.
func (s *Store) set(src *source, c *change) {
	if len(s.macs)+len(s.ips) == 0 {
		s.oldest = s.cfg.Now()
	}
	macs, ips := s.affected(c)
	src.guard.set(&s.fleet[src.i], c)
	moreMACs, moreIPs := s.affected(c)
	for _, mac := range append(macs, moreMACs...) {
		s.macs[mac], s.newMACs[mac] = c.seq, struct{}{}
	}
	for _, ip := range append(ips, moreIPs...) {
		s.ips[ip], s.newIPs[ip] = c.seq, struct{}{}
	}
	if c.HasMAC {
		s.macs[c.MAC], s.newMACs[c.MAC] = c.seq, struct{}{}
		if !c.gone {
			s.likely.add(c.MAC)
		}
	}
}
