package store

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"dcs/render/attr"
)

// admitted calls admit until it meets no unreadable page: once a file is known to be damaged, only its intact parts are read. s.mu
// must be held.
func (s *Store) admitted(src *source, changes []*change) (apply []*change, withheld int, err error) {
	for range 4 {
		list := make([]*change, len(changes)) // admit alters them
		for i, c := range changes {
			list[i] = &change{Device: c.raw().Device, gone: c.gone}
		}
		err = s.fleet.guard(func() error {
			apply, withheld = s.admit(src, list)
			return nil
		})
		if err == nil {
			return apply, withheld, nil
		}
	}
	return nil, 0, err
}

// admit returns the changes that may be applied, and the number of those held back, in whole or in part. Devices or values of which
// losses are held back already lose nothing more. s.mu must be held.
func (s *Store) admit(src *source, changes []*change) (apply []*change, withheld int) {
	g, r := &src.guard, &s.fleet[src.i]
	g.roll(s.cfg.Now())
	after := g.now.clone()
	seen := make(map[question]struct{}, len(changes))
	for _, c := range slices.Backward(changes) { // the last change of a device counts
		q := c.question()
		if _, ok := seen[q]; !ok {
			seen[q] = struct{}{}
			after.apply(r, c)
		}
	}
	blocked := maps.Clone(g.blocked)
	s.cfg.excess(&g.peak, &after, func(i, _, _ int) {
		if blocked == nil {
			blocked = map[int]struct{}{}
		}
		blocked[i] = struct{}{}
	})
	for _, c := range changes {
		whole := c.raw()
		of := g.withhold(r, c, blocked)
		if len(of) == 0 {
			delete(g.withheld, c.question())
			apply = append(apply, c)
			continue
		}
		withheld++
		for _, i := range of {
			g.note(&s.cfg, s.names, i)
		}
		if g.unlisted && len(g.withheld) < s.cfg.Overlay {
			if g.withheld == nil {
				g.withheld = map[question]attr.Change{}
			}
			g.withheld[c.question()] = whole
		}
		if !c.gone && !r.has(c) {
			apply = append(apply, c)
		}
	}
	g.changes += withheld
	return apply, withheld
}

// note records that changes would lose too much of attribute i, or of the devices, -1.
func (g *guard) note(cfg *Config, names []string, i int) {
	if g.exceeded == nil {
		g.exceeded = map[int]string{}
	}
	if g.blocked == nil {
		g.blocked = map[int]struct{}{}
	}
	g.blocked[i] = struct{}{}
	was, what := g.peak.devices, "devices"
	if i >= 0 {
		was, what = g.peak.at(i), "values of attribute "+names[i]
	}
	g.exceeded[i] = fmt.Sprintf("%d of %d %s", cfg.limit(was, g.peak.devices), was, what)
}

// withhold restores in c the values of blocked attributes, and returns what c would have lost. A removal cannot be restored, only
// left out.
func (g *guard) withhold(r *rows, c *change, blocked map[int]struct{}) (of []int) {
	if len(blocked) == 0 {
		return nil
	}
	old := r.replaced(c)
	if _, ok := blocked[-1]; ok && c.gone && len(old) > 0 {
		of = append(of, -1)
	}
	for _, d := range old {
		for i, v := range d.Values {
			if _, ok := blocked[i]; !ok || v == "" || !c.gone && c.Values[i] != "" {
				continue
			}
			of = append(of, i)
			if !c.gone {
				c.Values[i] = strings.Clone(v)
			}
		}
	}
	return of
}

// has reports whether a change has no effect.
func (r *rows) has(c *change) bool {
	old := r.replaced(c)
	if len(old) != 1 || old[0].MAC != c.MAC || c.IP.IsValid() && old[0].IP != c.IP {
		return false
	}
	for i, v := range c.Values {
		if had, _ := attr.Record(old[0].Values).Get(i); had != v {
			return false
		}
	}
	return true
}

// question returns the key of the change's device.
func (c *change) question() question { return question{c.MAC, c.IP}.key() }

// raw returns a copy of the change, with values by schema index.
func (c *change) raw() attr.Change {
	return attr.Change{Device: attr.Device{MAC: c.MAC, IP: c.IP, Values: slices.Clone(c.Values)}, Gone: c.gone}
}

// waitForRoom waits until the overlay has room for changes, if a load is held back. Otherwise it returns errReload, since a load has
// the changes as well. s.mu must be held, and is released while it waits.
func (s *Store) waitForRoom(src *source) error {
	for len(s.macs)+len(s.ips) > 4*s.cfg.Overlay {
		s.requestRebuild()
		if src.guard.loadErr == nil {
			return errReload
		}
		s.mu.Unlock()
		select {
		case <-s.ctx.Done():
		case <-time.After(s.cfg.Publish):
		}
		s.mu.Lock()
		if err := s.ctx.Err(); err != nil {
			return err
		}
	}
	return nil
}
