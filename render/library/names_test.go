package library

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"dcs/render/ber/mib"
)

// Ways to lose names, each against a library of ten templates, two patterns and ten static files.
func TestLoss(t *testing.T) {
	names := func(format string, n int) map[string]string {
		files := map[string]string{}
		for i := range n {
			files[fmt.Sprintf(format, i)] = "Main { MaxCPE 1; }"
		}
		return files
	}
	with := func(maps ...map[string]string) map[string]string {
		all := map[string]string{}
		for _, m := range maps {
			for k, v := range m {
				all[k] = v
			}
		}
		return all
	}
	patterns := map[string]string{"p.dcs": `Main ~ "^a[0-9]+$" { MaxCPE 1; } Main ~ "^b[0-9]+$" { MaxCPE 2; }`}
	load := func(lib, static map[string]string) *Snapshot {
		t.Helper()
		s, err := Load(Config{Dirs: []string{tree(t, lib)}, Static: []string{tree(t, static)}, MIB: mib.Default()}, nil)
		if s == nil {
			t.Fatal(err)
		}
		return s
	}
	lib, static := with(names("t%d.dcs", 10), patterns), names("s%d", 10) // 30 + 2 + 10 names
	before := load(lib, static)
	for _, tt := range []struct {
		name        string
		lib, static map[string]string
		gone        int
		suspicious  bool
	}{
		{"nothing", lib, static, 0, false},
		{"more", with(lib, names("u%d.dcs", 10)), static, 0, false},
		{"everything", nil, nil, 42, true},
		{"all templates", nil, static, 32, true},
		{"all static files", lib, nil, 10, false},
		{"all static files but one", lib, names("s%d", 1), 9, false},
		{"seven templates: exactly half", with(names("t%d.dcs", 3), patterns), static, 21, false},
		{"seven templates and a static file", with(names("t%d.dcs", 3), patterns), names("s%d", 9), 22, true},
		{"others in their place", with(names("v%d.dcs", 10), patterns), static, 30, true},
		{"templates become static files", patterns, with(static, names("t%d", 10), names("t%d.cm", 10), names("t%d.bin", 10)), 0, false},
		{"static files become a pattern's", with(lib, map[string]string{"q.dcs": `Main ~ "^s[0-9]$" { MaxCPE 1; }`}), nil, 0, false},
		{"everything becomes one pattern's", map[string]string{"q.dcs": `Main ~ "." { MaxCPE 1; }`}, nil, 2, false},
		{"templates break", with(patterns, map[string]string{"t0.dcs": "Main {", "t1.dcs": "Main {", "t2.dcs": "Main {", "t3.dcs": "Main {", "t4.dcs": "Main {", "t5.dcs": "Main {", "t6.dcs": "Main {", "t7.dcs": "Main {"}), static, 30, true},
	} {
		loss := before.Names().Loss(load(tt.lib, tt.static))
		if loss.Names != 42 || loss.Gone != tt.gone || loss.Suspicious() != tt.suspicious || (loss.Example == "") != (tt.gone == 0) {
			t.Errorf("%s: %+v, suspicious %v; want %d gone, %v", tt.name, loss, loss.Suspicious(), tt.gone, tt.suspicious)
		}
	}
	small := load(map[string]string{"a.dcs": `Main ~ "^x$" { MaxCPE 1; }`}, nil)
	if loss := small.Names().Loss(load(map[string]string{"a.dcs": `Main ~ "^y$" { MaxCPE 1; }`}, nil)); loss.Suspicious() {
		t.Errorf("a small library may change: %+v", loss)
	}
	if loss := small.Names().Loss(load(nil, nil)); !loss.Suspicious() {
		t.Errorf("a small library may not become empty: %+v", loss)
	}
	if loss := load(nil, nil).Names().Loss(load(nil, nil)); loss.Suspicious() {
		t.Errorf("an empty library may stay so: %+v", loss)
	}
}

// A directory that has lost all its files is not mounted, however few they are, and whatever answers their names now.
func TestLossOfDirectory(t *testing.T) {
	for _, kind := range []string{"library", "static"} {
		root := tree(t, map[string]string{"lib/walled.dcs": `Main ~ "^cm-" { MaxCPE 1; }`, "more/cm-gold.dcs": `Main "cm-gold" { MaxCPE 16; }`, "static/x": "x"})
		more := filepath.Join(root, "more")
		cfg := Config{Dirs: []string{filepath.Join(root, "lib"), more}, Static: []string{filepath.Join(root, "static")}, MIB: mib.Default()}
		if kind == "static" {
			cfg.Dirs, cfg.Static = cfg.Dirs[:1], append(cfg.Static, more)
		}
		before, err := Load(cfg, nil)
		check(t, err)
		check(t, os.Rename(more, more+"-away"))
		check(t, os.Mkdir(more, 0o755))
		after, err := Load(cfg, before)
		check(t, err)
		if l := before.Names().Loss(after); !l.Suspicious() || l.Emptied != more {
			t.Errorf("%s: %+v", kind, l)
		}
		if l := after.Names().Loss(before); l.Suspicious() {
			t.Errorf("%s: mounted again: %+v", kind, l)
		}
		if l := after.Names().Loss(after); l.Suspicious() {
			t.Errorf("%s: it may stay empty: %+v", kind, l)
		}
	}
}
