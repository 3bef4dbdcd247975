package store

import (
	"net/netip"
	"slices"
	"time"

	"dcs/render/attr"
	"dcs/render/mapped"
)

// tally counts devices and, by attribute of the schema, devices that have a value.
type tally struct {
	devices int
	values  []int
}

// at returns the number of devices that have attribute i.
func (t *tally) at(i int) int {
	if i < len(t.values) {
		return t.values[i]
	}
	return 0
}

func (t *tally) clone() tally { return tally{t.devices, slices.Clone(t.values)} }

func (t *tally) grow(n int) {
	for len(t.values) < n {
		t.values = append(t.values, 0)
	}
}

// add counts a device n times.
func (t *tally) add(values attr.Record, n int) {
	t.devices += n
	t.grow(len(values))
	for i, v := range values {
		if v != "" {
			t.values[i] += n
		}
	}
}

// apply counts the effect of a change on rows.
func (t *tally) apply(r *rows, c *change) {
	for _, d := range r.replaced(c) {
		t.add(d.Values, -1)
	}
	if !c.gone {
		t.add(c.Values, 1)
	}
}

// raise makes each count at least that of o.
func (t *tally) raise(o tally) {
	t.devices = max(t.devices, o.devices)
	t.grow(len(o.values))
	for i, n := range o.values {
		t.values[i] = max(t.values[i], n)
	}
}

// replaced returns the devices that a change replaces or removes.
func (r *rows) replaced(c *change) (list []attr.Device) {
	if !c.MAC.IsZero() {
		if d, ok := r.byMAC(c.MAC); ok {
			list = append(list, d)
		}
	}
	if c.IP.IsValid() && !(c.gone && !c.MAC.IsZero()) {
		if d, ok := r.byIP(c.IP); ok && d.MAC.IsZero() {
			list = append(list, d)
		}
	}
	return list
}

// set applies a change to rows, and counts the difference.
func (g *guard) set(r *rows, c *change) {
	ips := []netip.Addr{c.IP}
	if old := r.macs[c.MAC]; !c.MAC.IsZero() && old != nil && old.IP != c.IP {
		ips = append(ips, old.IP) // a device without a MAC address may be found by the address again
	}
	count := func(n int) {
		if d, ok := r.byMAC(c.MAC); ok && !c.MAC.IsZero() {
			g.now.add(d.Values, n)
		}
		for _, ip := range ips {
			if d, ok := r.byIP(ip); ok && d.MAC.IsZero() {
				g.now.add(d.Values, n)
			}
		}
	}
	count(-1)
	r.set(c)
	count(1)
}

// savedPeak is a guard's peak as stored in a file. Values are by attribute of the file.
type savedPeak struct {
	Since   time.Time `json:"since"`
	Devices int       `json:"devices"`
	Values  []int     `json:"values"`
}

// recount counts what is in service of a source, from the metadata of its file and the changes over it. s.mu must be held, or the
// Store not be shared yet.
func (s *Store) recount(src *source) {
	r, g := &s.fleet[src.i], &src.guard
	g.now = tally{}
	if r.base != nil {
		g.now.devices = int(src.stats.Devices)
		g.now.values = scatter(src.meta.Values, r.cols)
	}
	old := func(d attr.Device, ok bool) {
		if ok {
			g.now.add(r.record(d.Values), -1)
		}
	}
	for mac, c := range r.macs {
		if r.base != nil {
			old(r.base.Get(mac, nil))
		}
		if !c.gone {
			g.now.add(c.Values, 1)
		}
	}
	for ip, c := range r.ips {
		if r.base != nil {
			d, ok := r.base.GetIP(ip, nil)
			old(d, ok && d.MAC.IsZero())
		}
		if !c.gone && c.MAC.IsZero() {
			g.now.add(c.Values, 1)
		}
	}
}

// scatter returns counts by attribute of a file in the order of the schema; cols is nil if that is the same.
func scatter(values, cols []int) []int {
	if cols == nil {
		return slices.Clone(values)
	}
	var t tally
	for i, n := range values {
		if i < len(cols) {
			t.grow(cols[i] + 1)
			t.values[cols[i]] = n
		}
	}
	return t.values
}

// remember restores a source's guard from the metadata of its file.
func (s *Store) remember(src *source) {
	s.recount(src)
	if p := src.meta.Peak; p != nil {
		src.guard.since = p.Since
		src.guard.peak = tally{p.Devices, scatter(p.Values, s.fleet[src.i].cols)}
	}
}

// count counts the values of a file without counts in its metadata, written by an earlier version.
func (s *Store) count(src *source) {
	s.mu.Lock()
	base := s.fleet[src.i].base
	counted := base == nil || len(src.meta.Values) == len(base.Names())
	s.mu.Unlock()
	if counted {
		return
	}
	var values []int
	err := mapped.Read(func() (err error) {
		values, err = base.Values(s.ctx)
		return err
	})
	if err != nil {
		return // damaged, as reported elsewhere
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.fleet[src.i].base == base {
		src.meta.Values = values
		s.recount(src)
	}
}
