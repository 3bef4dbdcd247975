package tlv

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"dcs/render/ber"
	"dcs/render/ber/mib"
)

// Files made by hand from the kinds of TLVS.md, and what they must read like.
var printed = []struct {
	name    string
	dialect Dialect
	file    string // hex
	want    string
}{
	{"smallest", CM, "030101 0610a3ab4e9009b0f65a3ff916999853a257 07108ece128abaee3a1faca93737c576bb7e ff", `Main {
    NetworkAccess 1;
    /* CmMic 0xa3ab4e9009b0f65a3ff916999853a257, recomputed */
    /* CmtsMic 0x8ece128abaee3a1faca93737c576bb7e, recomputed */
    /* EndOfData */
}
`},
	{"groups and strings", CM, "1813 01020001 0406676f6c642400 060107 0800 0900 " +
		"0905 6122625c24 0902 c3a4 0900 09020a0d" + end, `Main {
    UsServiceFlow {
        UsServiceFlowRef 1;
        GenericTLV TlvCode 4 TlvLength 6 TlvValue 0x676f6c642400; /* ServiceClassName: "gold$" */
        QosParamSetType 7;
        GenericTLV TlvCode 8 TlvString ""; /* MaxRateSustained: 0 octets, not 4 */
        GenericTLV TlvCode 9 TlvString ""; /* MaxTrafficBurst: 0 octets, not 4 */
    }
    GenericTLV TlvCode 9 TlvLength 5 TlvValue 0x6122625c24; /* SwUpgradeFilename: "a\"b\\$" */
    GenericTLV TlvCode 9 TlvLength 2 TlvValue 0xc3a4; /* SwUpgradeFilename: "ä" */
    SwUpgradeFilename "";
    GenericTLV TlvCode 9 TlvLength 2 TlvValue 0x0a0d; /* SwUpgradeFilename */
` + endText},
	{"out of limits, unknown, not of the kind", CM, "030105 c80201ff 1802 0105 1800 14030a0000 04060404676f6c64 18050403676f6c" + end, `Main {
    GenericTLV TlvCode 3 TlvLength 1 TlvValue 0x05; /* NetworkAccess: 5 is out of range, 0 to 1 */
    GenericTLV TlvCode 200 TlvLength 2 TlvValue 0x01ff;
    GenericTLV TlvCode 24 TlvLength 2 TlvValue 0x0105; /* UsServiceFlow: not TLVs: offset 9: TLV 1 says 5 octets, 0 left */
    UsServiceFlow {
    }
    GenericTLV TlvCode 20 TlvLength 3 TlvValue 0x0a0000; /* TftpModemAddress: 3 octets, not 4 */
    ClassOfService {
        GenericTLV TlvCode 4 TlvLength 4 TlvValue 0x676f6c64; /* PriorityUp: 4 octets, not 1 */
    }
    UsServiceFlow {
        GenericTLV TlvCode 4 TlvString "gol"; /* ServiceClassName: no NUL at its end */
    }
` + endText},
	{"lists and addresses", CM, "24080a0000010a000002 3e0105 0e06001122aabbcc 3d1120010db8000000000000000000000000 20 " +
		"1610 0a0e010c0000deadbeef0000ffffffff 350a 0208 0106 0102030400 45" +
		"2b16 0803ffffff 050f 020d 0501 01 0308 0001 0002 0003 0004" + end, `Main {
    SubscriberManagementCPEIPTable 10.0.0.1,10.0.0.2;
    UpstreamDropClassifierGroupID 5;
    CpeMacAddress 00:11:22:aa:bb:cc;
    SubMgmtCPEIPv6PrefixList 2001:db8::/32;
    UsPacketClass {
        LLCPacketClassifier {
            DstMacAddress 00:00:de:ad:be:ef/00:00:ff:ff:ff:ff;
        }
    }
    SNMPv1v2cCoexistenceConfig {
        SNMPv1v2cTransportAddressAccess {
            SNMPv1v2cTransportAddress 1.2.3.4/69;
        }
    }
    VendorSpecific {
        VendorIdentifier 0xffffff;
        L2VPNEncoding {
            NSIEncapsulation {
                GenericTLV TlvCode 5 TlvLength 1 TlvValue 0x01; /* ServiceMultiplexingValueL2TPv3Peer */
                GenericTLV TlvCode 3 TlvLength 8 TlvValue 0x0001000200030004; /* NSIEncapsulationDualQTag: 8 octets, not 4 */
            }
        }
    }
` + endText},
	{"vendors", CM, "2b0b 080300407b 040100 060101 2b08 080300407b 040500 2b08 040100 0803ffffff 2b03 040100" + end, `Main {
    VendorSpecific {
        VendorIdentifier 0x00407b;
        GenericTLV TlvCode 4 TlvLength 1 TlvValue 0x00;
        GenericTLV TlvCode 6 TlvLength 1 TlvValue 0x01;
    }
    GenericTLV TlvCode 43 TlvLength 8 TlvValue 0x080300407b040500; /* VendorSpecific: not TLVs: offset 20: TLV 4 says 5 octets, 1 left */
    VendorSpecific { /* VendorIdentifier does not come first */
        GenericTLV TlvCode 4 TlvLength 1 TlvValue 0x00; /* CMRangingClassIDExtension: 1 octet, not 2 */
        VendorIdentifier 0xffffff;
    }
    VendorSpecific { /* VendorIdentifier does not come first */
        GenericTLV TlvCode 4 TlvLength 1 TlvValue 0x00;
    }
` + endText},
	{"two-octet lengths", CM, "67000f 01060104000000ff 0305010002abcd 680002 01ff 400a 010401020304 0302aabb" + end, `Main {
    CMSSHServerConfiguration {
        CommonSSHConfiguration {
            SSHNewConnectionTimeout 255;
        }
        SNMPBasedAuthConfiguration {
            SSHCMCDS 0xabcd;
        }
    }
    GenericTLV TlvCode 104 TlvLength 2 TlvValue 0x01ff; /* SecurityConfiguration: not TLVs: offset 21: TLV 1 says 255 octets, 0 left */
    CMTSStaticMulticastSessionEncodings {
        CMTSStaticMulticastSessionGroup 1.2.3.4;
        CMTSStaticMulticastSessionCMIM 0xaabb;
    }
` + endText},
	{"SNMP", CM, "0b13 3011 060c2b06010201450106040102 01 020104" + // createAndGo
		"0b14 3012 060c2b06010201450106040102 01 02020004" + // not minimal
		"0b14 308111 060c2b06010201450106040102 01 020104" + // another form of the length
		"0b13 3011 060c2b06010201450106040102 01 040104" + // another type than the MIB's
		"0b0f 300d 06092b06010401a30b0101 0400" +
		"0b11 300f 06092b06010401a30b0101 04020a00" +
		"0b14 3012 06092b06010401a30b0101 420500ffffffff" +
		"0b0f 300d 06092b06010401a30b0101 0500" + // Null
		"0b03 300106" +
		"0a06 06032b0601 01 0a06 06032b0601 02 2607 06050603 2b0601" + end, `Main {
    SnmpMibObject docsDevFilterIpStatus.1 Integer 4; /* createAndGo(4) */
    GenericTLV TlvCode 11 TlvLength 20 TlvValue 0x3012060c2b060102014501060401020102020004; /* SnmpMibObject: docsDevFilterIpStatus.1 Integer 4 (createAndGo), in another encoder's BER */
    GenericTLV TlvCode 11 TlvLength 20 TlvValue 0x308111060c2b0601020145010604010201020104; /* SnmpMibObject: docsDevFilterIpStatus.1 Integer 4 (createAndGo), in another encoder's BER */
    SnmpMibObject .1.3.6.1.2.1.69.1.6.4.1.2.1 HexString 0x04; /* docsDevFilterIpStatus.1 is of type Integer32 */
    SnmpMibObject .1.3.6.1.4.1.4491.1.1 String "";
    SnmpMibObject .1.3.6.1.4.1.4491.1.1 HexString 0x0a00;
    SnmpMibObject .1.3.6.1.4.1.4491.1.1 Gauge32 4294967295;
    GenericTLV TlvCode 11 TlvLength 15 TlvValue 0x300d06092b06010401a30b01010500; /* SnmpMibObject: .1.3.6.1.4.1.4491.1.1 Null, in another encoder's BER */
    GenericTLV TlvCode 11 TlvLength 3 TlvValue 0x300106; /* SnmpMibObject: not a varbind: offset 2: 1 octets left, tag and length want 2 */
    SnmpWriteControl .1.3.6.1 1;
    GenericTLV TlvCode 10 TlvLength 6 TlvValue 0x06032b060102; /* SnmpWriteControl: expected 0 to allow or 1 to forbid, got 2 */
    SnmpV3TrapReceiver {
        SnmpV3TrapRxFilterOID .1.3.6.1;
    }
` + endText},
	{"pieces", CM, "20fe" + strings.Repeat("a5", 254) + "2002a5a5" + "2001ff" + "20fe" + strings.Repeat("a5", 254) + "2000" +
		"51fe" + strings.Repeat("5a", 254) + "20ff" + strings.Repeat("a5", 255) + "d80101d80102" + end, `Main {
    MfgCVCData 0x` + strings.Repeat("a5", 254) + `;
    MfgCVCData 0xa5a5;
    MfgCVCData 0xff;
    MfgCVCData 0x` + strings.Repeat("a5", 254) + `;
    GenericTLV TlvCode 32 TlvString ""; /* ManufacturerCVC */
    ManufacturerCVCChain 0x` + strings.Repeat("5a", 254) + `;
    GenericTLV TlvCode 32 TlvLength 255 TlvValue 0x` + strings.Repeat("a5", 255) + `; /* ManufacturerCVC */
    eMTA 0x01;
    eMTA 0x02;
` + endText},
	{"other meanings in DPoE", CM, "5303020101 4606 2604 676f6c00 180604040000 0001" + end, `Main {
    GenericTLV TlvCode 83 TlvLength 3 TlvValue 0x020101; /* DTPModeConfiguration: 3 octets, not 1; in DPoE, L2CPManagement */
    UpstreamAggregateServiceFlow {
        GenericTLV TlvCode 38 TlvLength 4 TlvValue 0x676f6c00; /* ServiceFlowMatchingCriteria: not TLVs: offset 9: TLV 103 says 111 octets, 2 left; in DPoE, ServingGroupName */
    }
    UsServiceFlow {
        GenericTLV TlvCode 4 TlvLength 4 TlvValue 0x00000001; /* ServiceClassName: no NUL at its end */
    }
` + endText},
	{"layout", CM, "00 ff 0000 01", `Main {
    Pad 0x00;
    /* EndOfData */
    /* 2 zeros of padding */
    /* after the end: 0x01 */
    /* differs: offset 4: non-zero data after the end marker; it is lost */
    /* differs: offset 1: CmMic is missing; the compiler adds it */
    /* differs: offset 1: CmtsMic is missing; the compiler adds it */
}
`},
	{"broken off", CM, "030101 1805 0102", `Main {
    NetworkAccess 1;
    /* broken off: offset 3: TLV 24 says 5 octets, 2 left */
}
`},
	{"MTA", MTA, "fe0101 0b10 300e 06092b06010401a30b0101 020101 " +
		"40000b 3009 06042b060103 020101 fe01ff", `Main {
    MtaConfigDelimiter 1;
    SnmpMibObject .1.3.6.1.4.1.4491.1.1 Integer 1;
    SnmpMibObjectLong .1.3.6.1.3 Integer 1;
    MtaConfigDelimiter 255;
}
`},
	{"MTA with a hash", MTA, "fe0101 0b28 3026 060e2b06010401a30b0202010102 0700 0414 " + strings.Repeat("0f", 20) + " fe01ff", `Main {
    MtaConfigDelimiter 1;
    SnmpMibObject pktcMtaDevProvConfigHash.0 HexString 0x` + strings.Repeat("0f", 20) + `; /* the MTA hash; after a change, compile with --mta-hash na */
    MtaConfigDelimiter 255;
}
`},
	{"portal services", PS, "1c0010 300e 06092b06010401a30b0101 020101 0901 61 ff 00", `CableHome {
    PsSnmpMibObject .1.3.6.1.4.1.4491.1.1 Integer 1;
    PsSwUpgradeFilename "a";
    /* PsEndOfData */
    /* 1 zero of padding */
    /* differs: offset 23: 1 zero after the end marker; the compiler adds none */
}
`},
}

