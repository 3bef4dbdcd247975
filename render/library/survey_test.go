package library

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"dcs/render/ber/mib"
	"dcs/render/lint"
	"dcs/render/mic"
	"dcs/render/skeleton"
)

// judged loads a library of these sources, and returns the findings of all its templates, as "position: rule: text".
func judged(t *testing.T, sources map[string]string) (out []string) {
	t.Helper()
	dir := t.TempDir()
	for name, text := range sources {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	snap, err := Load(Config{Dirs: []string{dir}, MIB: mib.Default()}, nil)
	if err != nil {
		t.Fatal(err)
	}
	y := snap.Survey(nil)
	var all []lint.Finding
	for _, tm := range snap.Templates() {
		var set lint.Set
		for f := range y.Files(tm) {
			set.Add(f, &lint.Options{})
		}
		all = append(all, set.Findings()...)
	}
	all = append(all, y.Odd()...)
	lint.Sort(all)
	for i := range all {
		f := &all[i]
		line := strings.TrimPrefix(f.Spot.String(), dir+"/") + ": " + f.Rule.ID + ": " + f.Arms()
		for _, p := range f.Place.Via {
			line += " from " + strings.TrimPrefix(p.String(), dir+"/")
		}
		out = append(out, line)
	}
	return out
}

const needed = "UsServiceFlow { UsServiceFlowRef 1; QosParamSetType 7; } DsServiceFlow { DsServiceFlowRef 2; QosParamSetType 7; }"

// What an example stands for is not judged as if it were the value.
func TestExamplesNotJudged(t *testing.T) {
	for name, text := range map[string]string{
		"objects by variables":  `SnmpMibObject "ifAdminStatus.$a" Integer 1; SnmpMibObject "ifAdminStatus.$b" Integer 2;`,
		"one of them constant":  `SnmpMibObject ifAdminStatus.1 Integer 1; SnmpMibObject "ifAdminStatus.$b" Integer 2;`,
		"objects in a router's": `eRouter { SnmpMibObject "ifAdminStatus.$a" Integer 1; SnmpMibObject "ifAdminStatus.$b" Integer 2; }`,
	} {
		src := `Main ~ "^(?P<a>[0-9]+)-(?P<b>[0-9]+)$" { NetworkAccess 1; MaxCPE 1; ` + needed + text + ` }`
		for _, got := range judged(t, map[string]string{"a.dcs": src}) {
			if strings.Contains(got, ": oid-") {
				t.Errorf("%s: %s", name, got)
			}
		}
	}
}

func TestOdd(t *testing.T) {
	for _, tt := range []struct {
		name, src string
		want      []string
	}{
		{"all is read", `Main ~ "^(?P<plan>gold|tin)-(?P<mac>[0-9a-f]{12})$" { NetworkAccess 1; select $plan { gold { MaxCPE 1; } tin { MaxCPE 2; } } ` + needed + ` }`, nil},
		{"a capture unread", `Main ~ "^(?P<plan>gold|tin)-(x|y)$" { NetworkAccess 1; ` + needed + ` }`, []string{"a.dcs:1:8: capture-unread: "}},
		{"read in a Block", `Main ~ "^(?P<plan>gold|tin)$" { NetworkAccess 1; include b; } Block b { MaxCPE 1; select $plan { gold { ` + needed + ` } default { ` + needed + ` } } }`, nil},
		{"an arm that no name reaches", "Main ~ \"^(?P<plan>gold|tin)$\" {\n select $plan {\n gold { MaxCPE 1; }\n iron { MaxCPE 2; }\n default { } } NetworkAccess 1; " + needed + " }", []string{"a.dcs:4:2: arm-unreachable: "}},
		{"a number that no name has", "Main ~ \"^([0-9]{2})$\" {\n select $1 { 7 { MaxCPE 1; } 100 { MaxCPE 2; } default { } } NetworkAccess 1; " + needed + " }", []string{"a.dcs:2:30: arm-unreachable: "}},
		{"excluded outside", "Main ~ \"^([a-z]+)$\" {\n select $1 { x { } default { select $1 { x { MaxCPE 1; } default { } } } } NetworkAccess 1; " + needed + " }", []string{"a.dcs:2:42: arm-unreachable: "}},
		{"a Block for two patterns", "Main ~ \"^(?P<p>x|y)$\" { include b; }\nMain ~ \"^(?P<p>v|w)$\" { include b; }\nBlock b { NetworkAccess 1; " + needed + " select $p { x { } v { } z { } default { } } }", []string{"a.dcs:3:166: arm-unreachable: "}},
		{"anchors that contradict", `Main ~ "^a$b" { NetworkAccess 1; ` + needed + ` }`, []string{"a.dcs:1:8: pattern-no-name: "}},
		{"anchors that do not", `Main ~ "^a(^|$)|b*^c" { NetworkAccess 1; ` + needed + ` }`, nil},
		{"a blank", `Main ~ "^a .*" { NetworkAccess 1; ` + needed + ` }`, []string{"a.dcs:1:8: pattern-no-name: "}},
		{"a blank in one way", `Main ~ "^a( |-).*" { NetworkAccess 1; ` + needed + ` }`, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := slices.DeleteFunc(judged(t, map[string]string{"a.dcs": tt.src}), func(s string) bool {
				return !strings.Contains(s, "pattern-") && !strings.Contains(s, "capture-") && !strings.Contains(s, "arm-")
			})
			if !slices.Equal(got, tt.want) {
				t.Errorf("got  %q\nwant %q", got, tt.want)
			}
		})
	}
}

