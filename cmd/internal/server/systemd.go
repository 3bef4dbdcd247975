package server

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"
	"golang.org/x/sys/unix"

	"dcs/fastpath"
)

// manager is what systemd has been told.
type manager struct {
	log *slog.Logger

	mu       sync.Mutex
	stopping bool
}

// tell tells systemd how the service does (sd_notify(3)), where it is systemd that runs it. The end of a reload is
// not told of a service that stops.
func (m *manager) tell(state string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.stopping {
		return
	}
	m.stopping = state == daemon.SdNotifyStopping
	if _, err := daemon.SdNotify(false, state); err != nil {
		m.log.Warn("sd_notify failed", "state", state, "err", err)
	}
}

// reloading tells systemd that a reload begins, and returns what tells that it is over.
func (m *manager) reloading() (over func()) {
	var now unix.Timespec
	_ = unix.ClockGettime(unix.CLOCK_MONOTONIC, &now) // it fails for unknown clocks only
	m.tell(fmt.Sprintf("%s\nMONOTONIC_USEC=%d", daemon.SdNotifyReloading, now.Nano()/1000))
	return func() { m.tell(daemon.SdNotifyReady) }
}

// watchdog tells systemd that the workers are alive, as often as it wants to know, as long as each of them goes on. A worker
// that hangs leaves it untold, and systemd starts the server anew (WatchdogSec=).
func (s *server) watchdog(ctx context.Context) {
	interval, err := daemon.SdWatchdogEnabled(false)
	if err != nil {
		s.log.Warn("no watchdog", "err", err)
	}
	if interval == 0 {
		return
	}
	tick := time.NewTicker(interval / 4)
	defer tick.Stop()
	var before []fastpath.Stats
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		now := s.front.Stats()
		if i := hanging(before, now); i >= 0 {
			s.log.Error("a worker hangs", "worker", i, "watchdog", interval)
			continue
		}
		before = now
		s.manager.tell(daemon.SdNotifyWatchdog)
	}
}

// hanging returns the number of a worker that has not been through its loop since before; -1 if all have.
func hanging(before, now []fastpath.Stats) int {
	for i := range before {
		if now[i].Rounds == before[i].Rounds {
			return i
		}
	}
	return -1
}
