package library

import (
	"unsafe"

	"github.com/cespare/xxhash/v2"

	"dcs/render/device"
	"dcs/render/skeleton"
)

// Hash returns the hash of a name for [Finder.Find].
func Hash(name []byte) uint64 { return xxhash.Sum64(name) }

const (
	recentNames  = 1024
	recentOctets = 63 // maximum length; longer names are looked up each time
	recentGroups = 8  // maximum number of groups, the whole match included
)

// FinderOctets is the maximum memory of a Finder in octets, apart from what matching a pattern takes.
const FinderOctets = recentNames * int(unsafe.Sizeof(recent{}))

// A Finder looks up names, and remembers some of those that it found last. It must not be shared between goroutines; its zero value is
// ready. It does not allocate for names whose patterns it has seen.
type Finder struct {
	snap   *Snapshot
	names  []recent
	search search
}

// recent is a name that was found. It has a place that depends on its hash; a new name replaces the one there. Names are compared
// in full, so a hash collision does no harm.
type recent struct {
	hash     uint64
	kind     uint64
	given    uint64
	fixed    skeleton.Fixed
	file     *File
	template *Template
	fault    *skeleton.Fault
	mac      device.MAC
	groups   uint8 // number of groups
	n        uint8 // octets of name; 0: empty
	name     [recentOctets]byte
	at       [2 * recentGroups]int8
}

// Find sets found to what a name leads to in s, and reports whether there is anything. h is the name's [Hash]. It takes no lock.
func (f *Finder) Find(s *Snapshot, h uint64, name []byte, found *Found) bool {
	if f.names == nil {
		f.names = make([]recent, recentNames)
	}
	if f.snap != s {
		clear(f.names)
		f.snap = s
	}
	r := &f.names[h%recentNames]
	if r.hash == h && r.n != 0 && string(r.name[:r.n]) == string(name) {
		r.recall(name, found)
		if t := r.template; t != nil && r.fault == nil && r.fixed != t.Fixed() { // more is known since
			found.choose(t.Fixed())
			r.store(h, found)
		}
		return true
	}
	if !s.resolve(name, &f.search, found) {
		return false
	}
	r.store(h, found)
	return true
}

// recall sets found to what was stored.
func (r *recent) recall(name []byte, found *Found) {
	text, groups := found.room()
	for _, at := range r.at[:2*r.groups] {
		groups = append(groups, int(at))
	}
	*found = Found{
		File: r.file, Template: r.template, MAC: r.mac, name: append(text, name...), groups: groups,
		given: r.given, fixed: r.fixed, kind: r.kind, fault: r.fault,
	}
}

// store remembers what a name leads to, if there is room for it.
func (r *recent) store(h uint64, found *Found) {
	if len(found.name) > recentOctets || len(found.groups) > len(r.at) {
		return
	}
	r.hash, r.kind, r.given, r.fixed = h, found.kind, found.given, found.fixed
	r.file, r.template, r.fault, r.mac = found.File, found.Template, found.fault, found.MAC
	r.groups, r.n = uint8(len(found.groups)/2), uint8(copy(r.name[:], found.name))
	for i, at := range found.groups {
		r.at[i] = int8(at)
	}
}

// Find returns what a name leads to, nil if it is unknown, for those who have few names.
func (s *Snapshot) Find(name []byte) *Found {
	found := new(Found)
	if !s.resolve(name, new(search), found) {
		return nil
	}
	return found
}

// resolve looks a name up: literal names take precedence over static files, and those over patterns.
func (s *Snapshot) resolve(name []byte, sr *search, found *Found) bool {
	text, groups := found.room()
	*found = Found{name: append(text, name...), groups: groups}
	if fault := s.claims[string(name)]; fault != nil {
		found.fault = fault
		return true
	}
	if t := s.literals[string(name)]; t != nil {
		found.lead(t)
		return true
	}
	if s.static.resolve(s, found) {
		return true
	}
	best, rival := s.patterns.match(name, sr)
	if best == nil {
		return false
	}
	if best.of == nil {
		found.fault = best.fault
		return true
	}
	found.groups = append(found.groups, sr.best...)
	if found.lead(best.of); rival != nil {
		found.fault = best.of.ambiguous(rival)
	}
	return true
}
