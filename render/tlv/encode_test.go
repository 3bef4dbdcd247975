package tlv

import (
	"bytes"
	"encoding/hex"
	"errors"
	"io/fs"
	"strings"
	"testing"

	"dcs/render/ber/mib"
)

// Expected octets come from TLVS.md's kinds, from FACTS, or from files of the open encoder.
func TestEncode(t *testing.T) {
	for _, tt := range []struct {
		dialect Dialect
		src     string
		want    string // hex
	}{
		{CM, `NetworkAccess 1;`, "030101"},
		{CM, `NetworkAccess 0x01;`, "030101"},
		{CM, `NETWORKACCESS 0x0001;`, "030101"},
		{CM, `DownstreamFrequency 340000000;`, "0104 1443fd00"},
		{CM, `MaxClassifiers 20;`, "1c02 0014"},
		{CM, `TftpTimestamp 4294967295;`, "1304 ffffffff"},
		{CM, `DSIDEncodings { DSID 1048575; }`, "3205 0103 0fffff"},
		{
			CM, `TransmitChannelConfiguration { RangingParameters { PowerOffset -128; TimingOffsetIntegerPart -2; } }`,
			"2e0b 0809 040180 0204fffffffe",
		},
		{CM, `UsServiceFlow { UsServiceFlowRef 1; QosParamSetType 7; }`, "1807 01020001 060107"},
		{CM, `UsServiceFlow { RequestOrTxPolicy 0x000000f4; }`, "1806 1004 000000f4"},
		{CM, `UsServiceFlow 0x010200ff;`, "1804 010200ff"},
		{CM, `UsServiceFlow { }`, "1800"},
		{CM, `UsServiceFlow { ServiceClassName "gold"; }`, "1807 0405 676f6c6400"},
		{CM, `UsServiceFlow { ServiceClassName "0123456789abcde"; }`, "1812 0410 303132333435363738396162636465 00"}, // trap 13
		{CM, `SwUpgradeFilename "a\"b\\c";`, "0905 6122625c63"},                                                      // trap 6
		{CM, `SwUpgradeFilename 0x612e62;`, "0903 612e62"},
		{CM, `SwUpgradeFilename "";`, "0900"},
		{CM, `UpstreamDropClassifierGroupID 5;`, "3e01 05"}, // trap 7
		{CM, `UpstreamDropClassifierGroupID 1,2,3;`, "3e03 010203"},
		{CM, `SubMgmtFilters 0,1,2,3,4,5,6,7,8,9;`, "2514 0000000100020003000400050006000700080009"},
		{CM, `SubMgmtControl 0x102030;`, "2303 102030"},
		{CM, `SubscriberManagementCPEIPTable 10.0.0.1, 10.0.0.2;`, "2408 0a000001 0a000002"},
		{
			CM, `SubMgmtCPEIPv6PrefixList 5005::5:5/16,2002::2:2/127;`,
			"3d22 50050000000000000000000000050005 10 20020000000000000000000000020002 7f",
		},
		{CM, `SubscriberManagementCPEIPv6Table 1111::1:1;`, "4310 11110000000000000000000000010001"},
		{CM, `TftpModemAddress 10.1.2.3;`, "1404 0a010203"},
		{CM, `TftpModemAddress "10.1.2.3";`, "1404 0a010203"},
		{CM, `TftpModemAddress 0x0a010203;`, "1404 0a010203"},
		{CM, `SwUpgradeServer6 2001:db8::1;`, "3a10 20010db8000000000000000000000001"},
		{CM, `CpeMacAddress 00:11:22:aa:BB:cc;`, "0e06 001122aabbcc"},
		{CM, `CpeMacAddress 00-11-22-aa-bb-cc;`, "0e06 001122aabbcc"},
		{CM, `CpeMacAddress 0011.22aa.bbcc;`, "0e06 001122aabbcc"},
		{
			CM, `UsPacketClass { LLCPacketClassifier { DstMacAddress 00:00:de:ad:be:ef/00:00:ff:ff:ff:ff; } }`,
			"1610 0a0e 010c 0000deadbeef 0000ffffffff",
		},
		{
			CM, `SNMPv1v2cCoexistenceConfig { SNMPv1v2cTransportAddressAccess { SNMPv1v2cTransportAddress 1.2.3.4/69; SNMPv1v2cTransportAddressMask ::/0; } }`,
			"351e 021c 0106 01020304 0045 0212 00000000000000000000000000000000 0000",
		},
		{
			CM, `VendorSpecific { VendorIdentifier 0xffffff; L2VPNEncoding { NSIEncapsulation { ServiceMultiplexingValueOther 0x00; NSIEncapsulationDualQTag 11,22; ServiceMultiplexingValueMPLSPW { MPLSPeerIpAddress 1.1.1.1; MPLSBackupPeerIpAddress 2002::2:1; } } } }`,
			"2b2d 0803ffffff 0526 0224 0100 0304000b0016 041a 02050101010101 0511 0220020000000000000000000000020001",
		},
		{
			CM, `VendorSpecific { VendorIdentifier 0xffffff; L2VPNEncoding { PseudowireClass "abc"; PseudowireClass 0x010203; } }`,
			"2b11 0803ffffff 050a 1203616263 1203010203",
		},
		{CM, `SnmpV3TrapReceiver { SnmpV3TrapRxFilterOID .1.3.6.1; }`, "2607 06050603 2b0601"},
		{CM, `SnmpWriteControl .1.3.6.1 1 ;`, "0a06 06032b0601 01"},
		// Traps 11 and 12.
		{CM, `SnmpMibObject .1.3.6.1.4.1.4491.1.1 Integer 128;`, "0b11 300f 06092b06010401a30b0101 02020080"},
		{CM, `SnmpMibObject .1.3.6.1.4.1.4491.1.1 Integer -129;`, "0b11 300f 06092b06010401a30b0101 0202ff7f"},
		{CM, `SnmpMibObject .1.3.6.1.4.1.4491.1.1 Integer -1;`, "0b10 300e 06092b06010401a30b0101 0201ff"},
		{CM, `SnmpMibObject .1.3.6.1.4.1.4491.1.1 gauge32 4294967295;`, "0b14 3012 06092b06010401a30b0101 420500ffffffff"},
		{CM, `SnmpMibObject .1.3.6.1.4.1.4491.1.1 Unsigned32 1;`, "0b10 300e 06092b06010401a30b0101 420101"},
		{CM, `SnmpMibObject .1.3.6.1.4.1.4491.1.1 Gauge 1;`, "0b10 300e 06092b06010401a30b0101 420101"},
		{CM, `SnmpMibObject .1.3.6.1.4.1.4491.1.1 Counter32 1;`, "0b10 300e 06092b06010401a30b0101 410101"},
		{CM, `SnmpMibObject .1.3.6.1.4.1.4491.1.1 TimeTicks 1;`, "0b10 300e 06092b06010401a30b0101 430101"},
		{CM, `SnmpMibObject .1.3.6.1.4.1.4491.1.1 Counter64 18446744073709551615;`, "0b18 3016 06092b06010401a30b0101 460900ffffffffffffffff"},
		{CM, `SnmpMibObject .1.3.6.1.4.1.4491.1.1 IPAddress 10.0.0.1;`, "0b13 3011 06092b06010401a30b0101 40040a000001"},
		{CM, `SnmpMibObject .1.3.6.1.4.1.4491.1.1 ObjectID .1.3.6.1;`, "0b12 3010 06092b06010401a30b0101 06032b0601"},
		{CM, `SnmpMibObject .1.3.6.1.4.1.4491.1.1 String "";`, "0b0f 300d 06092b06010401a30b0101 0400"},
		{CM, `SnmpMibObject .1.3.6.1.4.1.4491.1.1 HexString 0x00ff;`, "0b11 300f 06092b06010401a30b0101 040200ff"},
		{CM, `SnmpMibObject .1.3.6.1.4.1.4491.1.1 DecimalString "10.0.255";`, "0b12 3010 06092b06010401a30b0101 04030a00ff"},
		{CM, `SnmpMibObject .1.3.6.1.4.1.4491.1.1 BITS 0,9;`, "0b11 300f 06092b06010401a30b0101 04028040"},
		{CM, `SnmpMibObject .1.3.6.1.4.1.4491.1.1 BITS 0x8040;`, "0b11 300f 06092b06010401a30b0101 04028040"},
		{CM, `SnmpMibObject .1.3.6.1.4.1.4491.1.1 Opaque 0x9f7804;`, "0b12 3010 06092b06010401a30b0101 44039f7804"},
		{CM, `SnmpMibObject .1.3.6.4294967295 Integer 1;`, "0b0e 300c 06072b068fffffff7f 020101"},
		{
			CM, `SnmpMibObject .1.3.6.1.4.1.4491.1.1 String "` + strings.Repeat("a", 108) + `";`,
			"0b7b 3079 06092b06010401a30b0101 046c" + strings.Repeat("61", 108),
		},
		{
			CM, `SnmpMibObject .1.3.6.1.4.1.4491.1.1 String "` + strings.Repeat("a", 110) + `";`,
			"0b7f 3082007b 06092b06010401a30b0101 046e" + strings.Repeat("61", 110),
		},
		{CM, `SnmpMibObject docsDevFilterIpStatus.1 Integer createAndGo;`, "0b13 3011 060c2b06010201450106040102 01 020104"}, // trap 16
		{CM, `SnmpMibObject DOCS-CABLE-DEVICE-MIB::docsDevFilterIpStatus.1 Integer 4;`, "0b13 3011 060c2b06010201450106040102 01 020104"},
		{CM, `SnmpMibObject snmpCommunityName.'abc' String "x";`, "0b14 3012 060d2b06010603120101010 2616263 040178"},
		// GenericTLV.
		{CM, `GenericTLV TlvCode 12 TlvLength 2 TlvValue 0x0102;`, "0c02 0102"},
		{CM, `GenericTLV TlvCode 12 TlvValue 0x0102;`, "0c02 0102"},
		{CM, `GenericTLV tlvcode 12 TlvString "ab";`, "0c02 6162"},
		{CM, `GenericTLV TlvCode 12 TlvStringZero "ab";`, "0c03 616200"},
		{CM, `GenericTLV TlvCode 12 TlvString "";`, "0c00"},
		{CM, `GenericTLV TlvCode 12 TlvType Integer TlvValue 258;`, "0c04 00000102"},
		{CM, `GenericTLV TlvCode 12 TlvType Integer TlvValue -1;`, "0c04 ffffffff"},
		{CM, `GenericTLV TlvCode 12 TlvType Short TlvValue 258;`, "0c02 0102"},
		{CM, `GenericTLV TlvCode 12 TlvType Char TlvValue 255;`, "0c01 ff"},
		{CM, `GenericTLV TlvCode 12 TlvLength 4 TlvType IPAddress TlvValue 1.2.3.4;`, "0c04 01020304"},
		{CM, `GenericTLV TlvCode 200 { GenericTLV TlvCode 1 TlvValue 0x01; }`, "c803 010101"},
		{CM, `GenericTLV TlvCode 103 TlvValue 0x01;`, "670001 01"}, // trap 5
		{
			CM, `CMSSHServerConfiguration { CommonSSHConfiguration { SSHNewConnectionTimeout 300; } SNMPBasedAuthConfiguration { SSHCMCDS 0xabcd; } }`,
			"67000f 0106 01040000012c 0305 010002abcd",
		},
		{CM, `eTEA { eTEAEndOfData; }`, "db01 ff"},
		{CM, `eMTA 0x0102;`, "d802 0102"},
		{CM, `eMTA { GenericTLV TlvCode 1 TlvValue 0x02; }`, "d803 010102"},
		// Trap 4: 64 is a group in a modem's file, a long varbind in an MTA's.
		{
			CM, `CMTSStaticMulticastSessionEncodings { CMTSStaticMulticastSessionGroup 1.2.3.4; CMTSStaticMulticastSessionCMIM 0xaabb; }`,
			"400a 010401020304 0302aabb",
		},
		{MTA, `MtaConfigDelimiter 1; MtaConfigDelimiter 255;`, "fe0101 fe01ff"},
		{MTA, `SnmpMibObject .1.3.6.1.4.1.4491.1.1 Integer 1;`, "0b10 300e 06092b06010401a30b0101 020101"},
		{
			MTA, `SnmpMibObject .1.3.6.1.4.1.4491.1.1 String "` + strings.Repeat("a", 300) + `";`,
			"40013f 3082013b 06092b06010401a30b0101 0482012c" + strings.Repeat("61", 300),
		},
		{MTA, `SnmpMibObjectLong .1.3.6.1.4.1.4491.1.1 Integer 1;`, "400010 300e 06092b06010401a30b0101 020101"},
		{PS, `PsSnmpMibObject .1.3.6.1.4.1.4491.1.1 Integer 1;`, "1c0010 300e 06092b06010401a30b0101 020101"},
		{DPoE, `L2CPManagement { L2CPManagementMode 1; }`, "5303 020101"},
	} {
		got, err := compile("Main {"+tt.src+"}", tt.dialect, false, nil)
		want := unhex(t, tt.want)
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s:\n got %x, %v\nwant %x", tt.src, got, err, want)
		}
	}
}

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestEncodeErrors(t *testing.T) {
	for _, tt := range []struct {
		dialect Dialect
		src     string
		want    string
	}{
		// Trap 8.
		{CM, `UsServiceFlow { MaxRateSustained 5000000000; }`, "MaxRateSustained: 5000000000 does not fit in 32 bits, 0 to 4294967295"},
		{CM, `UsServiceFlow { MaxRateSustained 10000000000; }`, "does not fit in 32 bits, 0 to 4294967295"},
		{CM, `UsServiceFlow { MaxRateSustained -1; }`, "MaxRateSustained: -1 is out of range, 0 to 4294967295"},
		{CM, `UsServiceFlow { MaxRateSustained 0x100000000; }`, "0x100000000 does not fit in 32 bits"},
		{CM, `NetworkAccess 300;`, "NetworkAccess: 300 does not fit in 8 bits, 0 to 1"},
		{CM, `NetworkAccess 2;`, "NetworkAccess: 2 is out of range, 0 to 1"},
		{CM, `NetworkAccess 99999999999999999999999;`, "99999999999999999999999 does not fit in 8 bits"},
		{CM, `NetworkAccess yes;`, "expected a number, 0 to 1, got yes"},
		{CM, `NetworkAccess "1";`, "write 1 without quotes"},
		{CM, `NetworkAccess;`, "missing value; expected a number, 0 to 1"},
		{CM, `NetworkAccess 1 1;`, "takes one value, got 2"},
		{CM, `GenericTLV TlvCode 300 TlvValue 0x01;`, "TlvCode 300 is out of range, 0 to 255"},
		{CM, `GenericTLV TlvCode 12 TlvLength 3 TlvValue 0x0102;`, "TlvLength says 3, the value has 2 octets"},
		{CM, `GenericTLV TlvCode 12;`, "missing TlvValue"},
		{CM, `GenericTLV TlvValue 0x01;`, "missing TlvCode"},
		{CM, `GenericTLV TlvCode 12 TlvValue "ab";`, `TlvString takes "ab"`},
		{CM, `GenericTLV TlvCode 12 TlvValue 5;`, "TlvType before it"},
		{CM, `GenericTLV TlvCode 12 TlvType Char TlvValue 256;`, "256 does not fit in 8 bits"},
		{CM, `GenericTLV TlvCode 12 TlvType Float TlvValue 256;`, "TlvType: expected Integer, Short, Char or IPAddress, got float"},
		{CM, `GenericTLV TlvCode 12 TlvValue 0x01 TlvString "a";`, "more than one value; keep one"},
		{CM, `GenericTLV TlvCode 12 TlvWert 0x01;`, "unknown keyword TlvWert"},
		{CM, `GenericTLV TlvCode 200 TlvCode 201 TlvValue 0x01;`, "duplicate TlvCode"},
		{CM, `GenericTLV TlvCode 200 tlvcode 200 TlvValue 0x01;`, "duplicate tlvcode"},
		{CM, `GenericTLV TlvCode 200 TlvCode 201 { GenericTLV TlvCode 1 TlvValue 0x01; }`, "duplicate TlvCode"},
		{CM, `GenericTLV TlvCode 200 TlvLength 2 TlvLength 1 TlvValue 0x01;`, "duplicate TlvLength"},
		{CM, `GenericTLV TlvCode 200 TlvType Integer TlvType Char TlvValue 1;`, "duplicate TlvType"},
		{CM, `GenericTLV TlvCode 200 TlvType Integer TlvString "ab";`, "TlvType goes with TlvValue, not with TlvString"},
		{CM, `GenericTLV TlvCode 200 TlvType Integer TlvStringZero "ab";`, "TlvType goes with TlvValue, not with TlvStringZero"},
		{CM, `GenericTLV TlvCode 200 TlvValue 0x01 TlvType Integer;`, "TlvType after the value; it belongs before TlvValue"},
		{CM, `GenericTLV TlvCode 200 TlvType Integer { GenericTLV TlvCode 1 TlvValue 0x01; }`, "TlvType goes with TlvValue, not with a block"},
		{CM, `GenericTLV TlvCode 200 TlvType Integer;`, "missing TlvValue"},
		{CM, `GenericTLV TlvCode 12 TlvValue 0x` + strings.Repeat("00", 256) + `;`, "256 octets do not fit in one TLV, which holds at most 255"},
		{CM, `GenericTLV TlvCode 7 TlvValue 0x01;`, "CmtsMic: added by the compiler; leave it out"},
		{CM, `GenericTLV TlvCode 255 TlvString "";`, "EndOfData: added by the compiler; leave it out"},
		{CM, `CmMic 0x00112233445566778899aabbccddeeff;`, "CmMic: added by the compiler; leave it out"},
		// Trap 7.
		{CM, `VendorSpecific { VendorIdentifier "0xffffff"; }`, "VendorIdentifier: hexadecimal values are not quoted; write 0xffffff"},
		{CM, `UsServiceFlow { RequestOrTxPolicy 24; }`, "RequestOrTxPolicy: expected 0x and hexadecimal digits, 4 octets; write 0x00000018 for 24"},
		{CM, `VendorSpecific { VendorIdentifier 0xfffff; }`, "odd number of digits"},
		{CM, `VendorSpecific { VendorIdentifier 0xffff; }`, "expected 3 octets; 0xffff has 2"},
		{CM, `UsServiceFlow { UsServiceFlowRef 0; }`, "0 is out of range, 1 to 65535"},
		{CM, `UsServiceFlow { ServiceClassName "0123456789abcdefg"; }`, "17 characters, at most 15 are allowed"}, // trap 13
		{CM, `UsServiceFlow { ServiceClassName gold; }`, "put gold in quotes"},
		{CM, `SubMgmtFilters 1,2;`, "expected 4 to 10 elements, got 2"},
		{CM, `UsPacketClass { IEEE802Classifier { UserPriority 1,8; } }`, "8 is out of range, 0 to 7"},
		{CM, `TftpModemAddress 2001:db8::1;`, "expected an IPv4 address, got 2001:db8::1"},
		{CM, `SwUpgradeServer6 1.2.3.4;`, "expected an IPv6 address, got 1.2.3.4"},
		{CM, `CpeMacAddress 00:11:22:33:44;`, "expected a MAC address, such as 00:11:22:33:44:55, got 00:11:22:33:44"},
		{CM, `ManufacturerCVC "x";`, "no files can be read here"},
		{CM, `MfgCVCData "x";`, "ManufacturerCVC takes a file name"},
		// Trap 3.
		{
			CM, `SnmpMibObject .1.3.6.1.4.1.4491.1.1 String "` + strings.Repeat("a", 300) + `";`,
			"319 octets do not fit in one TLV, which holds at most 255; only MTA files have a longer form (TLV 64)",
		},
		{CM, `eRouter { SnmpMibObject .1.3.6.1.4.1.4491.1.1 String "` + strings.Repeat("a", 300) + `"; }`, "319 octets do not fit in one TLV"},
		{
			CM, `UsServiceFlow { ` + strings.Repeat("ServiceFlowRequiredAttributeMask 0x00000000; ", 43) + `}`,
			"UsServiceFlow: 258 octets do not fit in one TLV, which holds at most 255",
		},
		// SNMP.
		{CM, `SnmpMibObject docsDevFilterIpStatus.1 String "x";`, "docsDevFilterIpStatus is of type Integer32; write Integer, not String"}, // trap 16
		{CM, `SnmpMibObject docsDevFilterIpStatus.1 Integer neverMind;`, "docsDevFilterIpStatus has no neverMind: active(1)"},
		{CM, `SnmpMibObject docsDevFilterIpStatus.1 Integre 1;`, "expected a type"},
		{CM, `SnmpMibObject docsDevFilterIpStatus.1 Integer;`, "missing value"},
		{CM, `SnmpMibObject .1.3.6.1 Integer 2147483648;`, "2147483648 does not fit in 32 bits, -2147483648 to 2147483647"},
		{CM, `SnmpMibObject .1.3.6.1 Gauge32 -1;`, "-1 is out of range, 0 to 4294967295"},
		{CM, `SnmpMibObject .1.3.6.1 Gauge32 4294967296;`, "4294967296 does not fit in 32 bits"},
		{CM, `SnmpMibObject .1.3.6.1 HexString "0x01";`, "HexString values are not quoted; write 0x01"},
		{CM, `SnmpMibObject .1.3.6.1 HexString "abc";`, `HexString: expected 0x and hexadecimal digits without quotes; write 0x616263, or String "abc"`},
		{CM, `SnmpMibObject .1.3.6.1 String 0x01;`, "HexString takes 0x01"},
		{CM, `SnmpMibObject .1.3.6.1 String abc;`, "String: expected a quoted string, got abc"},
		{CM, `SnmpMibObject .1.3.6.1 DecimalString "1.256";`, `"256" is not a number from 0 to 255`},
		{CM, `SnmpMibObject noSuchLabelAnywhere.0 Integer 1;`, "noSuchLabelAnywhere"},
		{CM, `SnmpWriteControl .1.3.6.1 2;`, "expected 0 to allow or 1 to forbid, got 2"},
		{MTA, `SnmpMibObject pktcMtaDevEnabled.7 Integer yes;`, "pktcMtaDevEnabled has no yes"},
	} {
		_, err := compile("Main {"+tt.src+"}", tt.dialect, false, nil)
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s:\n got %v\nwant %s", tt.src, err, tt.want)
			continue
		}
		var v *ValueError
		if !errors.As(err, &v) {
			t.Errorf("%s: %T is no *ValueError", tt.src, err)
		}
	}
}

