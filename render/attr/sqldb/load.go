package sqldb

import (
	"context"
	"fmt"
	"slices"

	"dcs/render/attr"
)

func (s *source) Load(ctx context.Context, yield func(*attr.Device) error) (err error) {
	db, err := s.pool()
	if err != nil {
		return err
	}
	// Notifications are collected from here on: Follow applies changes that the query does not see yet.
	if s.cfg.Channel != "" {
		if err := s.listen(ctx); err != nil {
			s.dropIdle(db)
			return s.wrap("listen", err)
		}
	}
	s.mu.Lock()
	s.rejected, s.loaded = attr.Rejected{}, false
	s.mu.Unlock()
	var mark any
	sums := newDigester(s.hash)
	n := 0
	var stop error
	err = s.rows(ctx, s.cfg.Query, nil, func(r *row) error {
		n++
		if r.m.mark >= 0 {
			m, err := s.later(mark, r.values[r.m.mark])
			if err != nil {
				return fmt.Errorf("row %d: %w", n, err)
			}
			mark = m
		}
		if r.gone() {
			return nil
		}
		d, err := r.device()
		if err != nil {
			s.reject(fmt.Errorf("row %d: %w", n, err))
			return nil
		}
		if s.comparesQuery {
			sums.add(d)
		}
		stop = yield(d)
		return stop
	})
	if stop != nil {
		return stop
	}
	if err != nil {
		return s.wrap("load", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.rejected.Check(n, s.cfg.MaxRejected); err != nil {
		return fmt.Errorf("%s: load: %w", s.cfg.Name, err)
	}
	s.loaded, s.mark, s.seen, s.digest = true, mark, nil, sums.digest
	s.SetLoaded(encodeMark(mark))
	return nil
}

func (s *source) reject(why error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.rejected.Add(why.Error())
}

// rejectNew is reject, but skips rows that were reported before: each poll returns them again.
func (s *source) rejectNew(why error) {
	s.mu.Lock()
	reported := len(s.rejected.First) == attr.MaxReported || slices.Contains(s.rejected.First, why.Error())
	s.mu.Unlock()
	if !reported {
		s.reject(why)
	}
}

// Rejected implements [attr.Rejecter].
func (s *source) Rejected() attr.Rejected {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.rejected
	r.First = append([]string(nil), r.First...)
	return r
}
