package store

import (
	"errors"
	"maps"
	"net/netip"
	"slices"
	"strings"

	"dcs/render/attr"
	"dcs/render/device"
)

// A load of ten million devices, of which a few have changed, applies these as changes. Nothing is sorted, written or merged: a
// comparison with the file in service, by look-ups in batches, takes a fraction of that time.

// differences are what a load has, compared with what is in service of its source.
type differences struct {
	limit   int
	changes map[question]*attr.Device
	gone    map[question]*attr.Device
	inOver  map[question]struct{} // devices of the source's overlay that were met
}

// comparable reports whether a load may be applied as differences. A file that could have a version and has none, because an earlier
// program has written it, is written anew: without any difference it would never get one, and be compared at each start.
func (s *Store) comparable(l *loading) bool {
	_, versioned := l.src.Source.(attr.Versioned)
	s.mu.Lock()
	base, loaded := s.fleet[l.src.i].base, l.src.loaded
	anew := versioned && l.src.meta.Version == "" && s.fleet[l.src.i].changed() == 0
	s.mu.Unlock()
	return !l.force && !anew && loaded && base != nil && int(base.Stats().Devices) >= s.cfg.Small && slices.Equal(l.file, base.Names()) &&
		base.Verify(s.ctx) == nil
}

// loadDifferences loads a source, and applies the devices that differ from those in service. The error is errManyDiffer if a file has
// to be written instead: because too many differ, or because the outcome would depend on the devices' order.
func (s *Store) loadDifferences(l *loading) error {
	s.mu.Lock()
	r := s.fleet[l.src.i].clone()
	s.mu.Unlock()
	d := &differences{
		limit: s.cfg.Overlay / 4, changes: make(map[question]*attr.Device), gone: make(map[question]*attr.Device), inOver: make(map[question]struct{}),
	}
	c := r.base.Compare(func(in *attr.Device, same bool) error { return d.met(&r, in, same) })
	err := s.list(l, c.Add)
	if err == nil {
		err = c.Flush()
	}
	if err == nil {
		err = c.Unmet(func(in *attr.Device) error { return d.unmet(&r, in) })
	}
	if err == nil {
		err = d.unmetOver(&r)
	}
	if err != nil {
		return err
	}
	if r.base.Damaged() != nil || !d.ordered(&r) {
		return errManyDiffer
	}
	return s.applyDifferences(l, d)
}

// met records a device of the load. same says that the file has it.
func (d *differences) met(r *rows, in *attr.Device, same bool) error {
	if in.MAC.IsZero() && !in.IP.IsValid() || in.IP.Zone() != "" || tooLong(in.Values) {
		return errManyDiffer // the builder of a file counts and reports it
	}
	q := question{in.MAC, in.IP}.key()
	if r.over(in.MAC, in.IP) {
		d.inOver[q] = struct{}{}
		if (fleet{*r}).guard(func() error { same = r.holds(in); return nil }) != nil {
			return errManyDiffer
		}
	}
	if same {
		delete(d.changes, q) // of several devices with one address the last counts
		return nil
	}
	c := &attr.Device{MAC: in.MAC, IP: in.IP, Values: slices.Clone(in.Values)}
	for i, v := range c.Values {
		c.Values[i] = strings.Clone(v)
	}
	d.changes[q] = c
	return d.tooMany()
}

func (d *differences) tooMany() error {
	if len(d.changes)+len(d.gone) > d.limit {
		return errManyDiffer
	}
	return nil
}

// unmet records a device of the file that the load does not have.
func (d *differences) unmet(r *rows, in *attr.Device) error {
	if c := r.ips[in.IP]; c != nil && in.MAC.IsZero() && !c.MAC.IsZero() {
		return errManyDiffer // it would be found again when that device loses the address
	}
	if r.over(in.MAC, in.IP) {
		return nil
	}
	return d.lose(in)
}

// unmetOver records the devices of the overlay that the load does not have.
func (d *differences) unmetOver(r *rows) error {
	for _, list := range [][]*change{slices.Collect(maps.Values(r.macs)), slices.Collect(maps.Values(r.ips))} {
		for _, c := range list {
			if _, met := d.inOver[c.question()]; met || c.gone {
				continue
			}
			if err := d.lose(&c.Device); err != nil {
				return err
			}
		}
	}
	return nil
}

func (d *differences) lose(in *attr.Device) error {
	q := question{in.MAC, in.IP}.key()
	if d.changes[q] == nil {
		d.gone[q] = &attr.Device{MAC: q.mac, IP: q.ip}
	}
	return d.tooMany()
}

