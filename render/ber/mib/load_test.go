package mib

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"dcs/render/ber"
)

func TestLoad(t *testing.T) {
	base := Default()
	x, err := Load(base, []string{"testdata/vendor"})
	if err != nil {
		t.Fatal(err)
	}
	level := []Enum{{"low", 1}, {"middle", 2}, {"high", 3}}
	top := ber.OID{1, 3, 6, 1, 4, 1, 99999, 7}
	at := func(arcs ...uint32) ber.OID { return append(append(ber.OID{}, top...), arcs...) }
	old := ber.OID{1, 3, 6, 1, 4, 1, 99998}
	const cable, rw, na = "ACME-CABLE-MIB", "read-write", "not-accessible"
	for _, want := range []Object{
		{Label: "acmeCable", Module: cable, OID: top, Kind: Identity},
		{Label: "acme", Module: cable, OID: top[:7]},
		{Label: "acmeDeep", Module: cable, OID: ber.OID{1, 3, 6, 1, 4, 1, 99999, 8}},
		{Label: "acmeOldLink", Module: cable, OID: ber.OID{1, 3, 6, 1, 4, 1, 99998, 1, 3}},
		{Label: "acmeAgent", Module: cable, OID: at(9), Kind: Identity},
		{Label: "acmeLevel", Module: cable, OID: at(1, 1), Kind: Scalar, Syntax: Integer32, TC: "AcmeLevel", Enums: level, Access: rw, Status: "current"},
		{Label: "acmeMode", Module: cable, OID: at(1, 2), Kind: Scalar, Syntax: Integer32, Enums: []Enum{{"odd", -1}, {"off", 0}, {"on", 1}}, Access: rw, Status: "deprecated"},
		{Label: "acmeRate", Module: cable, OID: at(1, 3), Kind: Scalar, Syntax: Unsigned32, Ranges: []Range{{0, 0}, {64, 1000000}}, Access: rw, Status: "current"},
		{Label: "acmeFlags", Module: cable, OID: at(1, 4), Kind: Scalar, Syntax: Bits, Enums: []Enum{{"first", 0}, {"second", 1}, {"ninth", 8}}, Access: rw, Status: "current"},
		// The built-in index knows the convention, its text is not at hand.
		{Label: "acmeEnabled", Module: cable, OID: at(1, 5), Kind: Scalar, Syntax: Integer32, TC: "TruthValue", Enums: []Enum{{"true", 1}, {"false", 2}}, Access: rw, Status: "current"},
		{Label: "acmeTable", Module: cable, OID: at(1, 6), Kind: Table, Access: na, Status: "current"},
		{Label: "acmeEntry", Module: cable, OID: at(1, 6, 1), Kind: Row, Index: []string{"acmeIndexLevel", "acmeIndexMac", "acmeIndexName"}, Implied: true, Access: na, Status: "current"},
		{Label: "acmeIndexMac", Module: cable, OID: at(1, 6, 1, 2), Kind: Column, Syntax: OctetString, TC: "MacAddress", Ranges: []Range{{6, 6}}, Access: na, Status: "current"},
		{Label: "acmeIndexName", Module: cable, OID: at(1, 6, 1, 3), Kind: Column, Syntax: OctetString, TC: "AcmeAlias", Ranges: []Range{{1, 8}}, Access: na, Status: "current"},
		{Label: "acmeValue", Module: cable, OID: at(1, 6, 1, 4), Kind: Column, Syntax: Counter64, Access: "read-only", Status: "current"},
		{Label: "acmeStatus", Module: cable, OID: at(1, 6, 1, 5), Kind: Column, Syntax: Integer32, TC: "RowStatus", Enums: []Enum{{"active", 1}, {"destroy", 6}}, Access: "read-create", Status: "current"},
		{Label: "acmeIfEntry", Module: cable, OID: at(1, 7, 1), Kind: Row, Augments: "ifEntry", Access: na, Status: "current"},
		{Label: "acmeIfName", Module: cable, OID: at(1, 7, 1, 1), Kind: Column, Syntax: OctetString, TC: "DisplayString", Ranges: []Range{{0, 32}}, Access: rw, Status: "current"},
		{Label: "acmeTrap", Module: cable, OID: at(0, 1), Kind: Notification},
		{Label: "acmeCompliance", Module: cable, OID: at(3)},
		{Label: "acmeGroup", Module: cable, OID: at(4)},
		{Label: "acmeOldName", Module: "ACME-OLD-MIB", OID: append(old[:7:7], 1, 1), Kind: Scalar, Syntax: OctetString, TC: "DisplayString", Ranges: []Range{{0, 40}}, Access: rw, Status: "mandatory"},
		{Label: "acmeOldRate", Module: "ACME-OLD-MIB", OID: append(old[:7:7], 1, 2), Kind: Scalar, Syntax: Integer32, TC: "AcmeRate", Ranges: []Range{{0, 10}}, Access: rw, Status: "mandatory"},
		{Label: "acmeOldTrap", Module: "ACME-OLD-MIB", OID: append(old[:7:7], 0, 5), Kind: Notification},
	} {
		if want.Module == cable {
			want.Edition = "202601010000"
		}
		ref, err := x.Resolve(want.Label)
		if err != nil {
			t.Error(err)
		} else if !reflect.DeepEqual(*ref.Object, want) {
			t.Errorf("%s:\n got %+v\nwant %+v", want.Label, *ref.Object, want)
		}
		if _, err := base.Resolve(want.Label); err == nil {
			t.Errorf("%s is in the built-in index now", want.Label)
		}
	}

	for _, tt := range []struct{ name, want string }{
		{"acmeStatus.high.'abcdef'.'xy'", "1.3.6.1.4.1.99999.7.1.6.1.5.3.97.98.99.100.101.102.120.121"},
		{"acmeStatus.2.0.1.2.3.4.5.'xy'", "1.3.6.1.4.1.99999.7.1.6.1.5.2.0.1.2.3.4.5.120.121"},
		{"acmeIfName.4", "1.3.6.1.4.1.99999.7.1.7.1.1.4"},
		{"enterprises.acme.acmeCable", "1.3.6.1.4.1.99999.7"},
		{"docsDevCpeIpMax.0", "1.3.6.1.2.1.69.1.7.2.0"},
		{"acmeInRtProto", "1.3.6.1.2.1.84.77"},
		{"IANA-RTPROTO-MIB::ianaRtProtoMIB", "1.3.6.1.2.1.84"},
	} {
		ref, err := x.Resolve(tt.name)
		if err != nil || ref.OID.String() != tt.want {
			t.Errorf("%s = %v, %v, want %s", tt.name, ref.OID, err, tt.want)
		}
		if again, err := x.Resolve(x.Name(ref.OID)); err != nil || again.OID.String() != tt.want {
			t.Errorf("%s: Name gives %s", tt.name, x.Name(ref.OID))
		}
	}
	for _, tt := range []struct{ name, want string }{
		{"acmeStatus.extreme", "acmeIndexLevel: low(1), middle(2), high(3)"},
		{"acmeStatus.high.1.'x'", "expected another number of acmeIndexMac, got 'x'"},
		{"acmeStatuss.1", "did you mean acmeStatus"},
	} {
		if _, err := x.Resolve(tt.name); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want %q", tt.name, err, tt.want)
		}
	}
}

