package main

import (
	"fmt"
	"slices"

	"dcs/cmd/internal/config"
	"dcs/cmd/internal/sandbox"
)

// enterSandbox holds the server to what serving takes. It comes after everything is open.
func (s *server) enterSandbox(in *ingress) {
	if s.cfg.Sandbox == config.SandboxOff {
		s.log.Info("sandbox off, as configured")
		return
	}
	sources := s.cfg.Devices.Sources
	start := slices.ContainsFunc(sources, func(d config.DeviceSource) bool { return d.Plugin != nil })
	r := sandbox.Apply(sandbox.Config{
		Write: ownDirs(&s.cfg),
		Free:  slices.ContainsFunc(sources, func(d config.DeviceSource) bool { return d.SQL != nil && d.SQL.Driver == "sqlite" }),
		Start: start,
		BPF:   in.steering != nil,
	})
	landlock, seccomp := fmt.Sprint("on, ABI ", r.ABI), "on"
	if r.Landlock != nil {
		landlock = "off: " + r.Landlock.Error()
	}
	if r.Seccomp != nil {
		seccomp = "off: " + r.Seccomp.Error()
	} else if start {
		seccomp = "on, but for what plug-ins may need"
	}
	s.log.Info("sandbox", "landlock", landlock, "seccomp", seccomp)
}
