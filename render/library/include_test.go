package library

import (
	"bytes"
	"path/filepath"
	"strings"
	"testing"

	"dcs/render/attr"
	"dcs/render/ber/mib"
	"dcs/render/skeleton"
	"dcs/render/syntax"
)

func TestIncludes(t *testing.T) {
	s := load(t, map[string]string{
		"a.dcs":          `Main ~ "^(?P<isp>[a-z]+)-a$" { include "snmp-$isp.dcs"; include common; include "sub/deep.cfg"; }`,
		"snmp-north.dcs": `Block north { MaxCPE 1; }`,
		"snmp-south.dcs": `Block south { MaxCPE 2; }`,
		"common.dcs":     `Block common { NetworkAccess 1; include "sub/deep.cfg"; }`,
		"sub/deep.cfg":   `Main { GlobalPrivacyEnable 1; }`,
		"sub/b.dcs":      `Main { include "deep.cfg"; include "snmp-north.dcs"; }`,
	})
	for name, want := range map[string][]byte{
		"north-a": {18, 1, 1, 3, 1, 1, 29, 1, 1, 29, 1, 1},
		"south-a": {18, 1, 2, 3, 1, 1, 29, 1, 1, 29, 1, 1},
		"sub/b":   {29, 1, 1, 18, 1, 1},
	} {
		if got := staticBody(t, s, name); !bytes.Equal(got, want) {
			t.Errorf("%s: %x, want %x", name, got, want)
		}
	}
	// The file of an include that a name chooses is one of the library's, whatever the name holds.
	l := find(s, "west-a")
	if _, fault := s.Skeleton(l, nil, false); fault == nil || !strings.Contains(fault.Error(), `include "snmp-${isp}.dcs": no Block`) {
		t.Errorf("west-a: %v", fault)
	}
}

// TestSharedBlock includes one Block where its variable has different values, or none: what
// one template makes of it is nothing to the next.
func TestSharedBlock(t *testing.T) {
	blocks := `Block base { MaxCPE $cpe; }
		Block one { default cpe 1; include base; }
		Block two { default cpe 2; include base; }
		Block flow { DsServiceFlow { include rate; } }
		Block rate { MaxRateSustained $rate; }
		`
	s := load(t, map[string]string{"a.dcs": blocks + `
		Main "a" { default cpe 4; NetworkAccess 1; include base; }
		Main "b" { default cpe 8; NetworkAccess 1; include base; }
		Main "c" { include one; include two; }
		Main "d" { default rate 256; include flow; }
		Main "e" { default rate 512; include flow; }
		Main ~ "^cm-cpe(?P<cpe>[0-9]+)$" { NetworkAccess 1; include base; }`})
	for name, want := range map[string][]byte{
		"a": {3, 1, 1, 18, 1, 4}, "b": {3, 1, 1, 18, 1, 8}, "c": {18, 1, 1, 18, 1, 2},
		"d": {25, 6, 8, 4, 0, 0, 1, 0}, "e": {25, 6, 8, 4, 0, 0, 2, 0}, "cm-cpe9": {3, 1, 1, 18, 1, 9},
	} {
		if got := staticBody(t, s, name); !bytes.Equal(got, want) {
			t.Errorf("%s: %x, want %x", name, got, want)
		}
	}
	l := find(s, "cm-cpe9999")
	if _, fault := s.Exact(l, nil, false); fault == nil || fault.Reason != skeleton.Invalid {
		t.Errorf("cm-cpe9999: fault is %v", fault)
	}
	_, err := Load(Config{Dirs: []string{tree(t, map[string]string{"a.dcs": blocks + `
		Main "a" { default cpe 4; include base; }
		Main "b" { include base; }`})}, MIB: mib.Default()}, nil)
	if err == nil || !strings.Contains(err.Error(), "$cpe: undefined variable") {
		t.Errorf("error is %v", err)
	}
}

