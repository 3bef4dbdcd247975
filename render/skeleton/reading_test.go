package skeleton

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"strings"
	"testing"

	"dcs/render/attr"
	"dcs/render/syntax"
)

// TestReading gives settings one value in every way that there is: by a group of the name,
// by an attribute, by one that chooses the skeleton, and as a default in quotes. It is read
// by one rule: all give the octets that the keyword has for it, or none gives a file.
func TestReading(t *testing.T) {
	const integer = "SnmpMibObject docsDevNmAccessStatus.1 Integer $x;" // 1.3.6.1.2.1.69.1.2.1.7, RFC 4639
	const counter = "SnmpMibObject .1.3.6.1 Counter64 $x;"
	const octets = "SnmpMibObject .1.3.6.1 HexString $x;"
	const vpn = "VendorSpecific { VendorIdentifier 0xffffff; L2VPNEncoding { VPNIdentifier $x; } }"
	const quoted = `VendorSpecific { VendorIdentifier 0xffffff; L2VPNEncoding { VPNIdentifier "$x"; } }`
	const policy = "UsServiceFlow { RequestOrTxPolicy $x; }"
	for _, tt := range []struct {
		setting, value string
		want           string // "": refused
	}{
		{"MaxCPE $x;", "8", "120108"},
		{"MaxCPE $x;", "0x10", "120110"},
		{"MaxCPE $x;", "0000000000000000000000016", "120110"},
		{"MaxCPE $x;", "256", ""},
		{"MaxCPE $x;", "-1", ""},
		{"MaxCPE $x;", "8k", ""},
		{"MaxCPE $x;", "0x", ""},
		{"MaxCPE $x;", " 8", ""},
		{integer, "createAndGo", "0b123010060b2b06010201450102010701020104"},
		{integer, "4", "0b123010060b2b06010201450102010701020104"},
		{integer, "createandgo", ""},
		{integer, "-2147483649", ""},
		{"SnmpMibObject .1.3.6.1 Integer $x;", "createAndGo", ""},
		{counter, "1000000000000000000", "0b11300f06032b0601" + "46080de0b6b3a7640000"},
		{counter, "18446744073709551615", "0b12301006032b0601" + "460900ffffffffffffffff"},
		{counter, "0x8000000000000000", "0b12301006032b0601" + "4609008000000000000000"},
		{counter, "18446744073709551616", ""},
		{counter, "-1", ""},
		{"SnmpMibObject .1.3.6.1 Counter64 $x + 1;", "9223372036854775806", "0b11300f06032b0601" + "46087fffffffffffffff"},
		{"SnmpMibObject .1.3.6.1 Counter64 $x + 1;", "9223372036854775807", ""},
		{policy, "0x00000018", "1806100400000018"},
		{policy, "24", ""},
		{policy, "00000018", ""},
		{policy, "0x18", ""},
		{octets, "0x40", "0b0a300806032b0601" + "040140"},
		{octets, "40", ""},
		{octets, "0x4", ""},
		{vpn, "0x0a0b0c0d", "2b0d0803ffffff0506" + "01040a0b0c0d"},
		{vpn, "0a0b0c0d", ""},
		{vpn, "office", ""},
		{quoted, "0a0b0c0d", "2b110803ffffff050a" + "01083061306230633064"},
		{quoted, "office", "2b0f0803ffffff0508" + "01066f6666696365"},
		{"CpeMacAddress $x;", "0a:01:02:03:04:05", "0e060a0102030405"},
		{"CpeMacAddress $x;", "0A-01-02-03-04-05", "0e060a0102030405"},
		{"CpeMacAddress $x;", "0a.01.02.03.04.05", "0e060a0102030405"},
		{"CpeMacAddress $x;", "0a01.0203.0405", "0e060a0102030405"},
		{"CpeMacAddress $x;", "0a0102030405", "0e060a0102030405"},
		{"CpeMacAddress $x;", "0x0a0102030405", "0e060a0102030405"},
		{"CpeMacAddress $x;", "0a:01:02:03:04", ""},
		{"SwUpgradeServer $x;", "198.18.0.2", "1504c6120002"},
		{"SwUpgradeServer $x;", "198.18.0.300", ""},
		{"SwUpgradeServer $x;", "fd00::1", ""},
		{"SwUpgradeFilename $x;", "0x4142", "0906307834313432"},
		{"SwUpgradeFilename $x;", "42", "09023432"},
	} {
		captured := bench{src: "Main { " + tt.setting + " }", pattern: []string{"x"}, captures: []string{tt.value}}
		attribute := bench{src: "Main { " + tt.setting + " }", schema: []string{"x"}, record: attr.Record{tt.value}}
		chosen := attribute
		chosen.src = "Main { select $x { none { } default { " + tt.setting + " } } }"
		fallback := bench{src: fmt.Sprintf("Main { default x %q; %s }", tt.value, tt.setting)}
		lacking := fallback
		lacking.schema, lacking.record = []string{"x"}, attr.Record{""}
		chain := lacking
		chain.src = fmt.Sprintf("Main { default x $y; default y %q; %s }", tt.value, tt.setting)
		chain.schema = []string{"y", "x"}
		for way, b := range map[string]*bench{
			"group": &captured, "attribute": &attribute, "choosing attribute": &chosen,
			"default": &fallback, "default of an attribute": &lacking, "default of a default": &chain,
		} {
			want := signed(t, tt.want)
			if got := b.file(t); tt.want == "" && got != nil || tt.want != "" && !bytes.Equal(got, want) {
				t.Errorf("%s of %q by %s: %x, want %x", tt.setting, tt.value, way, got, want)
			}
		}
	}
}

