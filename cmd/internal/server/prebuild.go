package server

import (
	"context"
	"errors"
	"time"

	"dcs/cmd/internal/assemble"
	"dcs/cmd/internal/spare"
	"dcs/render/attr"
)

const (
	prebuildChunk  = 256 // devices after which the workers get the CPU for as long as these took
	prebuildLogged = 20  // devices without a file that get a log line each
)

// watchPrebuilt renders the whole fleet when all sources have been tried, so that a start renders it once, and whenever the devices or
// the library change, until ctx ends.
func (s *server) watchPrebuilt(ctx context.Context) {
	if s.devices == nil || !s.cfg.Devices.Prebuild {
		return
	}
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	select {
	case <-ctx.Done():
		return
	case <-s.devices.Settled():
	}
	select {
	case <-s.prebuild: // of loads until now
	default:
	}
	lib := s.engine.Library()
	for {
		spare.Do(func() { s.prebuildOnce(ctx) })
		for waiting := true; waiting; {
			select {
			case <-ctx.Done():
				return
			case <-s.prebuild:
				waiting = false
			case <-tick.C:
				waiting = s.engine.Library() == lib
			}
		}
		lib = s.engine.Library()
	}
}

func (s *server) prebuildOnce(ctx context.Context) {
	began := time.Now()
	chunk, n, failed := began, 0, 0
	view := s.devices.View()
	each := func(yield func(*attr.Device) error) error {
		return view.Each(func(d *attr.Device) error {
			if n++; n%prebuildChunk == 0 {
				time.Sleep(time.Since(chunk))
				chunk = time.Now()
			}
			return yield(d)
		})
	}
	p, err := s.engine.Prebuild(ctx, began.UnixNano(), each, func(d *attr.Device, name string, _ []byte, err error) error {
		if err != nil {
			if failed++; failed <= prebuildLogged {
				s.log.Warn("prebuild: no file for this device", "name", name, "device", assemble.DeviceName(d), "err", err)
			}
		}
		return nil
	})
	switch {
	case errors.Is(err, context.Canceled):
	case err != nil:
		s.log.Warn("prebuild failed", "err", err)
	default:
		s.log.Info("prebuilt", "devices", p.Devices, "templates", p.Templates, "files", p.Files, "without_a_file", p.Faults, "took", time.Since(began).Round(time.Millisecond))
	}
}
