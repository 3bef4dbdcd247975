package keyring

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

const example = `# Ours.
# Two lines of it.

generation: 7
default: main
secrets:
  main: {text: "Sa\"fe: #1"}
  north: {file: north.secret}
  south: {credential: south}
  west: {env: DCS_TEST_WEST, since: 3}
fleet: cmts.yaml
cmts:
  hub-1: north
prefixes:
  10.9.0.0/16: west
`

const exampleFleet = `
- name: hub-1
  address: 127.0.0.1
  driver: cisco
  prefixes: [10.1.0.0/16]
- name: hub-2
  address: 127.0.0.1
  driver: cisco
`

// write creates files in a new directory.
func write(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestLoad(t *testing.T) {
	dir := write(t, map[string]string{"secrets.yaml": example, "cmts.yaml": exampleFleet, "north.secret": "north text\r\n", "south": "south text"})
	f, err := Load(filepath.Join(dir, "secrets.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("DCS_TEST_WEST", "west text\n")
	t.Setenv("CREDENTIALS_DIRECTORY", dir)
	for name, want := range map[string]string{"main": `Sa"fe: #1`, "north": "north text", "south": "south text", "west": "west text"} {
		if got, err := f.Reveal(name); err != nil || got.Reveal() != want {
			t.Errorf("%s: %q, %v", name, got.Reveal(), err)
		}
	}
	if f.Holds("hub-1") != "north" || f.Holds("hub-2") != "main" || f.Prefixes[netip.MustParsePrefix("10.9.0.0/16")] != "west" {
		t.Errorf("%+v", f)
	}
	if !f.Used("west") || !f.Used("north") || !f.Used("main") || f.Used("south") {
		t.Error("Used is wrong")
	}
	fleet, err := f.LoadFleet()
	if err != nil || len(fleet) != 2 {
		t.Error(fleet, err)
	}
	if s := fmt.Sprintf("%v %+v %#v", f, f, *f); strings.Contains(s, "Sa") {
		t.Errorf("a keyring prints its secrets: %s", s)
	}
}

// A text is used as written, even if YAML would read it as a number or a boolean.
func TestTextsAsWritten(t *testing.T) {
	for _, tt := range []struct{ written, want string }{
		{"0123", "0123"},
		{"007", "007"},
		{"12", "12"},
		{"1.50", "1.50"},
		{"0x1F", "0x1F"},
		{"1_000", "1_000"},
		{"True", "True"},
		{"'0123'", "0123"},
		{`"1.50"`, "1.50"},
		{"a  b", "a  b"},
	} {
		f, err := parse("secrets.yaml", fmt.Appendf(nil, `
default: 010
secrets: {010: {text: %s, since: 0x10}}
fleet: 1.50
drivers: [0x1F]
cmts: {010: 010, 1_000: 010}
`, tt.written))
		if err != nil {
			t.Errorf("%s: %v", tt.written, err)
			continue
		}
		if got := f.Secrets["010"]; got.Text.Reveal() != tt.want || got.Since != 16 {
			t.Errorf("%s: the secret is %q, since %d", tt.written, got.Text.Reveal(), got.Since)
		}
		if f.Default != "010" || f.Fleet != "1.50" || f.Drivers[0] != "0x1F" || !reflect.DeepEqual(f.Holders, map[string]string{"010": "010", "1_000": "010"}) {
			t.Errorf("%s: %+v", tt.written, f)
		}
	}
}

// Load reads what Save wrote; the file's mode is preserved, and no temporary file remains.
func TestSave(t *testing.T) {
	dir := write(t, map[string]string{"secrets.yaml": example})
	path := filepath.Join(dir, "secrets.yaml")
	if err := os.Chmod(path, 0o640); err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(dir, "link")
	if err := os.Symlink("secrets.yaml", link); err != nil {
		t.Fatal(err)
	}
	f, err := Load(link)
	if err != nil {
		t.Fatal(err)
	}
	before := f.Clone()
	f.KnownHosts, f.Drivers = "known_hosts", []string{"mine", "/theirs"}
	if err := f.Save(); err != nil {
		t.Fatal(err)
	}
	got, err := Load(link)
	if err != nil {
		t.Fatal(err)
	}
	if got.Generation != 8 || !strings.HasPrefix(got.Header, "# Ours.\n# Two lines of it.\n") || !reflect.DeepEqual(got.Options().Descriptions, []string{dir + "/mine", "/theirs"}) {
		t.Errorf("%+v", got)
	}
	got.Generation, got.KnownHosts, got.Drivers = before.Generation, before.KnownHosts, before.Drivers
	if !reflect.DeepEqual(plain(got), plain(before)) {
		t.Errorf("wrote %v\nread  %v", plain(before), plain(got))
	}
	if info, err := os.Lstat(path); err != nil || info.Mode() != 0o640 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	if entries, _ := os.ReadDir(dir); len(entries) != 2 {
		t.Errorf("left behind: %v", entries)
	}
	fresh := &File{Path: filepath.Join(dir, "fresh.yaml"), Default: "a", Secrets: before.Secrets}
	if err := fresh.Save(); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(fresh.Path); err != nil || info.Mode() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
}

// plain returns a keyring in a form that can be compared.
func plain(f *File) map[string]any {
	m := map[string]any{"header": f.Header, "generation": f.Generation, "default": f.Default, "fleet": f.Fleet, "cmts": f.Holders, "prefixes": f.Prefixes}
	for name, s := range f.Secrets {
		m["secret "+name] = [5]any{s.Text.Reveal(), s.File, s.Credential, s.Env, s.Since}
	}
	return m
}

// If the file cannot be written, the generation is unchanged.
func TestSaveFails(t *testing.T) {
	if os.Getuid() != 0 {
		dir := write(t, map[string]string{"secrets.yaml": example})
		f, err := Load(filepath.Join(dir, "secrets.yaml"))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(dir, 0o500); err != nil {
			t.Fatal(err)
		}
		defer func() { _ = os.Chmod(dir, 0o700) }() // TempDir removes it
		if err := f.Save(); err == nil || f.Generation != 7 {
			t.Errorf("%v, generation %d", err, f.Generation)
		}
		return
	}
	f := &File{Path: "/proc/self/secrets.yaml", Generation: 7}
	if err := f.Save(); err == nil || f.Generation != 7 {
		t.Errorf("%v, generation %d", err, f.Generation)
	}
}

func TestLoadErrors(t *testing.T) {
	const head = "default: main\nsecrets: {main: {text: very secret}}\n"
	tests := []struct{ name, src, want string }{
		{"no default", "secrets: {main: {text: very secret}}", "default is not set"},
		{"unknown default", "default: maim\nsecrets: {main: {text: very secret}}", "default: no secret of that name; want one of: main"},
		{"two sources", "default: main\nsecrets: {main: {text: very secret, env: X}}", "secrets: main: want exactly one of"},
		{"no source", "default: main\nsecrets: {main: {since: 1}}", "secrets: main: want exactly one of"},
		{"empty", "default: main\nsecrets: {main: {text: \"\"}}", "secrets: main: empty text"},
		{"name", "default: main\nsecrets: {very secret: {text: very secret}}", "want up to 64 letters, digits, dots, dashes and underscores"},
		{"credential", "default: main\nsecrets: {main: {credential: ../x}}", "credential must be the name of a file"},
		{"no fleet", head + "cmts: {hub: main}", "fleet is not set"},
		{"unknown secret", head + "fleet: f\ncmts: {hub: moin}", "cmts: hub: no secret of that name"},
		{"prefix", head + "prefixes: {10.1.0.0/8: main, x: main}", "10.1.0.0/8 has bits set beyond its length; want 10.0.0.0/8"},
		{"no prefix", head + "prefixes: {10.1.0.0: main}", `"10.1.0.0" is not a prefix`},
		{"secret for a name", "default: very\nsecrets: {main: {text: very secret}}", "default: no secret of that name"},
		{"unknown key", head + "standard: main", ":3:1: unknown field"},
		{"secret for a key", head + "very: main", ":3:1: unknown field"},
		{"secret for a key of a secret", "default: main\nsecrets: {main: {very: }}", ":2:18: unknown field"},
		{"secret for a number", "default: main\nsecrets: {main: {text: x, since: very}}", ":2:34: "},
		{"secret for a large number", "default: main\nsecrets: {main: {text: x, since: 99999999999999999999}}", ":2:34: number too large"},
		{"secret for a key, twice", "very: main\nvery: main", ":2:1: duplicate key"},
		{"secret for an alias", "default: main\nsecrets: {main: {text: *very}}", ":2:25: YAML syntax error"},
		{"number for a key", head + "010: main", ":3:1: unknown field"},
		{"tag", "default: main\nsecrets: {main: {text: !!float 1.50}}", ":2:24: unsupported tag"},
		{"tab", "default: main\nsecrets: {main: {text: very\tsecret}}", ":2:24: tab in an unquoted text; put the text in quotes"},
		{"not UTF-8", "default: main\nsecrets: {main: {text: very\xffsecret}}", ":2:28: not UTF-8"},
		{"two documents", head + "---\ndefault: very", ":4:"},
		{"twice", head + "default: main", ":3:1: "},
		{"text for secrets", "default: main\nsecrets: very secret", ":2:10: "},
		{"no text", "default: main\nsecrets: {main: very secret}", ":2:17: "},
		{"broken", "default: main\nsecrets: {main: {text: \"very secret}}", ":2:24: "},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := parse("secrets.yaml", []byte(tt.src))
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Fatalf("%v, want %q", err, tt.want)
			}
			if strings.Contains(err.Error(), "very") {
				t.Errorf("the error shows the secret: %v", err)
			}
		})
	}
	dir := write(t, map[string]string{"secrets.yaml": example, "cmts.yaml": "[]", "north.secret": "x", "south": ""})
	path := filepath.Join(dir, "secrets.yaml")
	f, err := Load(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.LoadFleet(); err == nil || !strings.Contains(err.Error(), "cmts: hub-1: no such CMTS in the fleet") {
		t.Error(err)
	}
	t.Setenv("CREDENTIALS_DIRECTORY", "")
	for name, want := range map[string]string{
		"west": "DCS_TEST_WEST is not set", "south": "$CREDENTIALS_DIRECTORY is not set", "nobody": `no secret "nobody"`,
	} {
		if _, err := f.Reveal(name); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
	t.Setenv("CREDENTIALS_DIRECTORY", dir)
	if _, err := f.Reveal("south"); err == nil || !strings.Contains(err.Error(), "empty text") {
		t.Error(err)
	}
	for _, name := range []string{"secrets.yaml", "north.secret"} {
		if err := os.Chmod(filepath.Join(dir, name), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := f.Reveal("north"); err == nil || !strings.Contains(err.Error(), "chmod 600") {
		t.Error(err)
	}
	if _, err := Load(path); err == nil || !strings.Contains(err.Error(), "mode 0644 gives others access") {
		t.Error(err)
	}
}