// TestLongNames gives names of service classes that are longer than the specification allows. What a name or a device
// gives is accepted up to 16 characters, as it has always been; what the template says itself is not.
func TestLongNames(t *testing.T) {
	for _, setting := range []string{"UsServiceFlow { ServiceClassName $x; }", `UsServiceFlow { ServiceClassName "$x"; }`} {
		for _, value := range []string{"fifteen letters", "sixteen letters!", "seventeen letters"} {
			want := []byte(nil)
			if n := len(value); n <= 16 {
				want = signed(t, fmt.Sprintf("18%02x04%02x%x00", n+3, n+1, value))
			}
			captured := bench{src: "Main { " + setting + " }", pattern: []string{"x"}, captures: []string{value}}
			attribute := bench{src: "Main { " + setting + " }", schema: []string{"x"}, record: attr.Record{value}}
			chosen := attribute
			chosen.src = "Main { select $x { none { } default { " + setting + " } } }"
			for way, b := range map[string]*bench{"group": &captured, "attribute": &attribute, "choosing attribute": &chosen} {
				if got := b.file(t); !bytes.Equal(got, want) {
					t.Errorf("%s of %q by %s: %x, want %x", setting, value, way, got, want)
				}
			}
			for _, src := range []string{
				fmt.Sprintf("Main { UsServiceFlow { ServiceClassName %q; } }", value),
				fmt.Sprintf("Main { default x %q; %s }", value, setting),
			} {
				for _, schema := range [][]string{nil, {"x"}} {
					if schema != nil && strings.HasSuffix(setting, `"$x"; }`) && strings.Contains(src, "default") {
						continue // part of a text that a request completes
					}
					b := bench{src: src, schema: schema, record: make(attr.Record, len(schema))}
					if _, err := b.template(t); (err == nil) != (len(value) <= 15) {
						t.Errorf("%s: %v", src, err)
					}
				}
			}
		}
	}
}