func TestLoadErrors(t *testing.T) {
	base := Default()
	x, err := Load(base, []string{"testdata/broken", "testdata/vendor/acme-old.my", "testdata/absent"})
	if err == nil || !strings.Contains(err.Error(), "testdata/absent") {
		t.Errorf("a path that is not there: %v", err)
	}
	want := []string{
		`testdata/broken/a-unfinished.txt:6: brokenCut: expected "(", got "2"; leaving it out`,
		`testdata/broken/a-unfinished.txt:7: "END" is missing`,
		"testdata/broken/b-imports.txt:5: brokenOrphan: nowhere is imported from NOWHERE-MIB, which is neither loaded nor built in; leaving it out",
		"testdata/broken/b-imports.txt:6: brokenChild: its OID depends on one that was left out; leaving it out; 1 more of the module likewise",
		"testdata/broken/b-imports.txt:7: brokenLoop: its OID is defined in terms of itself; leaving it out",
		"testdata/broken/b-imports.txt:17: brokenAmbiguous: docsBpi2MIBObjects is ambiguous: DOCS-BPI2-MIB (",
		"testdata/broken/b-imports.txt:18: brokenUndefined: nothing is neither defined nor imported; leaving it out",
		"testdata/broken/b-imports.txt:9: brokenTyped: its type Nothing is not known; its values are not checked",
	}
	if got := x.Warnings(); len(got) != len(want) {
		t.Errorf("%d warnings, want %d:\n%s", len(got), len(want), strings.Join(got, "\n"))
	} else {
		for i := range want {
			if !strings.HasPrefix(got[i], want[i]) {
				t.Errorf("warning %s, want %s", got[i], want[i])
			}
		}
	}
	// What could be read is there all the same.
	for _, name := range []string{"brokenB", "brokenFine", "brokenTyped.0", "acmeOldName.0", "sysDescr.0"} {
		if _, err := x.Resolve(name); err != nil {
			t.Error(err)
		}
	}
	// What could not says why.
	for name, why := range map[string]string{
		"brokenCut.0":             "defined in BROKEN-A-MIB, but could not be read: testdata/broken/a-unfinished.txt:6: ",
		"BROKEN-A-MIB::brokenCut": "a-unfinished.txt:6: ",
		"brokenOrphan":            "b-imports.txt:5: brokenOrphan: nowhere is imported from NOWHERE-MIB",
		"brokenB.brokenChild":     "b-imports.txt:6: ",
		"brokenElsewhere":         "not all modules of mib_path could be read",
	} {
		if _, err := x.Resolve(name); !errors.Is(err, errUnknown) || !strings.Contains(err.Error(), why) {
			t.Errorf("%s: %v, want %s", name, err, why)
		}
	}
	if x, err := Load(base, nil); x != base || err != nil || x.Warnings() != nil {
		t.Errorf("no paths: %v", err)
	}
}

