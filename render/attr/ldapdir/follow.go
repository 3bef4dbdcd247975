package ldapdir

import (
	"context"
	"fmt"
	"time"

	"github.com/go-ldap/ldap/v3"

	"dcs/render/attr"
)

// Follow polls for modified entries. Deleted entries are found by the next load only.
func (s *source) Follow(ctx context.Context, apply func([]attr.Change) error) error {
	s.mu.Lock()
	loaded := s.loaded
	s.mu.Unlock()
	if !loaded {
		return fmt.Errorf("%s: follow: not loaded yet", s.cfg.Name)
	}
	s.rewind()
	polls := time.NewTicker(s.cfg.Poll)
	defer polls.Stop()
	var reloads <-chan time.Time
	if s.cfg.Reload > 0 {
		t := time.NewTicker(s.cfg.Reload)
		defer t.Stop()
		reloads = t.C
	}
	for {
		var err error
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-reloads:
			err = apply(nil)
		case <-polls.C:
			err = s.poll(ctx, apply)
		}
		if err != nil {
			return err
		}
	}
}

// poll applies what was modified since the mark, except entries that the previous poll returned with the same values: the
// server's time stamps are whole seconds.
func (s *source) poll(ctx context.Context, apply func([]attr.Change) error) error {
	s.mu.Lock()
	mark, seen := s.mark, s.seen
	s.mu.Unlock()
	filter := s.cfg.Filter
	if !mark.IsZero() {
		filter = "(&" + filter + "(" + timestamp + ">=" + mark.Add(-max(s.cfg.Overlap, 0)).Format(general) + "))"
	}
	now := make(map[string]string)
	var changes []attr.Change
	flush := func() error {
		if len(changes) == 0 {
			return nil
		}
		next := changes
		changes = nil
		return apply(next)
	}
	err := s.search(ctx, filter, func(e *ldap.Entry) error {
		if t := modified(e); t.After(mark) {
			mark = t
		}
		d := attr.Device{Values: make([]string, len(s.attrs))}
		if err := s.device(e, &d, several{}); err != nil {
			s.reject(e.DN, err)
			return nil
		}
		what := fmt.Sprintf("%v %v %q", d.MAC, d.IP, d.Values)
		now[e.DN] = what
		if seen[e.DN] == what {
			return nil
		}
		if changes = append(changes, attr.Change{Device: d}); len(changes) == batch {
			return flush()
		}
		return nil
	})
	if err == nil {
		err = flush()
	}
	if err != nil {
		return err
	}
	s.mu.Lock()
	s.mark, s.seen = mark, now
	s.mu.Unlock()
	return nil
}

// rewind makes changes begin from the load that is in service, if the last one is held back.
func (s *source) rewind() {
	text, heldBack := s.Rewind()
	mark, err := time.Parse(time.RFC3339, text)
	if !heldBack || err != nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mark, s.seen = mark, nil
}
