// Package plugin runs an operator's program as a source of devices. The manual (plugins.md) describes the protocol.
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

// Config says what to run, and with which limits.
type Config struct {
	Name string        // for logs; "": plugin and the program
	Argv []string      // the program, looked for in PATH, and its arguments; no shell sees them
	Dir  string        // where it runs; "": where we do
	Env  []secret.Text // NAME=value, possibly passwords; of ours it inherits PATH, HOME, LANG and TZ only
	// Credential is the user that the plug-in runs as; nil: that of this process. With a Credential, HOME is not inherited.
	// Unless it is that of this process, as [IsCurrent] reports, it takes CAP_SETUID, CAP_SETGID and, to end the plug-in,
	// CAP_KILL. In either case the plug-in has no capabilities, and none of our file descriptors.
	Credential *syscall.Credential
	// Changes says that the plug-in reports changes by itself. New then returns an attr.Follower.
	Changes bool

	StartTimeout time.Duration // until its hello; 0: 10 s
	// Timeout is how long the plug-in may be silent while an answer or a list is pending. It is then killed and restarted.
	// 0: 30 s.
	Timeout time.Duration
	// BackoffMin is the delay before a restart. It doubles with each restart up to BackoffMax, until the plug-in has run for
	// BackoffMax. 0: 1 s, 1 min.
	BackoffMin, BackoffMax time.Duration
	MaxLine                int // octets of a line, at least 64; a longer line ends the plug-in. 0: 1 MiB
	MaxGarbage             int // lines that violate the protocol; one more ends the plug-in. 0: 100; negative: none
	MaxDevices             int // of one list; 0: 100,000,000
	// MaxRejected is the number of devices without a usable address that a list may have: the limit of
	// [attr.Rejected.Check].
	MaxRejected int

	// Stderr receives the lines that the plug-in writes to stderr, cut to 1 KiB, at most 10 a second with bursts of 50. Warn
	// receives the reasons why a plug-in ended, and the first 20 lines of each run that violate the protocol. Both may be nil,
	// and are called by any goroutine.
	Stderr func(line string)
	Warn   func(error)
}

// Limits that are not configurable.
const (
	maxReported = 20    // invalid lines and unknown names reported one by one
	maxPending  = 1024  // questions without an answer yet
	maxChanges  = 65536 // changes queued for Follow; more cause a reload
	batch       = 1024  // changes passed to apply at once
	grace       = time.Second
)

var (
	errClosed            = errors.New("closed")
	errAttributesChanged = fmt.Errorf("after a restart: %w", attr.ErrColumns)
)

// Plugin is the source. It is an attr.Asker and an attr.Rejecter.
type Plugin struct {
	cfg    Config
	warned atomic.Bool // about capabilities left to the process

	mu       sync.Mutex
	names    []string      // as Open returned them
	running  *process      // the last process that has said hello; it may have ended
	changed  chan struct{} // closed after each start, successful or not
	starts   uint64
	err      error // why the last start failed
	stop     context.CancelFunc
	stopped  chan struct{} // closed when the supervisor has returned
	loadedBy *process      // which supplied the last load
	rejected attr.Rejected
}

type follower struct{ *Plugin }

var (
	_ attr.Asker    = (*Plugin)(nil)
	_ attr.Rejecter = (*Plugin)(nil)
	_ attr.Follower = follower{}
)

// New returns a source. Nothing is started before Open.
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
		return nil, fmt.Errorf("%s: max_line must be at least 64, max_devices not negative", cfg.Name)
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

// Name implements [attr.Source].
func (s *Plugin) Name() string { return s.cfg.Name }

func (s *Plugin) wrap(step string, err error) error {
	return fmt.Errorf("%s: %s: %w", s.cfg.Name, step, err)
}

// Open starts the plug-in, unless it is running, and returns the attribute names of its hello.
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

// Close ends the plug-in: it closes its stdin, and kills what is left of its process group after a second.
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

// Ask implements [attr.Asker]. A plug-in that cannot be asked has no devices.
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
		return d, false, s.wrap("ask", fmt.Errorf("plug-in reports: %s", printable(m.Error)))
	case m.Found != nil && !*m.Found:
		return d, false, nil
	case m.Attrs == nil:
		return d, false, s.wrap("ask", errors.New("answer with neither attrs nor \"found\":false"))
	}
	if m.MAC == "" && m.IP == "" { // the device of the question
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