func TestLoadFirstCounts(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"1.txt": "X-MIB DEFINITIONS ::= BEGIN IMPORTS enterprises FROM SNMPv2-SMI; xFirst OBJECT IDENTIFIER ::= { enterprises 1 1 } END",
		"2.txt": "\ufeffX-MIB DEFINITIONS ::= BEGIN IMPORTS enterprises FROM SNMPv2-SMI; xSecond OBJECT IDENTIFIER ::= { enterprises 1 2 } END",
		"3.txt": "Y-MIB DEFINITIONS ::= BEGIN yNumbers OBJECT IDENTIFIER ::= { 1 3 6 1 4 1 2 } yDirect OBJECT IDENTIFIER ::= { enterprises 3 } END",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	x, err := Load(Default(), []string{dir})
	if w := x.Warnings(); err != nil || len(w) != 1 || !strings.Contains(w[0], "2.txt:1: module X-MIB is also defined, differently, in ") {
		t.Errorf("two that differ: %v, %v", w, err)
	}
	for _, tt := range []struct{ name, want string }{
		{"xFirst", "1.3.6.1.4.1.1.1"},
		{"xSecond", ""},
		{"yNumbers", "1.3.6.1.4.1.2"},
		{"yDirect", "1.3.6.1.4.1.3"},
	} {
		ref, err := x.Resolve(tt.name)
		if ref.OID.String() != tt.want {
			t.Errorf("%s = %v, %v, want %s", tt.name, ref.OID, err, tt.want)
		}
	}
}

// someOf returns an index of a few built-in modules, which loads faster than all.
func someOf(t *testing.T, modules ...string) *Index {
	t.Helper()
	var objects []Object
	for o := range Default().Objects() {
		if slices.Contains(modules, o.Module) {
			objects = append(objects, o)
		}
	}
	table, err := tableOf(objects, slices.Collect(Default().Types()))
	if err != nil {
		t.Fatal(err)
	}
	return &Index{t: table}
}