const (
	end     = "0610000102030405060708090a0b0c0d0e0f 0710000102030405060708090a0b0c0d0e0f ff"
	endText = `    /* CmMic 0x000102030405060708090a0b0c0d0e0f, recomputed */
    /* CmtsMic 0x000102030405060708090a0b0c0d0e0f, recomputed */
    /* EndOfData */
}
`
)

// padded adds what the compiler puts behind the end marker.
func padded(file []byte) []byte {
	for len(file)%4 != 0 {
		file = append(file, 0)
	}
	return file
}

func TestPrint(t *testing.T) {
	for _, tt := range printed {
		file := unhex(t, tt.file)
		want := tt.want
		if strings.HasSuffix(tt.file, end) {
			n := len(file)
			file = padded(file)
			if n = len(file) - n; n > 0 {
				want = strings.TrimSuffix(want, "}\n") + "    " + Comment(count(n, "zero")+" of padding") + "\n}\n"
			}
		}
		tree, _ := DecodeAs(tt.dialect, file)
		var b bytes.Buffer
		if err := tree.Print(&b, mib.Default(), false); err != nil {
			t.Fatal(err)
		}
		if b.String() != want {
			t.Errorf("%s:\n got %s\nwant %s", tt.name, b.String(), want)
		}
		roundTrip(t, tree, file)
	}
}

