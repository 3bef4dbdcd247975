package server

import (
	"context"
	"errors"
	"time"

	"dcs/cmd/internal/assemble"
	"dcs/render/attr"
)

const (
	prebuildChunk = 256 // devices after which the workers get the processor for as long as these took
	prebuildTold  = 20  // devices without a file that are told one by one
)

// keepPrebuilt renders the fleet ahead whenever the devices or the library are others.
func (s *server) keepPrebuilt(ctx context.Context) {
	if s.devices == nil || !s.cfg.Devices.Prebuild {
		return
	}
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	lib := s.engine.Library()
	for {
		s.prebuildOnce(ctx)
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
	chunk, n, told := began, 0, 0
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
			if told++; told <= prebuildTold {
				s.log.Warn("this device would get no file", "name", name, "device", assemble.DeviceName(d), "err", err)
			}
		}
		return nil
	})
	switch {
	case errors.Is(err, context.Canceled):
	case err != nil:
		s.log.Warn("prebuild", "err", err)
	default:
		s.log.Info("prebuilt", "devices", p.Devices, "templates", p.Templates, "files", p.Files, "without_a_file", p.Faults, "took", time.Since(began).Round(time.Millisecond))
	}
}