// One bad module, file or directory keeps nothing out but itself; and its names are not those of another module.
func TestLoadOneBad(t *testing.T) {
	base := someOf(t, "", "SNMPv2-SMI", "SNMPv2-MIB", "DOCS-CABLE-DEVICE-MIB")
	mod := func(name, imports, defs string) string {
		return name + " DEFINITIONS ::= BEGIN IMPORTS enterprises FROM SNMPv2-SMI " + imports + ";\n" + defs + "\nEND\n"
	}
	const shared = "zShared OBJECT IDENTIFIER ::= { enterprises %d }"
	good := mod("GOOD-MIB", "", fmt.Sprintf(shared, 7)+"\nzGood OBJECT IDENTIFIER ::= { zShared 1 }")
	for _, tt := range []struct {
		name     string
		files    map[string]string
		warnings []string          // parts of them, in order
		names    map[string]string // to their OID, or to "error: " and a part of it
	}{
		{"nothing bad", map[string]string{"good": good}, nil, map[string]string{"zGood": "1.3.6.1.4.1.7.1", "zShared": "1.3.6.1.4.1.7"}},
		{
			"a syntax error",
			map[string]string{"bad": mod("BAD-MIB", "", "zBad OBJECT IDENTIFIER ::= { enterprises 8 }\n"+fmt.Sprintf(shared, 9)+"\nzCut OBJECT-TYPE SYNTAX OCTET FOO\n ::= { zBad 1 }\nzAfter OBJECT IDENTIFIER ::= { zBad 2 }\nzBelow OBJECT IDENTIFIER ::= { zCut 2 }"), "good": good},
			[]string{`bad:4: zCut: expected "STRING", got "FOO"; leaving it out`, "bad:7: zBelow: zCut is neither defined nor imported"},
			map[string]string{"zGood": "1.3.6.1.4.1.7.1", "zBad": "1.3.6.1.4.1.8", "zAfter": "1.3.6.1.4.1.8.2", "zCut.0": "error: MIB label zCut is defined in BAD-MIB", "zBelow": "error: bad:7", "BAD-MIB::zCut": "error: bad:4", "zShared": "error: ambiguous", "GOOD-MIB::zShared": "1.3.6.1.4.1.7", "sysDescr.0": "1.3.6.1.2.1.1.1.0"},
		},
		{
			"an OID that is missing",
			map[string]string{"bad": mod("BAD-MIB", "", "zCut OBJECT-TYPE SYNTAX INTEGER\nzAfter OBJECT-TYPE SYNTAX INTEGER ::= { enterprises 2 }\nZType ::= INTEGER\nzToo OBJECT-TYPE SYNTAX INTEGER\nZOther ::= OCTET STRING\nzLast OBJECT IDENTIFIER ::= { enterprises 3 }")},
			[]string{"bad:3: zCut: the OID of zCut is missing", "bad:6: zToo: the OID of zToo is missing"},
			map[string]string{"zCut.0": "error: bad:3", "zAfter.0": "1.3.6.1.4.1.2.0", "zToo.0": "error: bad:6", "zLast": "1.3.6.1.4.1.3"},
		},
		{
			"a syntax error between two modules of a file",
			map[string]string{"all": mod("A-MIB", "", "zA OBJECT IDENTIFIER ::= { enterprises 1 }") + mod("BAD-MIB", "", "zBad OBJECT IDENTIFIER ::= { }") + mod("C-MIB", "", "zC OBJECT IDENTIFIER ::= { enterprises 3 }")},
			[]string{"all:5: zBad: the OID of zBad is empty"},
			map[string]string{"zA": "1.3.6.1.4.1.1", "zC": "1.3.6.1.4.1.3", "zBad": "error: all:5"},
		},
		{
			"two syntax errors in a file",
			map[string]string{"all": mod("BAD-MIB", "", "zBad OBJECT IDENTIFIER ::= { }") + mod("C-MIB", "", "zC OBJECT IDENTIFIER ::= { enterprises 3 }") + "D-MIB { 1 3 } DEFINITIONS ::= BEGIN\nzD OBJECT IDENTIFIER ::= 5 END"},
			[]string{"all:2: ", "all:8: "},
			map[string]string{"zC": "1.3.6.1.4.1.3", "zBad": "error: all:2", "zD": "error: all:8"},
		},
		{
			"a quote without an end",
			map[string]string{"bad": mod("BAD-MIB", "", "zFirst OBJECT IDENTIFIER ::= { enterprises 5 }\nzBad OBJECT-TYPE DESCRIPTION \"never\n ::= { zFirst 1 }\nzHidden OBJECT-TYPE ::= { zFirst 2 }"), "good": good},
			[]string{`bad:3: zBad: "::=" is missing; leaving it out`, `bad:3: "END" is missing`, "bad:3: the closing quote"},
			map[string]string{"zGood": "1.3.6.1.4.1.7.1", "zFirst": "1.3.6.1.4.1.5", "zBad.0": "error: bad:3", "zHidden.0": "error: bad:3"},
		},
		{
			"two quotes without an end",
			map[string]string{"bad": mod("BAD-MIB", "", "zA OBJECT-TYPE DESCRIPTION \"one\n ::= { enterprises 1 }\nzB OBJECT-TYPE DESCRIPTION \"two\n ::= { enterprises 2 }\nzC OBJECT IDENTIFIER ::= { enterprises 3 }")},
			[]string{"bad:2: zA: the closing quote of this text is missing"},
			map[string]string{"zA.0": "error: bad:2", "zB.0": "error: bad:", "zC": "1.3.6.1.4.1.3"},
		},
		{
			"imports without an end",
			map[string]string{"bad": "BAD-MIB DEFINITIONS ::= BEGIN IMPORTS enterprises FROM SNMPv2-SMI\nzA OBJECT IDENTIFIER ::= { enterprises 1 }\nEND"},
			[]string{`bad:2: ";" is missing after IMPORTS`},
			map[string]string{"zA": "1.3.6.1.4.1.1"},
		},
		{
			"text around modules",
			map[string]string{"all": "Don't edit (copied from page 5):\n" + mod("A-MIB", "", "zA OBJECT IDENTIFIER ::= { enterprises 1 }") + "\nAcme 2005 [Page 7]\n" + mod("B-MIB", "", "zB OBJECT IDENTIFIER ::= { enterprises 2 }")},
			nil,
			map[string]string{"A-MIB::zA": "1.3.6.1.4.1.1", "B-MIB::zB": "1.3.6.1.4.1.2"},
		},
		{
			"one name with two OIDs",
			map[string]string{"a": mod("A-MIB", "", "zA OBJECT IDENTIFIER ::= { enterprises 1 }\nzA OBJECT IDENTIFIER ::= { enterprises 2 }\nzB OBJECT IDENTIFIER ::= { zA 1 }\nzB OBJECT IDENTIFIER ::= { zA 1 }")},
			[]string{"a:3: zA is defined again, with another OID than in line 2, which counts"},
			map[string]string{"zA": "1.3.6.1.4.1.1", "zB": "1.3.6.1.4.1.1.1"},
		},
		{
			"a circle of two modules",
			map[string]string{
				"a": mod("A-MIB", "zB, ZB FROM B-MIB", "ZA ::= ZB\nzFine OBJECT IDENTIFIER ::= { enterprises 1 }\nzA OBJECT IDENTIFIER ::= { zB 1 }\nzTyped OBJECT-TYPE SYNTAX ZA ::= { zFine 1 }"),
				"b": mod("B-MIB", "zA, zFine, ZA FROM A-MIB", "ZB ::= ZA\nzB OBJECT IDENTIFIER ::= { zA 1 }\nzToo OBJECT IDENTIFIER ::= { zFine 2 }"),
			},
			[]string{"a:4: zA: its OID is defined in terms of itself", "b:3: zB: its OID depends on one that was left out", "a:5: zTyped: its type ZA is defined in terms of itself"},
			map[string]string{"zTyped.0": "1.3.6.1.4.1.1.1.0", "zToo": "1.3.6.1.4.1.1.2", "zA": "error: a:4", "zB": "error: b:3"},
		},
		{
			"a faulty copy of one that is built in",
			map[string]string{"bad": mod("DOCS-CABLE-DEVICE-MIB", "", "docsDevNmAccessStatus OBJECT-TYPE SYNTAX OCTET FOO"), "good": good},
			[]string{"bad:2: docsDevNmAccessStatus: "},
			map[string]string{"zGood": "1.3.6.1.4.1.7.1", "docsDevNmAccessStatus.1": "1.3.6.1.2.1.69.1.2.1.7.1"},
		},
		{
			"an import of one that is not there",
			map[string]string{"bad": mod("BAD-MIB", "x FROM NONE-MIB", "zFine OBJECT IDENTIFIER ::= { enterprises 4 }\nzBad OBJECT IDENTIFIER ::= { x 1 }\nzWorse OBJECT IDENTIFIER ::= { x 2 }"), "good": good},
			[]string{"bad:3: zBad: x is imported from NONE-MIB, which is neither loaded nor built in; leaving it out; 1 more of the module likewise"},
			map[string]string{"zGood": "1.3.6.1.4.1.7.1", "zFine": "1.3.6.1.4.1.4", "zBad": "error: NONE-MIB", "zWorse": "error: bad:4"},
		},
		{
			"an import of one that was left out",
			map[string]string{"bad": mod("BAD-MIB", "", fmt.Sprintf(shared, 9)+"\nzCut OBJECT-TYPE SYNTAX OCTET FOO"), "on": mod("ON-MIB", "zCut, zShared FROM BAD-MIB", "zOn OBJECT IDENTIFIER ::= { zShared 1 }\nzOff OBJECT IDENTIFIER ::= { zCut 1 }"), "good": good},
			[]string{"bad:3: zCut: ", "on:3: zOff: zCut is imported from BAD-MIB, where it was left out"},
			map[string]string{"zGood": "1.3.6.1.4.1.7.1", "zOn": "1.3.6.1.4.1.9.1", "zOff": "error: on:3"},
		},
		{
			"two of one name that differ",
			map[string]string{"a": mod("X-MIB", "", "zX OBJECT IDENTIFIER ::= { enterprises 1 }"), "b": mod("X-MIB", "", "zX OBJECT IDENTIFIER ::= { enterprises 2 }")},
			[]string{"b:1: module X-MIB is also defined, differently, in "},
			map[string]string{"zX": "1.3.6.1.4.1.1"},
		},
		{
			"two of one name that agree",
			map[string]string{"a": mod("X-MIB", "", "zX OBJECT IDENTIFIER ::= { enterprises 1 }"), "b": "-- a copy\n" + mod("X-MIB", "", "zX OBJECT IDENTIFIER ::=\n { enterprises 1 }")},
			nil,
			map[string]string{"zX": "1.3.6.1.4.1.1"},
		},
		{"a link to nothing", map[string]string{"bad": "->nothing", "good": good}, []string{"bad: no such file"}, map[string]string{"zGood": "1.3.6.1.4.1.7.1", "zOther": "error: not all modules"}},
		{"no text", map[string]string{"bad": "\x00\xff DEFINITIONS ::= \x00", "good": good}, []string{"bad:1: "}, map[string]string{"zGood": "1.3.6.1.4.1.7.1"}},
		{"no module", map[string]string{"README": "Modules."}, nil, map[string]string{"zGood": "error: unknown"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			for name, text := range tt.files {
				path := filepath.Join(dir, name)
				var err error
				if to, link := strings.CutPrefix(text, "->"); link {
					err = os.Symlink(to, path)
				} else {
					err = os.WriteFile(path, []byte(text), 0o600)
				}
				if err != nil {
					t.Fatal(err)
				}
			}
			x, err := Load(base, []string{dir})
			if err != nil {
				t.Error(err)
			}
			got := x.Warnings()
			if len(got) != len(tt.warnings) {
				t.Errorf("%d warnings, want %d:\n%s", len(got), len(tt.warnings), strings.Join(got, "\n"))
			}
			for i := range min(len(got), len(tt.warnings)) {
				if !strings.Contains(got[i], tt.warnings[i]) {
					t.Errorf("warning %s, want %s", got[i], tt.warnings[i])
				}
			}
			for name, want := range tt.names {
				ref, err := x.Resolve(name)
				if part, bad := strings.CutPrefix(want, "error: "); bad {
					if err == nil || !strings.Contains(err.Error(), part) {
						t.Errorf("%s = %v, %v, want an error with %s", name, ref.OID, err, part)
					}
					continue
				}
				if err != nil || ref.OID.String() != want {
					t.Errorf("%s = %v, %v, want %s", name, ref.OID, err, want)
				} else if again, err := x.Resolve(x.Name(ref.OID)); err != nil || again.OID.String() != want {
					t.Errorf("%s: its name is %s, which is %v, %v", name, x.Name(ref.OID), again.OID, err)
				}
			}
		})
	}
}

