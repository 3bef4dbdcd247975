package library

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"dcs/bench/require"
	"dcs/render/attr"
	"dcs/render/ber/mib"
	"dcs/render/mic"
	"dcs/render/skeleton"
	"dcs/render/syntax"
)

// tree writes files below a new directory and returns it. Contents are given by path.
func tree(t testing.TB, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func load(t testing.TB, files map[string]string) *Snapshot {
	t.Helper()
	s, err := Load(Config{Dirs: []string{tree(t, files)}, MIB: mib.Default()}, nil)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func find(s *Snapshot, name string) *Learned { return s.Find(Hash([]byte(name)), []byte(name)) }

// body returns the octets of the static file of that name before the CM MIC.
func staticBody(t testing.TB, s *Snapshot, name string) []byte {
	t.Helper()
	l := find(s, name)
	if l == nil {
		t.Fatalf("nothing is called %q", name)
	}
	sk, fault := s.Skeleton(l, nil, false)
	if fault != nil {
		t.Fatal(fault)
	}
	file := sk.File(mic.NewSecret(nil))
	b, _, err := mic.Body(file)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestNames(t *testing.T) {
	s := load(t, map[string]string{
		"gold.dcs":       `Main { MaxCPE 1; }`,
		"old.cfg":        `Main { MaxCPE 2; }`,
		"sub/silver.dcs": `Main { MaxCPE 3; }`,
		"named.dcs":      `Main "lab.cm" { MaxCPE 4; } Main ~ "^t(?P<n>[0-9]+)\.bin$" { MaxCPE $n; } Block b { MaxCPE 5; }`,
		".hidden.dcs":    `Main {`,
		"notes.md":       `not a template`,
	})
	for name, want := range map[string][]byte{
		"gold": {18, 1, 1}, "gold.cm": {18, 1, 1}, "gold.bin": {18, 1, 1},
		"old": {18, 1, 2}, "sub/silver": {18, 1, 3}, "sub/silver.cm": {18, 1, 3},
		"lab.cm": {18, 1, 4}, "t17.bin": {18, 1, 17}, "t250.bin": {18, 1, 250},
	} {
		for range 2 { // learned, and then known
			if got := staticBody(t, s, name); !bytes.Equal(got, want) {
				t.Errorf("%s: %x, want %x", name, got, want)
			}
		}
	}
	for _, name := range []string{"", "gold.dcs", "Gold", "silver", "b", "t.bin", "xt1.bin", "named", ".hidden", "notes.md"} {
		if l := find(s, name); l != nil {
			t.Errorf("%q is found", name)
		}
	}
	l := find(s, "t300.bin")
	if _, fault := s.Skeleton(l, nil, false); fault == nil || fault.Reason != skeleton.Invalid {
		t.Errorf("t300.bin: fault is %v", fault)
	}
}

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

func TestLoadErrors(t *testing.T) {
	for _, tt := range []struct {
		name  string
		files map[string]string
		want  []string
	}{
		{
			"all files' errors",
			map[string]string{"a.dcs": `Main { MaxCPE 300; }`, "b.dcs": `Main { MaxCPE 1 }`, "c.cfg": `Main { Foo 1; }`},
			[]string{"a.dcs:1:15: MaxCPE", "b.dcs:1:", "c.cfg:1:8: unknown keyword Foo"},
		},
		{"name given twice", map[string]string{"a.dcs": `Main { MaxCPE 1; }`, "b.dcs": `Main "a.cm" { MaxCPE 1; }`}, []string{`the name "a.cm" is given`}},
		{"two items without a name", map[string]string{"a.dcs": `Main { MaxCPE 1; } Main { MaxCPE 2; }`}, []string{"a second item without a name"}},
		{"block twice", map[string]string{"a.dcs": `Block x { MaxCPE 1; }`, "b.dcs": `Block x { MaxCPE 2; }`}, []string{"Block x is at"}},
		{"bad pattern", map[string]string{"a.dcs": `Main ~ "^a(" { MaxCPE 1; }`}, []string{"a.dcs:1:8:"}},
		{"patterns that overlap", map[string]string{"a.dcs": `Main ~ "^a.*" { MaxCPE 1; } Main ~ "b$" { MaxCPE 2; }`}, []string{`both match "ab"`}},
		{"two groups of one name", map[string]string{"a.dcs": `Main ~ "^(?P<a>x)(?P<a>y)$" { MaxCPE $a; }`}, []string{"two groups called a"}},
		{"missing text", map[string]string{"a.dcs": `Text "r" from "r.tmpl";`}, []string{`no file "r.tmpl"`}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := Load(Config{Dirs: []string{tree(t, tt.files)}, MIB: mib.Default()}, nil)
			if err == nil {
				t.Fatal("no error")
			}
			lines := strings.Split(err.Error(), "\n")
			if len(lines) != len(tt.want) {
				t.Fatalf("%d errors, want %d:\n%v", len(lines), len(tt.want), err)
			}
			for i, want := range tt.want {
				if !strings.Contains(lines[i], want) {
					t.Errorf("%s: want …%s…", lines[i], want)
				}
			}
		})
	}
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(tree(t, map[string]string{"a.dcs": `Main { MaxCPE 1; }`}), link); err != nil {
		t.Fatal(err)
	}
	if s, err := Load(Config{Dirs: []string{link}, Static: []string{link}, MIB: mib.Default()}, nil); err != nil || find(s, "a.cm") == nil || find(s, "a.dcs") == nil {
		t.Errorf("a library behind a link: %v", err)
	}
	if _, err := Load(Config{Dirs: []string{"/nonexistent"}}, nil); err == nil {
		t.Error("a directory that is missing gives no error")
	}
}

func TestPriority(t *testing.T) {
	s := load(t, map[string]string{
		"a.dcs": `Main ~ "^a.*" priority 1 { MaxCPE 1; } Main ~ "^ab.*" priority 2 { MaxCPE 2; } Main "abc" { MaxCPE 3; }`,
	})
	for name, want := range map[string]byte{"ax": 1, "abx": 2, "abc": 3} {
		if got := staticBody(t, s, name); got[2] != want {
			t.Errorf("%s: MaxCPE %d, want %d", name, got[2], want)
		}
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
	if _, fault := s.Skeleton(find(s, "cm-cpe9999"), nil, false); fault == nil || fault.Reason != skeleton.Invalid {
		t.Errorf("cm-cpe9999: fault is %v", fault)
	}
	_, err := Load(Config{Dirs: []string{tree(t, map[string]string{"a.dcs": blocks + `
		Main "a" { default cpe 4; include base; }
		Main "b" { include base; }`})}, MIB: mib.Default()}, nil)
	if err == nil || !strings.Contains(err.Error(), "$cpe: undefined variable") {
		t.Errorf("error is %v", err)
	}
}

// TestNeverMade loads templates that no request could get a file of, and others that some can.
func TestNeverMade(t *testing.T) {
	schema, err := attr.NewSchema("tier")
	if err != nil {
		t.Fatal(err)
	}
	mmh := `VendorSpecific { VendorIdentifier 0xffffff; ExtendedCMTSMICConfiguration { ExtendedCMTSMICHMACDigestType 2; ExtendedCMTSMICHMACBitmap 0x10; } }`
	for _, tt := range []struct{ src, want string }{
		{`Main { NetworkAccess 1; ` + mmh + ` }`, "a.dcs:1:1: "},
		{`Main "a" { SwUpgradeFilename "$mac"; ` + mmh + ` }`, "a.dcs:1:1: a: extended CMTS MIC: MMH16"},
		{`Main ~ "^a" { NetworkAccess 1; ` + mmh + ` }`, "a.dcs:1:1: ^a: extended CMTS MIC: MMH16"},
		{`Main "a" { MtaConfigDelimiter 1; hash na; }`, "a.dcs:1:1: a: the MTA file lacks its closing delimiter"},
		{`Main "a" { GenericTLV TlvCode 254 TlvValue 0x01; NetworkAccess 1; }`, "a.dcs:1:1: a: an MTA file has no CM MIC"},
		{`Main "a" { NetworkAccess 1; select 3 { 1 { MaxCPE 1; } } }`, `a.dcs:1:29: select 3: no case for "3"`},
		{`Main "a" { MaxCPE $filename; }`, "a.dcs:1:19: MaxCPE: "},
		{`Main { select $filename { b { MaxCPE 1; } } }`, `a.dcs:1:8: select $filename: no case for "a"`},

		{`Main { select $filename { a.cm { MaxCPE 1; } } }`, ""},
		{`Main "a" { reject "closed"; }`, ""},
		{`Main "a" { select $tier { 1 { MaxCPE 1; } } }`, ""},
		{`Main "a" { MaxCPE $tier; }`, ""},
		{`Main ~ "^(?P<n>.)$" { select $n { 1 { MaxCPE 1; } } }`, ""},
	} {
		dir := tree(t, map[string]string{"a.dcs": tt.src})
		_, err := Load(Config{Dirs: []string{dir}, MIB: mib.Default(), Schema: schema, ModemAddress: true}, nil)
		switch {
		case tt.want == "" && err != nil:
			t.Errorf("%s\n%v", tt.src, err)
		case tt.want != "" && (err == nil || !strings.Contains(err.Error(), filepath.Join(dir, tt.want))):
			t.Errorf("%s\n%v, want …%s…", tt.src, err, tt.want)
		}
	}
}

// TestTextErrors tells an error in a text's file by that file.
func TestTextErrors(t *testing.T) {
	dir := tree(t, map[string]string{"a.dcs": `Text "a" from "sub/t.tmpl";`, "sub/t.tmpl": "one\ntwo $nope\n"})
	_, err := Load(Config{Dirs: []string{dir}, MIB: mib.Default()}, nil)
	if want := filepath.Join(dir, "sub/t.tmpl") + ":2:5: $nope: "; err == nil || !strings.HasPrefix(err.Error(), want) {
		t.Errorf("error is %v, want %s…", err, want)
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

func TestDevices(t *testing.T) {
	schema, err := attr.NewSchema("profile", "cpe")
	if err != nil {
		t.Fatal(err)
	}
	dir := tree(t, map[string]string{"m.dcs": `
		Block gold { MaxCPE $cpe; }
		Block lead { NetworkAccess 0; }
		Main "m" { include $profile; }
		Main ~ "^cm-(?P<mac>.*)$" { CpeMacAddress $mac; }`})
	s, err := Load(Config{Dirs: []string{dir}, MIB: mib.Default(), Schema: schema}, nil)
	if err != nil {
		t.Fatal(err)
	}
	l := find(s, "m")
	gold, fault := s.Skeleton(l, attr.Record{"gold", "7"}, false)
	if fault != nil || gold.Static() {
		t.Fatal(gold, fault)
	}
	if again, _ := s.Skeleton(l, attr.Record{"gold", "9"}, true); again != gold {
		t.Error("two devices of one profile have two skeletons")
	}
	if lead, _ := s.Skeleton(l, attr.Record{"lead"}, false); lead == gold || !lead.Static() {
		t.Error("two profiles have one skeleton")
	}
	if _, fault := s.Skeleton(l, nil, false); fault == nil || fault.Reason != skeleton.Missing {
		t.Errorf("no profile: %v", fault)
	}
	if l := find(s, "cm-0A:01:02:03:04:05"); l.MAC != [6]byte{10, 1, 2, 3, 4, 5} {
		t.Errorf("mac is %v", l.MAC)
	}
	if _, fault := s.Skeleton(find(s, "cm-000000000000"), nil, false); fault == nil || fault.Reason != skeleton.BadAddress || !strings.Contains(fault.Text, "all zeros") {
		t.Errorf("cm-000000000000: %v", fault)
	}
	if _, fault := s.Skeleton(find(s, "cm-0a01"), nil, false); fault == nil || fault.Reason != skeleton.BadAddress {
		t.Errorf("cm-0a01: %v", fault)
	}
}

// TestCollision puts a name where another with the same hash stands already.
func TestCollision(t *testing.T) {
	s := load(t, map[string]string{"a.dcs": `Main ~ "^n(?P<n>[0-9]+)$" { MaxCPE $n; }`})
	one, two := s.Find(42, []byte("n1")), s.Find(42, []byte("n2"))
	if one == two || s.Find(42, []byte("n1")) != one || s.Find(42, []byte("n2")) != two {
		t.Error("names that hash alike are mixed up")
	}
	for name, l := range map[string]*Learned{"n1": one, "n2": two} {
		sk, fault := s.Skeleton(l, nil, false)
		if fault != nil || !bytes.Equal(sk.File(mic.NewSecret(nil)), mustFile(t, s, name)) {
			t.Errorf("%s differs from what it is under its own hash", name)
		}
	}
}

func mustFile(t *testing.T, s *Snapshot, name string) []byte {
	sk, fault := s.Skeleton(find(s, name), nil, false)
	if fault != nil {
		t.Fatal(fault)
	}
	return sk.File(mic.NewSecret(nil))
}

func TestStatic(t *testing.T) {
	big := strings.Repeat("firmware", 20000)
	one := tree(t, map[string]string{"fw/a.bin": big, "b": "small", "c": ""})
	two := tree(t, map[string]string{"b": "hidden by the first", "d": "other"})
	if err := os.Symlink(filepath.Join(two, "d"), filepath.Join(one, "link")); err != nil {
		t.Fatal(err)
	}
	cfg := Config{Static: []string{one, two}}
	s, err := Load(cfg, nil)
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"fw/a.bin": big, "b": "small", "c": "", "d": "other", "link": "other"} {
		if l := find(s, name); l == nil || string(l.File.Data) != want {
			t.Errorf("%s is wrong", name)
		}
	}
	for _, name := range []string{"fw", "../" + filepath.Base(two) + "/d", "fw/../b", "/b"} {
		if find(s, name) != nil {
			t.Errorf("%q is found", name)
		}
	}
	if err := os.WriteFile(filepath.Join(one, "b"), []byte("changed"), 0o644); err != nil {
		t.Fatal(err)
	}
	next, err := Load(cfg, s)
	if err != nil {
		t.Fatal(err)
	}
	if got := string(find(next, "b").File.Data); got != "changed" {
		t.Errorf("b is %q after it was changed", got)
	}
	if find(next, "fw/a.bin").File != find(s, "fw/a.bin").File {
		t.Error("a file that did not change was mapped again")
	}
	if string(find(s, "b").File.Data) != "small" {
		t.Error("the former snapshot has changed")
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

// TestKinds makes a file of each kind that is not a modem's from TLVs.
func TestKinds(t *testing.T) {
	old, err := mic.Sign([]byte{3, 1, 1, 18, 1, 4}, mic.NewSecret([]byte("former")))
	if err != nil {
		t.Fatal(err)
	}
	s := load(t, map[string]string{
		"k.dcs": `
			Binary "as-it-is" from "old.bin";
			Binary "anew" from "old.bin" resign;
			Binary "mta-anew" from "mta.bin" resign;
			CableHome "ps" { PsSnmpMibObject .1.3.6.1.2.1.1.6.0 String "x"; }
			Mta "mta" { hash na; SnmpMibObject .1.3.6.1.2.1.1.6.0 String "x"; }
			Text "text" from "t.tmpl";
			Main ~ "^oid-(?P<i>[0-9]+)$" { SnmpMibObject "docsDevNmAccessStatus.$i" Integer active; }`,
		"old.bin": string(old),
		"mta.bin": "\xfe\x01\x01" + "\x0b\x10\x30\x0e\x06\x08\x2b\x06\x01\x02\x01\x01\x06\x00\x04\x02hi" +
			"\x0b\x26\x30\x24\x06\x0c\x2b\x06\x01\x04\x01\xba\x08\x01\x01\x02\x09\x00\x04\x14" + strings.Repeat("\x00", 20) + "\xfe\x01\xff",
		"t.tmpl": "name $filename for $$1\n",
	})
	file := func(name string) []byte {
		t.Helper()
		return mustFile(t, s, name)
	}
	if got := file("as-it-is"); !bytes.Equal(got, old) {
		t.Errorf("as-it-is: %x", got)
	}
	want, err := mic.Sign([]byte{3, 1, 1, 18, 1, 4}, mic.NewSecret(nil))
	if err != nil {
		t.Fatal(err)
	}
	if got := file("anew"); !bytes.Equal(got, want) {
		t.Errorf("anew: %x, want %x", got, want)
	}
	if report, err := mic.Verify(file("mta-anew"), nil); err != nil || report.MTA.Verdict != mic.Valid || report.MTAVariant != mic.EU {
		t.Errorf("mta-anew: %+v, %v", report, err)
	}
	// MULPI's TLV 28 of a portal service file has a length of two octets (FACTS, CableHome PS).
	if got, want := fmt.Sprintf("%x", file("ps")), "1c000f300d06082b06010201010600040178"+"ff"; got != want {
		t.Errorf("ps: %s, want %s", got, want)
	}
	got := file("mta")
	if report, err := mic.Verify(got, nil); err != nil || report.MTA.Verdict != mic.Valid || report.MTAVariant != mic.NA {
		t.Errorf("mta: %x: %+v, %v", got, report, err)
	}
	if got := string(file("text")); got != "name text for $1\n" {
		t.Errorf("text: %q", got)
	}
	if got, want := fmt.Sprintf("%x", staticBody(t, s, "oid-3")), "0b123010060b2b06010201450102010703020101"; got != want {
		t.Errorf("oid-3: %s", got)
	}
}

// cpuTime is the processor time that the process has used. It is what a time limit is
// held against on a machine that does other things too.
func cpuTime(t *testing.T) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		t.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// TestManyTemplates loads 10,000 templates, half of them patterns, within 5 s.
func TestManyTemplates(t *testing.T) {
	require.Long(t, "10,000 templates")
	files := map[string]string{"common.dcs": `Block common {
		NetworkAccess 1; MaxCPE 4; UsServiceFlow { UsServiceFlowRef 1; QosParamSetType 7; MaxRateSustained 5M; }
		SnmpMibObject docsDevNmAccessIp.1 IPAddress 198.18.0.10; SnmpMibObject docsDevNmAccessStatus.1 Integer createAndGo; }`}
	for i := range 5000 {
		files[fmt.Sprintf("%02d/plain-%d.dcs", i%100, i)] = fmt.Sprintf(`Main "plain-%d.cm" { include common; DsServiceFlow { DsServiceFlowRef 2; QosParamSetType 7; MaxRateSustained %d; } }`, i, i)
		files[fmt.Sprintf("%02d/tier-%d.dcs", i%100, i)] = fmt.Sprintf(`Main ~ "^tier%d-(?P<cpe>[0-9]+)\.cm$" { include common; MaxCPE $cpe; TftpTimestamp $time; }`, i)
	}
	dir := tree(t, files)
	start := cpuTime(t)
	s, err := Load(Config{Dirs: []string{dir}, MIB: mib.Default()}, nil)
	took := cpuTime(t) - start
	if err != nil {
		t.Fatal(err)
	}
	if n := len(s.Templates()); n != 10000 {
		t.Errorf("%d templates", n)
	}
	t.Logf("10,000 templates in %v", took)
	if took > 5*time.Second*slowdown {
		t.Errorf("loading took %v", took)
	}
	if l := find(s, "tier4711-9.cm"); l == nil || l.Template.Pattern != `^tier4711-(?P<cpe>[0-9]+)\.cm$` {
		t.Error("tier4711-9.cm is not what it should be")
	}
}

// What is no regular file is an error, whoever refers to it, and is not waited for.
func TestNoRegularFile(t *testing.T) {
	dir := tree(t, map[string]string{
		"good.dcs":   `Main { MaxCPE 1; }`,
		"text.dcs":   `Text "motd" from "pipe";`,
		"binary.dcs": `Binary "fw.bin" from "pipe";`,
		"dir.dcs":    `Text "dir" from "sub";`,
		"sub/b.dcs":  `Block b { MaxCPE 2; }`,
	})
	for _, name := range []string{"pipe", "pipe.dcs", "pipe.cfg", "sub/pipe.txt"} {
		if err := syscall.Mkfifo(filepath.Join(dir, name), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for link, target := range map[string]string{"link.dcs": "pipe", "device.dcs": os.DevNull, "fine.dcs": "good.dcs"} {
		check(t, os.Symlink(target, filepath.Join(dir, link)))
	}
	s, err := within(t, func() (*Snapshot, error) { return Load(Config{Dirs: []string{dir}, MIB: mib.Default()}, nil) })
	if s == nil || find(s, "good.cm") == nil || find(s, "fine.cm") == nil {
		t.Errorf("the good ones are not served: %v", err)
	}
	for _, want := range []string{
		"pipe.dcs:1:1: this is a named pipe, and only a regular file is read", "pipe.cfg:1:1: this is a named pipe", "sub/pipe.txt:1:1: this is",
		"link.dcs:1:1: this is a named pipe", "device.dcs:1:1: this is a device", "text.dcs:1:18: ", "binary.dcs:1:22: ", "/pipe: this is a named pipe", "/sub: this is a directory",
	} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want an error with %q, got\n%v", want, err)
		}
	}

	// A source alone, with one beside it that it does not need and one that it includes.
	for src, want := range map[string]string{`Main { include b; }`: "no Block has this name", `Main { include "pipe.cfg"; }`: "pipe.cfg:1:1: this is a named pipe"} {
		_, err := within(t, func() (*Snapshot, error) {
			return LoadFile(Config{MIB: mib.Default()}, filepath.Join(dir, "alone.dcs"), []byte(src))
		})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: want an error with %q, got %v", src, want, err)
		}
	}
}

// within fails the test when load does not end.
func within(t *testing.T, load func() (*Snapshot, error)) (*Snapshot, error) {
	t.Helper()
	type result struct {
		snap *Snapshot
		err  error
	}
	done := make(chan result, 1)
	go func() {
		s, err := load()
		done <- result{s, err}
	}()
	select {
	case r := <-done:
		return r.snap, r.err
	case <-time.After(30 * time.Second):
		t.Fatal("the library is still being loaded")
	}
	return nil, nil
}
