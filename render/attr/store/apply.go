package store

import (
	"net/netip"
	"slices"
	"time"

	"dcs/render/attr"
	"dcs/render/attr/localdb"
	"dcs/render/device"
)

// apply lays changes over what is served, as far as they are not held back.
func (s *Store) apply(src *source, changes []attr.Change) error {
	_, err := s.applyGuarded(src, changes)
	return err
}

// applyGuarded is apply, and returns how many changes were held back, in whole or in part.
func (s *Store) applyGuarded(src *source, changes []attr.Change) (held int, err error) {
	if held, err = s.layOver(src, changes, false); held > 0 {
		s.reportHeldBack(src)
	}
	return held, err
}

// lay lays changes over what is served, and returns how many were held back; with force, none is.
func (s *Store) layOver(src *source, changes []attr.Change, force bool) (held int, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.waitForRoom(src); err != nil {
		return 0, err // more has changed than is put into the file at the same time
	}
	list := make([]*change, 0, len(changes))
	for i := range changes {
		c := &changes[i]
		if c.MAC.IsZero() && !c.IP.IsValid() || c.IP.Zone() != "" || len(c.Values) > len(src.perm) || tooLong(c.Values) {
			src.meta.Rejected.Add("a change that is not of a device")
			continue
		}
		n := &change{Device: attr.Device{MAC: c.MAC, IP: c.IP.Unmap()}, gone: c.Gone}
		if !c.Gone {
			n.Values = make(attr.Record, len(s.names))
			for j, v := range c.Values {
				n.Values[src.perm[j]] = v
			}
		}
		list = append(list, n)
	}
	if !force {
		if list, held, err = s.admitted(src, list); err != nil {
			return 0, err
		}
	}
	s.overlay(src, list)
	return held, nil
}

// overlay lays changes over what is served, whatever they lose, and has them journaled and a View made of them. mu is held.
func (s *Store) overlay(src *source, list []*change) {
	for _, n := range list {
		s.seq++
		n.seq = s.seq
		s.set(src, n)
		s.logged = append(s.logged, logged{src, n})
		src.changes.Add(1)
	}
	if len(s.macs)+len(s.ips) > s.cfg.Overlay {
		s.requestRebuild()
	}
	if s.timer == nil && len(s.newMACs)+len(s.newIPs) > 0 {
		s.timer = time.AfterFunc(s.cfg.Publish, s.flush)
	}
}

func tooLong(values []string) bool {
	for _, v := range values {
		if len(v) > localdb.MaxValue {
			return true
		}
	}
	return false
}

// set applies one change, and notes all devices and addresses that may look different for it.
func (s *Store) set(src *source, c *change) {
	if len(s.macs)+len(s.ips) == 0 {
		s.oldest = s.cfg.Now()
	}
	macs, ips := s.affected(c)
	src.guard.set(&s.fleet[src.i], c)
	moreMACs, moreIPs := s.affected(c)
	for _, mac := range append(macs, moreMACs...) {
		s.macs[mac], s.newMACs[mac] = c.seq, struct{}{}
	}
	for _, ip := range append(ips, moreIPs...) {
		s.ips[ip], s.newIPs[ip] = c.seq, struct{}{}
	}
	if !c.MAC.IsZero() {
		s.macs[c.MAC], s.newMACs[c.MAC] = c.seq, struct{}{}
		if !c.gone {
			s.likely.add(c.MAC)
		}
	}
}

// affected returns the devices and addresses that may look different for a change of c's source, as all sources are now: the
// addresses that any source has for the device, for those that have its addresses, and all that have any of these.
func (s *Store) affected(c *change) (macs []device.MAC, ips []netip.Addr) {
	addresses := func(mac device.MAC) {
		for i := range s.fleet {
			if d, ok := s.fleet[i].byMAC(mac); ok && d.IP.IsValid() && !slices.Contains(ips, d.IP) {
				ips = append(ips, d.IP)
			}
		}
	}
	owners := func() {
		for _, ip := range ips {
			for i := range s.fleet {
				if d, ok := s.fleet[i].byIP(ip); ok && !d.MAC.IsZero() && !slices.Contains(macs, d.MAC) {
					macs = append(macs, d.MAC)
				}
			}
		}
	}
	if c.IP.IsValid() {
		ips = append(ips, c.IP)
	}
	if !c.MAC.IsZero() {
		addresses(c.MAC)
	}
	owners()
	for _, mac := range macs {
		addresses(mac)
	}
	owners()
	return macs, ips
}