// Modules of which every definition is broken off take time in proportion to their length.
func TestBrokenOff(t *testing.T) {
	for name, odd := range map[string]string{
		"braces":      "x%d OBJECT-TYPE SYNTAX INTEGER DEFVAL { { a\n",
		"sequences":   "X%d ::= SEQUENCE { a\n",
		"macros":      "X%d MACRO ::= BEGIN\n",
		"tags":        "X%d ::= [ INTEGER\n",
		"imports":     "IMPORTS OBJECT-TYPE a%d\n",
		"imported":    "IMPORTS a%d FROM B {\n",
		"exports":     "EXPORTS OBJECT-TYPE a%d\n",
		"conventions": "X%d ::= TEXTUAL-CONVENTION STATUS current\n",
		"objects":     "x%d OBJECT-TYPE INDEX { a, b\n",
		"OIDs":        "x%d OBJECT IDENTIFIER ::= { a\n",
		"traps":       "x%d TRAP-TYPE ENTERPRISE { a\n",
		"enumeration": "X%d ::= INTEGER { a(1),\n",
		"heads":       "%d } DEFINITIONS ::= \n",
		"heads, too":  "X%d } DEFINITIONS ::= \n",
		"modules":     "X%d DEFINITIONS ::= BEGIN\n",
	} {
		var src strings.Builder
		src.WriteString("A-MIB DEFINITIONS ::= BEGIN\n")
		for i := range 100_000 {
			fmt.Fprintf(&src, odd, i)
		}
		began := time.Now()
		modules, err := parseModules(src.String())
		took := time.Since(began)
		if t.Logf("%s: %v", name, took); took > 10*time.Second {
			t.Errorf("%s: %v", name, took)
		}
		if err == nil && len(modules[0].faults) == 0 {
			t.Errorf("%s: no fault", name)
		}
	}
}

