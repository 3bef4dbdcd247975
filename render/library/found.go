package library

import (
	"unsafe"

	"github.com/cespare/xxhash/v2"

	"dcs/render/attr"
	"dcs/render/device"
	"dcs/render/skeleton"
)

// Found is what a name leads to. It belongs to its caller, who may let a [Finder] fill it in for one name after the other.
type Found struct {
	// File is the static file of that name; nil: Template renders it; both nil: Fault says why there is no file.
	File     *File
	Template *Template
	// MAC is the device that the pattern's group mac matched; zero: none.
	MAC device.MAC

	name   []byte
	groups []int          // of the pattern, as by regexp.FindSubmatchIndex; empty for a literal name
	given  uint64         // the groups that took part in the match, by bit; of the first 64
	fixed  skeleton.Fixed // of the kind
	kind   uint64         // the hash of what selects the kind, apart from the device
	fault  *skeleton.Fault
}

// room returns the memory of f for a name and the groups of a pattern. It begins with whole cache lines: f is written to at each request,
// and what is smaller might share its line with that of another worker.
func (f *Found) room() (name []byte, groups []int) {
	if f.name == nil {
		f.name, f.groups = make([]byte, 0, 64), make([]int, 0, 8)
	}
	return f.name[:0], f.groups[:0]
}

// Fault returns why no device gets a file by this name; nil: that depends on the device, or on the template's kind of name.
func (f *Found) Fault() *skeleton.Fault { return f.fault }

// Bad returns the part of the name that Fault is about; empty: all of it.
func (f *Found) Bad() []byte {
	if f.fault == nil || f.fault.Reason != skeleton.BadAddress {
		return nil
	}
	return f.group(f.Template.mac)
}

// Fill sets what the slots of a skeleton read from the name. The values are valid as long as f is not filled in again.
func (f *Found) Fill(v *skeleton.Values) { v.Name, v.Groups = f.name, f.groups }

// Resigned reports whether the name is that of a static file that is signed again.
func (f *Found) Resigned() bool { return f.Template != nil && f.Template.resigned }

// Captures returns the names of the groups of the template's pattern and what they matched, by number; both are nil for a literal name.
func (f *Found) Captures() (names, values []string) {
	if f.Template == nil || f.Template.pattern == nil {
		return nil, nil
	}
	n := f.asked()
	return f.Template.pattern.groups, n.Captures
}

// group returns what a group matched; nil: it took no part in the match.
func (f *Found) group(i int) []byte {
	if at := f.groups[2*i]; at >= 0 {
		return f.name[at:f.groups[2*i+1]]
	}
	return nil
}

// asked returns the name for a template.
func (f *Found) asked() skeleton.Name {
	n := skeleton.Name{Text: string(f.name)}
	for i := range len(f.groups) / 2 {
		n.Captures, n.Given = append(n.Captures, string(f.group(i))), append(n.Given, f.groups[2*i] >= 0)
	}
	return n
}

// lead makes a template that of the name.
func (f *Found) lead(t *Template) {
	f.Template = t
	if t.mac > 0 {
		if mac := f.group(t.mac); mac != nil {
			var err error
			if f.MAC, err = device.ParseMAC(mac); err != nil {
				f.fault = t.macFault(err)
			}
		}
	}
	f.choose(t.Fixed())
}

// choose sets the kind of the name: which groups of the pattern took part in the match, and the text of those that are fixed.
func (f *Found) choose(fixed skeleton.Fixed) {
	f.fixed, f.given = fixed, 0
	// Templates do not move in memory, and a kind in the table keeps its own.
	h := mix(uint64(uintptr(unsafe.Pointer(f.Template))), uint64(fixed))
	if fixed&skeleton.Exact != 0 {
		f.kind = mix(h, xxhash.Sum64(f.name))
		return
	}
	for i := 2; i < len(f.groups); i += 2 {
		if f.groups[i] < 0 {
			continue
		}
		f.given |= 1 << (i / 2)
		if fixed.Has(i / 2) {
			h = mix(h, xxhash.Sum64(f.name[f.groups[i]:f.groups[i+1]]))
		}
	}
	f.kind = mix(h, f.given)
}

// mix adds x to a hash.
func mix(h, x uint64) uint64 {
	h = (h ^ x) * 0x9e3779b185ebca87 // the odd constant of xxHash's own rounds
	return h ^ h>>32
}

// Trace makes the skeleton of a name for a device again, and returns the variables that were read for it.
func (f *Found) Trace(rec attr.Record, ipv6 bool) (*skeleton.Skeleton, []skeleton.Use, *skeleton.Fault) {
	if f.fault != nil {
		return nil, nil, f.fault
	}
	n := f.asked()
	n.IPv6 = ipv6 && f.Template.Families()
	for _, i := range f.Template.Structural() {
		v, _ := rec.Get(i)
		n.Keys = append(n.Keys, v)
	}
	return f.Template.Trace(n)
}

// macFault returns the fault of names whose group mac is no MAC address. It allocates the first time only.
func (t *Template) macFault(err error) *skeleton.Fault {
	place, text := &t.noMAC, "the group mac has matched what is not a MAC address"
	if err == device.ErrZeroMAC {
		place, text = &t.zeroMAC, "the group mac has matched all zeros, not the MAC address of a device"
	}
	if fault := place.Load(); fault != nil {
		return fault
	}
	place.CompareAndSwap(nil, &skeleton.Fault{Reason: skeleton.BadAddress, Pos: t.pattern.pos, Text: text})
	return place.Load()
}

// maxRivals is the number of a pattern's rivals that its faults name.
const maxRivals = 16

// ambiguous returns the fault of names that the pattern of a rival matches too. It allocates the first time only.
func (t *Template) ambiguous(rival *pattern) *skeleton.Fault {
	for {
		first := t.contest.Load()
		var late *skeleton.Fault
		n := 0
		for c := first; c != nil; c = c.next {
			switch c.rival {
			case rival:
				return c.fault
			case nil:
				late = c.fault
			}
			n++
		}
		if late != nil {
			return late
		}
		c := &contest{rival: rival, next: first, fault: &skeleton.Fault{
			Reason: skeleton.Ambiguous, Pos: t.pattern.pos,
			Text: "the pattern at " + rival.pos.String() + " matches this name too: give one of them a priority, or make them different",
		}}
		if n == maxRivals {
			c.rival, c.next = nil, first
			c.fault.Text = "other patterns match this name too: give them different priorities"
		}
		t.contest.CompareAndSwap(first, c)
	}
}

// contest is the fault of names that two patterns match.
type contest struct {
	rival *pattern // nil: all that come late
	fault *skeleton.Fault
	next  *contest
}
