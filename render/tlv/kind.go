package tlv

//go:generate go run dcs/render/tlv/gen -in tlvs.csv -out zdict.go

// Kind is the encoding of a TLV's value.
type Kind uint8

// Numbers are big-endian. A list is consecutive elements. Length fields have one octet, except
// those of kinds that end in Len16, which have two, and markers, which have none.
const (
	KindNone            Kind = iota
	KindUint8                // 1 octet
	KindUint16               // 2 octets
	KindUint24               // 3 octets
	KindUint32               // 4 octets
	KindInt8                 // 1 octet, two's complement
	KindInt32                // 4 octets, two's complement
	KindBytes                // octets, including bit masks
	KindBytesLen16           // octets after a two-octet length
	KindString               // characters
	KindZString              // characters and a NUL
	KindIPv4                 // 4 octets
	KindIPv6                 // 16 octets
	KindIPv4OrIPv6           // 4 or 16 octets
	KindTypedIP              // 1 and an IPv4 address, or 2 and an IPv6 address
	KindIPPort               // address, 2-octet port
	KindMAC                  // 6 octets
	KindMACMask              // 6 octets and a mask of 6
	KindMACList              // n × 6 octets
	KindIPv4List             // n × 4 octets
	KindIPv6List             // n × 16 octets
	KindIPv6PrefixList       // n × (16-octet prefix, 1-octet length)
	KindUint8List            // n × 1 octet
	KindUint16List           // n × 2 octets
	KindUint16Pair           // 2 × 2 octets
	KindOID                  // BER object identifier with its tag
	KindVarbind              // BER SEQUENCE of OID and value
	KindVarbindLen16         // the same after a two-octet length
	KindWriteControl         // BER object identifier with its tag, then one octet
	KindFlagEmpty            // no value; its presence is the setting
	KindGroup                // TLVs
	KindGroupLen16           // TLVs after a two-octet length
	KindVendorGroup          // TLVs: 8 (the OUI) first, the others defined by its owner
	KindCertFragments        // a certificate in fragments of 254 octets, each a TLV
	KindOpaqueFragments      // any octets in fragments of 254, each a TLV
	KindDigest16             // 16 octets, computed
	KindDigest20             // 20 octets, computed
	KindMarker               // type octet only
	KindRD                   // 8 octets: a route distinguisher (RFC 4364, section 4.2)
)

// kindRow is all that the package knows about one kind. A new kind needs a row here and a
// sample in TestKinds.
type kindRow struct {
	name   string // in tlvs.csv
	length int    // octets of the length field
	codec  codec

	fragments bool // a value of more than maxFragment octets becomes several TLVs
	computed  bool // added by the compiler at the top level of a file
}

// kinds describes every kind.
var kinds = [...]kindRow{
	KindNone:            {"none", 1, unknown{}, false, false},
	KindUint8:           {"uint8", 1, scalar{of: number{octets: 1}}, false, false},
	KindUint16:          {"uint16", 1, scalar{of: number{octets: 2}}, false, false},
	KindUint24:          {"uint24", 1, scalar{of: number{octets: 3}}, false, false},
	KindUint32:          {"uint32", 1, scalar{of: number{octets: 4}}, false, false},
	KindInt8:            {"int8", 1, scalar{of: number{octets: 1, signed: true}}, false, false},
	KindInt32:           {"int32", 1, scalar{of: number{octets: 4, signed: true}}, false, false},
	KindBytes:           {"bytes", 1, octetString{}, false, false},
	KindBytesLen16:      {"bytes_len16", 2, octetString{}, false, false},
	KindString:          {"string", 1, characters{}, false, false},
	KindZString:         {"zstring", 1, characters{nul: true}, false, false},
	KindIPv4:            {"ipv4", 1, scalar{of: address{v4: true}}, false, false},
	KindIPv6:            {"ipv6", 1, scalar{of: address{v6: true}}, false, false},
	KindIPv4OrIPv6:      {"ipv4_or_ipv6", 1, scalar{of: address{v4: true, v6: true}}, false, false},
	KindTypedIP:         {"typed_ip", 1, scalar{of: address{v4: true, v6: true, typed: true}}, false, false},
	KindIPPort:          {"ip_port", 1, scalar{of: addressPort}, false, false},
	KindMAC:             {"mac", 1, scalar{of: hardware{}}, false, false},
	KindMACMask:         {"mac_mask", 1, scalar{of: macMask}, false, false},
	KindMACList:         {"mac_list", 1, list{of: hardware{}}, false, false},
	KindIPv4List:        {"ipv4_list", 1, list{of: address{v4: true}}, false, false},
	KindIPv6List:        {"ipv6_list", 1, list{of: address{v6: true}}, false, false},
	KindIPv6PrefixList:  {"ipv6_prefix_list", 1, list{of: ipv6Prefix}, false, false},
	KindUint8List:       {"uint8_list", 1, list{of: number{octets: 1}}, false, false},
	KindUint16List:      {"uint16_list", 1, list{of: number{octets: 2}}, false, false},
	KindUint16Pair:      {"uint16_pair", 1, list{of: number{octets: 2}, n: 2}, false, false},
	KindOID:             {"oid", 1, objectID{}, false, false},
	KindVarbind:         {"snmp_varbind", 1, varbind{}, false, false},
	KindVarbindLen16:    {"snmp_varbind_len16", 2, varbind{}, false, false},
	KindWriteControl:    {"snmp_write_control", 1, writeControl{}, false, false},
	KindFlagEmpty:       {"flag_empty", 1, flag{}, false, false},
	KindGroup:           {"group", 1, group{}, false, false},
	KindGroupLen16:      {"group_len16", 2, group{}, false, false},
	KindVendorGroup:     {"vendor_group", 1, group{vendor: true}, false, false},
	KindCertFragments:   {"cert_fragments", 1, certificate{}, true, false},
	KindOpaqueFragments: {"opaque_fragments", 1, octetString{unbounded: true}, true, false},
	KindDigest16:        {"digest16", 1, octetString{fixed: 16}, false, true},
	KindDigest20:        {"digest20", 1, octetString{fixed: 20}, false, false},
	KindMarker:          {"marker", 0, marker{}, false, true},
	KindRD:              {"rd", 1, routeDistinguisher{}, false, false},
}

