package lint

import (
	"encoding/binary"
	"math"

	"dcs/render/ber"
	"dcs/render/ber/mib"
	"dcs/render/tlv"
)

// A setting is an SNMP object that a file sets.
type setting struct {
	n    *tlv.Node
	in   string // path of the TLV around it: objects of the modem, of its router
	vb   ber.Varbind
	obj  *mib.Object // nil: not in the index
	inst ber.OID
}

// settings returns the SNMP objects of the file, in order; nil without an index of names.
func (v *view) settings() []*setting {
	if v.MIB == nil || v.objects != nil {
		return v.objects
	}
	v.objects = []*setting{}
	v.walk(func(n *tlv.Node, up []*tlv.Node) bool {
		if n.Def == nil || !n.Def.Kind.Varbind() {
			return true
		}
		if v.around(n) >= 0 {
			return false // its object is not known
		}
		vb, err := ber.ParseVarbind(n.Value)
		if err != nil {
			return false
		}
		s := &setting{n: n, vb: vb, inst: vb.OID}
		if len(up) > 0 {
			s.in = v.path(up[len(up)-1])
		}
		if obj, inst, ok := v.MIB.Lookup(vb.OID); ok {
			// Some modules give an instance a name of its own: sysUpTimeInstance.
			if last := len(vb.OID) - 1; len(inst) == 0 && last > 0 {
				if above, rest, ok := v.MIB.Lookup(vb.OID[:last]); ok && above.Kind == mib.Scalar && len(rest) == 0 {
					obj, inst = above, vb.OID[last:]
				}
			}
			if len(inst) == 0 || obj.Kind == mib.Scalar || obj.Kind == mib.Column {
				s.obj, s.inst = obj, inst
			}
		}
		v.objects = append(v.objects, s)
		return false
	})
	return v.objects
}

// name returns the object as a template names it.
func (c *check) name(s *setting) string { return c.MIB.Name(s.vb.OID) }

// hasValue reports whether the object is one that can be set.
func (s *setting) hasValue() bool {
	return s.obj != nil && (s.obj.Kind == mib.Scalar || s.obj.Kind == mib.Column)
}

// snmpRules are about single SNMP objects.
var snmpRules = []Rule{
	{
		ID: "oid-unknown", Severity: Warning, In: all, Cite: "messages of modems' logs: 73040100, unrecognized OID",
		Meaning: "No module that is loaded has the object: a modem that has none either logs it as unrecognized, and goes on.",
		Remedy:  "check the number, or add the module to mib_path",
		check: func(c *check) {
			for _, s := range c.settings() {
				if s.obj == nil {
					c.report(s.n, "%v is under no known object", s.vb.OID)
				}
			}
		},
	},
	{
		ID: "oid-type", Severity: Error, In: all, Cite: "RFC 2578, section 7.1; RFC 4682: value does not match type",
		Meaning: "The value has another type than the object: the device refuses to set it.",
		Remedy:  "write the type of the object",
		check: func(c *check) {
			for _, s := range c.settings() {
				if !s.hasValue() {
					continue
				}
				if tag := mib.SyntaxTag(s.obj.Syntax); tag != 0 && tag != s.vb.Tag {
					c.report(s.n, "%s is of type %v, the value is %v", c.name(s), s.obj.Syntax, s.vb.Tag)
				}
			}
		},
	},
	{
		ID: "oid-range", Severity: Error, In: all, Cite: "RFC 2578, sections 7.1 and 9; RFC 4682: value not in range",
		Meaning: "The module does not allow the value: it is no named one, out of range, or too long.",
		Remedy:  "dcs mib shows what the object takes",
		check: func(c *check) {
			for _, s := range c.settings() {
				if s.hasValue() && mib.SyntaxTag(s.obj.Syntax) == s.vb.Tag {
					c.objectRange(s)
				}
			}
		},
	},
	{
		ID: "oid-access", Severity: Error, In: all, Cite: "RFC 2578, section 7.3",
		Meaning: "The object cannot be set; an obsolete one may be missing in devices.",
		Remedy:  "delete the statement",
		check: func(c *check) {
			for _, s := range c.settings() {
				if !s.hasValue() {
					continue
				}
				switch s.obj.Access {
				case "read-only", "not-accessible", "accessible-for-notify", "not-implemented":
					c.report(s.n, "%s is %s: it cannot be set", c.name(s), s.obj.Access)
				default:
					if s.obj.Status == "obsolete" {
						c.reportAs(Warning, s.n, "%s is obsolete", c.name(s))
					}
				}
			}
		},
	},
	{
		ID: "oid-instance", Severity: Error, In: all, Cite: "RFC 2578, section 7.7",
		Meaning: "The object has no such instance: that of a scalar is .0, that of a column the values of the row's index.",
		Remedy:  "dcs mib shows the index of the object",
		check: func(c *check) {
			for _, s := range c.settings() {
				if s.obj == nil {
					continue
				}
				if err := c.MIB.CheckInstance(s.obj, s.inst); err != nil {
					c.report(s.n, "%v", err)
				} else if s.obj.Kind == mib.Node || s.obj.Kind == mib.Identity {
					c.report(s.n, "%s is a %v, which has no value", s.obj.Label, s.obj.Kind)
				}
			}
		},
	},
	{
		ID: "oid-dup", Severity: Error, In: all, Recalled: true, Cite: "OCAP: multiple SET of object instance; event 73040300",
		Meaning: "An object is set twice: a modem refuses the file (TLV-11 - failed to set duplicate elements).",
		Remedy:  "keep one of the statements",
		check: func(c *check) {
			first := map[string]*tlv.Node{}
			for _, s := range c.settings() {
				key := s.in + " " + s.vb.OID.String()
				if was := first[key]; was != nil {
					c.also(c.report(s.n, "%s is set twice: a modem refuses the file", c.name(s)), was, "set here first")
				} else {
					first[key] = s.n
				}
			}
		},
	},
}

