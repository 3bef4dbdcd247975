package store

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"dcs/render/attr"
)

// admitted is admit over files of which a part may not be readable: once that has shown, the file is known to be damaged, and
// what is right in it is read. mu is held.
func (s *Store) admitted(src *source, changes []*change) (apply []*change, held int, err error) {
	for range 4 {
		list := make([]*change, len(changes)) // admit alters them
		for i, c := range changes {
			list[i] = &change{Device: c.raw().Device, gone: c.gone}
		}
		err = s.fleet.guard(func() error {
			apply, held = s.admit(src, list)
			return nil
		})
		if err == nil {
			return apply, held, nil
		}
	}
	return nil, 0, err
}

// admit returns those of several changes that may be applied, and how many are held back in whole or in part. Of what is held
// back already, no more may be lost. mu is held.
func (s *Store) admit(src *source, changes []*change) (apply []*change, held int) {
	g, r := &src.guard, &s.fleet[src.i]
	g.roll(s.cfg.Now())
	after := g.now.clone()
	seen := make(map[question]struct{}, len(changes))
	for _, c := range slices.Backward(changes) { // of a device the last change counts
		q := c.question()
		if _, ok := seen[q]; !ok {
			seen[q] = struct{}{}
			after.apply(r, c)
		}
	}
	lose := maps.Clone(g.blocked)
	s.cfg.excess(&g.peak, &after, func(i, _, _ int) {
		if lose == nil {
			lose = map[int]struct{}{}
		}
		lose[i] = struct{}{}
	})
	for _, c := range changes {
		whole := c.raw()
		of := g.withhold(r, c, lose)
		if len(of) == 0 {
			delete(g.withheld, c.question())
			apply = append(apply, c)
			continue
		}
		held++
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
	g.changes += held
	return apply, held
}

// note notes that changes would lose too much of i.
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

// keep has a change lose nothing of what lose names, and returns what it would have lost. A change that removes the device
// can only be left out.
func (g *guard) withhold(r *rows, c *change, lose map[int]struct{}) (of []int) {
	if len(lose) == 0 {
		return nil
	}
	old := r.replaced(c)
	if _, ok := lose[-1]; ok && c.gone && len(old) > 0 {
		of = append(of, -1)
	}
	for _, d := range old {
		for i, v := range d.Values {
			if _, ok := lose[i]; !ok || v == "" || !c.gone && c.Values[i] != "" {
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

// has tells whether a device is already what a change makes of it.
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

// question returns what tells the change's device from others.
func (c *change) question() question { return question{c.MAC, c.IP}.key() }

// raw returns the change in memory of its own, with values by the schema.
func (c *change) raw() attr.Change {
	return attr.Change{Device: attr.Device{MAC: c.MAC, IP: c.IP, Values: slices.Clone(c.Values)}, Gone: c.gone}
}

// room waits, while a load is held back, until changes have room above the files; otherwise a load brings them at once. mu is
// held, and released meanwhile.
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
