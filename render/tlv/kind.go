package tlv

//go:generate go run dcs/render/tlv/gen -in tlvs.csv -out zdict.go

// Kind says how a TLV's value is coded.
type Kind uint8

// Numbers are big-endian. A list is its elements one after another. Lengths have one
// octet but for the kinds that end in Len16, and markers, which have none.
const (
	KindNone            Kind = iota
	KindUint8                // 1 octet
	KindUint16               // 2 octets
	KindUint24               // 3 octets
	KindUint32               // 4 octets
	KindInt8                 // 1 octet, two's complement
	KindInt32                // 4 octets, two's complement
	KindBytes                // octets, bit masks too
	KindBytesLen16           // octets after a two-octet length
	KindString               // characters
	KindZString              // characters and a NUL
	KindIPv4                 // 4 octets
	KindIPv6                 // 16 octets
	KindIPv4OrIPv6           // 4 or 16 octets
	KindTypedIP              // 1 and an IPv4 address, or 2 and an IPv6 address
	KindIPPort               // address, 2 octets of port
	KindMAC                  // 6 octets
	KindMACMask              // 6 octets and a mask of 6
	KindMACList              // n × 6
	KindIPv4List             // n × 4
	KindIPv6List             // n × 16
	KindIPv6PrefixList       // n × (16 octets of prefix, 1 of length)
	KindUint8List            // n × 1
	KindUint16List           // n × 2
	KindUint16Pair           // 2 × 2
	KindOID                  // BER object identifier with its tag
	KindVarbind              // BER SEQUENCE of OID and value
	KindVarbindLen16         // the same after a two-octet length
	KindWriteControl         // BER object identifier with its tag, then one octet
	KindFlagEmpty            // no value: its presence says it
	KindGroup                // TLVs
	KindGroupLen16           // TLVs after a two-octet length
	KindVendorGroup          // TLVs: 8 (the OUI) first, the others defined by its owner
	KindCertFragments        // a certificate in pieces of 254 octets, each a TLV
	KindOpaqueFragments      // any octets in pieces of 254, each a TLV
	KindDigest16             // 16 octets, computed
	KindDigest20             // 20 octets, computed
	KindMarker               // the type alone
)

var kindNames = [...]string{
	KindNone: "none", KindUint8: "uint8", KindUint16: "uint16", KindUint24: "uint24", KindUint32: "uint32",
	KindInt8: "int8", KindInt32: "int32", KindBytes: "bytes", KindBytesLen16: "bytes_len16", KindString: "string",
	KindZString: "zstring", KindIPv4: "ipv4", KindIPv6: "ipv6", KindIPv4OrIPv6: "ipv4_or_ipv6",
	KindTypedIP: "typed_ip", KindIPPort: "ip_port", KindMAC: "mac", KindMACMask: "mac_mask", KindMACList: "mac_list",
	KindIPv4List: "ipv4_list", KindIPv6List: "ipv6_list", KindIPv6PrefixList: "ipv6_prefix_list",
	KindUint8List: "uint8_list", KindUint16List: "uint16_list", KindUint16Pair: "uint16_pair", KindOID: "oid",
	KindVarbind: "snmp_varbind", KindVarbindLen16: "snmp_varbind_len16",
	KindWriteControl: "snmp_write_control", KindFlagEmpty: "flag_empty", KindGroup: "group",
	KindGroupLen16: "group_len16", KindVendorGroup: "vendor_group", KindCertFragments: "cert_fragments",
	KindOpaqueFragments: "opaque_fragments", KindDigest16: "digest16", KindDigest20: "digest20",
	KindMarker: "marker",
}

// String returns the kind's name as tlvs.csv has it.
func (k Kind) String() string {
	if int(k) < len(kindNames) {
		return kindNames[k]
	}
	return "none"
}

// Form says how a keyword wants its value written, where its kind alone does not.
type Form uint8

const (
	FormPlain    Form = iota // as the kind has it
	FormBytes                // 0x and hexadecimal digits
	FormFile                 // the name of a file that holds the value
	FormDigitMap             // the name of a file that holds a digit map
)

// Dialect is the sort of file that TLVs stand in: a number may mean another thing in each.
type Dialect uint8

const (
	CM   Dialect = iota // a cable modem
	MTA                 // a PacketCable MTA
	PS                  // a CableHome portal service
	DPoE                // a D-ONU: a CM's file, where some numbers mean other things
)

var dialectNames = [...]string{CM: "cm", MTA: "mta", PS: "ps", DPoE: "dpoe"}

// String returns cm, mta, ps or dpoe.
func (d Dialect) String() string {
	if int(d) < len(dialectNames) {
		return dialectNames[d]
	}
	return "cm"
}

// Scope says where a TLV belongs.
type Scope uint8

const (
	ScopeConfig       Scope = iota // a modem's file
	ScopeRegistration              // registration and other MAC management messages, not a file
	ScopeMTA                       // an MTA's file
	ScopePS                        // a portal service's file
	ScopeVendor                    // anywhere; the contents are a vendor's
)

var scopeNames = [...]string{
	ScopeConfig: "cm-config", ScopeRegistration: "registration-only", ScopeMTA: "mta",
	ScopePS: "cablehome-ps", ScopeVendor: "vendor",
}

// String returns the scope's name as tlvs.csv has it.
func (s Scope) String() string {
	if int(s) < len(scopeNames) {
		return scopeNames[s]
	}
	return "cm-config"
}

// Repeat says whether a TLV may occur more than once in its parent. It is advice: files
// that do otherwise are in use.
type Repeat uint8

const (
	RepeatUnknown Repeat = iota
	RepeatNo
	RepeatYes
)
