package library

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"dcs/bench/require"
	"dcs/render/attr"
	"dcs/render/ber/mib"
	"dcs/render/mic"
	"dcs/render/skeleton"
)

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
		"old": {18, 1, 2}, "old.bin": {18, 1, 2}, "old.cfg": {18, 1, 2}, "sub/silver": {18, 1, 3}, "sub/silver.cm": {18, 1, 3},
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
	if _, fault := s.Exact(l, nil, false); fault == nil || fault.Reason != skeleton.Invalid {
		t.Errorf("t300.bin: fault is %v", fault)
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
		{"block twice", map[string]string{"a.dcs": `Block x { MaxCPE 1; }`, "b.dcs": `Block x { MaxCPE 2; }`}, []string{"Block x is already defined at"}},
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

// TestCollision looks for a kind of name where another with the same hash stands, and for a name where another stands.
func TestCollision(t *testing.T) {
	s := load(t, map[string]string{"a.dcs": `Main ~ "^n(?P<n>[0-9])$" { select $n { default { SwUpgradeFilename "f$n"; } } }`})
	mustFile(t, s, "n0") // now it is known that $n is structural
	var finder Finder
	var one, two Found
	for range 2 {
		if !finder.Find(s, 42, []byte("n1"), &one) || !finder.Find(s, 42, []byte("n2"), &two) {
			t.Fatal("not found")
		}
		two.kind = one.kind
		for name, l := range map[string]*Found{"n1": &one, "n2": &two} {
			sk, fault := s.Skeleton(l, nil, false)
			if fault != nil || !bytes.Equal(sk.File(mic.NewSecret(nil)), mustFile(t, s, name)) {
				t.Errorf("%s differs from what it is under its own hash", name)
			}
		}
	}
	if n := s.Len(); n != 3 {
		t.Errorf("%d kinds, want 3", n)
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

// The name of a source in the open encoder's language is taken like its other names.
func TestSourceNameTaken(t *testing.T) {
	dir := tree(t, map[string]string{"a.dcs": `Main "old.cfg" { MaxCPE 1; }`, "old.cfg": `Main { MaxCPE 2; }`})
	_, err := Load(Config{Dirs: []string{dir}}, nil)
	if err == nil || !strings.Contains(err.Error(), `the name "old.cfg" is given to the template at `+filepath.Join(dir, "a.dcs")) {
		t.Errorf("%v", err)
	}
}
