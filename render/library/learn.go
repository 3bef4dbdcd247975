package library

import (
	"strings"

	"github.com/cespare/xxhash/v2"

	"dcs/render/attr"
	"dcs/render/skeleton"
)

// Skeleton returns the skeleton of a name for a device, learning the name's kind if necessary. It does not allocate, and takes no lock,
// once that kind has been learned for that kind of device. If the skeleton's Build or Sign returns [skeleton.Unfit], Exact has the
// right one.
func (s *Snapshot) Skeleton(f *Found, rec attr.Record, ipv6 bool) (*skeleton.Skeleton, *skeleton.Fault) {
	t := f.Template
	if f.fault != nil || t == nil {
		return nil, f.fault
	}
	if t.ownKind() {
		if k := t.own.Load(); k != nil && (len(t.Names) == 1 || k.name == string(f.name)) {
			return k.skel, k.fault
		}
	} else if fixed := t.Fixed(); f.fixed != fixed { // more is known since the name was resolved
		f.choose(fixed)
	}
	k := s.kind(f, rec, ipv6)
	if k.fault == skeleton.Unfit {
		return s.Exact(f, rec, ipv6)
	}
	return k.skel, k.fault
}

// Exact returns the skeleton of a name for a device that no other name shares.
func (s *Snapshot) Exact(f *Found, rec attr.Record, ipv6 bool) (*skeleton.Skeleton, *skeleton.Fault) {
	if f.fault != nil || f.Template == nil {
		return nil, f.fault
	}
	f.choose(skeleton.Exact)
	k := s.kind(f, rec, ipv6)
	return k.skel, k.fault
}

// ownKind reports whether the template has a single skeleton, or one for each of its literal names. It then keeps the first of them
// itself: a library of very many literal names has no use for a bounded table.
func (t *Template) ownKind() bool { return t.pattern == nil && !t.resigned && !t.varies() }

// varies reports whether a name has several skeletons, depending on the device.
func (t *Template) varies() bool { return t.Families() || len(t.Structural()) > 0 }

// kind returns the kind of a name and a device, learning it if necessary.
func (s *Snapshot) kind(f *Found, rec attr.Record, ipv6 bool) *kind {
	t := f.Template
	ipv6 = ipv6 && t.Families()
	h := f.deviceHash(rec, ipv6)
	if k := s.table.find(h, f, rec, ipv6); k != nil {
		return k
	}
	n := f.asked()
	n.IPv6 = ipv6
	for _, i := range t.Structural() {
		v, _ := rec.Get(i)
		n.Keys = append(n.Keys, strings.Clone(v)) // the record may lie in a mapping
	}
	k := &kind{of: t, keys: n.Keys, ipv6: ipv6}
	fixed := skeleton.Exact
	if f.fixed&skeleton.Exact != 0 {
		k.skel, k.fault = t.Specialize(n)
	} else {
		k.skel, fixed, k.fault = t.Learn(n)
	}
	f.choose(fixed) // Learn may have found that it needs more groups
	k.hash, k.fixed, k.given = f.deviceHash(rec, ipv6), f.fixed, f.given
	if fixed&skeleton.Exact != 0 {
		k.name = n.Text
	} else {
		for i, text := range n.Captures {
			if i > 0 && fixed.Has(i) && n.Given[i] {
				k.texts = append(k.texts, text)
			}
		}
	}
	if t.ownKind() && s.keep(t, k) {
		return k
	}
	return s.table.put(k)
}

// keep makes k the kind that a template keeps itself, unless it has one.
func (s *Snapshot) keep(t *Template, k *kind) bool {
	if t.own.Load() != nil {
		return false
	}
	if k.skel != nil {
		k.skel.Keep(&s.table.further)
	}
	return t.own.CompareAndSwap(nil, k)
}

// deviceHash returns the hash of the kind of f and of a device.
func (f *Found) deviceHash(rec attr.Record, ipv6 bool) uint64 {
	h := f.kind
	if ipv6 {
		h = mix(h, 1)
	}
	for _, i := range f.Template.Structural() {
		v, _ := rec.Get(i)
		h = mix(h, xxhash.Sum64String(v))
	}
	return h
}

// Retire drops what has been learned and stops learning, because another snapshot is served. What workers still use remains
// valid.
func (s *Snapshot) Retire() {
	s.table.close()
	for _, t := range s.templates {
		t.own.Store(nil)
	}
}
