package skeleton

// builder collects the octets, slots and lengths of a skeleton.
type builder struct {
	base   []byte
	slots  []slot
	vary   int
	fixups []fixup
	tops   []topTLV

	local   bool // the octets since mark depend on this template: a variable was read, or something was left out
	changed int  // offset of the first slot or fixup since mark; -1: none
}

// A mark is a saved position in a builder.
type mark struct {
	at      place
	local   bool
	changed int
}

func (b *builder) here() place { return place{len(b.base), b.vary} }

// begin starts a piece; end then reports whether the piece is the same in all templates.
func (b *builder) begin() mark {
	m := mark{at: b.here(), local: b.local, changed: b.changed}
	b.local, b.changed = false, -1
	return m
}

// end returns the octets added since begin, the offset of the first one that a request can change (-1: none), and
// whether every template has the same octets here.
func (b *builder) end(m mark) (octets []byte, changed int, shared bool) {
	changed, shared = b.changed, !b.local
	b.local = b.local || m.local
	if m.changed >= 0 {
		b.changed = m.changed
	}
	return b.base[m.at.off:], changed, shared
}

func (b *builder) change(off int) {
	if b.changed < 0 || off < b.changed {
		b.changed = off
	}
}

// add appends a slot; a slot of fixed width is filled with zeros.
func (b *builder) add(s slot) {
	s.off = len(b.base)
	b.change(s.off)
	for range s.width {
		b.base = append(b.base, 0)
	}
	if s.width == 0 {
		b.vary++
	}
	b.slots = append(b.slots, s)
}

// group is a TLV whose contents are being appended.
type group struct {
	length place // of the length field
	octets int   // of the length field
	vary   int   // number of varying slots before it
}

// open appends a TLV's type and room for its length.
func (b *builder) open(code byte, octets int) group {
	b.base = append(b.base, code)
	g := group{length: b.here(), octets: octets, vary: b.vary}
	for range octets {
		b.base = append(b.base, 0)
	}
	return g
}

// close sets a TLV's length field or, if the length depends on the request, adds a fixup for it, whose faults are
// reported at the site that where returns. It returns the constant part of the length, and whether that fits.
func (b *builder) close(g group, where func() *site) (n int, ok bool) {
	n = len(b.base) - g.length.off - g.octets
	if n > 1<<(8*g.octets)-1 {
		return n, false
	}
	if b.vary > g.vary {
		b.change(g.length.off)
		b.fixups = append(b.fixups, fixup{at: g.length, octets: g.octets, fixed: n, first: g.vary, last: b.vary, site: where()})
		return n, true
	}
	at := b.base[g.length.off:]
	if g.octets == 2 {
		at[0] = byte(n >> 8)
		at = at[1:]
	}
	if g.octets > 0 {
		at[0] = byte(n)
	}
	return n, true
}