// A varbind knows which of its operands is wrong, so that an error can point at it.
func TestErrorIndex(t *testing.T) {
	for _, tt := range []struct {
		src  string
		want int
	}{
		{`SnmpMibObject noSuchLabelAnywhere.0 Integer 1;`, 0},
		{`SnmpMibObject docsDevFilterIpStatus.1 String "x";`, 1},
		{`SnmpMibObject docsDevFilterIpStatus.1 Integer "x";`, 2},
		{`SnmpWriteControl .1.3.6.1 2;`, 1},
		{`NetworkAccess 2;`, 0},
		{`NetworkAccess;`, -1},
		{`GenericTLV TlvCode 12 TlvLength 3 TlvValue 0x0102;`, 3},
		{`GenericTLV TlvCode 300 TlvValue 0x0102;`, 1},
	} {
		_, err := compile("Main {"+tt.src+"}", CM, false, nil)
		var v *ValueError
		if !errors.As(err, &v) || v.Index != tt.want {
			t.Errorf("%s: %v, index %+v, want %d", tt.src, err, v, tt.want)
		}
	}
}

// Trap 10: pieces of 254 octets.
func TestFragments(t *testing.T) {
	for _, tt := range []struct {
		size int
		want []int
	}{
		{2, []int{2}}, {254, []int{254}}, {255, []int{254, 1}}, {508, []int{254, 254}}, {700, []int{254, 254, 192}},
	} {
		data := bytes.Repeat([]byte{0xa5}, tt.size)
		data[0] = 0x30
		read := func(name string) ([]byte, error) {
			if name != "dir/cvc.der" {
				return nil, fs.ErrNotExist
			}
			return data, nil
		}
		hexed := hex.EncodeToString(data)
		for _, src := range []string{
			`ManufacturerCVC "dir/cvc.der";`, `MfgCVCData 0x` + hexed + `;`, `CoSignerCVC "dir/cvc.der";`,
			`ManufacturerCVCChain 0x` + hexed + `;`, `ManufacturerCVCChainFile "dir/cvc.der";`,
			`eMTA 0x` + hexed + `;`, `ePS 0x` + hexed + `;`,
		} {
			got, err := compile("Main {"+src+"}", CM, false, read)
			if err != nil {
				t.Errorf("%.30s: %v", src, err)
				continue
			}
			var sizes []int
			for rest := got; len(rest) > 1; rest = rest[2+int(rest[1]):] {
				if rest[0] != got[0] {
					t.Fatalf("%.30s: TLV %d after %d", src, rest[0], got[0])
				}
				sizes = append(sizes, int(rest[1]))
			}
			if len(sizes) != len(tt.want) {
				t.Errorf("%.30s of %d octets: %v, want %v", src, tt.size, sizes, tt.want)
				continue
			}
			for i := range sizes {
				if sizes[i] != tt.want[i] {
					t.Errorf("%.30s of %d octets: %v, want %v", src, tt.size, sizes, tt.want)
				}
			}
		}
	}
	_, err := compile(`Main { ManufacturerCVC "other.der"; }`, CM, false, func(string) ([]byte, error) { return nil, fs.ErrNotExist })
	if !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a missing certificate: %v", err)
	}
	var v *ValueError
	if !errors.As(err, &v) {
		t.Errorf("a missing certificate: %T", err)
	}
	_, err = compile(`Main { ManufacturerCVC "empty"; }`, CM, false, func(string) ([]byte, error) { return nil, nil })
	if err == nil || !strings.Contains(err.Error(), "is empty") {
		t.Errorf("an empty certificate: %v", err)
	}
}

