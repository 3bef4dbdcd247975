package skeleton

import (
	"strings"
	"testing"

	"dcs/render/attr"
	"dcs/render/syntax"
)

func TestFaults(t *testing.T) {
	for _, tt := range []struct {
		name string
		bench
		want Reason
		text string
	}{
		{"missing attribute", bench{src: `Main { MaxCPE $n; }`, schema: []string{"n"}}, Missing, "t.dcs:1:8: MaxCPE $n: the device has no such attribute"},
		{"missing attribute in a select", bench{src: `Main { select $n { 1 {} } }`, schema: []string{"n"}}, Missing, "$n: the device has no such"},
		{"range", bench{src: `Main { MaxCPE $n; }`, schema: []string{"n"}, record: attr.Record{"256"}}, OutOfRange, "MaxCPE $n: the value is out of range, 0 to 255"},
		{"negative", bench{src: `Main { UsServiceFlow { UsServiceFlowRef $n; } }`, schema: []string{"n"}, record: attr.Record{"-1"}}, OutOfRange, "1 to 65535"},
		{"no integer", bench{src: `Main { MaxCPE $n; }`, schema: []string{"n"}, record: attr.Record{"many"}}, NotInteger, ""},
		{"overflow", bench{src: `Main { MaxCPE $n * $n; }`, schema: []string{"n"}, record: attr.Record{"9999999999"}}, Overflow, ""},
		{"divide by zero", bench{src: `Main { MaxCPE 1 / $n; }`, schema: []string{"n"}, record: attr.Record{"0"}}, DivideByZero, ""},
		{"string too long", bench{src: `Main { UsServiceFlow { ServiceClassName "$s"; } }`, schema: []string{"s"}, record: attr.Record{"seventeen letters"}}, BadLength, ""},
		{"block too long", bench{
			src:    `Main { GenericTLV TlvCode 200 { GenericTLV TlvCode 1 TlvValue 0x` + strings.Repeat("00", 250) + `; } VendorSpecific { VendorIdentifier 0x000001; GenericTLV TlvCode 3 TlvValue 0x` + strings.Repeat("00", 200) + `; GenericTLV TlvCode 4 TlvString "$s"; } }`,
			schema: []string{"s"}, record: attr.Record{strings.Repeat("s", 60)},
		}, Invalid, "the block has 269 octets"},
		{"varying block too long", bench{
			src: `Main { VendorSpecific { VendorIdentifier 0x000001; GenericTLV TlvCode 3 TlvValue 0x` + strings.Repeat("00", 200) + `; SnmpMibObject .1.3.6.1 String "$s"; } }`,
			env: Env{Lenient: true}, schema: []string{"s"}, record: attr.Record{strings.Repeat("s", 90)},
		}, BlockTooLong, "VendorSpecific: the block is longer than the 255 octets that fit in a TLV"},
		{"SNMP object too long", bench{
			src: `Main { SnmpMibObject .1.3.6.1 String $s; }`, schema: []string{"s"}, record: attr.Record{strings.Repeat("s", 250)},
		}, BlockTooLong, "longer than the 255 octets that fit in a TLV"},
		{"address", bench{src: `Main { SwUpgradeServer $a; }`, schema: []string{"a"}, record: attr.Record{"198.18.0.256"}}, BadAddress, ""},
		{"wrong family", bench{src: `Main { TftpModemAddress $ip; }`, values: modem6}, WrongFamily, ""},
		{"no address of the modem", bench{src: `Main { TftpModemAddress $ip; }`}, Missing, "t.dcs:1:8: TftpModemAddress $ip: the request brings no such address"},
		{"no address in a string", bench{src: `Main { SwUpgradeFilename "$server-$ip"; }`}, Missing, "the request brings no such address"},
		{"no address of the server", bench{src: `Main { SwUpgradeFilename "$server-$ip"; }`, values: Values{IP: modem4.IP}}, Missing, "the request brings no such address"},
		{"no address in an SNMP object", bench{src: `Main { SnmpMibObject .1.3.6.1.2.1.1.6.0 String $server; }`}, Missing, "the request brings no such address"},
		{"no device", bench{src: `Main { CpeMacAddress $mac; }`}, NoMAC, ""},
		{"reject", bench{src: `Main { MaxCPE $n; reject "closed on ${n}day"; }`, schema: []string{"n"}, record: attr.Record{"1"}}, Rejected, "rejected: "},
		{"no case", bench{src: `Main { select $t { 1 { MaxCPE 1; } } }`, pattern: []string{"t"}, captures: []string{"2"}}, NoCase, `no case for "2"`},
		{"hex", bench{src: `Main { SnmpMibObject .1.3.6.1 HexString $x; }`, schema: []string{"x"}, record: attr.Record{"0x0"}}, BadHex, ""},
		{"extended MIC that cannot be", bench{
			src: `Main "x" { SwUpgradeFilename "$mac"; ` + extendedMIC("2", "0x10000000") + ` }`, values: modem4,
		}, Invalid, "t.dcs:1:1: x: extended CMTS MIC: MMH16"},
		{"extended MIC by the device", bench{
			src: `Main "x" { ` + extendedMIC("$alg", "0x10000000") + ` }`, schema: []string{"alg"}, record: attr.Record{"2"},
		}, Invalid, "t.dcs:1:1: x: extended CMTS MIC: MMH16"},
		{"hash in a file that does not end", bench{
			src: `Main "x" { MtaConfigDelimiter 1; hash na; SnmpMibObject .1.3.6.1.2.1.1.6.0 String "$mac"; }`, values: modem4,
		}, Invalid, "t.dcs:1:1: x: the MTA file lacks its closing delimiter"},
		{"an MTA's delimiter in front", bench{
			src: `Main "x" { GenericTLV TlvCode 254 TlvValue 0x01; SwUpgradeFilename "$mac"; }`, values: modem4,
		}, Invalid, "t.dcs:1:1: x: an MTA file has no"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			file, fault := tt.render(t)
			if fault == nil {
				t.Fatalf("no fault, but %x", file)
			}
			if fault.Reason != tt.want || !strings.Contains(fault.Error(), tt.text) {
				t.Errorf("%v: %v, want %v: …%s…", fault.Reason, fault, tt.want, tt.text)
			}
		})
	}
}

