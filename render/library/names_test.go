package library

import (
	"fmt"
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
		{"seven templates: exactly half", with(names("t%d.dcs", 3), patterns), static, 21, false},
		{"seven templates and a static file", with(names("t%d.dcs", 3), patterns), names("s%d", 9), 22, true},
		{"others in their place", with(names("v%d.dcs", 10), patterns), static, 30, true},
		{"templates become static files", patterns, with(static, names("t%d", 10), names("t%d.cm", 10), names("t%d.bin", 10)), 0, false},
		{"static files become a pattern's", with(lib, map[string]string{"q.dcs": `Main ~ "^s[0-9]$" { MaxCPE 1; }`}), nil, 0, false},
		{"everything becomes one pattern's", map[string]string{"q.dcs": `Main ~ "." { MaxCPE 1; }`}, nil, 2, false},
		{"templates break", with(patterns, map[string]string{"t0.dcs": "Main {", "t1.dcs": "Main {", "t2.dcs": "Main {", "t3.dcs": "Main {", "t4.dcs": "Main {", "t5.dcs": "Main {", "t6.dcs": "Main {", "t7.dcs": "Main {"}), static, 30, true},
	} {
		loss := before.Loss(load(tt.lib, tt.static))
		if loss.Names != 42 || loss.Gone != tt.gone || loss.Suspicious() != tt.suspicious || (loss.Example == "") != (tt.gone == 0) {
			t.Errorf("%s: %+v, suspicious %v; want %d gone, %v", tt.name, loss, loss.Suspicious(), tt.gone, tt.suspicious)
		}
	}
	small := load(map[string]string{"a.dcs": `Main ~ "^x$" { MaxCPE 1; }`}, nil)
	if loss := small.Loss(load(map[string]string{"a.dcs": `Main ~ "^y$" { MaxCPE 1; }`}, nil)); loss.Suspicious() {
		t.Errorf("a small library may change: %+v", loss)
	}
	if loss := small.Loss(load(nil, nil)); !loss.Suspicious() {
		t.Errorf("a small library may not become empty: %+v", loss)
	}
	if loss := load(nil, nil).Loss(load(nil, nil)); loss.Suspicious() {
		t.Errorf("an empty library may stay so: %+v", loss)
	}
}
