package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"dcs/render/attr"
)

// run keeps one source: opens it, loads it, follows it, and begins again when it fails.
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
		select {
		case <-s.ctx.Done():
		case force = <-src.reload:
		case <-time.After(wait):
		}
		wait = min(2*wait, s.cfg.RetryMax)
	}
}

// keep opens a source, loads it, and follows it until it fails or is to be loaded anew. ok is called when a load has succeeded.
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
		err := s.load(src, *force)
		unwritten := unwrittenError(err)
		if unwritten != nil {
			err = s.loadWithoutFile(src, *force, unwritten)
		}
		held := errors.Is(err, attr.ErrHeldBack)
		if err != nil && !held {
			return err
		}
		*force = false
		ok()
		s.mu.Lock()
		src.up, src.err, src.loaded = true, unwritten, src.loaded || !held
		s.noteAllLoaded()
		s.mu.Unlock()
		if held {
			s.holdBackLoad(src, err)
		}
		stop := s.awaitDisk(src, unwritten)
		*force, err = s.follow(src)
		if stop(); err != nil {
			return err
		}
	}
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

// settle finds out whether each source has told what it has. mu is held, or nobody else is there yet.
func (s *Store) noteAllLoaded() {
	for _, src := range s.srcs {
		if !src.loaded {
			return
		}
	}
	s.allLoaded.Store(true)
}

// Reload has a source loaded anew, or all if name is "". With force it may lose as much as
// it likes. It does not wait.
func (s *Store) Reload(name string, force bool) error {
	found := name == ""
	for _, src := range s.srcs {
		if name != "" && src.Name() != name {
			continue
		}
		found = true
		if force {
			select { // a request without force gives way
			case <-src.reload:
			default:
			}
		}
		select {
		case src.reload <- force:
		default:
		}
	}
	if !found {
		return fmt.Errorf("no source of devices is called %s", name)
	}
	return nil
}
