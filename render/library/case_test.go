package library

import (
	"fmt"
	"strings"
	"testing"

	"dcs/render/ber/mib"
	"dcs/render/naming"
	"dcs/render/skeleton"
)

func namesFor(t testing.TB, cfg naming.Config) *naming.Rules {
	t.Helper()
	r, err := naming.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// Where case is ignored, names of requests come in lower case, and find templates, files and patterns however these are written.
func TestIgnoreCase(t *testing.T) {
	s, err := Load(Config{
		Dirs: []string{tree(t, map[string]string{
			"a.dcs":    `Main "Gold.CM" { MaxCPE 1; } Main ~ "^Tier-(?P<T>[A-Z]+)\.bin$" { select $T { gold { MaxCPE 2; } default { MaxCPE 3; } } }`,
			"Bare.dcs": `Main { MaxCPE 4; }`,
		})},
		Static: []string{tree(t, map[string]string{"FW/Image.BIN": "image", "both": "first"}), tree(t, map[string]string{"fw/image.bin": "behind", "BOTH": "second"})},
		MIB:    mib.Default(), Names: namesFor(t, naming.Config{IgnoreCase: true}),
	}, nil)
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"gold.cm": "a.dcs", "tier-gold.bin": "a.dcs", "bare": "Bare.dcs", "bare.cm": "Bare.dcs", "fw/image.bin": "image", "both": "first"} {
		switch l := find(s, name); {
		case l == nil:
			t.Errorf("%s: nothing", name)
		case l.File != nil:
			if string(l.File.Data) != want {
				t.Errorf("%s: %q, want %q", name, l.File.Data, want)
			}
		case !strings.HasSuffix(l.Template.Pos().File, want):
			t.Errorf("%s: %v", name, l.Template.Pos())
		}
	}
	if _, values := find(s, "tier-gold.bin").Captures(); len(values) != 2 || values[1] != "gold" {
		t.Errorf("captures %q", values)
	}
	if find(s, "other") != nil {
		t.Error("there is another")
	}
}

// Two names that become one are an error of the load, and lead to no file.
func TestIgnoreCaseTwins(t *testing.T) {
	for _, tt := range []struct {
		name   string
		source string
		static []map[string]string
		want   string // part of the error; empty: there is none
		asked  string
		reason skeleton.Reason
	}{
		{"templates", `Main "Gold" { MaxCPE 1; } Main "gold" { MaxCPE 2; }`, nil, `the name "gold" is given to the template at`, "gold", skeleton.Ambiguous},
		{"files", "", []map[string]string{{"sub/Image": "1", "sub/image": "2", "sub/other": "3"}}, `the name "sub/image" is that of`, "sub/image", skeleton.Ambiguous},
		{"directories", "", []map[string]string{{"SUB/image": "1", "sub/image": "2"}}, `the name "sub/image" is that of`, "sub/image", skeleton.Ambiguous},
		{"files of two directories", "", []map[string]string{{"Image": "1"}, {"image": "2"}}, "", "", 0},
		{"patterns", `Main ~ "^Tier-[0-9]$" { MaxCPE 1; } Main ~ "^tier-[5-9]$" { MaxCPE 2; }`, nil, "both match", "tier-7", skeleton.Ambiguous},
		{"a broken template", `Main "Gold" { NoSuch 1; }`, nil, "NoSuch", "gold", skeleton.Broken},
		{"a broken pattern", `Main ~ "^Gold-(" { MaxCPE 1; }`, nil, "missing", "gold-1", skeleton.Broken},
	} {
		t.Run(tt.name, func(t *testing.T) {
			cfg := Config{MIB: mib.Default(), Names: namesFor(t, naming.Config{IgnoreCase: true})}
			cfg.Dirs = []string{tree(t, map[string]string{"a.dcs": tt.source + " Block b { MaxCPE 1; }"})}
			for _, files := range tt.static {
				cfg.Static = append(cfg.Static, tree(t, files))
			}
			s, err := Load(cfg, nil)
			if s == nil {
				t.Fatal(err)
			}
			if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
				t.Errorf("error %v, want …%s…", err, tt.want)
			}
			if tt.asked == "" {
				return
			}
			l := find(s, tt.asked)
			if l == nil || l.Fault() == nil || l.Fault().Reason != tt.reason || l.File != nil {
				t.Fatalf("%s: %+v", tt.asked, l)
			}
		})
	}
	// With case the same files are two.
	s, err := Load(Config{Static: []string{tree(t, map[string]string{"Image": "1", "image": "2"})}, MIB: mib.Default()}, nil)
	if err != nil || s.StaticFiles() != 2 {
		t.Errorf("with case: %v", err)
	}
}

// A library's own names are cleaned as those of requests are, or nobody could ask for them.
func TestOwnNamesAreCleaned(t *testing.T) {
	s, err := Load(Config{
		Dirs:   []string{tree(t, map[string]string{"a.dcs": `Main "/a//./b" { MaxCPE 1; } Main "c\d" { MaxCPE 2; } Main "../e" { MaxCPE 3; }`})},
		Static: []string{tree(t, map[string]string{`f\g`: "f"})},
		MIB:    mib.Default(), Names: namesFor(t, naming.Config{Backslash: true}),
	}, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"a/b", "c/d"} {
		if find(s, name) == nil {
			t.Errorf("nothing is called %s", name)
		}
	}
	text := fmt.Sprint(s.Warnings)
	for _, want := range []string{`nobody can ask for this name: one with ".."`, `f\g:1:1: nobody can ask for this static file: a backslash`} {
		if !strings.Contains(text, want) {
			t.Errorf("warnings %s\nlack %s", text, want)
		}
	}
}