// A label that a preferred module would have decided stays ambiguous when that module could not be read.
func TestPreferWhatWasNotRead(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"a": "A-MIB DEFINITIONS ::= BEGIN zX OBJECT IDENTIFIER ::= { enterprises 1 } END",
		"b": "B-MIB DEFINITIONS ::= BEGIN zX OBJECT IDENTIFIER ::= { enterprises 2 } END",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, tt := range []struct {
		paths  []string
		prefer []string
		want   string
	}{
		{[]string{dir}, []string{"C-MIB", "B-MIB"}, "1.3.6.1.4.1.2"}, // nothing was to be read of it
		{[]string{dir, filepath.Join(dir, "c")}, []string{"C-MIB", "B-MIB"}, ""},
		{[]string{dir, filepath.Join(dir, "c")}, []string{"B-MIB", "C-MIB"}, "1.3.6.1.4.1.2"},
	} {
		x, _ := Load(Default(), tt.paths)
		ref, err := x.Prefer(tt.prefer...).Resolve("zX")
		if ref.OID.String() != tt.want || tt.want == "" && !errors.Is(err, errAmbiguous) {
			t.Errorf("%v, %v: %v, %v, want %s", tt.paths, tt.prefer, ref.OID, err, tt.want)
		}
	}
}

// Modules whose index objects are not known, or that go in a circle, must not take more from
// a name than they can vouch for.
func TestIndexNotKnown(t *testing.T) {
	dir := t.TempDir()
	text := `Z-MIB DEFINITIONS ::= BEGIN
		z OBJECT IDENTIFIER ::= { enterprises 5 }
		zOne OBJECT-TYPE SYNTAX ZOne MAX-ACCESS not-accessible STATUS current INDEX { zNowhere, zOid, zSize } ::= { z 1 }
		zOid OBJECT-TYPE SYNTAX OBJECT IDENTIFIER MAX-ACCESS not-accessible STATUS current ::= { zOne 1 }
		zSize OBJECT-TYPE SYNTAX OCTET STRING (SIZE (2)) MAX-ACCESS not-accessible STATUS current ::= { zOne 2 }
		zTwo OBJECT-TYPE SYNTAX ZTwo MAX-ACCESS not-accessible STATUS current AUGMENTS { zThree } ::= { z 2 }
		zIn OBJECT-TYPE SYNTAX INTEGER MAX-ACCESS read-only STATUS current ::= { zTwo 1 }
		zThree OBJECT-TYPE SYNTAX ZThree MAX-ACCESS not-accessible STATUS current AUGMENTS { zTwo } ::= { z 3 }
		zFour OBJECT-TYPE SYNTAX ZFour MAX-ACCESS not-accessible STATUS current INDEX { zOid, zSize } ::= { z 4 }
		zOther OBJECT-TYPE SYNTAX INTEGER MAX-ACCESS read-only STATUS current ::= { zFour 1 }
		END`
	if err := os.WriteFile(filepath.Join(dir, "z"), []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	x, err := Load(Default(), []string{dir})
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ name, want string }{
		{"zOid.'a'.1", "1.3.6.1.4.1.5.1.1.97.1"},
		{`zOid.7."b"`, "1.3.6.1.4.1.5.1.1.7.1.98"},
		{"zIn.'a'", "1.3.6.1.4.1.5.2.1.97"},
		{"zOther.2.1.3.'ab'", "1.3.6.1.4.1.5.4.1.2.1.3.97.98"},
		{"zOther.0.'ab'", "1.3.6.1.4.1.5.4.1.0.97.98"},
		{"zOther.0.97.98", "1.3.6.1.4.1.5.4.1.0.97.98"},
	} {
		if ref, err := x.Resolve(tt.name); err != nil || ref.OID.String() != tt.want {
			t.Errorf("%s = %v, %v, want %s", tt.name, ref.OID, err, tt.want)
		}
	}
	for _, tt := range []struct{ name, want string }{
		{"zOid.up", "the value of label up is not known"},
		{"zOid.7.up", "the index of zOid is not known"},
		{"zIn.up", "the index of zIn is not known"},
		{"zOther.'ab'", "zOid takes its length and its numbers"},
		{"zOther.up", "up is not a value of zOid"},
		{"zOther.0.97.'b'", "expected another number of zSize, got 'b'"},
	} {
		if _, err := x.Resolve(tt.name); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want %q", tt.name, err, tt.want)
		}
	}
}