func (k Kind) row() *kindRow {
	if int(k) < len(kinds) {
		return &kinds[k]
	}
	return &kinds[KindNone]
}

// String returns the kind's name in tlvs.csv.
func (k Kind) String() string { return k.row().name }

// Number returns the width in octets and the signedness of a kind that is a single number;
// octets is 0 for any other kind.
func (k Kind) Number() (octets int, signed bool) {
	if s, ok := k.row().codec.(scalar); ok {
		if n, ok := s.of.(number); ok {
			return n.octets, n.signed
		}
	}
	return 0, false
}

// Varbind reports whether the value is an SNMP object with its type and value.
func (k Kind) Varbind() bool { return k == KindVarbind || k == KindVarbindLen16 }

// Slash reports whether the value, or each element of the list, is written as two values
// separated by a slash, such as an address and a port.
func (k Kind) Slash() bool {
	switch c := k.row().codec.(type) {
	case scalar:
		_, ok := c.of.(pair)
		return ok
	case list:
		_, ok := c.of.(pair)
		return ok
	}
	return false
}

// Form is how a value is written after a keyword, if its kind alone does not determine it.
type Form uint8

const (
	FormPlain    Form = iota // as for the kind
	FormBytes                // 0x and hexadecimal digits
	FormFile                 // the name of a file that holds the value
	FormDigitMap             // the name of a file that holds a digit map
)

// Dialect is the type of file that contains a TLV. The same code may have another meaning in
// each.
type Dialect uint8

const (
	CM   Dialect = iota // a cable modem
	MTA                 // a PacketCable MTA
	PS                  // a CableHome portal service
	DPoE                // a D-ONU: a CM's file in which some codes have other meanings
)

var dialectNames = [...]string{CM: "cm", MTA: "mta", PS: "ps", DPoE: "dpoe"}

// String returns cm, mta, ps or dpoe.
func (d Dialect) String() string {
	if int(d) < len(dialectNames) {
		return dialectNames[d]
	}
	return "cm"
}

// Scope is where a TLV is used.
type Scope uint8

const (
	ScopeConfig       Scope = iota // a modem's file
	ScopeRegistration              // registration and other MAC management messages, not files
	ScopeMTA                       // an MTA's file
	ScopePS                        // a portal service's file
	ScopeVendor                    // anywhere; the contents are vendor-specific
)

var scopeNames = [...]string{
	ScopeConfig: "cm-config", ScopeRegistration: "registration-only", ScopeMTA: "mta",
	ScopePS: "cablehome-ps", ScopeVendor: "vendor",
}

// String returns the scope's name in tlvs.csv.
func (s Scope) String() string {
	if int(s) < len(scopeNames) {
		return scopeNames[s]
	}
	return "cm-config"
}

// Repeat is whether a TLV may occur more than once in its parent. It is only advice: files in
// use violate it.
type Repeat uint8

const (
	RepeatUnknown Repeat = iota
	RepeatNo
	RepeatYes
)