// The digit map goes out as the String of an object of its own, here in TLV 64.
func TestDigitMap(t *testing.T) {
	text := strings.Repeat("x", 300)
	got, err := compile(`Main { DigitMap "map.txt"; }`, MTA, false, func(string) ([]byte, error) { return []byte(text), nil })
	want := unhex(t, "400148 30820144 0612 2b06010401a30b0202080201010301010201 0482012c"+hex.EncodeToString([]byte(text)))
	if err != nil || !bytes.Equal(got, want) {
		t.Errorf("got %x, %v\nwant %x", got, err, want)
	}
}

// What the open encoder's resolution gives, byte for byte, for files that lean on it.
func TestLenientFiles(t *testing.T) {
	for _, tt := range []struct{ src, want string }{
		{`DsServiceFlow { UsServiceFlowRef 1; QosParamSetType 7; }`, "1907 01020001 060107"},
		{
			`VendorSpecific { VendorIdentifier 0xffffff; ExtendedCMTSMICConfigurationSetting { ExtendedCMTSMICHMACtype 1; ExtendedCMTSMICBitmap 0x00; } }`,
			"2b0d 0803ffffff 0606 010101 020100",
		},
		{
			`DownstreamAggregateServiceFlow { DownstreamAggregateServiceFlowReference { GenericTLV TlvCode 1 TlvLength 2 TlvValue 0x0102; } }`,
			"4706 2404 01020102",
		},
	} {
		got, err := compile("Main {"+tt.src+"}", CM, true, nil)
		if want := unhex(t, tt.want); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s:\n got %x, %v\nwant %x", tt.src, got, err, want)
		}
	}
}

