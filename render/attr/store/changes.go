package store

import (
	"cmp"
	"net/netip"
	"slices"

	"dcs/render/device"
)

// logged is a change that is not in the journal yet.
type logged struct {
	src *source
	c   *change
}

// liveChanges returns everything that the journal has to contain.
func (s *Store) liveChanges() []byte {
	type live struct {
		logged
		seq uint64
	}
	s.mu.Lock()
	var list []live
	for _, src := range s.srcs {
		for _, c := range s.fleet[src.i].macs {
			list = append(list, live{logged{src, c}, c.seq})
		}
		for _, c := range s.fleet[src.i].ips {
			list = append(list, live{logged{src, c}, c.seq})
		}
	}
	slices.SortFunc(list, func(a, b live) int { return cmp.Compare(a.seq, b.seq) })
	list = slices.CompactFunc(list, func(a, b live) bool { return a.seq == b.seq })
	var records []*record
	for _, l := range list {
		records = append(records, l.src.record(l.c, s.names))
	}
	records = append(records, touched(s, s.macs, s.ips)...)
	mark := &record{flags: recordMark, seq: s.seq}
	orphans := s.orphans
	s.mu.Unlock()
	var f frames
	for i := range orphans {
		f.add(&orphans[i])
	}
	for _, r := range records {
		f.add(r)
	}
	f.add(mark)
	return f.end()
}

// record returns a change as a journal record. Store.mu must be held.
func (src *source) record(c *change, schema []string) *record {
	r := &record{seq: c.seq, source: src.Name(), attrs: src.names, mac: c.MAC, ip: c.IP, flags: keyFlags(c.MAC, c.IP)}
	if c.gone {
		r.flags |= recordGone
	} else {
		r.names, r.values = schema, c.Values
	}
	return r
}

// touched returns records of devices and addresses affected by changes, which may be in the sources' files before they are in the
// merged one. s.mu must be held.
func touched[V any](s *Store, macs map[device.MAC]V, ips map[netip.Addr]V) []*record {
	var list []*record
	for mac := range macs {
		list = append(list, &record{flags: recordTouch | recordMAC, seq: s.macs[mac], mac: mac})
	}
	for ip := range ips {
		list = append(list, &record{flags: recordTouch | recordIP, seq: s.ips[ip], ip: ip})
	}
	return list
}

// replay applies the changes of the journal that the sources' files lack, and adds those that the merged file lacks, with numbers
// above mergedSeq, to the overlay. The Store must not be shared yet.
func (s *Store) replay(records []record, mergedSeq uint64) {
	byName := make(map[string]*source)
	for _, src := range s.srcs {
		byName[src.Name()] = src
	}
	last := uint64(0)
	for i := range records {
		r := &records[i]
		s.seq = max(s.seq, r.seq)
		switch {
		case r.flags&recordMark != 0:
		case r.flags&recordTouch != 0:
			if r.seq <= mergedSeq {
				continue
			}
			if r.flags&recordMAC != 0 {
				s.macs[r.mac], s.newMACs[r.mac] = r.seq, struct{}{}
			} else {
				s.ips[r.ip], s.newIPs[r.ip] = r.seq, struct{}{}
			}
		case byName[r.source] == nil:
			s.orphans = append(s.orphans, *r)
		case r.seq > last: // a change that was queued during a rewrite is there twice
			last = r.seq
			src := byName[r.source]
			s.learnOf(src, r.attrs)
			if r.seq > src.meta.Seq {
				src.meta.Version = "" // of what the file has
				s.set(src, r.change(s.learn(r.names)))
			}
		}
	}
}
