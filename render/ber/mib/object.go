// Package mib resolves SNMP object names, by an index of some 27,000 of them that is part of the program.
package mib

import (
	"fmt"
	"strings"

	"dcs/render/ber"
)

// Kind is what a node of the object tree is.
type Kind uint8

const (
	Node         Kind = iota // plain OIDs, groups, compliances, capabilities
	Identity                 // MODULE-IDENTITY, OBJECT-IDENTITY
	Scalar                   // has one instance, .0
	Table                    // SEQUENCE OF
	Row                      // has the INDEX or AUGMENTS
	Column                   // its instances are named by the row's index
	Notification             // traps too
)

var kindNames = [...]string{"node", "identity", "scalar", "table", "row", "column", "notification"}

func (k Kind) String() string {
	if int(k) < len(kindNames) {
		return kindNames[k]
	}
	return fmt.Sprintf("kind %d", uint8(k))
}

// Syntax is the base type of a scalar or column (RFC 2578, section 7.1).
type Syntax uint8

const (
	NoSyntax  Syntax = iota // no scalar and no column, or not known
	Integer32               // INTEGER too, with and without enumeration
	Unsigned32
	Gauge32
	Counter32
	Counter64
	TimeTicks
	IPAddress
	NetworkAddress // SMIv1; an IpAddress on the wire
	OctetString
	ObjectIdentifier
	Bits // an OCTET STRING on the wire
	Opaque
)

var syntaxNames = [...]string{
	"", "Integer32", "Unsigned32", "Gauge32", "Counter32", "Counter64", "TimeTicks",
	"IpAddress", "NetworkAddress", "OctetString", "ObjectIdentifier", "BITS", "Opaque",
}

func (s Syntax) String() string {
	if int(s) < len(syntaxNames) {
		return syntaxNames[s]
	}
	return fmt.Sprintf("syntax %d", uint8(s))
}

// SyntaxTag is the tag that values of a syntax have on the wire; 0 for NoSyntax.
func SyntaxTag(s Syntax) ber.Tag {
	switch s {
	case Integer32:
		return ber.Integer
	case Unsigned32, Gauge32:
		return ber.Gauge32
	case Counter32:
		return ber.Counter32
	case Counter64:
		return ber.Counter64
	case TimeTicks:
		return ber.TimeTicks
	case IPAddress, NetworkAddress:
		return ber.IPAddress
	case OctetString, Bits:
		return ber.OctetString
	case ObjectIdentifier:
		return ber.ObjectID
	case Opaque:
		return ber.Opaque
	}
	return 0
}

// Enum is a named number, or for BITS a named bit.
type Enum struct {
	Label string
	Value int64
}

// Range is one range of allowed values, or of lengths in octets for an OctetString. Both
// ends are allowed.
type Range struct {
	Min, Max int64
}

// Object is what a MIB module says about one node.
type Object struct {
	Label  string
	Module string // empty where not known
	OID    ber.OID
	Kind   Kind
	Syntax Syntax
	TC     string // the textual convention that the object names, the outermost one
	Enums  []Enum
	Ranges []Range // any of them; none if unlimited or not known

	Index    []string // of a Row: its index objects
	Implied  bool     // the last index object has no length in front
	Augments string   // of a Row: the row whose index it shares

	Access string // read-only, read-write, read-create, not-accessible, …; empty for a Node
	Status string // current, deprecated, obsolete, mandatory; empty for a Node
}

// EnumValue is the number that a label stands for. Labels are case-sensitive.
func (o *Object) EnumValue(label string) (int64, bool) {
	for _, e := range o.Enums {
		if e.Label == label {
			return e.Value, true
		}
	}
	return 0, false
}

// EnumLabel is the label that stands for a number.
func (o *Object) EnumLabel(v int64) (string, bool) {
	for _, e := range o.Enums {
		if e.Value == v {
			return e.Label, true
		}
	}
	return "", false
}

// CheckValue says why an integer is none that the module allows: it is not one of the
// enumeration, or outside the ranges. Agents may allow more, so this is worth a warning.
func (o *Object) CheckValue(v int64) error {
	switch o.Syntax {
	case OctetString, ObjectIdentifier, Bits, Opaque, IPAddress, NetworkAddress:
		return nil
	}
	if len(o.Enums) > 0 {
		if _, ok := o.EnumLabel(v); !ok {
			return fmt.Errorf("%s: %d is not one of %s", o.Label, v, o.EnumText())
		}
		return nil
	}
	if !o.inRanges(v) {
		return fmt.Errorf("%s: %d is not in %s", o.Label, v, o.rangeText())
	}
	return nil
}

// CheckSize says why a string of n octets is none that the module allows.
func (o *Object) CheckSize(n int) error {
	if o.Syntax == OctetString && !o.inRanges(int64(n)) {
		return fmt.Errorf("%s: %d octets, the module allows %s", o.Label, n, o.rangeText())
	}
	return nil
}

func (o *Object) inRanges(v int64) bool {
	for _, r := range o.Ranges {
		if r.Min <= v && v <= r.Max {
			return true
		}
	}
	return len(o.Ranges) == 0
}

func (o *Object) rangeText() string {
	var b strings.Builder
	for i, r := range o.Ranges {
		if i > 0 {
			b.WriteString(", ")
		}
		if r.Min == r.Max {
			fmt.Fprint(&b, r.Min)
		} else {
			fmt.Fprintf(&b, "%d to %d", r.Min, r.Max)
		}
	}
	return b.String()
}

// EnumText lists the enumeration for a message: "active(1), notInService(2)". Long ones are
// cut short.
func (o *Object) EnumText() string {
	const most = 12
	var b strings.Builder
	for i, e := range o.Enums {
		if i > 0 {
			b.WriteString(", ")
		}
		if i == most && len(o.Enums) > most+1 {
			fmt.Fprintf(&b, "… (%d in all)", len(o.Enums))
			break
		}
		fmt.Fprintf(&b, "%s(%d)", e.Label, e.Value)
	}
	return b.String()
}