// TestBlocksAlone loads Blocks that nothing includes, or a variable may.
func TestBlocksAlone(t *testing.T) {
	schema, err := attr.NewSchema("profile")
	if err != nil {
		t.Fatal(err)
	}
	for _, main := range []string{"", "\nMain { default profile lead; NetworkAccess 1; include $profile; } Block lead { MaxCPE 1; }"} {
		for _, tt := range []struct {
			src  string
			want []string
		}{
			{`Block b { MaxCPE 1600; MaxCPU 3; }`, []string{"1:18: MaxCPE: 1600 does not fit", "1:24: unknown keyword MaxCPU; did you mean MaxCPE?"}},
			{`Block b { DsServiceFlow { DsServiceFlowRef 70000; } }`, []string{"1:44: DsServiceFlowRef: 70000"}},
			{`Block b { QosParamSetType 7; DsServiceFlowRef 70000; }`, []string{"1:47: DsServiceFlowRef: 70000"}},
			{`Block b { select $x { 1 { SwUpgradeServer 198.18.0.300; } } }`, []string{"1:43: SwUpgradeServer: expected an IPv4 address"}},
			{`Block b { include c; MaxCPE 1; } Block c { NetworkAccess 7; }`, []string{"1:58: NetworkAccess: 7 is out of range"}},
			{`Block b { include nowhere; }`, []string{"1:11: include nowhere: no Block has this name"}},
			{`Block b { MaxCPE 1; DsServiceFlowRef 1; }`, []string{"1:21: DsServiceFlowRef is not allowed at the top"}},

			{`Block b { MaxCPE $cpe; SwUpgradeFilename "fw-$1.bin"; include "tier-$t"; select $t { a { MaxCPE 2; } } }`, nil},
			{`Block b { QosParamSetType 7; MaxRateSustained $down * 1000; }`, nil},
			{`Block b { default down gold; default f "x.bin"; MaxCPE $down * 2; ManufacturerCVC $f; }`, nil},
			{`Block b { hash eu; SnmpMibObject sysLocation.0 String "x"; MtaConfigDelimiter 255; }`, nil},
			{`Block b { PsSnmpMibObject sysLocation.0 String "x"; }`, nil},
			{`Block b { GenericTLV TlvCode 6 TlvValue 0x01; }`, nil},
			{`Block b { include c; MaxRateSustained 5M; } Block c { UsServiceFlowRef 1; }`, nil},
			{`Block b { reject "closed"; }`, nil},
			{`Block b { }`, nil},
		} {
			dir := tree(t, map[string]string{"a.dcs": tt.src + main})
			_, err := Load(Config{Dirs: []string{dir}, MIB: mib.Default(), Schema: schema}, nil)
			errs, _ := err.(syntax.Errors)
			if len(errs) != len(tt.want) || (err != nil) != (len(errs) > 0) {
				t.Errorf("%s%s\n%v", tt.src, main, err)
				continue
			}
			for i, want := range tt.want {
				if !strings.Contains(errs[i].Error(), "a.dcs:"+want) {
					t.Errorf("%s\n%v, want …%s…", tt.src, errs[i], want)
				}
			}
		}
	}
}

func TestLoadFile(t *testing.T) {
	dir := tree(t, map[string]string{
		"a.dcs": `Main { include gold; include "s.cfg"; }`, "blocks.dcs": `Block gold { MaxCPE 1; }`, "s.cfg": `Main { NetworkAccess 1; }`,
		"broken.dcs": `Block {`,
	})
	s, err := LoadFile(Config{MIB: mib.Default()}, filepath.Join(dir, "a.dcs"), nil)
	if err != nil {
		t.Fatal(err)
	}
	if got := staticBody(t, s, "a"); !bytes.Equal(got, []byte{18, 1, 1, 3, 1, 1}) {
		t.Errorf("%x", got)
	}
	if _, err := LoadFile(Config{MIB: mib.Default()}, filepath.Join(dir, "none.dcs"), nil); err == nil || !strings.Contains(err.Error(), "none.dcs:1:1: no such file") {
		t.Errorf("error is %v", err)
	}
}

// A variable could mean any source beside a file; those that it does not mean may have errors.
func TestLoadFileVariable(t *testing.T) {
	dir := tree(t, map[string]string{
		"a.dcs": `Main ~ "^(?P<v>.*)-a$" { include $v; }`, "b.dcs": `Main ~ "^(?P<v>.*)-b$" { include "tier-$v"; }`,
		"blocks.dcs": `Block gold { MaxCPE 1; } Block tier-gold { MaxCPE 2; }`, "broken.dcs": `Block {`, "notes.txt": "Ask the plant before changing any of this.",
		"tier-old.cfg": `Main {`, "more.dcs": `Block twice { MaxCPE 3; }`, "again.dcs": `Block twice { MaxCPE 4; }`,
		"c.dcs": `Main "c" { include own; } Block own { MaxCPE 5; }`, "own.dcs": `Block own { MaxCPE 6; }`,
	})
	for name, want := range map[string][]byte{"a": {18, 1, 1}, "b": {18, 1, 2}, "c": {18, 1, 5}} {
		s, err := LoadFile(Config{MIB: mib.Default()}, filepath.Join(dir, name+".dcs"), nil)
		if err != nil {
			t.Fatal(err)
		}
		asked := "gold-" + name
		if name == "c" {
			asked = name
		}
		if got := staticBody(t, s, asked); !bytes.Equal(got, want) {
			t.Errorf("%s: %x, want %x", name, got, want)
		}
		l := find(s, "old.cfg-"+name)
		if name != "b" {
			continue
		}
		if _, fault := s.Skeleton(l, nil, false); fault == nil || !strings.Contains(fault.Error(), "tier-old.cfg:1:1 has errors of its own") {
			t.Errorf("a file with errors is included: %v", fault)
		}
	}
	s, err := LoadFile(Config{MIB: mib.Default()}, filepath.Join(dir, "a.dcs"), nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, fault := s.Skeleton(find(s, "twice-a"), nil, false); fault == nil || !strings.Contains(fault.Error(), "there are two") {
		t.Errorf("one of two Blocks is included: %v", fault)
	}
}
