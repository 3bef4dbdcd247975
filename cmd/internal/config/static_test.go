package config

import (
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/pflag"
)

func TestStatic(t *testing.T) {
	for _, tt := range []struct {
		src            string
		static, resign []string
		want           []string // parts of the error; nil: none
	}{
		{"static: a", []string{"/etc/a"}, nil, nil},
		{"static: [a, /b]", []string{"/etc/a", "/b"}, nil, nil},
		{"static: [/srv/tftp, {dir: /srv/vendor, resign: on}]", []string{"/srv/tftp", "/srv/vendor"}, []string{"/srv/vendor"}, nil},
		{"static:\n  - dir: v\n    resign: on\n  - /b\n  - {dir: /c, resign: off}\n  - {dir: /d}", []string{"/etc/v", "/b", "/c", "/d"}, []string{"/etc/v"}, nil},
		{"static: {dir: v, resign: true}", []string{"/etc/v"}, []string{"/etc/v"}, nil},
		{"static:\n  dir: v\n  resign: on", []string{"/etc/v"}, []string{"/etc/v"}, nil},
		{"static: []", nil, nil, nil},
		{"static: [{resign: on}]", nil, nil, []string{"dcs.yaml:1:11: static: missing dir"}},
		{"static: [{dir: v, sign: on}]", nil, nil, []string{`dcs.yaml:1:19: unknown key "sign"; did you mean "resign"?`}},
		{"static: [{dir: v, resign: maybe}]", nil, nil, []string{"dcs.yaml:1:27: resign: maybe is neither on nor off"}},
		{"static: [{dir: [a, b]}]", nil, nil, []string{"dcs.yaml:1:16: dir: unexpected list; expected a path"}},
		{"static: [{dir: ''}]", nil, nil, []string{"dcs.yaml:1:16: dir: empty path"}},
		{"static: [{dir: 5}]", nil, nil, []string{"dcs.yaml:1:16: dir: unexpected number 5"}},
		{"static: [a, {dir: a, resign: on}]", []string{"/etc/a"}, nil, []string{"dcs.yaml:1:14: static: directory listed both with and without resign"}},
		{"static: [{dir: a, resign: on}, a]", []string{"/etc/a"}, []string{"/etc/a"}, []string{"dcs.yaml:1:32: static: directory listed both with and without resign"}},
		{"static: [a, a]", []string{"/etc/a", "/etc/a"}, nil, nil},
		{"static: [[a]]", nil, nil, []string{"static: unexpected list; expected a list of directories, each a path or a block"}},
		{"static: 7", nil, nil, []string{"dcs.yaml:1:9: static: unexpected number 7"}},
		{"static: [{dir: v, resign: maybe}, {resign: on}, 7]", nil, nil, []string{":27: resign", ":36: static", ":49: static: unexpected number 7"}},
		{"library: [{dir: v}]", nil, nil, []string{"dcs.yaml:1:12: library: unexpected block of settings"}},
	} {
		var c Config
		err := c.parse("/etc/dcs.yaml", []byte(tt.src))
		if !slices.Equal(c.Static, tt.static) || !slices.Equal(c.Resign, tt.resign) || (err == nil) != (tt.want == nil) {
			t.Errorf("%s: %q, of them anew %q, %v", tt.src, c.Static, c.Resign, err)
		}
		for _, part := range tt.want {
			if err == nil || !strings.Contains(err.Error(), part) {
				t.Errorf("%s: %v, want %s", tt.src, err, part)
			}
		}
	}
}

// A flag replaces the file's directories, with what the file says of them.
func TestStaticFlag(t *testing.T) {
	file := t.TempDir() + "/dcs.yaml"
	if err := os.WriteFile(file, []byte("static: {dir: /v, resign: on}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	fs := pflag.NewFlagSet("serve", pflag.ContinueOnError)
	flags := AddFlags(fs)
	got, err := flags.Config(file)
	if err != nil || !slices.Equal(got.Resign, []string{"/v"}) {
		t.Fatalf("%q, %v", got.Resign, err)
	}
	before := got
	if err := fs.Parse([]string{"--static", "/v,/w"}); err != nil {
		t.Fatal(err)
	}
	got, err = flags.Config(file)
	if err != nil || !slices.Equal(got.Static, []string{"/v", "/w"}) || got.Resign != nil {
		t.Errorf("%q, of them anew %q, %v", got.Static, got.Resign, err)
	}
	got.Static = before.Static
	if d := got.Differences(&before); !slices.Equal(d, []string{"static"}) {
		t.Errorf("what differs in resign alone is told as %q", d)
	}
}