// RFC 2578, section 7.1, RFC 1155, section 3.2.3.
func TestBaseType(t *testing.T) {
	for name, want := range map[string]Syntax{
		"INTEGER": Integer32, "Integer32": Integer32, "Unsigned32": Unsigned32, "UInteger32": Unsigned32,
		"Gauge": Gauge32, "Gauge32": Gauge32, "Counter": Counter32, "Counter32": Counter32, "Counter64": Counter64,
		"TimeTicks": TimeTicks, "IpAddress": IPAddress, "NetworkAddress": NetworkAddress, "OCTET STRING": OctetString,
		"OBJECT IDENTIFIER": ObjectIdentifier, "BITS": Bits, "Opaque": Opaque, "DisplayString": NoSyntax,
	} {
		if got, ok := baseType(name); got != want || ok != (want != NoSyntax) {
			t.Errorf("%s: %v, %v, want %v", name, got, ok, want)
		}
	}
}

func TestParseModulesErrors(t *testing.T) {
	const head = "A DEFINITIONS ::= BEGIN\n"
	for _, tt := range []struct{ text, want string }{
		{head, `2: "END" is missing`},
		{"5 DEFINITIONS ::= BEGIN END", "1: expected a module's name, got \"5\""},
		{head + "IMPORTS a FROM B", `";" is missing`},
		{head + "IMPORTS 5;", `2: expected a name or FROM, got "5"`},
		{head + "a MACRO ::= BEGIN", `"END" is missing`},
		{head + "a OBJECT IDENTIFIER ::= { }\nEND", "2: the OID of a is empty"},
		{head + "a OBJECT IDENTIFIER ::= { b 4294967296 }\nEND", `2: expected an arc, 0 to 4294967295, got "4294967296"`},
		{head + "a OBJECT IDENTIFIER ::= { b c(1 }\nEND", `2: expected ")", got "}"`},
		{head + "a OBJECT-TYPE SYNTAX OCTET FOO", `2: expected "STRING", got "FOO"`},
		{head + "a OBJECT-TYPE SYNTAX INTEGER (1..x)", `2: expected a number, got "x"`},
		{head + "a OBJECT-TYPE SYNTAX INTEGER (1 2)", `2: expected "|", got "2"`},
		{head + "a OBJECT-TYPE DEFVAL { {", "2: a closing brace is missing"},
		{head + "a OBJECT-TYPE DESCRIPTION \"never\nclosed", "2: the closing quote of this text is missing"},
		{head + "a OBJECT-TYPE DEFVAL { '00", "2: a closing brace is missing"},
		{head + "a ::= SEQUENCE { b", "2: a closing brace is missing"},
		{head + "a TRAP-TYPE ENTERPRISE { b ::= x", `2: expected "}", got "::="`},
	} {
		modules, err := parseModules(tt.text)
		for _, m := range modules {
			for _, f := range m.faults {
				err = errors.Join(err, f.err)
			}
		}
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%q: %v, want %q", tt.text, err, tt.want)
		}
	}
}

