package tlv

import (
	"slices"
	"strconv"
	"strings"

	"dcs/render/ber"
	"dcs/render/ber/mib"
)

// SNMPType is the type keyword between an SNMP object's name and its value.
type SNMPType uint8

const (
	SNMPNone      SNMPType = iota
	Integer                // -2147483648 to 2147483647, or an enumeration's label
	Unsigned32             // 0 to 4294967295; Gauge32 is the same
	Counter32              // 0 to 4294967295
	Counter64              // 0 to 18446744073709551615
	TimeTicks              // 0 to 4294967295 hundredths of a second
	IPAddress              // IPv4
	ObjectID               // dotted, or a name
	OctetString            // quoted
	HexString              // 0x…
	DecimalString          // octets in decimal separated by dots, quoted
	BitString              // 0x…: the number of unused bits at the end in an octet, then the bits; not what SMIv2 calls BITS
	BITS                   // names or numbers of bits separated by commas, or 0x…
	Opaque                 // 0x…
)

var snmpTypes = [...]struct {
	name string
	tag  ber.Tag
}{
	SNMPNone: {"none", 0}, Integer: {"Integer", ber.Integer}, Unsigned32: {"Gauge32", ber.Gauge32},
	Counter32: {"Counter32", ber.Counter32}, Counter64: {"Counter64", ber.Counter64},
	TimeTicks: {"TimeTicks", ber.TimeTicks}, IPAddress: {"IPAddress", ber.IPAddress},
	ObjectID: {"ObjectID", ber.ObjectID}, OctetString: {"String", ber.OctetString},
	HexString: {"HexString", ber.OctetString}, DecimalString: {"DecimalString", ber.OctetString},
	BitString: {"BitString", ber.BitString},
	BITS:      {"BITS", ber.OctetString}, Opaque: {"Opaque", ber.Opaque},
}

// String returns the keyword.
func (t SNMPType) String() string {
	if int(t) < len(snmpTypes) {
		return snmpTypes[t].name
	}
	return "none"
}

// Tag returns the BER tag of values of the type.
func (t SNMPType) Tag() ber.Tag {
	if int(t) < len(snmpTypes) {
		return snmpTypes[t].tag
	}
	return 0
}

// parseSNMPType parses a type keyword, ignoring case.
func parseSNMPType(s string) (SNMPType, bool) {
	switch strings.ToLower(s) {
	case "integer", "integer32":
		return Integer, true
	case "unsigned32", "gauge", "gauge32":
		return Unsigned32, true
	case "counter32", "counter":
		return Counter32, true
	case "counter64":
		return Counter64, true
	case "timeticks":
		return TimeTicks, true
	case "ipaddress":
		return IPAddress, true
	case "objectid", "objectidentifier":
		return ObjectID, true
	case "string", "octetstring":
		return OctetString, true
	case "hexstring":
		return HexString, true
	case "decimalstring":
		return DecimalString, true
	case "bitstring":
		return BitString, true
	case "bits":
		return BITS, true
	case "opaque":
		return Opaque, true
	}
	return SNMPNone, false
}

// digitMapOID is the object that a DigitMap sets, without its instance: pktcEUERSTDMValue of CL-PKTC-EUE-RST-MIB.
var digitMapOID = ber.OID{1, 3, 6, 1, 4, 1, 4491, 2, 2, 8, 2, 1, 1, 3, 1, 1, 2}

// VarbindPrefix is the resolved part of an SnmpMibObject before the value. It is immutable, so
// that values can be encoded for it later and repeatedly.
type VarbindPrefix struct {
	OID    []byte // contents octets
	Arcs   int    // number of sub-identifiers in OID
	Type   SNMPType
	Object *mib.Object // nil if the MIB index has none
}

// isNumeric reports whether an object is given by its dotted OID.
func isNumeric(name string) bool {
	name = strings.TrimPrefix(name, ".")
	return name != "" && '0' <= name[0] && name[0] <= '9'
}

func (e *Encoder) resolve(d *Def, index int, v *Value) (mib.Ref, error) {
	name := v.Text
	switch {
	case v.Type == Word || v.Type == Any || v.Type == String && name != "":
	case v.Type == Number && !v.Neg:
		name = strconv.FormatUint(v.Num, 10)
	default:
		return mib.Ref{}, d.fail(index, "expected an object identifier, such as .1.3.6.1, or its name, got "+v.describe())
	}
	if e.MIB != nil {
		ref, err := e.MIB.Resolve(name)
		if err != nil {
			return mib.Ref{}, d.fail(index, err.Error())
		}
		if ref.Note != "" {
			e.warn(d, ref.Note)
		}
		return ref, nil
	}
	if !isNumeric(name) {
		return mib.Ref{}, d.fail(index, name+" is a name, and no MIBs are loaded; write the dotted number")
	}
	oid, err := ber.ParseOID(name)
	if err != nil {
		return mib.Ref{}, d.fail(index, err.Error())
	}
	return mib.Ref{OID: oid}, nil
}

