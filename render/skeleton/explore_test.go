package skeleton

import (
	"encoding/hex"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"dcs/render/groups"
	"dcs/render/tlv"
)

// variants returns the files that a template can make.
func (b *bench) variants(t testing.TB, pattern string, most int) (list []*Variant, all bool) {
	t.Helper()
	if pattern != "" {
		b.pattern = nil
		for range groups.Of(pattern, false)[1:] {
			b.pattern = append(b.pattern, "")
		}
	}
	tm, err := b.template(t)
	if err != nil {
		t.Fatal(err)
	}
	s := tm.env.Survey()
	s.Files = most
	var names []*groups.Texts
	if pattern != "" {
		names = groups.Of(pattern, false)
	}
	all = s.Variants(tm, names, func(v *Variant) bool {
		list = append(list, v)
		return true
	})
	return list, all
}

// arms returns the arms of a variant as one text.
func (v *Variant) arms() string {
	var out []string
	for _, a := range v.Arms {
		out = append(out, a.Text)
	}
	return strings.Join(out, "; ")
}

func TestVariants(t *testing.T) {
	for _, tt := range []struct {
		name, src, blocks, pattern string
		schema                     []string
		want                       []string // arms: octets without MICs
		cut                        bool
	}{
		{name: "constant", src: `Main { NetworkAccess 1; }`, want: []string{": 030101"}},
		{
			name: "arms of a capture", pattern: `^(gold|silver|tin)$`, src: `Main { select $1 { gold { NetworkAccess 1; } iron { MaxCPE 9; } default { NetworkAccess 0; } } }`,
			want: []string{"$1 is gold: 030101", "$1 is not gold: 030100"},
		},
		{
			name: "the last value", pattern: `^(gold|silver)$`, src: `Main { select $1 { gold { NetworkAccess 1; } default { NetworkAccess 0; } } select $1 { silver { MaxCPE 2; } default { MaxCPE 1; } } }`,
			want: []string{"$1 is gold: 030101120101", "$1 is silver: 030100120102"},
		},
		{
			name: "consistent", schema: []string{"p"}, src: `Main { select $p { a { MaxCPE 1; } b, c { MaxCPE 2; } } select $p { a { NetworkAccess 1; } b { NetworkAccess 0; } default { } } }`,
			want: []string{"$p is a: 120101030101", "$p is b: 120102030100", "$p is c: 120102"},
		},
		{name: "reject", schema: []string{"p"}, src: `Main { select $p { a { reject "no"; } default { MaxCPE 2; } } }`, want: []string{"$p is not a: 120102"}},
		{
			name: "by number", pattern: `^(\d{2})$`, src: `Main { select $1 { 7 { MaxCPE 7; } 100 { MaxCPE 100; } default { MaxCPE 1; } } }`,
			want: []string{"$1 is 7: 120107", "$1 is not 7: 120101"},
		},
		{
			name: "blocks", schema: []string{"p"}, src: `Main { include "svc-$p"; select $p { gold { NetworkAccess 1; } default { } } }`,
			blocks: `Block svc-gold { MaxCPE 1; } Block svc-tin { MaxCPE 2; }`, want: []string{"$p is gold: 120101030101", "$p is tin: 120102"},
		},
		{
			name: "blocks by a capture", pattern: `^(tin|iron)$`, src: `Main { include "svc-$1"; }`,
			blocks: `Block svc-gold { MaxCPE 1; } Block svc-tin { MaxCPE 2; }`, want: []string{"$1 is tin: 120102"},
		},
		{
			name: "a value that makes no slot", pattern: `^([12])$`, src: `Main { SnmpMibObject "docsDevNmAccessStatus.$1" Integer 4; }`,
			want: []string{"$1 is 1: 0b123010060b2b06010201450102010701020104", "$1 is 2: 0b123010060b2b06010201450102010702020104"},
		},
		{name: "anything", schema: []string{"p"}, src: `Main { include $p; }`, blocks: `Block a { MaxCPE 1; }`, want: []string{": "}, cut: true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b := bench{src: tt.src, blocks: tt.blocks, schema: tt.schema}
			list, all := b.variants(t, tt.pattern, 64)
			if all == tt.cut {
				t.Errorf("all: %v", all)
			}
			if fmt.Sprint(trim(list)) != fmt.Sprint(tt.want) {
				t.Errorf("got  %q\nwant %q", trim(list), tt.want)
			}
		})
	}
}

// trim returns the arms and the octets before the MICs of variants, sorted.
func trim(list []*Variant) (out []string) {
	for _, v := range list {
		at := strings.LastIndex(string(v.Octets), "\x06\x10")
		out = append(out, v.arms()+": "+hex.EncodeToString(v.Octets[:at]))
	}
	slices.Sort(out)
	return out
}

