package store

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"dcs/render/attr"
)

// unwrittenFile is the error of a load that failed because of the disk, not the source.
type unwrittenFile struct{ err error }

func (u *unwrittenFile) Error() string { return u.err.Error() }
func (u *unwrittenFile) Unwrap() error { return u.err }

// unwrittenError returns err if a load failed because its file could not be written, and nil otherwise.
func unwrittenError(err error) error {
	var u *unwrittenFile
	if errors.As(err, &u) {
		return err
	}
	return nil
}

// errManyDiffer is returned if a source differs from its file in more devices than fit into the overlay.
var errManyDiffer = errors.New("too many devices differ from the file in service")

// loadWithoutFile loads a source whose file cannot be written, for the reason why, and adds the differences from the file in service
// to the overlay. Devices that the source has lost remain, until a file can be written or the source reports a change. Differences
// that lose too many values are held back, unless force accepts them; this does not apply to the load that follows when a file can
// be written.
func (s *Store) loadWithoutFile(src *source, force bool, why error) error {
	s.event(Event{Source: src.Name(), Kind: BuildFailed, Err: why, Retry: s.cfg.RetryMax})
	src.loading.Store(0)
	defer src.loading.Store(-1)
	s.mu.Lock()
	room := 4*s.cfg.Overlay - len(s.macs) - len(s.ips)
	known := src.loaded
	s.mu.Unlock()
	ctx, cancel := context.WithCancelCause(s.ctx)
	defer cancel(nil)
	stall := time.AfterFunc(s.cfg.Stall, func() { cancel(ErrStalled) })
	defer stall.Stop()
	var changes []attr.Change
	n, many := 0, false
	err := src.Load(ctx, func(d *attr.Device) error {
		if err := context.Cause(ctx); err != nil {
			return err
		}
		if n++; n%1024 == 1 {
			stall.Reset(s.cfg.Stall)
			src.loading.Store(int64(n))
		}
		if many || !s.differs(src, d) {
			return nil
		}
		if many = len(changes) >= room/2; many { // a device and its address
			changes = nil
			return nil
		}
		c := attr.Change{Device: *d}
		c.Values = make([]string, len(d.Values))
		for i, v := range d.Values {
			c.Values[i] = strings.Clone(v)
		}
		changes = append(changes, c)
		return nil
	})
	switch {
	case errors.Is(err, errors.ErrUnsupported):
		s.noteUnlisted(src, force)
		return s.refreshAll(src)
	case err != nil:
		return err
	case many && !known:
		return fmt.Errorf("%w: %w", errManyDiffer, why)
	case many:
		s.event(Event{Source: src.Name(), Kind: BuildFailed, Err: fmt.Errorf("%w: %w", errManyDiffer, why), Retry: s.cfg.RetryMax})
	}
	if many {
		return nil
	}
	if err := s.reapply(src, changes, force); err != nil { // all at once, since the guard judges their sum
		return fmt.Errorf("%w: %w", errManyDiffer, why)
	}
	s.flush()
	return nil
}

// differs reports whether a device is unknown or has other values.
func (s *Store) differs(src *source, d *attr.Device) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := &s.fleet[src.i]
	same := false
	err := s.fleet.guard(func() error {
		var was attr.Device
		var ok bool
		if !d.MAC.IsZero() {
			was, ok = r.byMAC(d.MAC)
		} else {
			was, ok = r.byIP(d.IP.Unmap())
		}
		same = ok && (!d.IP.IsValid() && !was.IP.IsValid() || d.IP.Unmap() == was.IP)
		for i, j := range src.perm {
			now, before := "", ""
			if i < len(d.Values) {
				now = d.Values[i]
			}
			if j < len(was.Values) {
				before = was.Values[j]
			}
			same = same && now == before
		}
		return nil
	})
	return err != nil || !same
}

// awaitDisk requests a load of a source when its file can be written again, which failed because of why. stop ends the wait.
func (s *Store) awaitDisk(src *source, why error) (stop func()) {
	if why == nil {
		return func() {}
	}
	ctx, cancel := context.WithCancel(s.ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			select {
			case <-ctx.Done():
				return
			case <-time.After(s.cfg.RetryMax):
			}
			b, err := s.create(src.path, nil)
			if err != nil {
				continue
			}
			b.Abort()
			src.request(false)
		}
	}()
	return func() {
		cancel()
		<-done
	}
}
