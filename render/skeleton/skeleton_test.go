package skeleton

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"dcs/render/attr"
	"dcs/render/ber/mib"
	"dcs/render/mic"
	"dcs/render/syntax"
)

// bench is one template with what it is rendered for.
type bench struct {
	src      string
	blocks   string // further source that holds blocks
	schema   []string
	record   attr.Record
	pattern  []string // names of the groups, from number 1
	captures []string
	env      Env
	values   Values
	files    map[string]string
	wide     bool // what a variable may mean is looked at for all values together
}

func (b *bench) template(t testing.TB) (*Template, error) {
	t.Helper()
	f, err := syntax.Parse("t.dcs", []byte(b.src), syntax.DCS)
	if err != nil {
		return nil, err
	}
	items := map[string]*syntax.Item{}
	if b.blocks != "" {
		g, err := syntax.Parse("blocks.dcs", []byte(b.blocks), syntax.DCS)
		if err != nil {
			return nil, err
		}
		for _, it := range g.Items {
			items[it.Name] = it
		}
	}
	env := b.env
	env.MIB = mib.Default()
	if env.Schema == nil {
		if env.Schema, err = attr.NewSchema(b.schema...); err != nil {
			t.Fatal(err)
		}
	}
	env.Include = func(_ syntax.Pos, name string, _ bool) (*syntax.Item, error) {
		if it := items[name]; it != nil {
			return it, nil
		}
		return nil, fmt.Errorf("nothing called %q", name)
	}
	choices := map[string]*Choices{}
	env.Candidates = func(_ syntax.Pos, pieces []string) []*Choices {
		key := strings.Join(pieces, "$")
		if ch := choices[key]; ch != nil {
			return []*Choices{ch}
		}
		var out []*syntax.Item
		for name, it := range items {
			if strings.HasPrefix(name, pieces[0]) && strings.HasSuffix(name, pieces[len(pieces)-1]) {
				out = append(out, it)
			}
		}
		if out == nil {
			return nil
		}
		choices[key] = &Choices{Items: out}
		return []*Choices{choices[key]}
	}
	env.ReadFile = func(_ syntax.Pos, name string) ([]byte, error) {
		if text, ok := b.files[name]; ok {
			return []byte(text), nil
		}
		return nil, os.ErrNotExist
	}
	env.Path = func(_ syntax.Pos, name string) string { return "files/" + name }
	if env.prepare(); b.wide {
		env.reach.least, env.reach.most = 0, 0
	}
	var groups []string
	if b.pattern != nil {
		groups = append([]string{""}, b.pattern...)
	}
	return New(&env, f.Items[0], groups)
}

func (b *bench) name(tm *Template) Name {
	n := Name{Text: "t", IPv6: b.values.IP.Is6()}
	if b.pattern != nil {
		n.Captures = append([]string{"t"}, b.captures...)
		for range n.Captures {
			n.Given = append(n.Given, true)
		}
	}
	for _, i := range tm.Structural() {
		v, _ := b.record.Get(i)
		n.Keys = append(n.Keys, v)
	}
	return n
}

var secret = mic.NewSecret([]byte("DOCSIS"))

// render makes the file, or returns the fault.
func (b *bench) render(t testing.TB) ([]byte, *Fault) {
	t.Helper()
	tm, err := b.template(t)
	if err != nil {
		t.Fatalf("%v\n%s", err, b.src)
	}
	return b.made(t, tm)
}

// made is what tm makes.
func (b *bench) made(t testing.TB, tm *Template) ([]byte, *Fault) {
	t.Helper()
	s, fault := tm.Specialize(b.name(tm))
	if fault != nil {
		return nil, fault
	}
	b.values.Attrs = b.record
	var sc Scratch
	file, fault := s.Build(nil, &b.values, &sc)
	if fault != nil {
		return nil, fault
	}
	file, fault = s.Sign(file, secret, &sc)
	if fault == nil && s.Static() && !bytes.Equal(file, s.File(secret)) {
		t.Errorf("a static file comes out in two ways:\n%x\n%x\n%s", file, s.File(secret), b.src)
	}
	return file, fault
}

