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
	ErrSQLite     = errors.New("SQLite writes beside the databases that it reads")
)

// startsPlugins tells whether the server starts programs while it serves.
func (p *process) startsPlugins() bool {
	return slices.ContainsFunc(p.cfg.Devices.Sources, func(d config.DeviceSource) bool { return d.Plugin != nil })
}

// enterSandbox holds the server to what it does from now on, with bpf(2) or without. Plug-ins are held to the same: with them it
// comes before the first is started, so that no life of theirs differs from another, else after everything is open.
func (p *process) enterSandbox(bpf bool) {
	if p.cfg.Sandbox == config.SandboxOff {
		p.sandbox = sandbox.Result{Landlock: errSandboxOff, Seccomp: errSandboxOff}
		p.log.Info("sandbox off, as configured")
		return
	}
	var free error
	if slices.ContainsFunc(p.cfg.Devices.Sources, func(d config.DeviceSource) bool { return d.SQL != nil && d.SQL.Driver == "sqlite" }) {
		free = ErrSQLite
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
		seccomp = "on, but for what plug-ins may need"
	}
	level := slog.LevelInfo
	if SandboxFailed(p.sandbox.Landlock) || SandboxFailed(p.sandbox.Seccomp) {
		level = slog.LevelWarn
	}
	p.log.Log(context.Background(), level, "sandbox", "landlock", landlock, "seccomp", seccomp)
	for _, err := range p.sandbox.Left {
		p.log.Warn("directory not writable: it was missing when the sandbox was entered; make it and restart", "err", err)
	}
}

// SandboxFailed tells whether an error of the sandbox is neither meant nor the kernel's lack of it.
func SandboxFailed(err error) bool {
	for _, meant := range []error{errors.ErrUnsupported, ErrSQLite, sandbox.ErrStart, sandbox.ErrThreads} {
		if errors.Is(err, meant) {
			return false
		}
	}
	return err != nil
}

// readSandbox writes what the server is held to, and why not.
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