// TestDefaults writes defaults in every form: each means the same as it does in its place by
// hand, whether or not there is an attribute of that name, which the device lacks.
func TestDefaults(t *testing.T) {
	for _, tt := range []struct {
		value, setting string
		want           string // "": refused when it is loaded
	}{
		{"0x4142", "SwUpgradeFilename $s;", "09024142"},
		{`"0x4142"`, "SwUpgradeFilename $s;", "0906307834313432"},
		{"0x4142", `SwUpgradeFilename "$s.bin";`, "090a3078343134322e62696e"},
		{"0x41", "SnmpMibObject .1.3.6.1 String $s;", ""},
		{"0x41", "SnmpMibObject .1.3.6.1 HexString $s;", "0b0a300806032b0601" + "040141"},
		{"createAndGo", "SnmpMibObject docsDevNmAccessStatus.1 Integer $s;", "0b123010060b2b06010201450102010701020104"},
		{"0xc6120002", "SwUpgradeServer $s;", "1504c6120002"},
		{"0x0a0102030405", "CpeMacAddress $s;", "0e060a0102030405"},
		{"0x10", "MaxCPE $s + 1;", "120111"},
		{"300", "MaxCPE $s;", ""},
		{"18446744073709551615", "SnmpMibObject .1.3.6.1 Counter64 $s;", "0b12301006032b0601" + "460900ffffffffffffffff"},
	} {
		alone := bench{src: "Main { default s " + tt.value + "; " + tt.setting + " }"}
		lacking := alone
		lacking.schema, lacking.record = []string{"s"}, attr.Record{""}
		for _, b := range []*bench{&alone, &lacking} {
			_, err := b.template(t)
			if tt.want == "" {
				if err == nil {
					t.Errorf("%s\nwith attributes %v: is loaded", b.src, b.schema)
				}
				continue
			}
			if err != nil {
				t.Errorf("%s\nwith attributes %v: %v", b.src, b.schema, err)
			} else if got := b.file(t); !bytes.Equal(got, signed(t, tt.want)) {
				t.Errorf("%s\nwith attributes %v: %x, want %s", b.src, b.schema, got, tt.want)
			}
		}
	}
}

// TestDelimiters gives Mta items their delimiters in all ways: the file has each of them once.
func TestDelimiters(t *testing.T) {
	const contact = "SnmpMibObject .1.3.6.1.2.1.1.6.0 HexString 0xfe01ff;"
	const want = "fe0101" + "0b11300f06082b06010201010600" + "0403fe01ff" + "fe01ff"
	for _, tt := range []struct {
		bench
		want string
	}{
		{bench{src: "Mta { " + contact + " }"}, want},
		{bench{src: "Mta { MtaConfigDelimiter 1; " + contact + " MtaConfigDelimiter 255; }"}, want},
		{bench{src: "Mta { select 1 { 1 { MtaConfigDelimiter 1; } } " + contact + " select 1 { 1 { MtaConfigDelimiter 255; } } }"}, want},
		{bench{src: "Mta { include $b; " + contact + " }", schema: []string{"b"}, record: attr.Record{"head"}, blocks: "Block head { MtaConfigDelimiter 1; }"}, want},
		{bench{src: "Mta { include $b; " + contact + " }", schema: []string{"b"}, record: attr.Record{"none"}, blocks: "Block none { }"}, want},
		{bench{src: "Mta { include head; " + contact + " }", blocks: "Block head { GenericTLV TlvCode 254 TlvValue 0x01; }"}, want},
		{bench{src: "Mta { }"}, "fe0101fe01ff"},
	} {
		got, fault := tt.render(t)
		if fault != nil || hex.EncodeToString(got) != tt.want {
			t.Errorf("%s\n%v: %x, want %s", tt.src, fault, got, tt.want)
		}
	}
}

// TestWrite writes expressions as their source has them, for messages.
func TestWrite(t *testing.T) {
	for _, want := range []string{
		"($a - $b) * 2", "$a - $b * 2", "$a - ($b - $c)", "$a - $b - $c", "2 * ($a + 1)/3", "$a/($b * $c)", "-($a + 1)", "-(-$a)", "$a - -1",
		"10.0.0.1/80", `"fw-${a}.bin"`, "$a, $b",
	} {
		f, err := syntax.Parse("t.dcs", []byte("Main { MaxCPE "+want+"; }"), syntax.DCS)
		if err != nil {
			t.Fatalf("%s: %v", want, err)
		}
		if got := write(f.Items[0].Body[0].(*syntax.Setting).Values[0]); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
}
