package skeleton

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"
)

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
