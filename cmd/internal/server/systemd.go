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

// manager notifies systemd.
type manager struct {
	log *slog.Logger

	mu       sync.Mutex
	stopping bool
}

// notify tells systemd the service's state (sd_notify(3)), if systemd runs it. Once the service is stopping, the end of a reload
// is not announced any more.
func (m *manager) notify(state string) {
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

// reloading announces the begin of a reload; the returned function announces its end.
func (m *manager) reloading() (done func()) {
	var now unix.Timespec
	_ = unix.ClockGettime(unix.CLOCK_MONOTONIC, &now) // fails for unknown clocks only
	m.notify(fmt.Sprintf("%s\nMONOTONIC_USEC=%d", daemon.SdNotifyReloading, now.Nano()/1000))
	return func() { m.notify(daemon.SdNotifyReady) }
}

// watchdog reports to systemd's watchdog as long as every worker makes progress. If a worker hangs, it stops reporting, and
// systemd restarts the server (WatchdogSec=).
func (s *server) watchdog(ctx context.Context) {
	interval, err := daemon.SdWatchdogEnabled(false)
	if err != nil {
		s.log.Warn("watchdog unavailable", "err", err)
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
			s.log.Error("worker hangs", "worker", i, "watchdog", interval)
			continue
		}
		before = now
		s.manager.notify(daemon.SdNotifyWatchdog)
	}
}

// hanging returns the number of a worker that has not completed its loop since before; -1 if all have.
func hanging(before, now []fastpath.Stats) int {
	for i := range before {
		if now[i].Rounds == before[i].Rounds {
			return i
		}
	}
	return -1
}