func TestVariantValues(t *testing.T) {
	b := bench{
		schema: []string{"cpe", "tos"}, src: `Main { default cpe 3; MaxCPE $cpe;
 UsServiceFlow { UsServiceFlowRef 1; ServiceClassName "up$2"; MaxRateSustained $1 * 1000 + 500; IpTosOverwrite $tos; }
 SnmpMibObject sysContact.0 String "a-$2"; TftpTimestamp $time; SnmpMibObject "docsDevNmAccessStatus.$cpe" Integer 4; }`,
	}
	list, all := b.variants(t, `^(\d{1,8})-(\w{2,4})$`, 64)
	if len(list) != 1 || !all {
		t.Fatal(len(list), all)
	}
	v := list[0]
	want := []Value{
		{Numeric: true, Min: math.MinInt64, Max: math.MaxInt64, MinLen: 1, MaxLen: 1, Text: "$cpe"},
		{Bounded: true, MinLen: 5, MaxLen: 7, Text: `"up${2}"`},
		{Numeric: true, Min: 500, Max: 99999999500, Bounded: true, MinLen: 4, MaxLen: 4, Text: "$1 * 1000 + 500"},
		{MinLen: 0, MaxLen: (maxText - 2) / 2, Text: "$tos"},
		{Bounded: true, MinLen: 4, MaxLen: 6, Text: `"a-${2}"`},
		{Numeric: true, Max: math.MaxUint32, MinLen: 4, MaxLen: 4, Text: "$time"},
		{Whole: true, MaxLen: maxText, Text: `"docsDevNmAccessStatus.${cpe}", Integer, 4`},
	}
	octets := []string{"01", "7570313100", "000001f4", "0000", "612d3131", "00000001", "0b123010060b2b0601020145010201070302" + "0104"}
	if len(v.Values) != len(want) {
		t.Fatalf("%+v", v.Values)
	}
	for i, got := range v.Values {
		example := hex.EncodeToString(v.Octets[got.Off : got.Off+got.Len])
		if got.Off, got.Len = 0, 0; got != want[i] || example != octets[i] {
			t.Errorf("%+v, example %s\nwant %+v, %s", got, example, want[i], octets[i])
		}
	}
	if tree, err := tlv.Decode(v.Octets); err != nil || len(tree.Nodes) != 8 {
		t.Errorf("%v %x", err, v.Octets)
	}
}

func TestVariantPlace(t *testing.T) {
	b := bench{
		src:    "Main {\n NetworkAccess 1;\n UsServiceFlow {\n  UsServiceFlowRef 1;\n  include outer;\n }\n}",
		blocks: "Block outer {\n include inner;\n MaxTrafficBurst 5;\n}\nBlock inner {\n QosParamSetType 7;\n}",
	}
	list, _ := b.variants(t, "", 64)
	// 03 01 01 | 18 0d | 01 02 00 01 | 06 01 07 | 09 04 00 00 00 05
	for off, want := range map[int]string{
		0: "t.dcs:2:2", 2: "t.dcs:2:2", 3: "t.dcs:3:2", 4: "t.dcs:3:2", 5: "t.dcs:4:3", 9: "blocks.dcs:6:2 from blocks.dcs:2:2 from t.dcs:5:3",
		11: "blocks.dcs:6:2 from blocks.dcs:2:2 from t.dcs:5:3", 12: "blocks.dcs:3:2 from t.dcs:5:3", 18: "t.dcs:1:1", 1000: "t.dcs:1:1",
	} {
		at, via := list[0].Place(off)
		got := at.String()
		for _, p := range via {
			got += " from " + p.String()
		}
		if got != want {
			t.Errorf("octet %d is of %s, want %s", off, got, want)
		}
	}
}

// A template with very many files is judged by some of them, in bounded time; each arm has made one.
func TestVariantsBounded(t *testing.T) {
	selects := bench{src: "Main { "}
	for i := range 20 {
		selects.schema = append(selects.schema, fmt.Sprint("v", i))
		selects.src += fmt.Sprintf("select $v%d { ", i)
		for j := range 9 {
			selects.src += fmt.Sprintf("%d { MaxCPE %d; } ", j, i*10+j)
		}
		selects.src += fmt.Sprintf("default { MaxCPE %d; } } ", i*10+9)
	}
	selects.src += "}"
	nested := bench{src: `Main { include "a-$p"; }`, schema: []string{"p", "q"}}
	for i := range 12 {
		nested.blocks += fmt.Sprintf("Block b%d { include b%d; include b%d; } ", i, i+1, i+1)
	}
	nested.blocks += "Block b12 { MaxCPE 1; } Block a-1 { include b0; } Block a-2 { MaxCPE 1; }"
	many := bench{src: `Main { include "a-$p"; }`, schema: []string{"p"}}
	var blocks strings.Builder
	for i := range 20000 {
		fmt.Fprintf(&blocks, "Block a-%d { MaxCPE 1; }\n", i)
	}
	many.blocks = blocks.String()
	for _, tt := range []struct {
		name string
		of   bench
		arms int
		all  bool
	}{{"selects", selects, 200, false}, {"nested", nested, 2, true}, {"candidates", many, 64, false}} {
		start := time.Now()
		list, all := tt.of.variants(t, "", 64)
		seen := map[Arm]bool{}
		for _, v := range list {
			for _, a := range v.Arms {
				seen[a] = true
			}
		}
		if all != tt.all || len(list) > 64 || len(seen) != tt.arms {
			t.Errorf("%s: %d files with %d arms, all %v", tt.name, len(list), len(seen), all)
		}
		t.Logf("%s: %v", tt.name, time.Since(start))
	}
}
