package cmts

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestBuiltInDescriptions(t *testing.T) {
	want := map[string]struct{ slots, length int }{ // as the manuals have it
		"cisco": {2, 80}, "arris-c4": {2, 64}, "motorola-bsr": {1, 253}, "arris-c3": {2, 255},
	}
	names := descriptionNames(nil)
	if len(names) != len(want) {
		t.Errorf("there are %q", names)
	}
	for _, name := range names {
		d, err := findDescription(name, nil)
		if err != nil {
			t.Error(err)
			continue
		}
		if w := want[name]; d.Slots != w.slots || d.Secret.MaxLength != w.length {
			t.Errorf("%s: %d slots, %d octets, want %v", name, d.Slots, d.Secret.MaxLength, w)
		}
	}
}

func TestDescriptionErrors(t *testing.T) {
	good := `
slots: 1
secret: {max_length: 8, characters: '[a-z]'}
dialogue:
  prompt: '(?P<host>\w+)#'
  set: ['secret {{secret}}']
  clear: [no secret]
`
	if _, err := parseDescription("x.yaml", []byte(good)); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ old, new, want string }{
		{"slots: 1", "slots: 3", "slots: 3"},
		{"slots: 1", "slots: 2", "two slots need add and promote"},
		{"slots: 1", "slots: 1\nslot: 2", `x.yaml:3:1: unknown field "slot"`},
		{"max_length: 8, ", "", "secret.max_length is not set"},
		{", characters: '[a-z]'", "", "secret.characters is not set"},
		{`(?P<host>\w+)#`, `\w+#`, "group (?P<host>"},
		{`(?P<host>\w+)#`, `(\w+#`, "missing closing )"},
		{"[no secret]", "[]", "set and clear are required"},
		{"[no secret]", "['no {{secret}}']", "dialogue.clear[0]: unknown variable {{secret}}"},
		{"[no secret]", "['no {{interface}}']", "dialogue.clear[0]: unknown variable {{interface}}"},
		{"[no secret]", "[{when: '>'}]", "dialogue.clear[0]: send is not set"},
		{"[no secret]", "[{send: x, expct: y}]", `unknown field "expct"`},
		{"[no secret]", "[x]\n  verify: [{send: x, read: {clear: y}}]", "has no group (?P<secret>"},
		{"dialogue:", "mib: {places: [{value: 1.3}]}\ndialogue:", "want either dialogue or mib"},
	} {
		_, err := parseDescription("x.yaml", []byte(strings.Replace(good, tt.old, tt.new, 1)))
		if err == nil || !strings.Contains(err.Error(), tt.want) || !strings.HasPrefix(err.Error(), "x.yaml") {
			t.Errorf("%s: %v, want %q", tt.new, err, tt.want)
		}
	}
}

// An operator's description overrides a built-in one; this one has a scalar of a MIB, which can be read.
func TestOwnDescription(t *testing.T) {
	dir := t.TempDir()
	src := "slots: 1\nsecret: {max_length: 8, characters: '[a-z]'}\nmib: {readable: true, places: [{value: 1.3.6.1.4.1.1.0}]}\n"
	if err := os.WriteFile(filepath.Join(dir, "cisco.yaml"), []byte(src), 0o644); err != nil {
		t.Fatal(err)
	}
	community := filepath.Join(dir, "community")
	if err := os.WriteFile(community, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	d, err := Open(CMTS{Name: "a", Address: "127.0.0.1", Driver: "cisco", SNMP: SNMP{CommunityFile: community}}, Options{Descriptions: []string{t.TempDir(), dir}})
	if err != nil {
		t.Fatal(err)
	}
	if d.Slots() != 1 || d.MaxLen() != 8 || !d.Readable() {
		t.Errorf("it is not ours: %d slots, %d octets", d.Slots(), d.MaxLen())
	}
}

// The examples in the manual are valid, once their gaps are filled.
func TestReadmeDescription(t *testing.T) {
	readme, err := os.ReadFile("../../dcs/doc/cmts.md")
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, part := range strings.Split(string(readme), "```yaml ")[1:] {
		src, _, _ := strings.Cut(part, "```")
		_, src, _ = strings.Cut(src, "\n")
		src = strings.ReplaceAll(src, "[ … ]", "['x {{index}}']")
		if strings.HasPrefix(src, "- name") {
			_, err = parseFleet("README.md", []byte(src))
		} else {
			_, err = parseDescription("README.md", []byte(src))
		}
		if err != nil {
			t.Error(err)
		}
		n++
	}
	if n != 3 {
		t.Errorf("%d examples, want 3", n)
	}
}
