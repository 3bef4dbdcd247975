package ldapdir

import (
	"context"
	"fmt"
	"net/netip"

	"dcs/render/attr"
	"dcs/render/device"
)

// Ask looks up one device, over a connection that is reused.
func (s asker) Ask(ctx context.Context, mac device.MAC, ip netip.Addr) (d attr.Device, found bool, err error) {
	template := s.cfg.AskFilter
	if mac.IsZero() {
		template = s.cfg.AskIPFilter
	}
	if template == "" || mac.IsZero() && !ip.IsValid() {
		return d, false, nil
	}
	filter := s.filter(template, mac, ip.Unmap().WithZone(""))
	ctx, cancel := context.WithTimeout(ctx, s.cfg.Timeout)
	defer cancel()
	for try := 0; ; try++ {
		c, fresh, err := s.sharedConn(ctx)
		if err != nil {
			return d, false, err
		}
		e, n, err := s.one(ctx, c, filter)
		if err != nil {
			if !fresh && try == 0 && ctx.Err() == nil && c.IsClosing() { // closed while it was idle
				s.drop(c)
				continue
			}
			s.drop(c)
			return d, false, s.wrap(ctx, "ask", err)
		}
		if n == 0 {
			return d, false, nil
		}
		if n > 1 {
			s.cfg.Warn(fmt.Errorf("%s: %s matches several entries; the first is used", s.cfg.Name, filter))
		}
		d.Values = make([]string, len(s.attrs))
		if err := s.device(e, &d, several{}); err != nil {
			return attr.Device{}, false, s.wrap(ctx, "ask: "+short(e.DN), err)
		}
		return d, true, nil
	}
}

// sharedConn returns the connection for Ask, and whether it is new.
func (s *source) sharedConn(ctx context.Context) (c *conn, fresh bool, err error) {
	s.mu.Lock()
	c = s.shared
	s.mu.Unlock()
	if c != nil && !c.IsClosing() {
		return c, false, nil
	}
	if c, err = s.connect(ctx); err != nil {
		return nil, false, err
	}
	s.mu.Lock()
	old := s.shared
	s.shared = c
	s.mu.Unlock()
	if old != nil {
		old.close()
	}
	return c, true, nil
}

func (s *source) drop(c *conn) {
	s.mu.Lock()
	if s.shared == c {
		s.shared = nil
	}
	s.mu.Unlock()
	c.close()
}