// A finding has the position of its statement, the includes that lead there, and the arms for which it holds.
func TestJudgedPlaces(t *testing.T) {
	got := judged(t, map[string]string{
		"flows.cfg": "Main\n{\n UsServiceFlow { UsServiceFlowRef 1; QosParamSetType 7; }\n UsServiceFlow { UsServiceFlowRef 1; QosParamSetType 7; }\n" +
			" DsServiceFlow { DsServiceFlowRef 2; QosParamSetType 7; }\n NetworkAccess 1;\n}\n",
		"a.dcs": "Main ~ \"^(?P<plan>gold|tin)-\" {\n NetworkAccess 1;\n select $plan {\n  gold {\n   include outer; } default { include good; } }\n}\n" +
			"Block outer {\n include inner; }\nBlock inner {\n UsServiceFlow { UsServiceFlowRef 1; QosParamSetType 7; }\n UsServiceFlow {\n  UsServiceFlowRef 1; QosParamSetType 7; }\n DsServiceFlow { DsServiceFlowRef 2; QosParamSetType 7; }\n}\n" +
			"Block good { " + needed + " }\n",
	})
	for _, want := range []string{
		"a.dcs:12:3: sf-ref-dup: when $plan is gold from a.dcs:8:2 from a.dcs:5:4",
		"flows.cfg:4:18: sf-ref-dup: ",
	} {
		if !slices.Contains(got, want) {
			t.Errorf("%s is not among\n%s", want, strings.Join(got, "\n"))
		}
	}
}

// A file that is rendered for a name has no error that its template does not have, and all findings that its template has for certain. Some
// warnings are about what is the same for all requests only.
func TestJudgedLikeRendered(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	statements := []string{
		"NetworkAccess 1;", "NetworkAccess $n;", "MaxCPE $n;", "MaxCPE 1;", "DownstreamFrequency $big;", "DownstreamFrequency $n * 62500;", needed,
		"UsServiceFlow { UsServiceFlowRef 1; QosParamSetType 7; MaxRateSustained $big * 10; MinReservedRate 5000; }",
		"DsServiceFlow { DsServiceFlowRef 2; ServiceClassName \"c-${p}-long\"; }", "UsServiceFlow { UsServiceFlowRef 1; }",
		"select $p { gold { MaxCPE 3; } tin { NetworkAccess 0; } default { GlobalPrivacyEnable 0; } }",
		"select $n { 0 { ClassOfService { ClassID 1; } } 1, 2 { MaxCPE 0; } default { } }",
		"select $p { tin { include \"b-$p\"; } default { } }", "include \"b-$p\";",
		"SnmpMibObject sysContact.0 String \"a${p}\";", "SnmpMibObject \"docsDevNmAccessStatus.$n\" Integer 4;", "SnmpMibObject docsDevNmAccessStatus.1 Integer $n;",
		"VendorSpecific { VendorIdentifier 0x0000ca; GenericTLV TlvCode 9 TlvValue 0x01; }", "SwUpgradeFilename \"fw-$p\";",
	}
	constant := map[string]bool{"ds-freq-step": true} // no interval says what is a multiple
	secret := mic.NewSecret(nil)
	files, compared := 0, 0
	for range 100 {
		src := "Block b-gold { MaxCPE 9; }\nBlock b-tin { " + needed + " }\nMain ~ \"^(?P<p>gold|tin|iron)-(?P<n>[0-9]{1,2})-(?P<big>[1-9][0-9]{5,9})$\" { "
		for range 1 + r.IntN(7) {
			src += statements[r.IntN(len(statements))] + " "
		}
		snap, err := LoadFile(Config{MIB: mib.Default()}, "a.dcs", []byte(src+"}"))
		if err != nil {
			t.Fatalf("%v\n%s", err, src)
		}
		y := snap.Survey(nil)
		y.all.Files = 4096
		var set lint.Set
		for f := range y.Files(snap.Templates()[0]) {
			set.Add(f, &lint.Options{})
		}
		if !y.Complete() {
			t.Fatalf("not all files: %s", src)
		}
		mine, certain := map[string]bool{}, map[string]bool{}
		for _, f := range set.Findings() {
			k := f.Rule.ID + " " + f.Path
			if mine[k] = true; f.When == nil && f.Severity == f.Rule.Severity && !strings.Contains(f.Text, "for some values") {
				certain[k] = true
			}
		}
		for range 20 {
			name := fmt.Sprintf("%s-%d-%d", []string{"gold", "tin", "iron"}[r.IntN(3)], r.IntN(30), 100000+r.IntN(1<<r.IntN(33)))
			found := snap.Find([]byte(name))
			skel, fault := snap.Skeleton(found, nil, false)
			if fault != nil {
				continue
			}
			var v skeleton.Values
			var sc skeleton.Scratch
			found.Fill(&v)
			file, fault := skel.Build(nil, &v, &sc)
			if fault == skeleton.Unfit {
				if skel, fault = snap.Exact(found, nil, false); fault == nil {
					file, fault = skel.Build(nil, &v, &sc)
				}
			}
			if fault == nil {
				file, fault = skel.Sign(file, secret, &sc)
			}
			if fault != nil {
				continue
			}
			files++
			theirs := map[string]bool{}
			for _, f := range lint.Check(&lint.File{Dialect: skel.Dialect(), Octets: file, Made: true, Shared: true}, &lint.Options{}) {
				k := f.Rule.ID + " " + f.Path
				theirs[k] = true
				if compared++; !mine[k] && f.Severity == lint.Error && !constant[f.Rule.ID] {
					t.Errorf("%s has %s (%s), its template has not: %v\n%s", name, k, f.Text, mine, src)
				}
			}
			for k := range certain {
				if !theirs[k] {
					t.Errorf("%s lacks %s, which its template has for certain\n%s", name, k, src)
				}
			}
			if t.Failed() {
				return
			}
		}
	}
	if files < 100 || compared < 100 {
		t.Errorf("%d files with %d findings", files, compared)
	}
}