var (
	modem4 = Values{
		Now: 1700000000e9, IP: netip.MustParseAddr("198.18.5.9"), Server: netip.MustParseAddr("198.18.0.1"),
		MAC: [6]byte{0x0a, 1, 2, 3, 4, 5},
	}
	modem6 = Values{
		Now: 1700000000e9, IP: netip.MustParseAddr("fd00::9"), Server: netip.MustParseAddr("fd00::1"),
		MAC: [6]byte{0x0a, 1, 2, 3, 4, 5},
	}
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

// TestReading gives settings one value in every way that there is: by a group of the name,
// by an attribute, by one that chooses the skeleton, and as a default in quotes. It is read
// by one rule: all give the octets that the keyword has for it, or none gives a file.
func TestReading(t *testing.T) {
	const integer = "SnmpMibObject docsDevNmAccessStatus.1 Integer $x;" // 1.3.6.1.2.1.69.1.2.1.7, RFC 4639
	const counter = "SnmpMibObject .1.3.6.1 Counter64 $x;"
	const octets = "SnmpMibObject .1.3.6.1 HexString $x;"
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

// signed returns the whole file of TLVs in hexadecimal.
func signed(t *testing.T, tlvs string) []byte {
	t.Helper()
	body, err := hex.DecodeString(tlvs)
	if err != nil {
		t.Fatal(err)
	}
	file, err := mic.Sign(body, secret)
	if err != nil {
		t.Fatal(err)
	}
	return file
}

// file renders, and returns nil where the template is not even loaded.
func (b *bench) file(t *testing.T) []byte {
	if _, err := b.template(t); err != nil {
		return nil
	}
	file, _ := b.render(t)
	return file
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

// TestGrowth loads templates that are small, and would not be when all is written out.
func TestGrowth(t *testing.T) {
	chain := func(first, each string) string { // of defaults, each with four of the one before
		var b strings.Builder
		fmt.Fprintf(&b, "default a0 %s; ", first)
		for i := range 14 {
			fmt.Fprintf(&b, "default a%d %s; ", i+1, strings.ReplaceAll(each, "A", fmt.Sprintf("$a%d", i)))
		}
		return b.String()
	}
	doubling := func(last, name string) string { // of blocks, each including the next one twice
		var b strings.Builder
		for i := range 25 {
			fmt.Fprintf(&b, "Block b%d { include b%d; include %s; } ", i, i+1, strings.ReplaceAll(name, "N", fmt.Sprint(i+1)))
		}
		return b.String() + "Block b25 { " + last + " }"
	}
	var chosen string // blocks that a variable may choose, each with two includes of the same kind
	for i := range 25 {
		chosen += fmt.Sprintf(`Block b%d { include "b$n"; include "b${n}"; } `, i)
	}
	chosen += "Block b25 { MaxCPE 1; }"
	cases := func(last string) string { // blocks that two cases of a select lead to, and so on
		var b strings.Builder
		for i := range 25 {
			fmt.Fprintf(&b, "Block b%d { select $n { a { include b%d; } b, c { include b%d; } default { include b%d; } } } ", i, i+1, i+1, i+1)
		}
		return b.String() + "Block b25 { " + last + " }"
	}
	for _, tt := range []struct {
		name string
		bench
		want string // the octets up to the CM MIC; "": an error
		text string // of the error
	}{
		{"sums", bench{src: `Main { ` + chain("1", "A + A + A + A") + ` DsServiceFlow { MaxRateSustained $a14; } }`}, "1906080410000000", ""},
		{"sums of a faulty one", bench{src: `Main { ` + chain("gold", "A + A + A + A") + ` MaxCPE $a14; }`}, "", "t.dcs:1:36: $a0: not a 64-bit integer"},
		{"sums of an attribute", bench{src: `Main { ` + chain("$n", "A + A + A + A") + ` MaxCPE $a14; }`, schema: []string{"n"}}, "", ": more than 1000 terms"},
		{"texts", bench{src: `Main { ` + chain(`"x"`, `"AAAA"`) + ` SwUpgradeFilename $a14; }`}, "", ": text longer than 65535 octets"},
		{"texts of an attribute", bench{src: `Main { ` + chain(`$n`, `"AAAA"`) + ` SwUpgradeFilename $a14; }`, schema: []string{"n"}}, "", ": more than 1000 terms"},
		{"blocks", bench{src: `Main { include b0; }`, blocks: doubling("MaxCPE 1;", "bN")}, "", "t.dcs:1:1: t.dcs: with all that it includes it has more than 65535 statements"},
		{"blocks of nothing", bench{src: `Main { include b0; NetworkAccess 1; }`, blocks: doubling("", "bN")}, "", "more than 65535 statements"},
		{"blocks to choose from", bench{src: `Main { include "b$n"; }`, pattern: []string{"n"}, blocks: doubling("MaxCPE 1;", `"b$n"`)}, "", ": include b1: include cycle: b1 → "},
		{"names to choose from", bench{src: `Main { include "b$n"; }`, pattern: []string{"n"}, captures: []string{"25"}, blocks: chosen}, "120101", ""},
		{"names to choose from that lead on", bench{src: `Main { include "b$n"; }`, pattern: []string{"n"}, captures: []string{"7"}, blocks: chosen}, "", "include cycle: b7 → b7"},
		{"cases", bench{src: `Main { include b0; }`, pattern: []string{"n"}, captures: []string{"x"}, blocks: cases("MaxCPE 1;")}, "120101", ""},
		{"cases with an error", bench{src: `Main { include b0; }`, pattern: []string{"n"}, captures: []string{"x"}, blocks: cases("MaxCPE 300;")}, "", "MaxCPE: 300 does not fit"},
		{"cases alone", bench{src: `Main { NetworkAccess 1; }`, blocks: cases("MaxCPE 1;")}, "030101", ""},
		{"large octets", bench{
			src: `Main { include b0; }`,
			blocks: `Block b0 { include b1; include b1; include b1; } Block b1 { include b2; include b2; include b2; } Block b2 {` +
				strings.Repeat(" SnmpMibObject .1.3.6.1 HexString 0x"+strings.Repeat("00", 200)+";", 1000) + "}",
		}, "", "more than 1048576 octets"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tm, err := tt.template(t)
			if err == nil && tt.want == "" {
				if _, fault := tm.Specialize(tt.bench.name(tm)); fault != nil {
					err = fault
				}
			}
			switch {
			case tt.want == "" && (err == nil || !strings.Contains(err.Error(), tt.text)):
				t.Errorf("error is %v, want …%s…", err, tt.text)
			case tt.want != "" && err != nil:
				t.Error(err)
			case tt.want != "" && !bytes.Equal(tt.file(t), signed(t, tt.want)):
				t.Errorf("%x, want %s", tt.file(t), tt.want)
			}
		})
	}
}

// TestStructural lists what chooses a skeleton, and so multiplies what is learned: a value that a slot takes is none of it.
func TestStructural(t *testing.T) {
	const tiers = `Block tier-1 { MaxCPE $n; } Block tier-2 { select $t { 1 { } default { } } } Block other { select $u { 1 { } default { } } }`
	for src, want := range map[string][]int{
		`Main { SwUpgradeFilename "$n-$c"; MaxCPE $n + $c; SnmpMibObject .1.3.6.1 Integer $n * $c; }`: nil,
		`Main { UpstreamDropClassifierGroupID $n + $c,2; }`:                                           {0},
		`Main { include "tier-$c"; }`:                                                                 {1},
		`Main { include "tier-$n"; }`:                                                                 {0, 1},
		`Main { include $c; }`:                                                                        {1, 2},
		`Main { default t 1; include "tier-$c"; }`:                                                    {1},
		`Main { default x $n; include "tier-$x"; }`:                                                   {0, 1},
		`Main { default x 1; include "tier-$x"; }`:                                                    nil,
	} {
		b := bench{src: src, blocks: tiers, schema: []string{"n", "t", "u"}, pattern: []string{"c"}}
		tm, err := b.template(t)
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(tm.Structural(), want) {
			t.Errorf("%s: %v, want %v", src, tm.Structural(), want)
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
		{"negative", bench{src: `Main { DownstreamFrequency $n; }`, schema: []string{"n"}, record: attr.Record{"-1"}}, OutOfRange, "88000000 to 1794000000"},
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

// gen writes random templates twice: with variables, and with the values in their place.
type gen struct {
	*rand.Rand
	b     bench
	dyn   strings.Builder
	plain strings.Builder
}

// give makes a variable that has that value, from a capture, an attribute or a default.
func (g *gen) give(value string) string {
	n := fmt.Sprintf("v%d", len(g.b.schema)+len(g.b.pattern))
	switch g.IntN(4) {
	case 0:
		g.b.pattern, g.b.captures = append(g.b.pattern, n), append(g.b.captures, value)
	case 1: // the device lacks it
		g.b.schema, g.b.record = append(g.b.schema, n), append(g.b.record, "")
		g.b.src += fmt.Sprintf("default %s %q; ", n, value)
	default:
		g.b.schema, g.b.record = append(g.b.schema, n), append(g.b.record, value)
	}
	return "${" + n + "}"
}

func (g *gen) both(s string) { g.dyn.WriteString(s); g.plain.WriteString(s) }

func (g *gen) put(dyn, plain string) { g.dyn.WriteString(dyn); g.plain.WriteString(plain) }

func (g *gen) word(most int) string {
	b := make([]byte, 1+g.IntN(most))
	for i := range b {
		b[i] = "abcdefghijklmnop-0123"[g.IntN(21)]
	}
	return string(b)
}

func (g *gen) setting() {
	switch g.IntN(12) {
	case 0:
		g.both(fmt.Sprintf("MaxCPE %d; ", g.IntN(256)))
	case 1:
		n := g.IntN(200)
		g.put("MaxCPE "+g.give(fmt.Sprint(n))+" + 5; ", fmt.Sprintf("MaxCPE %d; ", n+5))
	case 2:
		s := g.word(40)
		g.put(`SwUpgradeFilename "fw`+g.give(s)+`"; `, `SwUpgradeFilename "fw`+s+`"; `)
	case 3:
		s := g.word(15)
		g.both("UsServiceFlow { UsServiceFlowRef 1; ")
		g.put(`ServiceClassName "`+g.give(s)+`"; `, `ServiceClassName "`+s+`"; `)
		n := g.IntN(1e6)
		g.put("MaxRateSustained "+g.give(fmt.Sprint(n))+"*1000; } ", fmt.Sprintf("MaxRateSustained %d; } ", n*1000))
	case 4:
		s := g.word(120)
		g.put(`SnmpMibObject sysLocation.0 String "`+g.give(s)+`"; `, `SnmpMibObject sysLocation.0 String "`+s+`"; `)
	case 5:
		n := g.IntN(1<<31) - 1<<30
		g.put("SnmpMibObject .1.3.6.1.4.1.4491.1.1.0 Integer "+g.give(fmt.Sprint(n))+"; ", fmt.Sprintf("SnmpMibObject .1.3.6.1.4.1.4491.1.1.0 Integer %d; ", n))
	case 6:
		g.put("TftpTimestamp $time; ", fmt.Sprintf("TftpTimestamp %d; ", g.b.values.seconds()))
	case 7:
		g.put("TftpModemAddress $ip; ", "TftpModemAddress "+g.b.values.IP.String()+"; ")
	case 8:
		x := "0x" + hex.EncodeToString([]byte(g.word(30)))
		g.put("VendorSpecific { VendorIdentifier 0x0000ca; GenericTLV TlvCode 9 TlvValue "+g.give(x)+"; } ",
			"VendorSpecific { VendorIdentifier 0x0000ca; GenericTLV TlvCode 9 TlvValue "+x+"; } ")
	case 9:
		tier := g.IntN(3)
		g.put("select "+g.give(fmt.Sprint(tier))+" { 0 { NetworkAccess 0; } 1 { NetworkAccess 1; MaxClassifiers 7; } default { GlobalPrivacyEnable 1; } } ",
			[]string{"NetworkAccess 0; ", "NetworkAccess 1; MaxClassifiers 7; ", "GlobalPrivacyEnable 1; "}[tier])
	case 10:
		a := netip.AddrFrom4([4]byte{198, 18, byte(g.IntN(256)), byte(g.IntN(256))}).String()
		g.put("SnmpMibObject docsDevNmAccessIp.1 IPAddress "+g.give(a)+"; SwUpgradeServer "+g.give(a)+"; ",
			"SnmpMibObject docsDevNmAccessIp.1 IPAddress "+a+"; SwUpgradeServer "+a+"; ")
	case 11:
		if g.IntN(4) == 0 {
			digest := ""
			if g.IntN(2) == 0 {
				digest = "ExtendedCMTSMICHMACDigest 0x00000000000000000000000000000000; "
			}
			if !strings.Contains(g.plain.String(), "ffffff") {
				g.both("VendorSpecific { VendorIdentifier 0xffffff; ExtendedCMTSMICConfiguration { ExtendedCMTSMICHMACDigestType 1; ExtendedCMTSMICHMACBitmap 0x" +
					hex.EncodeToString([]byte{byte(g.IntN(64)) << 2, byte(g.IntN(256)), byte(g.IntN(256)), byte(g.IntN(256))}) + "; " + digest + "} } ")
			}
		}
	}
}

// TestRenderIsCompile holds a rendered template against the same template with the values
// written in by hand and signed as a whole.
func TestRenderIsCompile(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	rounds := 2000
	if testing.Short() {
		rounds = 200
	}
	for i := range rounds {
		g := &gen{Rand: rand.New(rand.NewPCG(seed, uint64(i)))}
		g.b.values = modem4
		g.b.values.Now += int64(g.IntN(1e9)) * 1e9
		g.b.src = "Main { "
		for range 1 + g.IntN(12) {
			g.setting()
		}
		g.b.src += g.dyn.String() + "}"
		plain := bench{src: "Main { " + g.plain.String() + "}"}
		got, fault := g.b.render(t)
		tm, err := plain.template(t)
		if err != nil {
			t.Fatalf("round %d: %v\n%s", i, err, plain.src)
		}
		s, fault2 := tm.Specialize(Name{})
		if fault2 != nil {
			t.Fatalf("round %d: %v\n%s", i, fault2, plain.src)
		}
		want, err := mic.Sign(append([]byte(nil), s.base...), secret)
		if err != nil {
			t.Fatal(err)
		}
		if fault != nil || !bytes.Equal(got, want) {
			t.Fatalf("round %d: %v\n%s\n%s\ngot  %x\nwant %x", i, fault, g.b.src, plain.src, got, want)
		}
	}
}
