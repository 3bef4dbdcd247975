package server

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"dcs/cmd/internal/admin/console"
	"dcs/cmd/internal/dcstest"
	"dcs/render"
	"dcs/render/ber/mib"
	"dcs/render/library"
	"dcs/render/mic"
)

func askJSON(t *testing.T, url string, v any) (status int) {
	t.Helper()
	resp, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if err := json.NewDecoder(resp.Body).Decode(v); err != nil {
		t.Fatalf("%s: %v", url, err)
	}
	return resp.StatusCode
}

// The API tells what the rules find: of the library, as it is after a reload, and of one template.
func TestCheckCall(t *testing.T) {
	cfg, dir := testConfig(t)
	cfg.Admin = []string{dcstest.FreeAddress(t)}
	cfg.LintAllow = []string{"max-cpe"}
	lib := filepath.Join(dir, "library")
	const flows = "UsServiceFlow { UsServiceFlowRef 1; QosParamSetType 7; } DsServiceFlow { DsServiceFlowRef 2; QosParamSetType 7; }"
	dcstest.Lay(t, map[string]string{
		filepath.Join(lib, "good.dcs"): "Main { NetworkAccess 1; MaxCPE 0; " + flows + " }",
		filepath.Join(lib, "odd.dcs"):  "Main { NetworkAccess 1; MaxCPE 3; GlobalPrivacyEnable 0; " + flows + " }",
	})
	r := runServer(t, cfg)
	defer r.stop()
	base := "http://" + cfg.Admin[0]
	found := func(query string) (rules []string, c console.Check) {
		t.Helper()
		if status := askJSON(t, base+"/api/check"+query, &c); status != http.StatusOK || c.Running || c.LeftOut > 0 {
			t.Errorf("%s: status %d, %+v", query, status, c)
		}
		for _, f := range c.Findings {
			rules = append(rules, f.Severity+" "+f.Rule)
		}
		return rules, c
	}
	rules, c := found("")
	if want := []string{"error qos-missing", "warning bpi-off"}; !slices.Equal(rules, want) || c.Errors != 1 || c.Warnings != 1 || c.Templates != 3 || c.Notes == 0 {
		t.Errorf("%v, want %v; %+v", rules, want, c)
	}
	if rules, all := found("?notes=on"); len(rules) != c.Errors+c.Warnings+c.Notes || all.At != c.At {
		t.Errorf("with notes: %v, of %v; want the findings of %v", rules, all.At, c.At)
	}
	at := filepath.Join(lib, "odd.dcs") + ":1:1"
	if rules, c := found("?template=" + at); !slices.Equal(rules, []string{"warning bpi-off"}) || c.Templates != 1 || c.Findings[0].File != filepath.Join(lib, "odd.dcs") || c.Findings[0].Line != 1 {
		t.Errorf("%v, %+v", rules, c)
	}
	var refused struct{ Error string }
	if status := askJSON(t, base+"/api/check?template=none", &refused); status != http.StatusBadRequest || !strings.Contains(refused.Error, "no template is at none") {
		t.Errorf("%d %+v", status, refused)
	}
	dcstest.Lay(t, map[string]string{filepath.Join(lib, "gold.dcs"): "Main { NetworkAccess 1; MaxCPE 3; " + flows + " }"})
	r.hangups <- syscall.SIGHUP
	dcstest.Eventually(t, "the library is loaded again", func() bool {
		var l console.Library
		askJSON(t, base+"/api/library", &l)
		return l.Loaded.After(c.At)
	})
	if rules, _ := found(""); !slices.Equal(rules, []string{"warning bpi-off"}) {
		t.Errorf("after a reload: %v", rules)
	}
}

// Judging sees one library, whatever is loaded meanwhile, and ends with the server.
func TestJudgeBesideReloads(t *testing.T) {
	cfg, dir := testConfig(t)
	files := map[string]string{}
	for i := range 40 {
		files[filepath.Join(dir, fmt.Sprintf("library/t%d.dcs", i))] = fmt.Sprintf("Main ~ \"^t%d-(a|b|c)$\" { NetworkAccess 1; include a; select $1 { a { MaxCPE 1; } default { MaxCPE 2; } } }", i)
	}
	files[filepath.Join(dir, "library/a.dcs")] = "Block a { GlobalPrivacyEnable 0; }"
	dcstest.Lay(t, files)
	engine, err := render.NewEngine(render.Config{Library: library.Config{Dirs: cfg.Library, MIB: mib.Default()}, Keyring: mic.KeyringOf(mic.NewSecret(nil)), Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	j := newJudging(&cfg, engine, mib.Default(), nil)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		j.run(ctx)
	}()
	b := &backend{s: &server{judging: j}} // all that Check reads
	for range 20 {
		if err := engine.Reload(false); err != nil {
			t.Fatal(err)
		}
		done := make(chan error)
		go func() { done <- engine.Reload(false) }()
		c, err := b.Check(t.Context(), "", false)
		if err != nil || c.Errors != 41 {
			t.Errorf("%+v, %v", c, err)
		}
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	cancel()
	<-ended
	if v := j.verdict(ctx, engine.Library(), nil, nil); v != nil {
		t.Errorf("a verdict after the end: %+v", v)
	}
}
