package skeleton

import (
	"math"

	"dcs/render/ber"
	"dcs/render/tlv"
)

const snmpCode = 11 // SnmpMibObject

// slotted reports whether a setting of this kind can take its value from a request at all.
func (c *compiler) slotted(d *tlv.Def, form tlv.Form, vals []val) bool {
	all := make([]val, len(vals))
	for i := range vals {
		all[i] = vals[i].standIn()
	}
	for i := range vals {
		if vals[i].varies() {
			// An unknown value may still become the object and the type of a varbind.
			if d.Kind.Varbind() {
				return i == 2 && len(vals) == 3 && vals[i].dyn != nil
			}
			errs := c.errs
			_, ok := c.lower(d, form, all)
			c.errs = errs
			return ok
		}
	}
	return true
}

// lower makes a slot for a setting whose value depends on the request. It reports false for the kinds without slots.
func (c *compiler) lower(d *tlv.Def, form tlv.Form, vals []val) (slot, bool) {
	var s slot
	if form == tlv.FormFile || form == tlv.FormDigitMap {
		return s, false
	}
	if d.Kind.Varbind() {
		return c.lowerSNMP(d, vals)
	}
	if len(vals) != 1 || vals[0].kind != dynamicVal {
		return s, false
	}
	last := vals[0].constantDefault(&s)
	v := &vals[0]
	var ok bool
	if !s.shape(d) {
		return s, false
	}
	if last != nil {
		octets, err := c.enc.AppendValue([]byte{}, d, form, values([]val{*last}))
		c.instead(&s, last, octets, err)
		v = v.withoutLast()
	}
	if s.named = vals[0].named(); s.named && vals[0].quotes(s.kind) {
		return s, false
	}
	s.quoted = s.kind == hexSlot && (d.Quoted || d.Literal && v.dyn.op == dynText)
	if s.kind == intSlot {
		if d.Limited && !d.Unsure {
			s.min, s.max = max(s.min, d.Min), min(s.max, d.Max)
		}
		s.prog, ok = program(nil, v, 0)
		return s, ok
	}
	s.parts, ok = texts(nil, v)
	return s, ok
}

// quotes reports whether v is a text with variables, and of a kind whose constants mean something else in quotes. A slot
// cannot tell whether there were any.
func (v *val) quotes(kind slotKind) bool {
	return v.dyn.op == dynText && (kind == macSlot || kind == hexSlot)
}

// shapes are the slots of the kinds that take any value of one form.
var shapes = map[tlv.Kind]slot{
	tlv.KindIPv4:    {kind: ipv4Slot, width: 4},
	tlv.KindIPv6:    {kind: ipv6Slot, width: 16},
	tlv.KindMAC:     {kind: macSlot, width: 6},
	tlv.KindBytes:   {kind: hexSlot},
	tlv.KindString:  {kind: textSlot},
	tlv.KindZString: {kind: textSlot, nul: true},
}

// shape sets the slot's encoding and limits. It reports false for the kinds without slots.
func (s *slot) shape(d *tlv.Def) bool {
	if octets, signed := d.Kind.Number(); octets > 0 {
		s.kind, s.width = intSlot, octets
		s.min, s.max = 0, 1<<(8*octets)-1
		if signed {
			s.min, s.max = -1<<(8*octets-1), 1<<(8*octets-1)-1
		}
		return true
	}
	of, ok := shapes[d.Kind]
	s.kind, s.width, s.nul = of.kind, of.width, of.nul
	switch of.kind {
	case hexSlot:
		s.minLen, s.maxLen = d.LenMin, d.LenMax
	case textSlot:
		s.minLen, s.maxLen = d.Characters(true) // no modem is refused the file that it had before these were known
	}
	return ok
}

// lowerSNMP makes a slot for a varbind whose value depends on the request.
func (c *compiler) lowerSNMP(d *tlv.Def, vals []val) (slot, bool) {
	s := slot{kind: snmpSlot, mta: c.enc.Dialect == tlv.MTA && d.Parent().IsRoot(), long: d.LenBytes() == 2, code: d.Code, maxLen: 0xffff}
	if len(vals) != 3 || vals[2].kind != dynamicVal || !vals[0].constant() || !vals[1].constant() {
		return s, false
	}
	p, err := c.enc.Varbind(d, values(vals))
	if err != nil {
		c.errorf(vals[0].pos, "%v", err)
		return s, true
	}
	s.oid, s.arcs, s.tag = p.OID, p.Arcs, p.Type.Tag()
	switch p.Type {
	case tlv.Integer:
		s.value, s.min, s.max = intSlot, math.MinInt32, math.MaxInt32
	case tlv.Unsigned32, tlv.Counter32, tlv.TimeTicks:
		s.value, s.min, s.max = intSlot, 0, math.MaxUint32
	case tlv.Counter64:
		s.value, s.min, s.max = intSlot, 0, math.MaxInt64
	case tlv.IPAddress:
		s.value = ipv4Slot
	case tlv.OctetString:
		s.value = textSlot
	case tlv.HexString, tlv.Opaque:
		s.value = hexSlot
	default:
		return s, false
	}
	if p.Type == tlv.Integer && p.Object != nil && len(p.Object.Enums) > 0 {
		s.labels = p.Object
	}
	v := &vals[2]
	if last := v.constantDefault(&s); last != nil {
		octets, err := c.enc.AppendSNMPValue([]byte{}, d, &p, values([]val{*last}))
		c.instead(&s, last, octets, err)
		v = v.withoutLast()
	}
	if s.named = vals[2].named(); s.named && vals[2].quotes(s.value) {
		return s, false
	}
	var ok bool
	if s.value == intSlot {
		s.prog, ok = program(nil, v, 0)
	} else {
		s.parts, ok = texts(nil, v)
	}
	return s, ok && s.tag != ber.Null
}

// instead sets the octets of the default that replaces a slot's attributes. They are encoded like those of a constant,
// so that the default means the same whether or not there is an attribute of its name.
func (c *compiler) instead(s *slot, last *val, octets []byte, err error) {
	if err != nil {
		c.errorf(last.pos, "%v", err)
		return
	}
	s.instead = octets
}

// constantDefault returns the constant default of v if v is a chain of attributes, of which the first that the device
// has is used; it sets the slot's attrs to that chain. It returns nil if there is no constant default.
func (v *val) constantDefault(s *slot) *val {
	for v != nil && v.kind == dynamicVal && v.dyn.op == dynVar && v.dyn.src == fromAttr {
		s.attrs = append(s.attrs, v.dyn.attr)
		v = v.dyn.fallback
	}
	switch {
	case v == nil || len(s.attrs) == 0:
		return nil
	case v.constant():
		return v
	}
	s.attrs = nil
	return nil
}

// withoutLast returns v without its constant default.
func (v *val) withoutLast() *val {
	d, out := *v.dyn, *v
	if d.fallback.kind == dynamicVal {
		d.fallback = d.fallback.withoutLast()
	} else {
		d.fallback = nil
	}
	out.dyn = &d
	return &out
}
