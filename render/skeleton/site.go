package skeleton

import (
	"fmt"
	"math"
	"slices"
	"sync"
	"sync/atomic"

	"dcs/render/ber"
	"dcs/render/ber/mib"
	"dcs/render/syntax"
)

// site is a setting whose value comes with each request, as described by its faults. All skeletons with the setting
// share it. Each of its faults is made once, when the first request has it.
type site struct {
	siteKey
	made [NumReasons]atomic.Pointer[Fault]
}

// siteKey identifies a site.
type siteKey struct {
	pos            syntax.Pos
	what           string // "MaxCPE $cpe"
	kind           slotKind
	min, max       int64
	minLen, maxLen int
	labels         *mib.Object
	tag            ber.Tag
	mta            bool
	address        bool // the value is, or contains, the request's address
	octets         int  // of the length field of a group; 0: not a group
}

// sites are the sites of the skeletons that a library serves.
type sites struct {
	mu   sync.Mutex
	made map[siteKey]*site
}

// site returns the site of key. Until Seal, skeletons are made only to check templates, and share no sites; those of a fork, which nobody
// renders, have none of their own.
func (e *Env) site(key siteKey) *site {
	if e.room != nil {
		return &e.room.site
	}
	if e.sites == nil {
		return &site{siteKey: key}
	}
	e.sites.mu.Lock()
	defer e.sites.mu.Unlock()
	s := e.sites.made[key]
	if s == nil {
		s = &site{siteKey: key}
		e.sites.made[key] = s
	}
	return s
}

// seal sets the site of a setting's slot.
func (e *Env) seal(s *slot, pos syntax.Pos, what string, values ...syntax.Expr) {
	if e.room != nil {
		s.site = &e.room.site
		return
	}
	for _, v := range values {
		what += " " + write(v)
	}
	s.site = e.site(siteKey{
		pos: pos, what: what, kind: s.kind, min: s.min, max: s.max, minLen: s.minLen, maxLen: s.maxLen,
		labels: s.labels, tag: s.tag, mta: s.mta,
		address: slices.ContainsFunc(s.parts, func(p part) bool { return p.src == fromIP || p.src == fromServer }),
	})
}

// fault returns the site's fault for a reason. It allocates the first time only.
func (s *site) fault(r Reason) *Fault {
	if f := s.made[r].Load(); f != nil {
		return f
	}
	f := &Fault{Reason: r, Pos: s.pos, What: s.what, Text: s.text(r)}
	if !s.made[r].CompareAndSwap(nil, f) {
		return s.made[r].Load()
	}
	return f
}

// text returns a text that is more specific than the reason's own, if there is one.
func (s *site) text(r Reason) string {
	switch {
	case r == Missing && s.address:
		return "the request brings no such address, or the device has no such attribute and there is no default"
	case r == OutOfRange && s.kind == snmpSlot && s.tag == ber.Counter64:
		return fmt.Sprintf("the value is out of range, 0 to %d", uint64(math.MaxUint64))
	case r == OutOfRange:
		return fmt.Sprintf("the value is out of range, %d to %d", s.min, s.max)
	case r == NotInteger && s.labels != nil:
		return "the value is neither an integer nor a label: " + s.labels.Label + " has " + s.labels.EnumText()
	case r == BlockTooLong && s.octets > 0:
		return fmt.Sprintf("the block is longer than the %d octets that fit in a TLV; split it", 1<<(8*s.octets)-1)
	case r == BlockTooLong && s.mta:
		return "the object with its value is longer than the 65535 octets that fit in TLV 64"
	case r == BlockTooLong:
		return "the object with its value is longer than the 255 octets that fit in a TLV; only MTA files have a longer form (TLV 64)"
	case r == BadLength:
		return fmt.Sprintf("the value's length is out of range, %d to %d octets", s.minLen, s.maxLen)
	}
	return ""
}
