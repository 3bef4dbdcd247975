package mib

import "fmt"

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
	t, cause := l.effective(m, def.syntax)
	o.Syntax, o.Enums, o.Ranges = t.Syntax, t.Enums, t.Ranges
	if cause != "" {
		l.warnOnce(m.file+m.name+cause, fmt.Sprintf("%s:%d: %s: its type %s; its values are not checked", m.file, def.line, def.name, cause))
	}
}

// effective returns what a type amounts to: base syntax, enumeration, ranges and hint, each from the outermost type that
// gives it. The cause, "X is not known", is empty if it is known to its base.
func (l *loader) effective(m *module, t *smiType) (e Type, cause string) {
	outermost := t.base
	// Bounded, because types can be defined in terms of each other.
	for range 16 {
		add(&e, Type{Enums: t.enums, Ranges: t.ranges, Hint: t.hint})
		if s, basic := baseType(t.base); basic {
			e.Syntax = s
			return e, ""
		}
		next, in := l.typeOf(m, t.base)
		if next == nil {
			known, err := l.base.typeNamed(t.base, m.imports[t.base])
			if err != nil {
				return e, err.Error()
			}
			add(&e, known)
			e.Syntax = known.Syntax
			return e, ""
		}
		t, m = next, in
	}
	return e, outermost + " is defined in terms of itself"
}

// add fills in what a type lacks from the one that it refines.
func add(e *Type, from Type) {
	if len(e.Enums) == 0 {
		e.Enums = from.Enums
	}
	if len(e.Ranges) == 0 {
		e.Ranges = from.Ranges
	}
	if e.Hint == "" {
		e.Hint = from.Hint
	}
}

// typeOf returns a type that a module defines or imports from another of the operator's, and the module that defines it.
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

// types returns the named types of the modules for the index; those of rows and tables are none.
func (l *loader) types() []Type {
	var all []Type
	for _, m := range l.order {
		for name, t := range m.types {
			if t.sequence || t.table {
				continue
			}
			e, cause := l.effective(m, t)
			if cause != "" {
				continue // objects of the type have told
			}
			e.Name, e.Module, e.Status = name, m.name, t.status
			if _, basic := baseType(t.base); !basic {
				e.Parent = t.base
			}
			all = append(all, e)
		}
	}
	return all
}