func TestLoadErrors(t *testing.T) {
	for _, tt := range []struct {
		name string
		bench
		want []string // one for each error, in order
	}{
		{"range", bench{src: `Main { MaxCPE 256; NetworkAccess 2; }`}, []string{"t.dcs:1:15: MaxCPE", "t.dcs:1:34: NetworkAccess"}},
		{"unknown keyword", bench{src: `Main { MaxCPU 1; }`}, []string{"did you mean MaxCPE?"}},
		{"keyword of another group", bench{src: `Main { DsServiceFlow { MaxRateDown 1; } }`}, []string{"MaxRateDown is not allowed in DsServiceFlow, only in ClassOfService"}},
		{"unknown variable", bench{src: `Main { MaxCPE $cpe; }`}, []string{"$cpe: undefined variable"}},
		{"unknown group", bench{src: `Main { MaxCPE $3; }`, pattern: []string{"a", ""}}, []string{"groups $1 to $2, of which $a"}},
		{"both cases are checked", bench{
			src: `Main { select $t { 1 { MaxCPE 300; } default { NetworkAccess 9; } } }`, pattern: []string{"t"},
		}, []string{"MaxCPE", "NetworkAccess"}},
		{"include that is missing", bench{src: `Main { include gold; }`}, []string{`include gold: nothing called "gold"`}},
		{"include by variable that nothing fits", bench{src: `Main { include "tier-$t"; }`, pattern: []string{"t"}}, []string{"nothing in the library"}},
		{"include in a circle", bench{src: `Main { include a; }`, blocks: `Block a { include b; } Block b { include a; }`}, []string{"include cycle: a → b → a"}},
		{"candidates are checked", bench{src: `Main { include "tier-$t"; }`, blocks: `Block tier-1 { MaxCPE 300; }`, pattern: []string{"t"}}, []string{"blocks.dcs:1:23: MaxCPE"}},
		{"label twice", bench{src: `Main { select $t { 1 {} 0x1 {} } }`, pattern: []string{"t"}}, []string{"case label 0x1: already used by the case at"}},
		{"default of a built-in", bench{src: `Main { default time 1; }`}, []string{"$time is built in"}},
		{"default in a group", bench{src: `Main { UsServiceFlow { default x 1; } }`}, []string{"not allowed within a group or a case"}},
		{"defaults in a circle", bench{src: `Main { default a $b; default b $a; MaxCPE $a; }`}, []string{"default cycle"}},
		{"structure by the time", bench{src: `Main { select $time { 1 {} } }`}, []string{"$time cannot be used in select"}},
		{"group called ip", bench{src: `Main { NetworkAccess 1; }`, pattern: []string{"ip"}}, []string{"group 1 is called ip"}},
		{"MIC by hand", bench{src: `Main { CmMic 0x00; }`}, []string{"CmMic"}},
		{"hash in a modem file", bench{src: `Main { hash na; }`}, []string{"hash: only allowed"}},
		{"arithmetic on a word", bench{src: `Main { default x gold; MaxCPE $x * 2; }`}, []string{"$x: not a 64-bit integer"}},
		{"file name that is not constant", bench{src: `Main { ManufacturerCVC "$f"; }`, pattern: []string{"f"}}, []string{"must be constant"}},
		{"a type that is none, of a block that changes", bench{src: `Main { GenericTLV TlvCode 280 { UsServiceFlowRef $r; } }`, schema: []string{"r"}}, []string{"TlvCode 280 is out of range"}},
		{
			"nothing to sign",
			bench{src: `Binary "a" from "b" resign;`, files: map[string]string{"b": ""}},
			[]string{`t.dcs:1:17: "b": the file is empty, there is nothing to sign`},
		},
		{
			"no hash to make anew",
			bench{src: `Binary "a" from "b" resign;`, files: map[string]string{"b": "\xfe\x01\x01\xfe\x01\xff"}},
			[]string{`t.dcs:1:17: "b": the MTA file has no hash to recompute`},
		},
		{"variable in a text's file", bench{src: `Text "a" from "b";`, files: map[string]string{"b": "x\n  $nope ${"}}, []string{"files/b:2:9: "}},
		{"variable in a text", bench{src: `Text "a" from "b";`, files: map[string]string{"b": "x\n  $nope"}}, []string{"files/b:2:3: $nope: undefined variable"}},
		{"text without its file", bench{src: `Text "a" from "b";`}, []string{"file does not exist"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := tt.template(t)
			errs, ok := err.(syntax.Errors)
			if !ok {
				t.Fatalf("error is %v", err)
			}
			if len(errs) != len(tt.want) {
				t.Errorf("%d errors, want %d:\n%v", len(errs), len(tt.want), err)
				return
			}
			for i, want := range tt.want {
				if !strings.Contains(errs[i].Error(), want) {
					t.Errorf("%v, want …%s…", errs[i], want)
				}
			}
		})
	}
}