// Varbind resolves the first two operands of an SnmpMibObject, the object and the type. A type
// other than the object's is an error, but only a warning if the object is given by its number,
// the Encoder is lenient, or BitString is written for octets.
func (e *Encoder) Varbind(d *Def, vals []Value) (VarbindPrefix, error) {
	var p VarbindPrefix
	if len(vals) < 3 {
		return p, d.fail(-1, "missing value; expected "+d.wants())
	}
	ref, err := e.resolve(d, 0, &vals[0])
	if err != nil {
		return p, err
	}
	ok := false
	if vals[1].Type == Word || vals[1].Type == Any {
		p.Type, ok = parseSNMPType(vals[1].Text)
	}
	if !ok {
		return p, d.fail(1, "expected a type: Integer, Gauge32, Counter32, Counter64, TimeTicks, IPAddress, "+
			"ObjectID, String, HexString, DecimalString, BITS, BitString or Opaque, got "+vals[1].describe())
	}
	p.OID, p.Arcs, p.Object = ber.AppendOID(nil, ref.OID), len(ref.OID), ref.Object
	if p.Object == nil {
		return p, nil
	}
	if len(ref.Instance) == 0 {
		switch p.Object.Kind {
		case mib.Scalar:
			e.warn(d, p.Object.Label+" has no instance; append .0")
		case mib.Column:
			e.warn(d, p.Object.Label+" has no index")
		}
	}
	if tag := mib.SyntaxTag(p.Object.Syntax); tag != 0 && tag != p.Type.Tag() {
		msg := p.Object.Label + " is of type " + p.Object.Syntax.String() + "; write " + typeFor(p.Object.Syntax).String() +
			", not " + p.Type.String()
		oldBits := p.Type == BitString && tag == ber.OctetString // which the open encoder's users write, and old modems take
		if !e.Lenient && !isNumeric(vals[0].Text) && !oldBits {
			return p, d.fail(1, msg+Lifted)
		}
		e.warn(d, msg)
	}
	return p, nil
}

func typeFor(s mib.Syntax) SNMPType {
	switch s {
	case mib.Integer32:
		return Integer
	case mib.Unsigned32, mib.Gauge32:
		return Unsigned32
	case mib.Counter32:
		return Counter32
	case mib.Counter64:
		return Counter64
	case mib.TimeTicks:
		return TimeTicks
	case mib.IPAddress, mib.NetworkAddress:
		return IPAddress
	case mib.OctetString:
		return OctetString
	case mib.ObjectIdentifier:
		return ObjectID
	case mib.Bits:
		return BITS
	case mib.Opaque:
		return Opaque
	}
	return SNMPNone
}

// AppendVarbind appends the whole varbind of p and the value in vals, the operands of an
// SnmpMibObject from the third on. It does not allocate for values of up to 128 octets.
func (e *Encoder) AppendVarbind(dst []byte, d *Def, p *VarbindPrefix, vals []Value) ([]byte, error) {
	var room [128]byte
	value, err := e.AppendSNMPValue(room[:0], d, p, vals)
	if err != nil {
		return dst, err
	}
	return ber.AppendVarbind(dst, p.OID, p.Arcs, p.Type.Tag(), value), nil
}

// appendOIDTLV appends an object identifier with its BER tag and length.
func (e *Encoder) appendOIDTLV(dst []byte, d *Def, index int, v *Value) ([]byte, error) {
	ref, err := e.resolve(d, index, v)
	if err != nil {
		return dst, err
	}
	return ber.AppendTLV(dst, ber.ObjectID, ber.AppendOID(nil, ref.OID)), nil
}

// SameObject reports whether two TLVs at the top of an MTA's file set the same object.
func SameObject(a, b []byte) bool {
	x, err := topObject(a)
	if err != nil {
		return false
	}
	y, err := topObject(b)
	return err == nil && slices.Equal(x.OID, y.OID)
}

// topObject returns the varbind of a TLV 11, or of a 64 with a two-octet length.
func topObject(b []byte) (ber.Varbind, error) {
	head := 2
	if len(b) > 0 && b[0] == 64 {
		head = 3
	}
	return ber.ParseVarbind(b[min(head, len(b)):])
}

func (e *Encoder) appendDigitMap(dst []byte, d *Def, vals []Value) ([]byte, error) {
	if len(vals) != 1 && len(vals) != 2 {
		return dst, d.fail(-1, "expected a file name in quotes, and the map's index if that is not 1")
	}
	index := uint64(1)
	if len(vals) == 2 {
		neg, n, big, ok := vals[1].number()
		if !ok || neg || big || n == 0 || n > 1<<32-1 {
			return dst, d.fail(1, "expected the map's index, 1 to 4294967295, got "+vals[1].describe())
		}
		index = n
	}
	text, err := e.readFile(d, &vals[0])
	if err != nil {
		return dst, err
	}
	oid := append(slices.Clone(digitMapOID), uint32(index))
	return ber.AppendVarbind(dst, ber.AppendOID(nil, oid), len(oid), ber.OctetString, text), nil
}
