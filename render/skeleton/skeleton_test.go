package skeleton

import (
	"bytes"
	"encoding/hex"
	"strings"
	"testing"

	"dcs/render/attr"
	"dcs/render/mic"
)

// The expected octets are put together by hand from RFC 868, the dictionary and the values;
// only the MICs are computed, by another way than the skeleton's.
func TestRender(t *testing.T) {
	for _, tt := range []struct {
		name string
		bench
		want string // the file up to the CM MIC
	}{
		{"constant", bench{src: `Main { NetworkAccess 1; }`}, "030101"},
		{"arithmetic", bench{src: `Main { MaxCPE (2 + 3) * 4 - 10 / 5; DownstreamFrequency 340M; }`}, "120112 0104 1443fd00"},
		{"attribute", bench{src: `Main { MaxCPE $cpe; }`, schema: []string{"cpe"}, record: attr.Record{"16"}}, "120110"},
		{"attribute in arithmetic", bench{
			src:    `Main { DsServiceFlow { MaxRateSustained $down * 1000; } }`,
			schema: []string{"down"}, record: attr.Record{"512"},
		}, "1906 0804 0007d000"},
		{"default", bench{src: `Main { default cpe 3; MaxCPE $cpe; }`, schema: []string{"cpe"}, record: attr.Record{""}}, "120103"},
		{"default of no attribute", bench{src: `Main { default cpe 3; MaxCPE $cpe + 1; }`}, "120104"},
		{"default of another", bench{
			src:    `Main { default up $down / 2; UsServiceFlow { MaxRateSustained $up; } }`,
			schema: []string{"down", "up"}, record: attr.Record{"512"},
		}, "1806 0804 00000100"},
		{"capture by name and number", bench{
			src: `Main { MaxCPE $cpe; SwUpgradeFilename "$1-$2.bin"; }`, pattern: []string{"isp", "cpe"}, captures: []string{"isrr", "8"},
		}, "120108 090a 697372722d382e62696e"},
		{"time and address", bench{src: `Main { TftpTimestamp $time; TftpModemAddress $ip; }`, values: modem4}, "1304 e8fe6f80 1404 c6120509"},
		{
			"time and address by the library",
			bench{src: `Main { NetworkAccess 1; }`, env: Env{Timestamp: true, ModemAddress: true}, values: modem4},
			"030101 1304 e8fe6f80 1404 c6120509",
		},
		{
			"IPv6 address by the library",
			bench{src: `Main { NetworkAccess 1; }`, env: Env{ModemAddress: true}, values: modem6},
			"030101 3b10 fd000000000000000000000000000009",
		},
		{"the template's own address stays", bench{
			src: `Main { TftpModemAddress 198.18.1.1; }`, env: Env{Timestamp: true, ModemAddress: true}, values: modem4,
		}, "1404 c6120101 1304 e8fe6f80"},
		{"text of varying width", bench{
			src: `Main { SwUpgradeFilename "fw-${model}x.bin"; MaxCPE 1; }`, schema: []string{"model"}, record: attr.Record{"tg862"},
		}, "090d 66772d7467383632782e62696e 120101"},
		{"text in a group", bench{
			src:    `Main { UsServiceFlow { ServiceClassName "$svc"; UsServiceFlowRef 1; } MaxCPE $cpe; }`,
			schema: []string{"svc", "cpe"}, record: attr.Record{"gold", "2"},
		}, "180b 0405 676f6c6400 0102 0001 120102"},
		{
			"mac",
			bench{src: `Main { CpeMacAddress $mac; SwUpgradeFilename "$mac"; }`, values: modem4},
			"0e06 0a0102030405 0911 30613a30313a30323a30333a30343a3035",
		},
		{"SNMP integer", bench{
			src: `Main { SnmpMibObject .1.3.6.1.2.1.69.1.3.1.0 Integer $n; }`, schema: []string{"n"}, record: attr.Record{"-129"},
		}, "0b12 3010 060a 2b06010201450103 0100 0202ff7f"},
		{"SNMP string", bench{
			src: `Main { SnmpMibObject .1.3.6.1.2.1.1.6.0 String "at $site"; }`, schema: []string{"site"}, record: attr.Record{"home"},
		}, "0b15 3013 0608 2b06010201010600 0407 617420686f6d65"},
		{"select by capture", bench{
			src:     `Main { select $t { 1 { MaxCPE 1; } 2, 3 { MaxCPE 2; } default { reject "no such tier"; } } }`,
			pattern: []string{"t"}, captures: []string{"3"},
		}, "120102"},
		{"select by attribute", bench{
			src:    `Main { select $t { gold { include gold; } "silver" { MaxCPE 1; } } }`,
			blocks: `Block gold { MaxCPE $n; }`, schema: []string{"t", "n"}, record: attr.Record{"gold", "9"},
		}, "120109"},
		{"include by attribute", bench{
			src: `Main { include $t; }`, blocks: `Block gold { default n 4; MaxCPE $n; } Block lead { UsServiceFlowRef 1; }`,
			schema: []string{"t", "n"}, record: attr.Record{"gold"},
		}, "120104"},
		{"include by a name with a variable", bench{
			src: `Main { include "tier-$t"; }`, blocks: `Block tier-1 { MaxCPE 1; } Block tier-2 { include tier-1; NetworkAccess 1; }`,
			pattern: []string{"t"}, captures: []string{"2"},
		}, "120101 030101"},
		{"include by a capture and an attribute", bench{
			src: `Main { include "$isp-$tier"; }`, blocks: `Block north-1 { MaxCPE 1; } Block north-2 { MaxCPE 2; }`,
			pattern: []string{"isp"}, captures: []string{"north"}, schema: []string{"tier"}, record: attr.Record{"2"},
		}, "120102"},
		{"a kind without a slot, of a capture and an attribute", bench{
			src: `Main { UpstreamDropClassifierGroupID $a + $c,2; }`, schema: []string{"a"}, record: attr.Record{"1"}, pattern: []string{"c"}, captures: []string{"3"},
		}, "3e02 0402"},
		{"a default that is not needed", bench{
			src:    `Main { default b $a; MaxCPE $b; select $c { 1 { select $a { 1 { MaxCPE 1; } } } default { } } }`,
			schema: []string{"a", "b", "c"}, record: attr.Record{"", "5", "2"},
		}, "120105"},
		{"the template's default goes before the block's", bench{
			src: `Main { default n 7; include b; }`, blocks: `Block b { default n 4; MaxCPE $n; }`,
		}, "120107"},
		{"a kind without a slot", bench{
			src: `Main { UpstreamDropClassifierGroupID $a,2; }`, schema: []string{"a"}, record: attr.Record{"1"},
		}, "3e02 0102"},
		{"extended MIC by the device", bench{
			src: `Main { ` + extendedMIC("$alg", "0x10000000") + ` SwUpgradeFilename "$mac"; }`, schema: []string{"alg"}, record: attr.Record{"1"}, values: modem4,
		}, "2b10 0803ffffff 0609 010101 020410000000 0911 30613a30313a30323a30333a30343a3035"},
		{
			"octets",
			bench{src: `Main { SnmpMibObject .1.3.6.1.2.1.1.6.0 HexString $x; }`, schema: []string{"x"}, record: attr.Record{"0x00ff"}},
			"0b10 300e 0608 2b06010201010600 0402 00ff",
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, fault := tt.render(t)
			if fault != nil {
				t.Fatal(fault)
			}
			body, err := hex.DecodeString(strings.ReplaceAll(tt.want, " ", ""))
			if err != nil {
				t.Fatal(err)
			}
			want, err := mic.Sign(body, secret)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(got, want) {
				t.Errorf("got  %x\nwant %x", got, want)
			}
		})
	}
}

// extendedMIC asks for an extended CMTS MIC.
func extendedMIC(alg, bitmap string) string {
	return "VendorSpecific { VendorIdentifier 0xffffff; ExtendedCMTSMICConfiguration { ExtendedCMTSMICHMACDigestType " + alg +
		"; ExtendedCMTSMICHMACBitmap " + bitmap + "; } }"
}
