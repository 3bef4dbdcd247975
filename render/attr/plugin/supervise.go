package plugin

import (
	"context"
	"fmt"
	"time"
)

// start starts a process and waits for its hello.
func (s *Plugin) start(ctx context.Context) (*process, error) {
	if c := s.cfg.Credential; c != nil {
		if err := CheckCredential(c); err != nil {
			return nil, err
		}
	}
	ctx, cancel := context.WithTimeout(ctx, s.cfg.StartTimeout)
	defer cancel()
	p, err := spawn(&s.cfg)
	if err != nil {
		return nil, err
	}
	if p.leftCaps != nil && !s.warned.Swap(true) {
		s.cfg.Warn(s.wrap("start", p.leftCaps))
	}
	var m *message
	select {
	case m = <-p.hello:
	case <-p.dead:
		err = p.cause()
	case <-ctx.Done():
		err = fmt.Errorf("no hello: %w", ctx.Err())
	}
	if err == nil {
		err = p.applyHello(m)
	}
	if err != nil {
		p.fail(err)
		p.end(0)
		return nil, err
	}
	return p, nil
}

// supervise keeps a process running until ctx ends.
func (s *Plugin) supervise(ctx context.Context, p *process, stopped chan<- struct{}) {
	defer close(stopped)
	wait := s.cfg.BackoffMin
	for {
		if p != nil {
			old := time.NewTimer(s.cfg.BackoffMax)
			select {
			case <-p.dead:
			case <-ctx.Done():
			}
			select {
			case <-old.C:
				wait = s.cfg.BackoffMin
			default:
			}
			old.Stop()
			if ctx.Err() != nil {
				p.closeStdin()
				p.end(grace)
				return
			}
			p.end(0)
			err := fmt.Errorf("%w; restart in %v", p.cause(), wait)
			s.cfg.Warn(s.wrap("ended", err))
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(wait):
		}
		wait = min(2*wait, s.cfg.BackoffMax)
		var err error
		if p, err = s.start(ctx); err != nil {
			if ctx.Err() != nil {
				return
			}
			s.started(nil, err)
			s.cfg.Warn(s.wrap("start", err))
			continue
		}
		s.started(p, nil)
	}
}

// started publishes the result of a start.
func (s *Plugin) started(p *process, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.running, s.err = p, err
	s.starts++
	close(s.changed)
	s.changed = make(chan struct{})
}

// await returns the running process. If none is running, it waits for the next start.
func (s *Plugin) await(ctx context.Context) (*process, error) {
	s.mu.Lock()
	begin := s.starts
	for {
		p, changed, err, starts, open := s.running, s.changed, s.err, s.starts, s.stop != nil
		s.mu.Unlock()
		switch {
		case !open:
			return nil, errClosed
		case p != nil && !p.ended():
			return p, nil
		case starts != begin && err != nil:
			return nil, err
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
		s.mu.Lock()
	}
}

// current returns the running process without waiting.
func (s *Plugin) current() (*process, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.stop == nil:
		return nil, errClosed
	case s.running == nil || s.running.ended():
		return nil, fmt.Errorf("not running: %w", startError(s.err, s.running))
	}
	return s.running, nil
}

func startError(err error, p *process) error {
	if err == nil && p != nil {
		return p.cause()
	}
	return err
}
