// Package mib resolves SNMP object names by a built-in index of some 54,000 objects.
package mib

import (
	"fmt"
	"strconv"
	"strings"

	"dcs/render/ber"
)

// Kind is the kind of a node in the object tree.
type Kind uint8

const (
	Node         Kind = iota // plain OIDs, groups, compliances, capabilities
	Identity                 // MODULE-IDENTITY, OBJECT-IDENTITY
	Scalar                   // has one instance, .0
	Table                    // SEQUENCE OF
	Row                      // the node with the INDEX or AUGMENTS
	Column                   // instances are named by the row's index
	Notification             // also traps
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
	NoSyntax  Syntax = iota // neither scalar nor column, or unknown
	Integer32               // also INTEGER, with or without enumeration
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

// SyntaxTag returns the BER tag of values of a syntax; 0 for NoSyntax.
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

// Enum is a named number or, for BITS, a named bit.
type Enum struct {
	Label string
	Value int64
}

// Range is an inclusive range of allowed values, or of lengths in octets for an OctetString.
type Range struct {
	Min, Max int64
}

// Object is the definition of one node in a MIB module.
type Object struct {
	Label  string
	Module string // empty if unknown
	OID    ber.OID
	Kind   Kind
	Syntax Syntax
	TC     string // textual convention named by the object, the outermost one
	Enums  []Enum
	Ranges []Range // a value must be in one of them; empty if unlimited or unknown

	Index    []string // index objects of a Row
	Implied  bool     // the last index object has no length prefix
	Augments string   // of a Row: the row whose index it uses

	Access string // read-only, read-write, read-create, not-accessible, …; empty for a Node
	Status string // current, deprecated, obsolete, mandatory; empty for a Node

	Edition string // the LAST-UPDATED of the module, YYYYMMDDhhmm; empty if unknown
	Later   bool   // of a module, or an edition, that the open encoder does not have: a label of both is that of the other
}

// Type is a named type: a textual convention, or a plain type assignment of SMIv1.
type Type struct {
	Name, Module string
	Syntax       Syntax
	Enums        []Enum
	Ranges       []Range
	Hint         string // DISPLAY-HINT
	Parent       string // the type that it refines; empty for a base type
	Status       string
}

// EnumValue returns the number of a label, which is case-sensitive. The label may be followed by its number in parentheses, as
// in createAndGo(4); a number that is another's is not ok.
func (o *Object) EnumValue(label string) (v int64, ok bool) {
	label, number, numbered := strings.Cut(label, "(")
	for _, e := range o.Enums {
		if e.Label != label {
			continue
		}
		if !numbered {
			return e.Value, true
		}
		n, err := strconv.ParseInt(strings.TrimSuffix(number, ")"), 10, 64)
		return e.Value, err == nil && n == e.Value && strings.HasSuffix(number, ")")
	}
	return 0, false
}

// EnumLabel returns the label of a number.
func (o *Object) EnumLabel(v int64) (string, bool) {
	for _, e := range o.Enums {
		if e.Value == v {
			return e.Label, true
		}
	}
	return "", false
}

// CheckValue returns an error if the module does not allow an integer: it is not in the enumeration, or
// outside the ranges. Agents may allow more, so callers should only warn.
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

// CheckSize returns an error if the module does not allow a string of n octets.
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

// EnumText returns the enumeration for a message, as in "active(1), notInService(2)", abbreviated if long.
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
