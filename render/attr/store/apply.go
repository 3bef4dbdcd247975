package store

import (
	"net/netip"
	"slices"
	"time"

	"dcs/render/attr"
	"dcs/render/attr/localdb"
	"dcs/render/device"
)

// apply adds changes to the overlay, except those that are held back.
func (s *Store) apply(src *source, changes []attr.Change) error {
	_, err := s.applyGuarded(src, changes)
	return err
}

// applyGuarded is apply, and returns the number of changes that are held back, in whole or in part.
func (s *Store) applyGuarded(src *source, changes []attr.Change) (withheld int, err error) {
	if withheld, err = s.layOver(src, changes, false); withheld > 0 {
		s.reportHeldBack(src)
	}
	return withheld, err
}

// layOver adds changes to the overlay, and returns the number of those held back. With force, it holds back none.
func (s *Store) layOver(src *source, changes []attr.Change, force bool) (withheld int, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.waitForRoom(src); err != nil {
		return 0, err // changes arrive faster than files are written
	}
	list := make([]*change, 0, len(changes))
	for i := range changes {
		c := &changes[i]
		if c.MAC.IsZero() && !c.IP.IsValid() || c.IP.Zone() != "" || len(c.Values) > len(src.perm) || tooLong(c.Values) {
			src.meta.Rejected.Add("change without a valid device")
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
		if list, withheld, err = s.admitted(src, list); err != nil {
			return 0, err
		}
	}
	s.overlay(src, list)
	return withheld, nil
}

// overlay adds changes to the overlay, whatever they lose, and schedules the next View. s.mu must be held.
func (s *Store) overlay(src *source, list []*change) {
	if len(list) > 0 {
		src.meta.Version = "" // of the load alone
	}
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

// set applies one change, and marks all devices and addresses that it may affect.
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

// affected returns the devices and addresses that a change may affect, given the current data of all sources: the addresses that any
// source has for the device, the devices that have these addresses, their addresses, and the devices that have those.
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