// roundTrip checks that a tree gives its file back, from its parts and from its text.
func roundTrip(t *testing.T, tree *Tree, file []byte) {
	t.Helper()
	got := tree.Append(nil)
	if tree.Err == nil && !bytes.Equal(got, file) || !bytes.HasPrefix(file, got) {
		t.Errorf("%x comes back as %x", file, got)
	}
	var want []byte
	for _, n := range tree.Nodes {
		if n.Def == nil || n.Def.computed() == nil {
			want = append(want, n.Raw...)
		}
	}
	readsBack(t, tree, file)
	for i, m := range []*mib.Index{nil, mib.Default(), mib.Default()} {
		numeric := i == 2
		var b bytes.Buffer
		if err := tree.Print(&b, m, numeric); err != nil {
			t.Fatal(err)
		}
		got, err := compile(b.String(), tree.Dialect, false, nil)
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("%x\nreads\n%s\nand that compiles to %x, %v\nwant %x", file, b.String(), got, err, want)
		}
	}
}

// FACTS, trap 18: errors say where, and what came before is there.
func TestDecodeErrors(t *testing.T) {
	for _, tt := range []struct {
		file, want string
		nodes      int
	}{
		{"", "", 0},
		{"03", "offset 0: TLV 3 has no length", 0},
		{"030101 18", "offset 3: TLV 24 has no length", 1},
		{"030101 1805 0102", "offset 3: TLV 24 says 5 octets, 2 left", 1},
		{"030101 6700", "offset 3: TLV 103 has no length", 1},
		{"030101 67000a 01", "offset 3: TLV 103 says 10 octets, 1 left", 1},
		{"fe0101 40", "offset 3: TLV 64 has no length", 1},
		{"fe0101 4001 00 30", "offset 3: TLV 64 says 256 octets, 1 left", 1},
		{"030101 ff 18", "", 2},
	} {
		tree, err := Decode(unhex(t, tt.file))
		if err == nil && tt.want != "" || err != nil && err.Error() != tt.want {
			t.Errorf("%s: %v, want %s", tt.file, err, tt.want)
		}
		if tree == nil || len(tree.Nodes) != tt.nodes {
			t.Errorf("%s: %+v, want %d TLVs", tt.file, tree, tt.nodes)
			continue
		}
		var de *decodeError
		if err != nil && !errors.As(err, &de) {
			t.Errorf("%s: %T", tt.file, err)
		}
	}
}

