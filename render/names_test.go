package render

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"dcs/render/attr"
	"dcs/render/ber/mib"
	"dcs/render/device"
	"dcs/render/library"
	"dcs/render/mic"
	"dcs/render/naming"
)

func rulesOf(t testing.TB, cfg naming.Config) *naming.Rules {
	t.Helper()
	r, err := naming.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// namedEngine serves templates and the static file fw/image.
func namedEngine(t testing.TB, cfg naming.Config) *Engine {
	t.Helper()
	static := t.TempDir()
	if err := os.Mkdir(filepath.Join(static, "fw"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(static, "fw", "image"), []byte("image"), 0o600); err != nil {
		t.Fatal(err)
	}
	e, err := NewEngine(Config{
		Library: library.Config{
			Dirs:   []string{writeLibrary(t, map[string]string{"a.dcs": `Main "dev" { default profile 1; MaxCPE $profile; }`, "c.dcs": `Main ~ "^any" { MaxCPE 1; }`})},
			Static: []string{static}, MIB: mib.Default(), Names: rulesOf(t, cfg),
		},
		Keyring: mic.KeyringOf(mic.NewSecret(nil)), Devices: devices, Journal: 256,
	})
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// However a name is written, it is one: workers, explain and what they remember agree.
func TestNames(t *testing.T) {
	e := namedEngine(t, naming.Config{
		Backslash: true, Roots: []string{"/srv/tftp"},
		Rewrite: []naming.Rule{{Match: "^old-", To: "fw/", Rewrite: true}, {Match: "^/secret", Refuse: true}},
	})
	w := e.Worker()
	for asked, file := range map[string]string{
		"fw/image": "fw/image", "/fw//image": "fw/image", `\fw\.\image`: "fw/image", "/srv/tftp/fw/image": "fw/image", "old-image": "fw/image",
		"./fw/image@0:10:18:de:ad:1": "fw/image", "any": "any", ".//any": "any", "../fw/image": "", "any/../any": "", "/secret": "", "fw/none": "", "//fw/./none": "",
	} {
		for range 2 { // the second time it is known
			r := []Request{request(asked)}
			w.RenderBatch(now, r)
			x := e.Explain(now, request(asked))
			if got := errors.Is(r[0].Err, fs.ErrNotExist); got == (file != "") {
				t.Errorf("%s: %v", asked, r[0].Err)
			}
			if (x.Err == nil) != (r[0].Err == nil) || r[0].Err == nil && (string(x.Body) != string(r[0].Body) || x.Name != file) || x.Asked != asked {
				t.Errorf("%s: the worker says %v, explain %v for %q", asked, r[0].Err, x.Err, x.Name)
			}
			if want := asked == "./fw/image@0:10:18:de:ad:1"; r[0].MAC.IsZero() == want || want && r[0].MAC != [6]byte{0, 0x10, 0x18, 0xde, 0xad, 1} {
				t.Errorf("%s: MAC %v", asked, r[0].MAC)
			}
		}
	}
	if n := e.Library().Len(); n != 1 {
		t.Errorf("%d kinds of names were learned, want that of any", n)
	}
	// What came is put down as it came.
	found := false
	e.Outcomes(func(o *device.Outcome) { found = found || string(o.Name) == "/srv/tftp/fw/image" && o.Err == nil })
	if !found {
		t.Error("the journal has another name")
	}
	e.SetNames(rulesOf(t, naming.Config{Backslash: true, Rewrite: []naming.Rule{{Match: "^new-", To: "fw/", Rewrite: true}}}))
	for asked, ok := range map[string]bool{"new-image": true, "old-image": false, "/srv/tftp/fw/image": false, "fw/image": true} {
		r := []Request{request(asked)}
		if w.RenderBatch(now, r); (r[0].Err == nil) != ok {
			t.Errorf("with other rules, %s: %v", asked, r[0].Err)
		}
	}
}

// What is rendered ahead are names of the library, which no rule is meant for.
func TestPrebuildRewritesNothing(t *testing.T) {
	e := namedEngine(t, naming.Config{IgnoreCase: true, Rewrite: []naming.Rule{{Match: "^(.*)$", To: "nowhere/$1", Rewrite: true}}})
	each := func(yield func(*attr.Device) error) error {
		return yield(&attr.Device{MAC: mac(1), IP: client})
	}
	p, err := e.Prebuild(context.Background(), now, each, func(_ *attr.Device, name string, _ []byte, err error) error {
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		return nil
	})
	if err != nil || p.Files == 0 {
		t.Errorf("%+v, %v", p, err)
	}
}

func TestNamesNoAllocs(t *testing.T) {
	e := namedEngine(t, naming.Config{
		Backslash: true, IgnoreCase: true, Roots: []string{"/srv/tftp"},
		Rewrite: []naming.Rule{{Match: "^old-", To: "fw/", Rewrite: true}, {Match: "^/secret", Refuse: true}},
	})
	for _, name := range []string{"fw/image", `\FW\.\Image`, "/srv/tftp//fw/image", "old-image@0a0102030405", "/secret", "a/../b", ".//none"} {
		w := e.Worker()
		batch := []Request{request(name), request(name)}
		w.RenderBatch(now, batch)
		if n := testing.AllocsPerRun(1000, func() { w.RenderBatch(now, batch) }); n != 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
}
