package library

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"dcs/render/ber/mib"
	"dcs/render/mic"
	"dcs/render/skeleton"
	"dcs/render/syntax"
)

// answer is what a name gets: the octets before the MICs, or the reason why there are none.
func answer(t *testing.T, s *Snapshot, name string) string {
	t.Helper()
	l := find(s, name)
	if l == nil {
		return "unknown"
	}
	if l.File != nil {
		return string(l.File.Data)
	}
	sk, fault := s.Skeleton(l, nil, false)
	if fault != nil {
		if fault.Pos.Line == 0 || fault.Pos.File == "" {
			t.Errorf("%s: a fault without a place: %v", name, fault)
		}
		return fault.Reason.String()
	}
	b, _, err := mic.Body(sk.File(mic.NewSecret(nil)))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// Ways for a template to be broken, each in the place of HEAD { … }: with a literal name, a pattern, none.
var breakages = map[string]string{
	"unknown keyword":         `HEAD { NetworkAcces 1; }`,
	"out of range":            `HEAD { MaxCPE 300; }`,
	"no such Block":           `HEAD { include nowhere; }`,
	"no such file":            `HEAD { include "nowhere.dcs"; }`,
	"Block with an error":     `HEAD { include bad; } Block bad { MaxCPE; }`,
	"Block twice":             `HEAD { include twice; } Block twice { MaxCPE 1; } Block twice { MaxCPE 2; }`,
	"Block of no use":         `HEAD { include odd; } Block odd { MaxCPE 999; }`,
	"circle":                  `HEAD { include round; } Block round { include round; }`,
	"unknown variable":        `HEAD { MaxCPE $nothing; }`,
	"value missing":           `HEAD { MaxCPE; NetworkAccess 0; }`,
	"semicolon missing":       `HEAD { MaxCPE 5 NetworkAccess 0; }`,
	"brace missing":           `HEAD { NetworkAccess 0;`,
	"brace missing in group":  `HEAD { UsServiceFlow { UsServiceFlowRef 1; NetworkAccess 0; }`,
	"brace too many":          `HEAD { NetworkAccess 0; } }`,
	"brace too many within":   `HEAD { UsServiceFlow { UsServiceFlowRef 1; } } NetworkAccess 0; }`,
	"string without an end":   `HEAD { SnmpMibObject sysContact.0 String "x; }`,
	"keyword misspelled":      `Mian NAME { NetworkAccess 0; }`,
	"no body":                 `HEAD ;`,
	"bad priority":            `HEAD priority high { NetworkAccess 0; }`,
	"word in the header":      `HEAD gold { NetworkAccess 0; }`,
	"item within":             `HEAD { NetworkAccess 0; Block inner { MaxCPE 1; }`,
	"character of no meaning": `HEAD { NetworkAccess § 0; }`,
	"two of one name":         `HEAD { NetworkAccess 0; } HEAD { NetworkAccess 0; }`,
}

// A broken item withholds its own names, and nothing else.
func TestBrokenKeepsItsNames(t *testing.T) {
	for way, text := range breakages {
		for _, kind := range []struct {
			name, head, asked string
			files             map[string]string // beside it
		}{
			{"literal over static", `"cm-gold"`, "cm-gold", nil},
			{"bare over pattern", ``, "broken.bin", nil},
			{"pattern over pattern", `~ "^cm-gold" priority 2`, "cm-gold7", nil},
		} {
			if strings.HasPrefix(kind.head, "~") && way == "bad priority" {
				kind.head = `~ "^cm-gold"`
			}
			t.Run(way+"/"+kind.name, func(t *testing.T) {
				src := strings.ReplaceAll(strings.ReplaceAll(text, "HEAD", "Main "+kind.head), "NAME", kind.head)
				dir := tree(t, map[string]string{
					"broken.dcs": src,
					"sound.dcs":  `Main ~ "^(cm-|broken)" { NetworkAccess 0; } Main "lab" { MaxCPE 4; }`,
				})
				static := tree(t, map[string]string{"cm-gold": "static", "other": "static"})
				s, err := Load(Config{Dirs: []string{dir}, Static: []string{static}, MIB: mib.Default()}, nil)
				var errs syntax.Errors
				if s == nil || !errors.As(err, &errs) {
					t.Fatalf("loading: %v", err)
				}
				if got := answer(t, s, kind.asked); got != "broken" && got != "ambiguous" {
					t.Errorf("%s: %q, of %s; errors: %v", kind.asked, got, src, err)
				}
				for name, want := range map[string]string{"cm-x": "\x03\x01\x00", "lab": "\x12\x01\x04", "other": "static", "nobody": "unknown"} {
					if got := answer(t, s, name); got != want {
						t.Errorf("%s: %q, want %q: a sound template suffers from %s", name, got, want, src)
					}
				}
				if s.Empty() {
					t.Error("said to be empty")
				}
				if way != "two of one name" && s.Broken() == 0 {
					t.Error("no template is said to be broken")
				}
			})
		}
	}
}

// What cannot be read may hold a pattern of any priority: no pattern answers then.
func TestUnreadWithholdsPatterns(t *testing.T) {
	for _, tt := range []struct {
		name, file, text string
		bare             string // a name that is withheld besides
		docsis           bool   // the file can hold no pattern
	}{
		{"comment without an end", "x.dcs", `Main "a" { MaxCPE 1; } /* Main ~ "^cm-gold" { }`, "", false},
		{"UTF-16", "x.dcs", "\xff\xfeM\x00a\x00i\x00n\x00", "x.cm", false},
		{"NUL", "x.dcs", "Main ~ \"^cm-gold\" { \x00", "x.cm", false},
		{"pattern that cannot be read", "x.dcs", `Main ~ "cm-(gold" { MaxCPE 1; }`, "", false},
		{"variable as a name", "x.dcs", `Main $gold { MaxCPE 1; }`, "x.cm", false},
		{"NUL in a cfg", "x.cfg", "Main { \x00 }", "x.cm", true},
		{"junk in a txt", "x.txt", "Ask the plant.", "x.bin", true},
		{"too large", "x.dcs", "", "x.cm", false},
		{"a pipe", "x.dcs", "", "x.cm", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := tree(t, map[string]string{"sound.dcs": `Main ~ "^(cm-|x)" { NetworkAccess 0; } Main "lab" { MaxCPE 4; }`})
			path := filepath.Join(dir, tt.file)
			switch tt.name {
			case "too large":
				if err := os.WriteFile(path, nil, 0o644); err != nil {
					t.Fatal(err)
				}
				if err := os.Truncate(path, MaxFile+1); err != nil {
					t.Fatal(err)
				}
			case "a pipe":
				mkfifo(t, path)
			default:
				if err := os.WriteFile(path, []byte(tt.text), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			s, err := Load(Config{Dirs: []string{dir}, MIB: mib.Default()}, nil)
			if s == nil || err == nil || !strings.Contains(err.Error(), path) {
				t.Fatalf("loading: %v", err)
			}
			want := "broken"
			if tt.docsis {
				want = "\x03\x01\x00"
			}
			for name, want := range map[string]string{"cm-x": want, "lab": "\x12\x01\x04", "nobody": map[bool]string{true: "unknown", false: "broken"}[tt.docsis]} {
				if got := answer(t, s, name); got != want && !(want == "broken" && got == "ambiguous") {
					t.Errorf("%s: %q, want %q", name, got, want)
				}
			}
			if tt.bare != "" && answer(t, s, tt.bare) != "broken" {
				t.Errorf("%s: %q", tt.bare, answer(t, s, tt.bare))
			}
		})
	}
}

// A directory that cannot be read stops itself only.
func TestUnreadDirectory(t *testing.T) {
	dir := tree(t, map[string]string{"sub/gold.dcs": `Main { MaxCPE 1; }`, "lab.dcs": `Main { MaxCPE 4; }`, "p.dcs": `Main ~ "^cm" { MaxCPE 5; }`})
	var s *Snapshot
	var err error
	withoutRights(t, filepath.Join(dir, "sub"), func() { s, err = Load(Config{Dirs: []string{dir}, MIB: mib.Default()}, nil) })
	if s == nil || err == nil || !strings.Contains(err.Error(), filepath.Join(dir, "sub")+":1:1: ") {
		t.Fatalf("loading: %v", err)
	}
	for name, want := range map[string]string{"lab": "\x12\x01\x04", "cm1": "broken", "sub/gold": "broken"} {
		if got := answer(t, s, name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
}

// One of several directories of the library that is missing stops itself only: what it may answer is withheld.
func TestMissingRoot(t *testing.T) {
	dir, gone := tree(t, map[string]string{"lab.dcs": `Main { MaxCPE 4; }`, "p.dcs": `Main ~ "^cm" { MaxCPE 5; }`}), filepath.Join(t.TempDir(), "gone")
	for _, dirs := range [][]string{{dir, gone}, {gone, dir}} {
		s, err := Load(Config{Dirs: dirs, MIB: mib.Default()}, nil)
		if s == nil || err == nil || !strings.Contains(err.Error(), gone+":1:1: ") {
			t.Fatalf("loading: %v", err)
		}
		for name, want := range map[string]string{"lab": "\x12\x01\x04", "cm1": "broken"} {
			if got := answer(t, s, name); got != want {
				t.Errorf("%s: %q, want %q", name, got, want)
			}
		}
	}
	if s, err := Load(Config{Dirs: []string{gone}, MIB: mib.Default()}, nil); s != nil || err == nil {
		t.Errorf("a library that is missing is loaded: %v", err)
	}
}

// Templates that share a Block name across files are both withheld, wherever an include stands and however it names it.
func TestBlockTwice(t *testing.T) {
	for name, include := range map[string]string{"word": "bronze", "string": `"bronze"`, "variable": "$tier", "pieces": `"bron$tail"`} {
		t.Run(name, func(t *testing.T) {
			s, err := Load(Config{Dirs: []string{tree(t, map[string]string{
				"one.dcs":     `Block bronze { MaxCPE 1; } Main ~ "^a-(?P<tier>(?P<b>bron)(?P<tail>ze))$" { include ` + include + `; }`,
				"two/two.dcs": `Block bronze { } Main ~ "^b-(?P<tier>bron(?P<tail>ze))$" { include ` + include + `; }`,
				"three.dcs":   `Block silver { MaxCPE 3; } Main ~ "^c-(?P<tier>silver)$" { include $tier; }`,
			})}, MIB: mib.Default()}, nil)
			if err == nil || !strings.Contains(err.Error(), "Block bronze is already defined at") {
				t.Fatalf("loading: %v", err)
			}
			for _, asked := range []string{"a-bronze", "b-bronze"} {
				if got := answer(t, s, asked); got != "broken" && got != "invalid" {
					t.Errorf("%s: %q", asked, got)
				}
			}
			if got := answer(t, s, "c-silver"); got != "\x12\x01\x03" {
				t.Errorf("c-silver: %q", got)
			}
		})
	}
}

// A broken pattern withholds what it would have answered, no more: what goes before it, by name or priority, is served.
func TestBrokenPatternPriority(t *testing.T) {
	s, err := Load(Config{Dirs: []string{tree(t, map[string]string{
		"p.dcs": `Main ~ "^cm-" priority 2 { MaxCPE 300; }
			Main ~ "^cm-gold" priority 3 { MaxCPE 3; }
			Main ~ "^cm-lead" priority 1 { MaxCPE 1; }
			Main ~ "^cm-tin" priority 2 { MaxCPE 2; }
			Main "cm-lit" { MaxCPE 4; }`,
	})}, MIB: mib.Default()}, nil)
	if err == nil {
		t.Fatal("no error")
	}
	for name, want := range map[string]string{
		"cm-gold": "\x12\x01\x03", "cm-lit": "\x12\x01\x04", "cm-lead": "broken", "cm-x": "broken", "cm-tin": "broken", "x": "unknown",
	} {
		got := answer(t, s, name)
		if name == "cm-tin" && got == "ambiguous" {
			continue
		}
		if got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	fault := find(s, "cm-x").Fault()
	if fault.Reason != skeleton.Broken || fault.Pos.Line != 1 || !strings.Contains(fault.Error(), "300") {
		t.Errorf("the fault does not tell of the error: %v", fault)
	}
}

func TestLiteralPrefix(t *testing.T) {
	for source, want := range map[string]string{
		`^cm-go(ld`: "cm-go", `^cm-gold`: "cm-gold", `(?i)^Cm[`: "Cm", `cm(`: "", `^a|b(`: "", `^a(b|c`: "a", `^ab*(`: "a", `^ab{2}(`: "a",
		`^ab+(`: "ab", `^a\.b(`: "a", `^`: "", ``: "", `^(`: "", `^*`: "",
	} {
		if got := literalPrefix(source); got != want {
			t.Errorf("%s: %q, want %q", source, got, want)
		}
	}
}

// Whatever is cut out of a file or put into it, if that is an error, no name that stands in the file still is answered by
// the template of everything else.
func FuzzBrokenLibrary(f *testing.F) {
	const whole = `Main ~ "^cm-gold" priority 2 { MaxCPE 7; } Main "lab" { MaxCPE 4; }
Main { UsServiceFlow { UsServiceFlowRef 1; QosParamSetType 7; } }
Block b { NetworkAccess 1; }
Main ~ "^b(?P<n>[0-9])$" { include b; MaxCPE $n; }
`
	for i := range len(whole) {
		f.Add(i, 1, "")
		f.Add(i, 0, `"`)
	}
	for i := 0; i < len(whole); i += 7 {
		f.Add(i, 9, "}")
		f.Add(i, 2, "{ ")
		f.Add(i, 0, "\x00")
	}
	const rest = `Main ~ "." priority -1 { NetworkAccess 0; }`
	f.Fuzz(func(t *testing.T, at, cut int, in string) {
		if at < 0 || at > len(whole) || cut < 0 || cut > 40 || len(in) > 20 {
			return
		}
		edited := whole[:at] + in + whole[min(len(whole), at+cut):]
		if strings.ContainsAny(edited, "#/*") {
			return // a comment: what stands in it does not count
		}
		dir := tree(t, map[string]string{"edit.dcs": edited, "rest.dcs": rest})
		s, err := Load(Config{Dirs: []string{dir}, MIB: mib.Default()}, nil)
		if err == nil {
			return // another library, and a good one
		}
		for name, header := range map[string]string{
			"cm-gold1": `~ "^cm-gold"`, "lab": `Main "lab"`, "edit": "\nMain { Us", "edit.bin": "\nMain { Us", "b7": `~ "^b(?P<n>[0-9])$"`,
		} {
			if strings.Contains(edited, header) && answer(t, s, name) == "\x03\x01\x00" {
				t.Errorf("%s gets the next best file out of\n%s\n%v", name, edited, err)
			}
		}
	})
}

// A template's file that was being written when the power went is empty, or its beginning: what it held may have been a
// pattern of any priority. One of the open encoder's holds but its own Main.
func TestEmptyFileHidesPatterns(t *testing.T) {
	for text, of := range map[string]map[string]string{
		"":                 {"a.dcs": "broken", "cm-gold.cfg": "\x12\x01\x01"},
		"\n":               {"a.dcs": "broken", "cm-gold.cfg": "\x12\x01\x01"},
		"# Gold.\n/* x */": {"a.dcs": "broken"},
		"\ufeff":           {"a.dcs": "broken"},
		"Main ~ \"^cm\xffg\" priority 9 { MaxCPE 2; }": {"a.dcs": "broken"},
		"Main ~ \"^c\ufffd\xe4(\" { MaxCPE 2; }":       {"a.dcs": "broken"},
	} {
		for file, want := range of {
			root := tree(t, map[string]string{"walled.dcs": `Main ~ "^cm-" { MaxCPE 1; } Main "lit" { MaxCPE 3; }`, file: text})
			s, err := Load(Config{Dirs: []string{root}, MIB: mib.Default()}, nil)
			if err == nil {
				t.Errorf("%s %q: no error", file, text)
			}
			if got := answer(t, s, "cm-x"); got != want {
				t.Errorf("%s %q: a name of a pattern gets %q, want %q", file, text, got, want)
			}
			if got := answer(t, s, "lit"); got != "\x12\x01\x03" {
				t.Errorf("%s %q: a literal name gets %q", file, text, got)
			}
		}
	}
}