func FuzzParseModules(f *testing.F) {
	files, err := filepath.Glob("testdata/*/*")
	if err != nil || len(files) == 0 {
		f.Fatal("no modules", err)
	}
	for _, name := range files {
		text, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(text))
	}
	base := Default()
	f.Fuzz(func(t *testing.T, text string) {
		modules, _ := parseModules(text)
		l := newLoader(base)
		for _, m := range modules {
			if l.modules[m.name] == nil {
				l.modules[m.name] = m
				l.order = append(l.order, m)
			}
		}
		data, err := Build(l.objects(), l.types())
		if err != nil {
			t.Fatal(err)
		}
		table, err := openTable(string(data))
		if err != nil {
			t.Fatal(err)
		}
		x := &Index{t: table}
		for row := range table.nRows {
			o := table.object(row)
			if ref, err := x.Resolve(x.Name(o.OID)); err != nil || ref.OID.String() != o.OID.String() {
				t.Fatalf("%+v: named %s, which is %v, %v", o, x.Name(o.OID), ref.OID, err)
			}
		}
	})
}

func BenchmarkLoad(b *testing.B) {
	base := Default()
	for b.Loop() {
		if _, err := Load(base, []string{"testdata/vendor"}); err != nil {
			b.Fatal(err)
		}
	}
}

// What is named as a module and is no regular file is not waited for.
func TestLoadNoFile(t *testing.T) {
	pipe := filepath.Join(t.TempDir(), "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{pipe, "/dev/zero"} {
		late := time.AfterFunc(30*time.Second, func() { panic(path + ": still reading") })
		if _, err := Load(Default(), []string{path}); err == nil || !strings.Contains(err.Error(), path+": not a regular file") {
			t.Errorf("%v", err)
		}
		late.Stop()
	}
}
