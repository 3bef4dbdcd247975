package mib

import "sort"

// kind returns the kind of an object; columns still count as scalars.
func (l *loader) kind(m *module, def *smiObject) Kind {
	switch def.macro {
	case "MODULE-IDENTITY", "OBJECT-IDENTITY":
		return Identity
	case "NOTIFICATION-TYPE", "TRAP-TYPE":
		return Notification
	case "OBJECT-TYPE":
		if def.syntax == nil {
			return Node
		}
		if def.syntax.table {
			return Table
		}
		own := m.types[def.syntax.base]
		if len(def.index) > 0 || def.augments != "" || def.syntax.sequence || own != nil && own.sequence {
			return Row
		}
		return Scalar
	}
	return Node
}

// baseType returns the syntax of a type that is built into SMI.
func baseType(name string) (Syntax, bool) {
	switch name {
	case "INTEGER", "Integer32":
		return Integer32, true
	case "Unsigned32", "UInteger32":
		return Unsigned32, true
	case "Gauge", "Gauge32":
		return Gauge32, true
	case "Counter", "Counter32":
		return Counter32, true
	case "Counter64":
		return Counter64, true
	case "TimeTicks":
		return TimeTicks, true
	case "IpAddress":
		return IPAddress, true
	case "NetworkAddress":
		return NetworkAddress, true
	case "OCTET STRING":
		return OctetString, true
	case "OBJECT IDENTIFIER":
		return ObjectIdentifier, true
	case "BITS":
		return Bits, true
	case "Opaque":
		return Opaque, true
	}
	return NoSyntax, false
}

// describe sets the type of a scalar or column.
func (l *loader) describe(m *module, def *smiObject, o *Object) {
	if _, basic := baseType(def.syntax.base); !basic {
		o.TC = def.syntax.base
	}
	t := def.syntax
	// Bounded, because conventions can be defined in terms of each other.
	for range 16 {
		if len(o.Enums) == 0 {
			o.Enums = t.enums
		}
		if len(o.Ranges) == 0 {
			o.Ranges = t.ranges
		}
		if s, basic := baseType(t.base); basic {
			o.Syntax = s
			return
		}
		next, in := l.typeOf(m, t.base)
		if next == nil {
			if tc, ok := l.base.t.convention(t.base); ok {
				o.Syntax = tc.Syntax
				if len(o.Enums) == 0 {
					o.Enums = tc.Enums
				}
				if len(o.Ranges) == 0 {
					o.Ranges = tc.Ranges
				}
				return
			}
			break
		}
		t, m = next, in
	}
	l.failf("%s:%d: %s: its type %s is not known", m.file, def.line, def.name, def.syntax.base)
}

// typeOf returns a type that a module defines or imports, and the module that defines it.
func (l *loader) typeOf(m *module, name string) (*smiType, *module) {
	if t := m.types[name]; t != nil {
		return t, m
	}
	if other := l.modules[m.imports[name]]; other != nil && other != m {
		if t := other.types[name]; t != nil {
			return t, other
		}
	}
	return nil, nil
}

// convention returns a textual convention: its syntax, enumeration and ranges.
func (t *table) convention(name string) (Object, bool) {
	i := sort.Search(t.nTCs, func(i int) bool { return t.text(le32(t.tcs, i*tcSize)) >= name })
	if i == t.nTCs || t.text(le32(t.tcs, i*tcSize)) != name {
		return Object{}, false
	}
	return Object{
		Label:  name,
		Enums:  decodeEnums(t.dictValue(le16(t.tcs, i*tcSize+4))),
		Ranges: decodeRanges(t.dictValue(le16(t.tcs, i*tcSize+6))),
		Syntax: Syntax(le32(t.tcs, i*tcSize+8)),
	}, true
}