// objectRange reports a value that the module does not allow.
func (c *check) objectRange(s *setting) {
	o := s.obj
	switch o.Syntax {
	case mib.OctetString:
		i := exactly(int64(len(s.vb.Value)))
		if slots := c.slots(s.n); len(slots) == 1 && slots[0].Len == len(s.vb.Value) {
			i = interval{int64(slots[0].MinLen), int64(slots[0].MaxLen), slots[0].Bounded}
		} else if len(slots) > 0 {
			return
		}
		if lo, hi, ok := hull(o); ok {
			if i.single() {
				if err := o.CheckSize(int(i.min)); err != nil {
					c.report(s.n, "%v", err)
				}
				return
			}
			c.judge(i.outside(lo, hi), s.n, "%s: the module allows %d to %d octets", o.Label, lo, hi)
		}
	case mib.Bits:
		if n := len(o.Enums); n > 0 && c.constant(s.n) {
			if most := int(o.Enums[n-1].Value)/8 + 1; len(s.vb.Value) > most {
				c.report(s.n, "%s: %d octets, the named bits take %d", o.Label, len(s.vb.Value), most)
			}
		}
	case mib.IPAddress, mib.NetworkAddress:
		if c.constant(s.n) && len(s.vb.Value) != 4 {
			c.report(s.n, "%s: %d octets, an address has 4", o.Label, len(s.vb.Value))
		}
	case mib.ObjectIdentifier, mib.Opaque:
	default:
		c.numberRange(s)
	}
}

func (c *check) numberRange(s *setting) {
	o := s.obj
	if slots := c.slots(s.n); len(slots) > 0 {
		lo, hi, ok := hull(o)
		if ok && len(slots) == 1 && slots[0].Numeric {
			i := interval{slots[0].Min, slots[0].Max, slots[0].Bounded}
			c.judge(i.outside(lo, hi), s.n, "%s: the module allows %d to %d", o.Label, lo, hi)
		}
		return
	}
	value, ok := s.integer()
	if !ok {
		c.report(s.n, "%s: %d octets are no number of its type", o.Label, len(s.vb.Value))
		return
	}
	if err := o.CheckValue(value); err != nil {
		c.report(s.n, "%v", err)
	}
}

// integer returns a value that is a number; ok is false if it is none. One over the largest int64 is that.
func (s *setting) integer() (x int64, ok bool) {
	if s.vb.Tag == ber.Integer {
		x, err := ber.DecodeInt(s.vb.Value)
		return x, err == nil
	}
	u, err := ber.DecodeUint(s.vb.Value)
	return int64(min(u, math.MaxInt64)), err == nil
}

// hull returns the least and the greatest value, or size, that a module allows; ok is false if it gives none.
func hull(o *mib.Object) (lo, hi int64, ok bool) {
	lo, hi = math.MaxInt64, math.MinInt64
	for _, e := range o.Enums {
		lo, hi = min(lo, e.Value), max(hi, e.Value)
	}
	if len(o.Enums) == 0 {
		for _, r := range o.Ranges {
			lo, hi = min(lo, r.Min), max(hi, r.Max)
		}
	}
	return lo, hi, lo <= hi
}

// appendRow appends what is the same for all columns of a row: where it stands, its entry, and the instance.
func (s *setting) appendRow(b []byte) []byte {
	entry := s.obj.OID[:len(s.obj.OID)-1]
	b = append(append(b, s.in...), 0)
	b = binary.AppendUvarint(b, uint64(len(entry)))
	for _, id := range entry {
		b = binary.AppendUvarint(b, uint64(id))
	}
	for _, id := range s.inst {
		b = binary.AppendUvarint(b, uint64(id))
	}
	return b
}
