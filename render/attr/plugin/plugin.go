// Package plugin is a source of devices that is a process of the operator's; the manual (plugins.md) says how the two talk.
package plugin

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"dcs/render/attr"
	"dcs/render/device"
	"dcs/render/secret"
)

// Config says what to start, and how much of it to bear.
type Config struct {
	Name string        // for logs; "": plugin and the program
	Argv []string      // the program, looked for in PATH, and its arguments; no shell sees them
	Dir  string        // where it runs; "": where we do
	Env  []secret.Text // NAME=value, possibly passwords; of ours it inherits PATH, HOME, LANG and TZ only
	// Credential is whom it runs as; it then has no HOME but that of Env. Unless that is [IsCurrent], it takes CAP_SETUID,
	// CAP_SETGID and, to end it, CAP_KILL. nil: as we do. Either way it has no capability and none of our descriptors.
	Credential *syscall.Credential
	// Changes says that the plug-in tells of changes by itself. New then gives an attr.Follower.
	Changes bool

	StartTimeout time.Duration // within which it must say hello; 0: 10 s
	// Timeout is how long it may stay silent while it owes an answer or devices; then it
	// is killed and started anew. 0: 30 s.
	Timeout time.Duration
	// It is started anew this long after it has ended, twice as long each time up to
	// BackoffMax, until it has lived for BackoffMax. 0: 1 s, 1 min.
	BackoffMin, BackoffMax time.Duration
	MaxLine                int // octets of a line, from 64; a longer one ends it. 0: 1 MiB
	MaxGarbage             int // lines that are not of the protocol; one more ends it. 0: 100; negative: none
	MaxDevices             int // of one list; 0: 100,000,000
	// MaxRejected is how many devices without a usable address a list may have: the limit of
	// [attr.Rejected.Check].
	MaxRejected int

	// Stderr is told of the lines that the plug-in writes there, shortened to 1 KiB, 50 at
	// once and 10 a second at most. Warn is told of its deaths, and of the first 20 lines of
	// garbage of each life. Both may be nil; they may be called by any goroutine.
	Stderr func(line string)
	Warn   func(error)
}

// Limits that nobody needs to set.
const (
	maxReported = 20    // lines and names that are no use, told one by one
	maxPending  = 1024  // answers owed at once
	maxChanges  = 65536 // changes kept for Follow; more have all loaded anew
	batch       = 1024  // changes given to apply at once
	grace       = time.Second
)

var (
	errClosed            = errors.New("closed")
	errAttributesChanged = fmt.Errorf("since it was started anew: %w", attr.ErrColumns)
)

// Plugin is the source: an attr.Asker and attr.Rejecter.
type Plugin struct {
	cfg    Config
	warned atomic.Bool // of what could not be taken from a process

	mu       sync.Mutex
	names    []string      // that Open has returned
	running  *process      // that was started last and has said hello; it may be dead
	changed  chan struct{} // closed after each start, whether it failed or not
	starts   uint64
	err      error // why the last one failed
	stop     context.CancelFunc
	stopped  chan struct{} // closed when the supervisor has ended
	loadedBy *process      // who gave the last load
	rejected attr.Rejected
}

type follower struct{ *Plugin }

var (
	_ attr.Asker    = (*Plugin)(nil)
	_ attr.Rejecter = (*Plugin)(nil)
	_ attr.Follower = follower{}
)

