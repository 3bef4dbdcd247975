package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"dcs/render/attr"
)

// run opens a source, loads and follows it, and starts over when it fails.
func (s *Store) run(src *source) {
	wait := s.cfg.RetryMin
	force, again := false, false
	for s.ctx.Err() == nil {
		err := s.runOnce(src, &force, func() { wait, again = s.cfg.RetryMin, false })
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
		if errors.Is(err, attr.ErrHeldBack) {
			s.holdBackLoad(src, err)
		} else {
			s.event(Event{Source: src.Name(), Kind: Failed, Err: err, Retry: wait})
		}
		s.tried(src)
		select {
		case <-s.ctx.Done():
		case force = <-src.reload:
		case <-time.After(wait):
		}
		wait = min(2*wait, s.cfg.RetryMax)
	}
}

// runOnce opens a source, and loads and follows it until it fails. It calls ok after each successful load.
func (s *Store) runOnce(src *source, force *bool, ok func()) error {
	s.count(src)
	s.setMark(src, *force)
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
		s.setMark(src, *force)
		var err error
		var unwritten error
		s.cfg.Spare(func() {
			if *force || !s.unchanged(src) {
				err = s.load(src, *force)
			}
			if unwritten = unwrittenError(err); unwritten != nil {
				err = s.loadWithoutFile(src, *force, unwritten)
			}
		})
		heldBack := errors.Is(err, attr.ErrHeldBack)
		if err != nil && !heldBack {
			return err
		}
		*force = false
		ok()
		s.mu.Lock()
		src.up, src.err, src.loaded = true, unwritten, src.loaded || !heldBack
		s.noteAllLoaded()
		s.mu.Unlock()
		if heldBack {
			s.holdBackLoad(src, err)
		}
		s.tried(src)
		stop := s.awaitDisk(src, unwritten)
		*force, err = s.follow(src)
		if stop(); err != nil {
			return err
		}
	}
}

// follow applies the changes that a source reports, until the source is to be loaded again.
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
		err = errors.New("source stopped reporting changes")
	}
	return false, err
}

// noteAllLoaded updates allLoaded. s.mu must be held, or the Store not be shared yet.
func (s *Store) noteAllLoaded() {
	for _, src := range s.srcs {
		if !src.loaded {
			return
		}
	}
	s.allLoaded.Store(true)
}

// Reload requests a load of a source, or of all if name is "". With force, any loss is accepted. It does not wait.
func (s *Store) Reload(name string, force bool) error {
	found := name == ""
	for _, src := range s.srcs {
		if name != "" && src.Name() != name {
			continue
		}
		found = true
		src.request(force)
	}
	if !found {
		return fmt.Errorf("no device source called %s", name)
	}
	return nil
}

// request requests a load. One that is forced replaces a request that is waiting, which a timer may repeat at any time.
func (src *source) request(force bool) {
	for {
		select {
		case src.reload <- force:
			return
		default:
		}
		if !force {
			return
		}
		select {
		case <-src.reload:
		default:
		}
	}
}
