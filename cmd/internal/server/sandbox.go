package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"

	"dcs/cmd/internal/config"
	"dcs/cmd/internal/metrics"
	"dcs/cmd/internal/sandbox"
)

// Why there is no sandbox, or no Landlock.
var (
	errSandboxOff = errors.New("sandbox: off")
	errSQLite     = errors.New("SQLite writes next to the databases that it reads")
)

// startsPlugins reports whether the server starts programs while it runs.
func (p *process) startsPlugins() bool {
	return slices.ContainsFunc(p.cfg.Devices.Sources, func(d config.DeviceSource) bool { return d.Plugin != nil })
}

// enterSandbox restricts the server to what it does from now on, with bpf(2) or without. The restrictions apply to plug-ins as
// well: a server with plug-ins enters the sandbox before it starts the first, so that a restarted plug-in runs under the same
// restrictions; any other server enters it once everything is open.
func (p *process) enterSandbox(bpf bool) {
	if p.cfg.Sandbox == config.SandboxOff {
		p.sandbox = sandbox.Result{Landlock: errSandboxOff, Seccomp: errSandboxOff}
		p.log.Info("sandbox off, as configured")
		return
	}
	var free error
	if slices.ContainsFunc(p.cfg.Devices.Sources, func(d config.DeviceSource) bool { return d.SQL != nil && d.SQL.Driver == "sqlite" }) {
		free = errSQLite
	}
	start := p.startsPlugins()
	p.sandbox = sandbox.Apply(sandbox.Config{Write: p.writes, Free: free, Start: start, BPF: bpf})
	landlock, seccomp := fmt.Sprint("on, ABI ", p.sandbox.ABI), "on"
	if err := p.sandbox.Landlock; err != nil {
		landlock = "off: " + err.Error()
	}
	if err := p.sandbox.Seccomp; err != nil {
		seccomp = "off: " + err.Error()
	} else if start {
		seccomp = "on, except for what plug-ins may need"
	}
	level := slog.LevelInfo
	if sandboxFailed(p.sandbox.Landlock) || sandboxFailed(p.sandbox.Seccomp) {
		level = slog.LevelWarn
	}
	p.log.Log(context.Background(), level, "sandbox", "landlock", landlock, "seccomp", seccomp)
	for _, err := range p.sandbox.Left {
		p.log.Warn("directory not writable: missing when the sandbox was entered; create it and restart", "err", err)
	}
}

// sandboxFailed reports whether an error of the sandbox is neither expected nor due to a kernel without it.
func sandboxFailed(err error) bool {
	for _, expected := range []error{errors.ErrUnsupported, errSQLite, sandbox.ErrStart, sandbox.ErrThreads} {
		if errors.Is(err, expected) {
			return false
		}
	}
	return err != nil
}

// readSandbox reads which parts of the sandbox are in use, and why others are not.
func (p *process) readSandbox(w *metrics.Values) {
	for _, c := range []struct {
		name string
		err  error
	}{{"landlock", p.sandbox.Landlock}, {"seccomp", p.sandbox.Seccomp}} {
		why := "in use"
		if c.err != nil {
			why = c.err.Error()
		}
		w.Flag(metrics.Capability, c.err == nil, c.name, why)
	}
}