// psObject is an SNMP object of a portal service: TLV 28, whose length has two octets (FACTS, CableHome PS).
const psObject = "1c0010 300e 06092b06010401a30b0101 020101"

// What sort of file it is shows in its TLVs.
func TestDialect(t *testing.T) {
	for _, tt := range []struct {
		file string
		want Dialect
	}{
		{"fe0101 fe01ff", MTA},
		{psObject + "ff", PS},
		{"0901 61" + psObject, PS},
		{"030101" + psObject + "ff", PS},
		{"030101 ff", CM},
		{"1c02 0010 ff", CM}, // MaxClassifiers
		{"1c02 0030 120101 ff", CM},
		{"1c02 1030 0e06092b06010401a30b0101020101", CM}, // its second octet is a SEQUENCE's tag
		{"030101 ff" + psObject, CM},
		{"", CM},
	} {
		tree, _ := Decode(unhex(t, tt.file))
		if tree.Dialect != tt.want {
			t.Errorf("%s: %v, want %v", tt.file, tree.Dialect, tt.want)
		}
	}
}

func TestDeviations(t *testing.T) {
	const six, seven = "0610000102030405060708090a0b0c0d0e0f", "0710000102030405060708090a0b0c0d0e0f"
	for _, tt := range []struct {
		file string
		want []string
	}{
		{"030101" + six + seven + "ff", nil},
		{"03010112010112010 1" + six + seven + "ff 0000", nil},
		{"030101" + six + seven + "ff 00000000", []string{"offset 40: 4 zeros after the end marker; the compiler adds 0"}},
		{"030101120101" + six + seven + "ff", []string{"offset 43: 0 zeros after the end marker; the compiler adds 1"}},
		{"030101" + six + seven, []string{"offset 39: no end marker (255); the compiler adds it"}},
		{"030101" + six + "ff 0000", []string{"offset 21: CmtsMic is missing; the compiler adds it"}},
		{"030101" + seven + "ff 0000", []string{"offset 21: CmMic is missing; the compiler adds it"}},
		{six + seven + "030101 ff", []string{
			"offset 0: CmMic is not at the end; the compiler adds it there",
			"offset 18: CmtsMic is not at the end; the compiler adds it there",
		}},
		{six + six + seven + "ff 00", []string{
			"offset 0: CmMic is not at the end; the compiler adds it there",
			"offset 18: duplicate CmMic; the compiler adds one",
		}},
		{"0600" + seven + "ff 000000", []string{"offset 0: CmMic of 0 octets; the compiler's has 16"}},
		{"fe0101 fe01ff", nil},
		{"fe0101 0301 01", []string{"offset 6: the file does not end with the delimiter 254 1 255"}},
		{"fe0102 fe01ff", []string{"offset 0: the file does not begin with the delimiter 254 1 1"}},
		{"fe0101 0600 fe01ff", []string{"offset 3: CmMic does not belong in this kind of file; it is lost"}},
		{psObject + "ff", nil},
		{psObject, []string{"offset 19: no end marker (255); the compiler adds it"}},
		{psObject + "ff 0000", []string{"offset 20: 2 zeros after the end marker; the compiler adds none"}},
	} {
		tree, err := Decode(unhex(t, tt.file))
		if err != nil {
			t.Errorf("%s: %v", tt.file, err)
		}
		var got []string
		for _, d := range tree.Deviations {
			got = append(got, d.String())
		}
		have, want := map[string]bool{}, map[string]bool{}
		for _, s := range got {
			have[s] = true
		}
		for _, s := range tt.want {
			want[s] = true
		}
		if fmt.Sprint(have) != fmt.Sprint(want) {
			t.Errorf("%s:\n got %q\nwant %q", tt.file, got, tt.want)
		}
	}
}

