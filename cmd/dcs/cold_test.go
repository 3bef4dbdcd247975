package main

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"dcs/bench/require"
)

// coldStart serves a library at a cold start, with an admin address, and the socket admin.sock in dir.
func coldStart(t *testing.T, files map[string]string) (p *process, dir, admin string) {
	t.Helper()
	dir = t.TempDir()
	for _, sub := range []string{"lib", "static"} {
		if err := os.Mkdir(filepath.Join(dir, sub), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for name, text := range files {
		lay(t, map[string]string{filepath.Join(dir, name): text})
	}
	admin = freeAddress(t)
	p = serve(t, "--library", filepath.Join(dir, "lib"), "--static", filepath.Join(dir, "static"), "--admin", admin+",unix:"+filepath.Join(dir, "admin.sock"))
	return p, dir, admin
}

// At a cold start with errors the sound templates serve, and nobody gets a file that was meant for others.
func TestColdStartWithErrors(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, asked string
		files       map[string]string
	}{
		{"a broken pattern above a walled garden", "cm-gold1", map[string]string{
			"lib/gold.dcs": `Main ~ "^cm-gold" priority 2 { MaxCPE 300; }`, "lib/walled.dcs": `Main ~ "^cm-" { NetworkAccess 0; }`,
		}},
		{"a Block twice and once empty", "cm-gold1", map[string]string{
			"lib/one.dcs":   `Block bronze { MaxCPE 1; } Main ~ "^cm-one" priority 2 { include bronze; }`,
			"lib/b/two.dcs": `Block bronze { } Main ~ "^cm-gold" priority 2 { include bronze; }`, "lib/walled.dcs": `Main ~ "^cm-" { NetworkAccess 0; }`,
		}},
		{"a broken literal above a static file", "lab.cm", map[string]string{
			"lib/lab.dcs": `Main "lab.cm" { MaxCPE; }`, "static/lab.cm": "old", "lib/walled.dcs": `Main ~ "^cm-" { NetworkAccess 0; }`,
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p, dir, admin := coldStart(t, tt.files)
			if got := p.fetch(tt.asked); got.status != failed || !strings.Contains(got.stderr, "ERROR 0") {
				t.Errorf("%s: %+v", tt.asked, got)
			}
			p.await("reason=broken")
			want := dcs("Main { NetworkAccess 0; }", "compile", "-").stdout
			if got := p.fetch("cm-x"); got.stdout != want {
				t.Errorf("a sound template: %+v", got)
			}
			if code, body := get("http://" + admin + "/readyz"); code != http.StatusOK {
				t.Errorf("readyz: %d %s", code, body)
			}
			if code, body := get("http://" + admin + "/metrics"); code != http.StatusOK || strings.Contains(body, "\ndcs_library_withheld 0\n") || !strings.Contains(body, "\ndcs_library_withheld ") {
				t.Error("no metric tells of withheld templates")
			}
			if got := dcs("", "check", "--library", filepath.Join(dir, "lib"), "--static", filepath.Join(dir, "static")); got.status != failed || got.stdout != "" {
				t.Errorf("check: %+v", got)
			}
		})
	}
}

// A server that has nothing to serve is not ready, and becomes so by itself.
func TestColdStartEmpty(t *testing.T) {
	t.Parallel()
	require.Long(t, "a server for each library")
	for name, files := range map[string]map[string]string{
		"empty directories":      nil,
		"every template broken":  {"lib/a.dcs": "Main { MaxCPE 300; }", "lib/b.dcs": `Main ~ "^b" { include gone; }`},
		"no templates but notes": {"lib/notes.md": "x"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p, dir, admin := coldStart(t, files)
			code, body := get("http://" + admin + "/readyz")
			if code != http.StatusServiceUnavailable || !strings.Contains(body, "nothing to serve") {
				t.Errorf("readyz: %d %s", code, body)
			}
			p.await("nothing to serve")
			lay(t, map[string]string{filepath.Join(dir, "lib", "sound.dcs"): "Main { MaxCPE 3; }"})
			eventually(t, "it is ready", func() bool { code, _ := get("http://" + admin + "/readyz"); return code == http.StatusOK })
			if got := p.fetch("sound.cm"); got.stdout != dcs("Main { MaxCPE 3; }", "compile", "-").stdout {
				t.Errorf("sound.cm: %+v", got)
			}
		})
	}
}

// A library that vanishes, as one does whose directory is unmounted or half copied, goes on being served until the
// operator says that it is meant.
func TestLibraryHeldBack(t *testing.T) {
	t.Parallel()
	files := map[string]string{}
	for _, n := range strings.Fields("a b c d e f g h i j") {
		files["lib/"+n+".dcs"] = "Main { MaxCPE 3; }"
	}
	p, dir, admin := coldStart(t, files)
	want := dcs("Main { MaxCPE 3; }", "compile", "-").stdout
	remove := func(names string) {
		t.Helper()
		for _, n := range strings.Fields(names) {
			if err := os.Remove(filepath.Join(dir, "lib", n+".dcs")); err != nil {
				t.Fatal(err)
			}
		}
	}
	remove("a b c d e f") // 18 of 30 names
	p.await("library held back: 18 of 30 names would get no file any more, or that of a pattern, such as a; dcs reload --force accepts it")
	if got := p.fetch("a.cm"); got.stdout != want {
		t.Errorf("held back: %+v", got)
	}
	if code, body := get("http://" + admin + "/api/library"); code != http.StatusOK || !strings.Contains(body, `"held_back":true`) {
		t.Errorf("%d %s", code, body)
	}
	if got := dcs("", "reload", "--force", "--admin", admin); got.status != failed || !strings.Contains(got.stderr, "changes need a token, a client certificate or a Unix socket") {
		t.Errorf("without a token: %+v", got)
	}
	socket := "unix:" + filepath.Join(dir, "admin.sock")
	if got := dcs("", "reload", "--admin", socket); got.status != failed || !strings.Contains(got.stderr, "library held back") {
		t.Errorf("reload: %+v", got)
	}
	if got := dcs("", "reload", "--force", "--admin", socket); got.status != done || got.stdout != "loaded: 4 templates, 0 static files\n" {
		t.Errorf("reload --force: %+v", got)
	}
	if got := p.fetch("a.cm"); got.status != failed || !strings.Contains(got.stderr, "ERROR 1") {
		t.Errorf("accepted: %+v", got)
	}
	remove("g h i j")
	p.await("library held back: it has become empty")
	if got := p.fetch("g.cm"); got.stdout != want {
		t.Errorf("empty: %+v", got)
	}
	if err := p.stop(syscall.SIGTERM); err != nil {
		t.Error(err)
	}
}
