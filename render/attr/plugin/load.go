package plugin

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"dcs/render/attr"
)

// Load requests the list. If it is not read to its end, the process is killed: there is no other way to stop a list.
func (s *Plugin) Load(ctx context.Context, yield func(*attr.Device) error) error {
	p, err := s.await(ctx)
	if err != nil {
		return s.wrap("list", err)
	}
	s.mu.Lock()
	s.rejected = attr.Rejected{}
	s.loadedBy = p
	other := !slices.Equal(s.names, p.names)
	s.mu.Unlock()
	if other {
		return s.wrap("list", errAttributesChanged)
	}
	if !p.lists {
		return s.wrap("list", errors.ErrUnsupported)
	}
	p.clearReload()
	items, err := p.list(ctx)
	if err != nil {
		return s.wrap("list", err)
	}
	leave := func(err error) error {
		p.fail(fmt.Errorf("list was not read to the end: %w", err))
		return s.wrap("list", err)
	}
	d := attr.Device{Values: make([]string, len(p.names))}
	silence := time.NewTimer(s.cfg.Timeout)
	defer silence.Stop()
	for n := 0; ; {
		silence.Reset(s.cfg.Timeout)
		var m *message
		var more bool
		select {
		case m, more = <-items:
		case <-ctx.Done():
			return leave(context.Cause(ctx))
		case <-silence.C:
			return leave(fmt.Errorf("nothing for %v: %w", s.cfg.Timeout, context.DeadlineExceeded))
		}
		switch {
		case !more:
			<-p.dead
			return s.wrap(fmt.Sprintf("list: after %d devices", n), p.cause())
		case m.Error != "":
			return s.wrap("list", fmt.Errorf("plug-in reports: %s", printable(m.Error)))
		case m.End:
			if m.Count != nil && *m.Count != n {
				return s.wrap("list", fmt.Errorf("%d devices received, its count is %d", n, *m.Count))
			}
			return s.checkRejected(n)
		}
		if n++; n > s.cfg.MaxDevices {
			return leave(fmt.Errorf("more than %d devices", s.cfg.MaxDevices))
		}
		if err := p.device(m, &d); err != nil {
			s.reject(n, err)
			continue
		}
		if err := yield(&d); err != nil {
			_ = leave(err)
			return err
		}
	}
}

func (s *Plugin) reject(n int, why error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.rejected.Add(fmt.Sprintf("device %d: %v", n, why))
}

func (s *Plugin) checkRejected(n int) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.rejected.Check(n, s.cfg.MaxRejected); err != nil {
		return fmt.Errorf("%s: list: %w", s.cfg.Name, err)
	}
	return nil
}

// Rejected implements [attr.Rejecter].
func (s *Plugin) Rejected() attr.Rejected {
	s.mu.Lock()
	defer s.mu.Unlock()
	return attr.Rejected{Rows: s.rejected.Rows, First: slices.Clone(s.rejected.First)}
}