func TestHash(t *testing.T) {
	digest := bytes.Repeat([]byte{7}, 20)
	for _, h := range hashes {
		vb := ber.AppendVarbind(nil, ber.AppendOID(nil, h.oid), len(h.oid), ber.OctetString, digest)
		object := append([]byte{11, byte(len(vb))}, vb...)
		for _, file := range [][]byte{
			append(append([]byte{254, 1, 1}, object...), 254, 1, 255),
			append(append([]byte{254, 1, 1}, object...), 254, 1, 2, 254, 1, 255),
			append(append(append([]byte{254, 1, 1}, object...), object...), 254, 1, 255),
		} {
			tree, err := Decode(file)
			if err != nil {
				t.Fatal(err)
			}
			if got := tree.Nodes[1].hashVariant(); got != h.variant {
				t.Errorf("%s: %s", h.variant, got)
			}
			roundTrip(t, tree, file)
		}
	}
}

func TestJSON(t *testing.T) {
	for _, tt := range []struct {
		file, want string
	}{
		{"030101 1807 01020001 060107 1800 ff 00", `{"dialect":"cm","tlvs":[` +
			`{"code":3,"name":"NetworkAccess","offset":0,"length":1,"value":1,"hex":"01"},` +
			`{"code":24,"name":"UsServiceFlow","offset":3,"length":7,"children":[` +
			`{"code":1,"name":"UsServiceFlowRef","offset":5,"length":2,"value":1,"hex":"0001"},` +
			`{"code":6,"name":"QosParamSetType","offset":9,"length":1,"value":7,"hex":"07"}]},` +
			`{"code":24,"name":"UsServiceFlow","offset":12,"length":0,"children":[]},` +
			`{"code":255,"name":"EndOfData","offset":14,"length":0}],"tail":"00","deviations":[` +
			`{"offset":14,"text":"CmMic is missing; the compiler adds it"},{"offset":14,"text":"CmtsMic is missing; the compiler adds it"}]}`},
		{"c80101 120105 12020102 0904613c267a 24040a000001 3d1120010db8000000000000000000000000 20 18", `{"dialect":"cm","tlvs":[` +
			`{"code":200,"offset":0,"length":1,"hex":"01"},` +
			`{"code":18,"name":"MaxCPE","offset":3,"length":1,"value":5,"hex":"05"},` +
			`{"code":18,"name":"MaxCPE","offset":6,"length":2,"hex":"0102","note":"2 octets, not 1"},` +
			`{"code":9,"name":"SwUpgradeFilename","offset":10,"length":4,"value":"a<&z","hex":"613c267a"},` +
			`{"code":36,"name":"SubscriberManagementCPEIPTable","offset":16,"length":4,"value":["10.0.0.1"],"hex":"0a000001"},` +
			`{"code":61,"name":"SubMgmtCPEIPv6PrefixList","offset":22,"length":17,"value":["2001:db8::/32"],"hex":"20010db800000000000000000000000020"}],` +
			`"error":{"offset":41,"text":"TLV 24 has no length"}}`},
		{"0b13 3011 060c2b06010201450106040102 01 020104 0a06 06032b0601 01 ff", `{"dialect":"cm","tlvs":[` +
			`{"code":11,"name":"SnmpMibObject","offset":0,"length":19,"value":{"oid":"1.3.6.1.2.1.69.1.6.4.1.2.1","name":"docsDevFilterIpStatus.1",` +
			`"type":"Integer","value":4,"hex":"04","label":"createAndGo"},"hex":"3011060c2b0601020145010604010201020104"},` +
			`{"code":10,"name":"SnmpWriteControl","offset":21,"length":6,"value":[".1.3.6.1",1],"hex":"06032b060101"},` +
			`{"code":255,"name":"EndOfData","offset":29,"length":0}],"deviations":[`},
	} {
		tree, _ := Decode(unhex(t, tt.file))
		got, err := tree.JSON(mib.Default())
		if err != nil || !strings.HasPrefix(string(got), tt.want) {
			t.Errorf("%s: %v\n got %s\nwant %s", tt.file, err, got, tt.want)
		}
		if !json.Valid(got) {
			t.Errorf("%s: no JSON", got)
		}
		if b, err := json.Marshal(tree); err != nil || !json.Valid(b) {
			t.Errorf("%s: %s, %v", tt.file, b, err)
		}
	}
}

