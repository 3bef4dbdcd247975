package sqldb

import (
	"context"
	"errors"
	"maps"
	"net/netip"
	"strings"
	"sync"

	"dcs/render/device"
)

// subscription collects notifications: devices, each once and at most maxAsked, or that something has changed.
type subscription struct {
	cancel context.CancelFunc
	done   chan struct{} // closed when the subscription has ended

	mu      sync.Mutex
	devices map[key]struct{}
	poll    bool // something has changed
	reload  bool // a load is requested
	err     error
	news    chan struct{} // holds one while there may be news
}

// listen subscribes, unless there is a working subscription.
func (s *source) listen(ctx context.Context) error {
	s.mu.Lock()
	old, dsn := s.sub, s.dsn
	s.mu.Unlock()
	if old != nil {
		select {
		case <-old.done:
		default:
			return nil
		}
	}
	ctx, cancel := context.WithTimeout(ctx, s.cfg.Timeout)
	defer cancel()
	l, err := s.drv.Listen(ctx, dsn, s.cfg.Channel)
	if err != nil {
		return timeout(ctx, err)
	}
	// The subscription outlives the call, and ends with Close.
	life, end := context.WithCancel(context.WithoutCancel(ctx))
	e := &subscription{cancel: end, done: make(chan struct{}), devices: make(map[key]struct{}), news: make(chan struct{}, 1)}
	if old != nil {
		e.requeue(old.take()) // the load that follows has these changes, but may be held back
	}
	go s.receive(life, l, e)
	s.mu.Lock()
	if s.db == nil { // closed meanwhile
		s.mu.Unlock()
		e.close()
		return errors.New("closed")
	}
	s.sub = e
	s.mu.Unlock()
	return nil
}

func (e *subscription) close() {
	e.cancel()
	<-e.done
}

// receive collects notifications until the connection fails. It pings the server after each Timeout without a notification.
func (s *source) receive(ctx context.Context, l Listener, e *subscription) {
	defer close(e.done)
	defer l.Close()
	for {
		wait, cancel := context.WithTimeout(ctx, s.cfg.Timeout)
		payload, err := l.Wait(wait)
		silent := wait.Err() != nil && ctx.Err() == nil
		cancel()
		if err == nil {
			e.note(payload)
			continue
		}
		if silent {
			ping, cancel := context.WithTimeout(ctx, s.cfg.Timeout)
			err = l.Ping(ping)
			cancel()
			if err == nil {
				continue
			}
		}
		e.mu.Lock()
		e.err = err
		e.mu.Unlock()
		return
	}
}

func (e *subscription) note(payload string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	k := key{}
	payload = strings.TrimSpace(payload)
	if payload == "" {
		e.reload = true
	} else if mac, err := device.ParseMAC(payload); err == nil {
		k.mac = mac
		e.devices[k] = struct{}{}
	} else if a, err := netip.ParseAddr(payload); err == nil {
		e.devices[key{ip: a.WithZone("").Unmap()}] = struct{}{}
	} else {
		e.poll = true
	}
	e.bound()
}

// requeue puts back what take returned.
func (e *subscription) requeue(devices map[key]struct{}, poll, reload bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	maps.Copy(e.devices, devices)
	e.poll, e.reload = e.poll || poll, e.reload || reload
	e.bound()
}

// bound replaces too many devices by a poll, and wakes the follower if there is news. e.mu must be held.
func (e *subscription) bound() {
	if len(e.devices) > maxAsked {
		clear(e.devices)
		e.poll = true
	}
	if len(e.devices) == 0 && !e.poll && !e.reload {
		return
	}
	select {
	case e.news <- struct{}{}:
	default:
	}
}

func (e *subscription) take() (devices map[key]struct{}, poll, reload bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	devices, poll, reload = e.devices, e.poll, e.reload
	e.devices, e.poll, e.reload = make(map[key]struct{}), false, false
	return devices, poll, reload
}