func TestVariables(t *testing.T) {
	enc := &Encoder{MIB: mib.Default()}
	text := func(s string) []Value { return []Value{{Type: Any, Text: s}} }
	octets := func(s string) []Value { return []Value{{Type: Octets, Text: s}} }
	for _, tt := range []struct {
		path string
		vals []Value
		want string // hex of the value; empty: an error
	}{
		{"18", text("16"), "10"},
		{"18", text("0x10"), "10"},
		{"18", text("1600"), ""},
		{"18", text("16k"), ""},
		{"18", text(""), ""},
		{"20", text("10.0.0.1"), "0a000001"},
		{"20", octets("\x0a\x00\x00\x01"), "0a000001"},
		{"20", octets("\x0a\x00\x00"), ""},
		{"14", octets("\x00\x11\x22\x33\x44\x55"), "001122334455"},
		{"14", text("00:11:22:33:44:55"), "001122334455"},
		{"14", text("001122334455"), "001122334455"},
		{"14", text("00.11.22.33.44.55"), "001122334455"},
		{"14", text("0x001122334455"), "001122334455"},
		{"9", text("fw.bin"), "66772e62696e"},
		{"9", text("0x41"), "30783431"},
		{"24.16", text("0x000000f4"), "000000f4"},
		{"24.16", text("000000f4"), ""}, // FACTS, trap 7: octets are written with 0x
		{"24.16", text("24"), ""},
		{"36", text("10.0.0.1,10.0.0.2"), "0a0000010a000002"},
		{"62", text("1, 2,3"), "010203"},
		{"53.2.1", text("10.0.0.1/161"), "0a00000100a1"},
		{"43.5.18", text("abc"), "616263"},
	} {
		got, err := enc.AppendValue(nil, at(t, tt.path), FormPlain, tt.vals)
		if (err != nil) != (tt.want == "") || !bytes.Equal(got, unhex(t, tt.want)) {
			t.Errorf("%s %v: %x, %v, want %s", tt.path, tt.vals, got, err, tt.want)
		}
	}
}