func FuzzDecode(f *testing.F) {
	for _, tt := range printed {
		f.Add(uint8(tt.dialect), unhex(f, tt.file))
	}
	f.Fuzz(func(t *testing.T, dialect uint8, file []byte) {
		if len(file) > 2000 {
			return
		}
		tree, err := DecodeAs(Dialect(dialect%4), file)
		if err != nil {
			var de *decodeError
			if !errors.As(err, &de) || de.Offset < 0 || de.Offset >= len(file) {
				t.Fatalf("%v", err)
			}
		}
		if b, err := tree.JSON(mib.Default()); err != nil || !json.Valid(b) {
			t.Fatalf("%s, %v", b, err)
		}
		roundTrip(t, tree, file)
	})
}

// Whatever is encoded must be decoded to the same octets, and no input may do harm.
func FuzzEncode(f *testing.F) {
	for _, src := range []string{
		`NetworkAccess 1;`, `UsServiceFlow { UsServiceFlowRef 1; ServiceClassName "gold"; RequestOrTxPolicy 0x00000000; }`,
		`SnmpMibObject docsDevFilterIpStatus.1 Integer createAndGo;`, `SubMgmtFilters 0,1,2,3;`,
		`GenericTLV TlvCode 12 TlvLength 2 TlvType Short TlvValue 258;`, `SnmpMibObject .1.3.6.1 BITS 0,9;`,
		`DsPacketClass { LLCPacketClassifier { DstMacAddress 00:00:de:ad:be:ef/00:00:ff:ff:ff:ff; } }`,
		`SNMPv1v2cCoexistenceConfig { SNMPv1v2cTransportAddressAccess { SNMPv1v2cTransportAddress ::/0; } }`,
		`SnmpWriteControl .1.3.6.1 1; SubMgmtCPEIPv6PrefixList 5005::5:5/16,2002::2:2/127; eMTA 0x0102;`,
	} {
		f.Add(src)
	}
	f.Fuzz(func(t *testing.T, src string) {
		if len(src) > 1000 {
			return
		}
		for _, d := range []Dialect{CM, MTA} {
			file, err := compile("Main {"+src+"}", d, true, func(string) ([]byte, error) { return []byte("x"), nil })
			if err != nil {
				continue
			}
			tree, err := DecodeAs(d, file)
			if err != nil {
				t.Fatalf("%s: %x: %v", src, file, err)
			}
			roundTrip(t, tree, file)
		}
	})
}