// over reports whether the overlay decides about a device.
func (r *rows) over(mac device.MAC, ip netip.Addr) bool {
	if len(r.macs) == 0 && len(r.ips) == 0 {
		return false
	}
	_, byMAC := r.macs[mac]
	_, byIP := r.ips[ip]
	return byMAC && !mac.IsZero() || byIP && ip.IsValid()
}

// holds reports whether rows have a device with the same address and values, by attribute of base.
func (r *rows) holds(in *attr.Device) bool {
	was, ok := r.byMAC(in.MAC)
	if in.MAC.IsZero() {
		was, ok = r.byIP(in.IP)
	}
	if !ok || was.MAC != in.MAC || was.IP != in.IP {
		return false
	}
	for i, v := range in.Values {
		if r.cols != nil {
			i = r.cols[i]
		}
		if had, _ := attr.Record(was.Values).Get(i); had != v {
			return false
		}
	}
	return true
}

// ordered reports whether the outcome is the same in any order of the devices: no two of the load have one address.
func (d *differences) ordered(r *rows) bool {
	shared := r.base.Stats().SharedIPs > 0
	taken := make(map[netip.Addr]struct{})
	for q, c := range d.changes {
		if was, ok := r.byMAC(q.mac); shared && ok && !q.mac.IsZero() && was.IP.IsValid() && was.IP != c.IP {
			return false // another device of the load may get the address
		}
		if !c.IP.IsValid() {
			continue
		}
		if _, twice := taken[c.IP]; twice {
			return false
		}
		taken[c.IP] = struct{}{}
		owner, ok := r.byIP(c.IP)
		if !ok {
			continue
		}
		of := question{owner.MAC, c.IP}.key()
		if of != q && d.changes[of] == nil && d.gone[of] == nil {
			return false
		}
	}
	for q := range d.gone {
		if shared && q.mac.IsZero() {
			return false // another device of the load may have the address
		}
		if was, ok := r.byMAC(q.mac); shared && ok && was.IP.IsValid() {
			return false
		}
		if _, taken := taken[q.ip]; taken && q.mac.IsZero() {
			return false // as in unmet
		}
	}
	return true
}

// applyDifferences applies what differs, unless the source has lost too much. What has changed since the load began is newer.
func (s *Store) applyDifferences(l *loading, d *differences) error {
	src := l.src
	s.build.Lock() // as for a new file, which this stands for
	defer s.build.Unlock()
	s.mu.Lock()
	r := &s.fleet[src.i]
	idx := s.learn(l.file)
	var list []*change
	for _, in := range d.gone { // first: another device may get the address
		list = append(list, &change{Device: *in, gone: true})
	}
	for _, in := range d.changes {
		c := &change{Device: attr.Device{MAC: in.MAC, IP: in.IP, Values: make(attr.Record, len(s.names))}}
		for i, v := range in.Values {
			c.Values[idx[i]] = v
		}
		list = append(list, c)
	}
	list = slices.DeleteFunc(list, func(c *change) bool {
		newer := r.macs[c.MAC]
		if c.MAC.IsZero() {
			newer = r.ips[c.IP]
		}
		return newer != nil && newer.seq > l.before
	})
	err := s.fleet.guard(func() error {
		src.guard.roll(s.cfg.Now())
		after := src.guard.now.clone()
		for _, c := range list {
			after.apply(r, c)
		}
		return s.checkLoad(src, &after, s.cfg.Now())
	})
	switch {
	case errors.Is(err, attr.ErrHeldBack):
		s.mu.Unlock()
		return err
	case err != nil || len(s.macs)+len(s.ips)+len(list) > 4*s.cfg.Overlay: // as waitForRoom has it
		s.mu.Unlock()
		return errManyDiffer
	}
	s.overlay(src, list)
	meta := l.meta()
	src.meta.Loaded, src.meta.Rejected, src.meta.Mark, src.meta.Version = meta.Loaded, meta.Rejected, meta.Mark, meta.Version
	s.release(src)
	e := Event{Source: src.Name(), Kind: Unchanged, Devices: src.guard.now.devices, Stats: src.stats, Reject: meta.Rejected}
	s.mu.Unlock()
	s.setMark(src, false)
	if e.Stats.Devices = uint64(e.Devices); len(list) > 0 {
		e.Kind = Loaded
		s.flush()
	}
	e.Took = s.cfg.Now().Sub(l.began)
	s.event(e)
	return nil
}