func TestWarnings(t *testing.T) {
	for _, tt := range []struct{ src, want string }{
		{`SnmpMibObject docsDevFilterIpStatus.1 Integer 9;`, "docsDevFilterIpStatus: 9 is not one of active(1)"},
		{`SnmpMibObject 1.3.6.1.2.1.69.1.6.4.1.2.1 String "x";`, "write Integer, not String"},
		{`SnmpMibObject docsDevFilterIpDefault Integer 1;`, "append .0"},
		{`SnmpMibObject docsDevFilterIpStatus.1 Integer 4;`, ""},
	} {
		var got []string
		r := reader{src: tt.src, enc: &Encoder{MIB: mib.Default(), Warn: func(s string) { got = append(got, s) }}}
		if _, err := r.group(nil, Root(CM)); err != nil {
			t.Errorf("%s: %v", tt.src, err)
		}
		if all := strings.Join(got, "\n"); !strings.Contains(all, tt.want) || tt.want == "" && all != "" {
			t.Errorf("%s: warnings %q, want %q", tt.src, all, tt.want)
		}
	}
	lenient := &Encoder{MIB: mib.Default(), Lenient: true}
	vals := []Value{{Type: Word, Text: "docsDevFilterIpStatus.1"}, {Type: Word, Text: "String"}, {Type: String, Text: "x"}}
	if _, err := lenient.AppendTLV(nil, at(t, "11"), FormPlain, vals); err != nil {
		t.Errorf("lenient: %v", err)
	}
}

