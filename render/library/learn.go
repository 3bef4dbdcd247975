package library

import (
	"strings"
	"sync/atomic"

	"github.com/cespare/xxhash/v2"

	"dcs/render/attr"
	"dcs/render/device"
	"dcs/render/skeleton"
)

// Learned is the result of looking up a name. It is immutable, except for the mark that it is in use.
type Learned struct {
	// File is the static file of that name; nil: Template renders it; both nil: Fault says why there is no file.
	File     *File
	Template *Template
	// MAC is the device that the pattern's group mac matched; zero: none.
	MAC device.MAC

	hash     uint64
	name     skeleton.Name
	variant  bool // for one kind of device
	unusable bool // because of the name itself, not of the template
	skel     *skeleton.Skeleton
	fault    *skeleton.Fault
	octets   int64 // memory in the table
	used     atomic.Bool
}

// Fault returns why no device gets a file by this name; nil: that depends on the device.
func (l *Learned) Fault() *skeleton.Fault { return l.fault }

// Hash returns the hash of a name for [Snapshot.Find].
func Hash(name []byte) uint64 { return xxhash.Sum64(name) }

// Find returns what a name leads to, learning it if necessary; nil: the name is unknown. h is the name's [Hash]. For a learned name, Find
// does not allocate and takes no lock.
func (s *Snapshot) Find(h uint64, name []byte) *Learned {
	if l := s.table.find(h, name); l != nil {
		return l
	}
	s.table.misses.Add(1)
	l := s.learn(name)
	if l == nil {
		return nil
	}
	l.hash = h
	return s.table.put(l)
}

// learn looks up a name: literal names take precedence over static files, and those over patterns.
func (s *Snapshot) learn(name []byte) *Learned {
	if fault := s.claims[string(name)]; fault != nil {
		return &Learned{name: skeleton.Name{Text: string(name)}, fault: fault}
	}
	if t := s.literals[string(name)]; t != nil {
		return t.learned(skeleton.Name{Text: string(name)})
	}
	if l := s.static.learn(name); l != nil {
		return l
	}
	best, rival := s.patterns.match(name)
	if best == nil {
		return nil
	}
	t := best.of
	n := skeleton.Name{Text: string(name)}
	if t == nil {
		return &Learned{name: n, fault: best.fault}
	}
	at := best.re.FindSubmatchIndex(name)
	for i := 0; i < len(at); i += 2 {
		given := at[i] >= 0
		text := ""
		if given {
			text = n.Text[at[i]:at[i+1]]
		}
		n.Captures, n.Given = append(n.Captures, text), append(n.Given, given)
	}
	if rival != nil {
		return &Learned{Template: t, name: n, unusable: true, fault: &skeleton.Fault{
			Reason: skeleton.Ambiguous, Pos: best.pos, What: n.Text,
			Text: "the pattern at " + rival.pos.String() + " matches this name too: give one of them a priority, or make them different",
		}}
	}
	return t.learned(n)
}

// learned specializes t for a name, unless the result depends on the device.
func (t *Template) learned(n skeleton.Name) *Learned {
	l := &Learned{Template: t, name: n}
	if t.mac > 0 && n.Given[t.mac] {
		var err error
		if l.MAC, err = device.ParseMAC(n.Captures[t.mac]); err != nil {
			l.unusable = true
			l.fault = &skeleton.Fault{
				Reason: skeleton.BadAddress, Pos: t.pattern.pos, What: n.Text,
				Text: "the group mac has matched " + n.Captures[t.mac] + ", which is " + err.Error(),
			}
			return l
		}
	}
	if !t.varies() && !t.Waiting() {
		l.skel, l.fault = t.Specialize(n)
	}
	return l
}

// varies reports whether a name has several skeletons, depending on the device.
func (t *Template) varies() bool { return t.Families() || len(t.Structural()) > 0 }

// Skeleton returns the skeleton of a learned name for a device. It does not allocate once the name has been learned for that kind of
// device.
func (s *Snapshot) Skeleton(l *Learned, rec attr.Record, ipv6 bool) (*skeleton.Skeleton, *skeleton.Fault) {
	if l.skel != nil || l.fault != nil || l.Template == nil {
		return l.skel, l.fault
	}
	structural := l.Template.Structural()
	ipv6 = ipv6 && l.Template.Families()
	h := l.hash*31 + 1
	if ipv6 {
		h++
	}
	for _, i := range structural {
		v, _ := rec.Get(i)
		h = (h ^ xxhash.Sum64String(v)) * 0x9e3779b185ebca87 // the odd constant of xxHash's own rounds
	}
	if v := s.table.variant(h, l, structural, rec, ipv6); v != nil {
		return v.skel, v.fault
	}
	v := &Learned{Template: l.Template, name: l.name, hash: h, variant: true}
	v.name.IPv6 = ipv6
	v.name.Keys = make([]string, 0, len(structural))
	for _, i := range structural {
		text, _ := rec.Get(i)
		v.name.Keys = append(v.name.Keys, strings.Clone(text))
	}
	v.skel, v.fault = l.Template.Specialize(v.name)
	v = s.table.put(v)
	return v.skel, v.fault
}

// Retire drops the learned names and stops learning, because another snapshot is served. What workers still use remains
// valid.
func (s *Snapshot) Retire() {
	s.table.mu.Lock()
	defer s.table.mu.Unlock()
	s.table.budget.Close()
	for i := range s.table.slots {
		s.table.drop(&s.table.slots[i])
	}
}