// New makes a source. Nothing is started before Open.
func New(cfg Config) (attr.Asker, error) {
	if len(cfg.Argv) == 0 || cfg.Argv[0] == "" {
		return nil, errors.New("plugin: argv names no program")
	}
	if cfg.Name == "" {
		cfg.Name = "plugin " + cfg.Argv[0]
	}
	for _, d := range []struct {
		v       *time.Duration
		initial time.Duration
	}{{&cfg.StartTimeout, 10 * time.Second}, {&cfg.Timeout, 30 * time.Second}, {&cfg.BackoffMin, time.Second}, {&cfg.BackoffMax, time.Minute}} {
		if *d.v == 0 {
			*d.v = d.initial
		}
		if *d.v < 0 {
			return nil, fmt.Errorf("%s: times cannot be negative", cfg.Name)
		}
	}
	for _, n := range []struct {
		v       *int
		initial int
	}{{&cfg.MaxLine, 1 << 20}, {&cfg.MaxGarbage, 100}, {&cfg.MaxDevices, 100e6}} {
		if *n.v == 0 {
			*n.v = n.initial
		}
	}
	if cfg.MaxLine < 64 || cfg.MaxDevices < 0 {
		return nil, fmt.Errorf("%s: max_line is at least 64, and max_devices not negative", cfg.Name)
	}
	if cfg.Stderr == nil {
		cfg.Stderr = func(string) {}
	}
	if cfg.Warn == nil {
		cfg.Warn = func(error) {}
	}
	s := &Plugin{cfg: cfg, changed: make(chan struct{})}
	if cfg.Changes {
		return follower{s}, nil
	}
	return s, nil
}

// Name tells the source apart.
func (s *Plugin) Name() string { return s.cfg.Name }

func (s *Plugin) wrap(step string, err error) error {
	return fmt.Errorf("%s: %s: %w", s.cfg.Name, step, err)
}

// Open starts the plug-in, unless it runs, and returns the names that its hello gives.
func (s *Plugin) Open(ctx context.Context) ([]string, error) {
	s.mu.Lock()
	supervised := s.stop != nil
	s.mu.Unlock()
	if !supervised {
		p, err := s.start(ctx)
		if err != nil {
			return nil, s.wrap("start", err)
		}
		life, stop := context.WithCancel(context.WithoutCancel(ctx))
		s.mu.Lock()
		s.stop, s.stopped = stop, make(chan struct{})
		s.mu.Unlock()
		s.started(p, nil)
		go s.supervise(life, p, s.stopped)
	}
	p, err := s.await(ctx)
	if err != nil {
		return nil, s.wrap("start", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.names = p.names
	return slices.Clone(p.names), nil
}

// Close ends the plug-in: its stdin is closed, and what is left of its process group a
// second later is killed.
func (s *Plugin) Close() error {
	s.mu.Lock()
	stop, stopped := s.stop, s.stopped
	s.stop, s.running, s.loadedBy = nil, nil, nil
	close(s.changed)
	s.changed = make(chan struct{})
	s.mu.Unlock()
	if stop != nil {
		stop()
		<-stopped
	}
	return nil
}

// Ask asks for one device. A plug-in that cannot be asked knows none.
func (s *Plugin) Ask(ctx context.Context, mac device.MAC, ip netip.Addr) (d attr.Device, found bool, err error) {
	p, err := s.current()
	if err != nil {
		return d, false, s.wrap("ask", err)
	}
	s.mu.Lock()
	other := !slices.Equal(s.names, p.names)
	s.mu.Unlock()
	if other {
		return d, false, s.wrap("ask", errAttributesChanged)
	}
	if !p.asks || mac.IsZero() && !ip.IsValid() {
		return d, false, nil
	}
	m, err := p.ask(ctx, mac, ip)
	if err != nil {
		return d, false, s.wrap("ask", err)
	}
	switch {
	case m.Error != "":
		return d, false, s.wrap("ask", fmt.Errorf("it says: %s", printable(m.Error)))
	case m.Found != nil && !*m.Found:
		return d, false, nil
	case m.Attrs == nil:
		return d, false, s.wrap("ask", errors.New("an answer with neither attrs nor \"found\":false"))
	}
	if m.MAC == "" && m.IP == "" { // it is the device that was asked for
		if d.MAC = mac; mac.IsZero() {
			d.IP = ip.Unmap().WithZone("")
		}
		if err := p.values(m, &d); err != nil {
			return attr.Device{}, false, s.wrap("ask", err)
		}
		return d, true, nil
	}
	if err := p.device(m, &d); err != nil {
		return attr.Device{}, false, s.wrap("ask", err)
	}
	return d, true, nil
}
