package sqldb

import (
	"context"
	"errors"
	"net/netip"

	"dcs/render/attr"
	"dcs/render/device"
)

var errEnough = errors.New("one row is enough")

func (s *source) ask(ctx context.Context, mac device.MAC, ip netip.Addr) (d attr.Device, found bool, err error) {
	s.mu.Lock()
	params := s.params
	s.mu.Unlock()
	ip = ip.Unmap().WithZone("")
	args := make([]any, len(params))
	known := false
	for i, p := range params {
		switch {
		case p == "mac" && !mac.IsZero():
			args[i], known = mac.String(), true
		case p == "ip" && ip.IsValid():
			args[i], known = ip.String(), true
		}
	}
	if !known {
		return d, false, nil
	}
	err = s.rows(ctx, s.cfg.AskQuery, args, func(r *row) error {
		if r.gone() {
			return nil
		}
		got, err := r.device()
		if err != nil {
			return err
		}
		switch {
		case !mac.IsZero() && !got.MAC.IsZero() && got.MAC != mac, mac.IsZero() && got.IP.IsValid() && got.IP != ip:
			return errors.New("query returned a different device")
		case !mac.IsZero():
			got.MAC = mac
		case !got.IP.IsValid():
			got.IP = ip
		}
		d, found = *got, true
		d.Values = append([]string(nil), got.Values...)
		return errEnough
	})
	if err != nil && !errors.Is(err, errEnough) {
		return attr.Device{}, false, s.wrap("ask", err)
	}
	return d, found, nil
}

func (s asker) Ask(ctx context.Context, mac device.MAC, ip netip.Addr) (attr.Device, bool, error) {
	return s.ask(ctx, mac, ip)
}

func (s askerFollower) Ask(ctx context.Context, mac device.MAC, ip netip.Addr) (attr.Device, bool, error) {
	return s.ask(ctx, mac, ip)
}