func TestNoAllocs(t *testing.T) {
	enc := &Encoder{MIB: mib.Default()}
	buf := make([]byte, 0, 512)
	num, hexa, str := []Value{Int(7)}, []Value{{Type: Hex, Text: "000000f4"}}, []Value{{Type: String, Text: "gold"}}
	ip4, ip6 := []Value{{Type: Word, Text: "10.0.0.1"}}, []Value{{Type: Word, Text: "2001:db8::1"}}
	raw, any := []Value{{Type: Octets, Text: "\x0a\x00\x00\x01"}}, []Value{{Type: Any, Text: "512"}}
	mac := []Value{{Type: Word, Text: "00:11:22:33:44:55"}}
	vb, err := enc.Varbind(at(t, "11"), []Value{{Type: Word, Text: "docsDevFilterIpStatus.1"}, {Type: Word, Text: "Integer"}, Int(1)})
	if err != nil {
		t.Fatal(err)
	}
	defs := map[string]*Def{}
	for _, p := range []string{"24.6", "24.8", "24.16", "24.4", "9", "20", "58", "14", "11", "24", "102.1"} {
		defs[p] = at(t, p)
	}
	for _, tt := range []struct {
		name string
		f    func() error
	}{
		{"uint8", func() error { _, err := enc.AppendTLV(buf, defs["24.6"], FormPlain, num); return err }},
		{"uint32", func() error { _, err := enc.AppendValue(buf, defs["24.8"], FormPlain, any); return err }},
		{"bytes", func() error { _, err := enc.AppendTLV(buf, defs["24.16"], FormPlain, hexa); return err }},
		{"zstring", func() error { _, err := enc.AppendTLV(buf, defs["24.4"], FormPlain, str); return err }},
		{"string", func() error { _, err := enc.AppendTLV(buf, defs["9"], FormPlain, str); return err }},
		{"ipv4", func() error { _, err := enc.AppendTLV(buf, defs["20"], FormPlain, ip4); return err }},
		{"ipv4 octets", func() error { _, err := enc.AppendTLV(buf, defs["20"], FormPlain, raw); return err }},
		{"ipv6", func() error { _, err := enc.AppendTLV(buf, defs["58"], FormPlain, ip6); return err }},
		{"ipv4_or_ipv6", func() error { _, err := enc.AppendTLV(buf, defs["102.1"], FormPlain, ip6); return err }},
		{"mac", func() error { _, err := enc.AppendTLV(buf, defs["14"], FormPlain, mac); return err }},
		{"varbind", func() error { _, err := enc.AppendVarbind(buf, defs["11"], &vb, num); return err }},
		{"group", func() error { _, err := defs["24"].CloseGroup(defs["24"].OpenGroup(buf), len(buf)); return err }},
	} {
		if err := tt.f(); err != nil {
			t.Errorf("%s: %v", tt.name, err)
		}
		if n := testing.AllocsPerRun(1000, func() { _ = tt.f() }); n != 0 {
			t.Errorf("%s: %v allocations, want 0", tt.name, n)
		}
	}
}
