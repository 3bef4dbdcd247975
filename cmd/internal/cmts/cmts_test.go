package cmts

import (
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	sim "dcs/bench/cmts"
	"dcs/render/secret"
)

// Awkward secrets arrive as they are, or are refused before anything is sent.
func TestAwkwardSecrets(t *testing.T) {
	tests := []struct {
		secret string
		taken  []sim.Make
	}{
		{"plain-1234", []sim.Make{sim.Cisco, sim.C4, sim.BSR, sim.C3}},
		{"what?is?it", []sim.Make{sim.Cisco, sim.C3}}, // a Cisco's ? is escaped
		{"two words", []sim.Make{sim.BSR, sim.C3}},
		{` lead and trail `, []sim.Make{sim.BSR, sim.C3}},
		{`quo"te`, []sim.Make{sim.Cisco, sim.C3}},
		{`apos'trophe`, []sim.Make{sim.Cisco, sim.BSR, sim.C3}},
		{`back\slash`, []sim.Make{sim.Cisco, sim.C3}},
		{"{{user}}{{secret}}", []sim.Make{sim.Cisco, sim.BSR, sim.C3}},
		{"a|b;c!d", []sim.Make{sim.Cisco, sim.BSR, sim.C3}},
		{"--More--", []sim.Make{sim.Cisco, sim.C4, sim.BSR, sim.C3}},
		{"cmts-1#", []sim.Make{sim.Cisco, sim.C4, sim.BSR, sim.C3}},
		{"% Invalid", []sim.Make{sim.BSR, sim.C3}},
		{"new\nline", nil},
		{"carriage\rreturn", nil},
		{"ctrl-\x03c", nil},
		{"escape\x1b[A", nil},
		{"delete\x7f", nil},
		{"nul\x00", nil},
		{"ümlaut", nil},
		{"bad utf-8 \xff", nil},
		{"", nil},
		{strings.Repeat("L", 64), []sim.Make{sim.Cisco, sim.C4, sim.BSR, sim.C3}},
		{strings.Repeat("L", 65), []sim.Make{sim.Cisco, sim.BSR, sim.C3}},
		{strings.Repeat("L", 80), []sim.Make{sim.Cisco, sim.BSR, sim.C3}},
		{strings.Repeat("L", 81), []sim.Make{sim.BSR, sim.C3}},
		{strings.Repeat("L", 253), []sim.Make{sim.BSR, sim.C3}},
		{strings.Repeat("L", 254), []sim.Make{sim.C3}},
		{strings.Repeat("L", 256), nil},
	}
	for _, m := range []sim.Make{sim.Cisco, sim.C4, sim.BSR, sim.C3} {
		t.Run(string(m), func(t *testing.T) {
			t.Parallel()
			cfg := sim.Config{Make: m}
			iface := ""
			switch m {
			case sim.Cisco:
				iface = "Cable5/0/0"
				cfg.Interfaces = []string{iface}
			case sim.C3:
				iface = "3"
				cfg.Interfaces = []string{iface}
			case sim.C4, sim.BSR:
			}
			r := newRig(t, cfg)
			if m == sim.C3 {
				r.snmp()
			}
			d := r.open()
			for _, tt := range tests {
				lines := len(r.sim.Lines())
				err := d.Add(t.Context(), secret.New(tt.secret))
				if !slices.Contains(tt.taken, m) {
					if err == nil || d.Check(secret.New(tt.secret)) == nil {
						t.Errorf("%q was taken", tt.secret)
					} else if len(r.sim.Lines()) != lines {
						t.Errorf("%q was refused when the session was on", tt.secret)
					} else if len(tt.secret) > 1 && strings.Contains(err.Error(), tt.secret) {
						t.Errorf("%q shows the secret", err)
					}
					if d.Remove(t.Context(), secret.New(tt.secret)) == nil && tt.secret != "" {
						t.Errorf("%q was kept", tt.secret)
					}
					continue
				}
				if err != nil {
					t.Errorf("%q: %v", tt.secret, err)
					continue
				}
				if !slices.Contains(r.sim.Secrets(iface), tt.secret) {
					t.Errorf("%q arrived as one of %q", tt.secret, r.sim.Secrets(iface))
				}
				if d.Readable() {
					st, err := d.Verify(t.Context(), []secret.Text{secret.New(tt.secret)})
					if err != nil || st.Holds[0] != Yes {
						t.Errorf("%q: reading it back: %v, %v", tt.secret, st, err)
					}
				}
			}
		})
	}
}

func TestScrub(t *testing.T) {
	s := &scrubber{}
	s.hide("correct-horse")
	s.hide("abc")
	for _, tt := range []struct{ in, want string }{
		{"nothing to see", "nothing to see"},
		{"x correct-horse y", "x [secret] y"},
		{"half of it: ct-hor$", "half of it: [secret]$"},
		{"abc, correctcorrect", "[secret], [secret]"},
		{"cor", "cor"},
	} {
		if got := s.scrub(tt.in); got != tt.want {
			t.Errorf("%q becomes %q, want %q", tt.in, got, tt.want)
		}
	}
	for _, tt := range []struct{ in, want string }{
		{" cable shared-secret 7 0F2A3B\r\nnext", "cable shared-secret [hidden] next"},
		{"snmp-server community public RO", "snmp-server community [hidden]"},
		{"a\x1b\x00\x07b\xff\u202e c", "ab c"},
		{strings.Repeat("é", 500), "…" + strings.Repeat("é", maxExcerpt)},
	} {
		if got := s.excerpt(tt.in); got != tt.want {
			t.Errorf("%q becomes %q, want %q", tt.in, got, tt.want)
		}
	}
}

func TestScreen(t *testing.T) {
	for _, tt := range []struct{ in, want string }{
		{"one\r\ntwo\r\n", "one\ntwo\n"},
		{"one\ntwo", "one\ntwo"},
		{" --More-- \b\b\b\b\b\b\b\b\b\b          \b\b\b\b\b\b\b\b\b\bnext\r\n", "next\n"},
		{" --More-- \r          \rnext\r\n", "next\n"},
		{"\x1b[1;31mred\x1b[0m\x1b7\r\n", "red\n"},
		{"\b\b\bx\b\b\by", "y"},
		{"a\r\r\nb", "a\nb"},
		{"nul\x00bell\x07", "nulbell"},
	} {
		for _, size := range []int{1, 3, len(tt.in)} {
			var s screen
			for chunk := range slices.Chunk([]byte(tt.in), size) {
				s.write(chunk)
			}
			if got := s.text(); got != tt.want {
				t.Errorf("%q in chunks of %d becomes %q, want %q", tt.in, size, got, tt.want)
			}
		}
	}
}

// The examples are published ones.
func TestType7(t *testing.T) {
	for _, tt := range []struct {
		in, want string
		ok       bool
	}{
		{"02050D480809", "cisco", true},
		{"094F471A1A0A", "cisco", true},
		{"0", "", false},
		{"xx0D480809", "", false},
		{"02050D48080", "", false},
		{"0280808080", "", false},
	} {
		if got, ok := decodeType7(tt.in); ok != tt.ok || ok && got != tt.want {
			t.Errorf("%s: %q, %v", tt.in, got, ok)
		}
	}
}

func TestTelnetOptions(t *testing.T) {
	in := "\xff\xfb\x01a\xff\xfd\x18b\xff\xff\xff\xfa\x18\x01\xff\xff\xff\xf0c\xff\xfb\x2ad\xff\xf1e"
	for _, size := range []int{1, 2, len(in)} {
		var c telnet
		var text, reply []byte
		for chunk := range slices.Chunk([]byte(in), size) {
			a, b := c.filter(nil, chunk)
			text, reply = append(text, a...), append(reply, b...)
		}
		if want := "ab\xffcde"; string(text) != want {
			t.Errorf("text %q, want %q", text, want)
		}
		// DO echo; WON'T terminal type; DON'T what nobody knows.
		if want := "\xff\xfd\x01\xff\xfc\x18\xff\xfe\x2a"; string(reply) != want {
			t.Errorf("reply %q, want %q", reply, want)
		}
	}
}

func TestBuiltInDescriptions(t *testing.T) {
	want := map[string]struct{ slots, length int }{ // as the manuals have it
		"cisco": {2, 80}, "arris-c4": {2, 64}, "motorola-bsr": {1, 253}, "arris-c3": {2, 255},
	}
	names := Descriptions(nil)
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
		{"slots: 1", "slots: 3", "slots is 3"},
		{"slots: 1", "slots: 2", "add and promote are needed"},
		{"slots: 1", "slots: 1\nslot: 2", `x.yaml:3:1: unknown field "slot"`},
		{"max_length: 8, ", "", "secret.max_length is not set"},
		{", characters: '[a-z]'", "", "secret.characters is not set"},
		{`(?P<host>\w+)#`, `\w+#`, "group (?P<host>"},
		{`(?P<host>\w+)#`, `(\w+#`, "missing closing )"},
		{"[no secret]", "[]", "set and clear are needed"},
		{"[no secret]", "['no {{secret}}']", "dialogue.clear[0]: {{secret}} is not known here"},
		{"[no secret]", "['no {{interface}}']", "dialogue.clear[0]: {{interface}} is not known here"},
		{"[no secret]", "[{when: '>'}]", "dialogue.clear[0]: nothing to send"},
		{"[no secret]", "[{send: x, expct: y}]", `unknown field "expct"`},
		{"[no secret]", "[x]\n  verify: [{send: x, read: {clear: y}}]", "has no group (?P<secret>"},
		{"dialogue:", "mib: {places: [{value: 1.3}]}\ndialogue:", "either a dialogue or a mib"},
	} {
		_, err := parseDescription("x.yaml", []byte(strings.Replace(good, tt.old, tt.new, 1)))
		if err == nil || !strings.Contains(err.Error(), tt.want) || !strings.HasPrefix(err.Error(), "x.yaml") {
			t.Errorf("%s: %v, want %q", tt.new, err, tt.want)
		}
	}
}

// An operator's own description wins; here it gives a scalar of a MIB, which can be read.
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

func TestFleet(t *testing.T) {
	fleet, err := ParseFleet("/etc/dcs/fleet.yaml", []byte(`
- name: nord-1
  address: 192.0.2.10
  driver: cisco
  interfaces: [Cable5/0/0, Cable6/0/0]
  prefixes: [10.1.0.0/16, "2001:db8:1::/48"]
  user: dcs
  password_file: /etc/dcs/cmts/nord-1
  key_file: key
  vars: {index: "7"}
  timeout: 20s
- {name: sued-1, address: "[2001:db8::7]:1161", driver: arris-c3, interfaces: ["3"], slots: 1, snmp: {user: dcs, auth: sha256, retries: 0}}
`))
	if err != nil {
		t.Fatal(err)
	}
	a, b := fleet[0], fleet[1]
	if len(fleet) != 2 || a.Prefixes[1] != netip.MustParsePrefix("2001:db8:1::/48") || a.Timeout != 20e9 || a.Vars["index"] != "7" ||
		a.PasswordFile != "/etc/dcs/cmts/nord-1" || a.KeyFile != "/etc/dcs/key" || *b.SNMP.Retries != 0 || b.Slots != 1 {
		t.Errorf("read as %+v", fleet)
	}
	for _, tt := range []struct{ src, want string }{
		{"- {address: 192.0.2.1, driver: cisco}", "CMTS 1 has no name"},
		{"- {name: a, driver: cisco}", "a: no address"},
		{"- {name: a, address: 'host:99999', driver: cisco}", `"99999" is not a port`},
		{"- {name: a, address: h}", "no driver: there are arris-c3, arris-c4, cisco, motorola-bsr"},
		{"- {name: a, address: h, driver: cisco, pasword: x}", `fleet.yaml:1:40: unknown field "pasword"`},
		{"- {name: a, address: h, driver: cisco, prefixes: [10.1.2.3/16]}", "is 10.1.0.0/16 meant?"},
		{"- {name: a, address: h, driver: cisco, prefixes: [10.1/16]}", "fleet.yaml"},
		{"- {name: a, address: h, driver: cisco, prefixes: [10]}", "fleet.yaml"},
		{"- {name: a, address: h, driver: cisco, interfaces: [\"x\\ny\"]}", "interfaces has a control character"},
		{"- {name: a, address: h, driver: cisco}\n- {name: a, address: i, driver: cisco}", "two CMTSes of the name a"},
		{"- {name: a, address: h, driver: cisco, prefixes: [10.0.0.0/8]}\n- {name: b, address: i, driver: cisco, prefixes: [10.0.0.0/8]}", "b: prefix 10.0.0.0/8 belongs to a already"},
		{"- {name: \"a b\", address: h, driver: cisco}", "a name is made of"},
		{"- {name: a, address: h, driver: cisco, slots: 3}", "slots is 3"},
	} {
		if _, err := ParseFleet("fleet.yaml", []byte(tt.src)); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want %q", tt.src, err, tt.want)
		}
	}
}

// Names and values are taken as they are written, be they what YAML calls numbers.
func TestFleetAsWritten(t *testing.T) {
	fleet, err := ParseFleet("fleet.yaml", []byte(`
- {name: 010, address: h, driver: cisco, user: &u 0x1F, interfaces: &i [007, 1.50], vars: &v {1_000: 012}, slots: 1, save: True}
- {name: 8, address: h, driver: cisco, user: *u, interfaces: *i, vars: *v, slots: 0x1, save: true}
`))
	if err != nil {
		t.Fatal(err)
	}
	for i, name := range []string{"010", "8"} {
		c := fleet[i]
		if c.Name != name || c.User != "0x1F" || c.Interfaces[0] != "007" || c.Interfaces[1] != "1.50" || c.Vars["1_000"] != "012" || c.Slots != 1 || !*c.Save {
			t.Errorf("read as %+v", c)
		}
	}
	d, err := parseDescription("x.yaml", []byte(`
slots: 1
secret: {max_length: 16, characters: '.', escape: {0: 00}}
vars: {1.50: 007}
dialogue: {prompt: '(?P<host>x)', errors: [1.50, 0x1F, "\x41\\n"], set: [0123, {send: 0x1F, timeout: 5s}], clear: ["010"]}
`))
	if err != nil {
		t.Fatal(err)
	}
	g := d.Dialogue
	if d.Secret.Escape["0"] != "00" || d.Vars["1.50"] != "007" || g.Errors[0].String() != "1.50" || g.Errors[1].String() != "0x1F" || g.Errors[2].String() != `A\n` ||
		g.Set[0].Send != "0123" || g.Set[1].Send != "0x1F" || g.Clear[0].Send != "010" {
		t.Errorf("read as %+v, %+v", d, g)
	}
	if _, err := ParseFleet("fleet.yaml", []byte("- name: a\n  user: \xff\n")); err == nil || !strings.Contains(err.Error(), "fleet.yaml:2:9: the octets here are not UTF-8") {
		t.Error(err)
	}
}

func TestOpenErrors(t *testing.T) {
	r := cisco(t)
	c3 := newRig(t, sim.Config{Make: sim.C3, Interfaces: []string{"3"}}).snmp().cfg
	good := r.cfg
	open := r.file("open", loginPassword)
	if err := os.Chmod(open, 0o644); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name  string
		base  CMTS
		spoil func(*CMTS)
		want  string
	}{
		{"driver", good, func(c *CMTS) { c.Driver = "../cisco" }, "is not the name of a description"},
		{"unknown driver", good, func(c *CMTS) { c.Driver = "casa" }, "no such description; there are arris-c3, arris-c4, cisco, motorola-bsr"},
		{"no user", good, func(c *CMTS) { c.User = "" }, "user is not set"},
		{"no credentials", good, func(c *CMTS) { c.PasswordFile = "" }, "neither password_file nor key_file"},
		{"missing file", good, func(c *CMTS) { c.PasswordFile += "-not" }, "password_file: open"},
		{"readable by all", good, func(c *CMTS) { c.PasswordFile = open }, "chmod 600"},
		{"empty file", good, func(c *CMTS) { c.PasswordFile = r.file("empty", "\n") }, "is empty"},
		{"two lines", good, func(c *CMTS) { c.PasswordFile = r.file("lines", "a\nb\n") }, "more than one line"},
		{"no key", good, func(c *CMTS) { c.KeyFile = c.PasswordFile }, "is no private key"},
		{"telnet with a key", good, func(c *CMTS) { c.Telnet, c.KeyFile = true, "x" }, "no effect with telnet"},
		{"no interfaces", good, func(c *CMTS) { c.Interfaces = nil }, "interfaces is not set"},
		{"interfaces for nothing", good, func(c *CMTS) { c.Driver = "arris-c4" }, "belongs to the whole CMTS"},
		{"unknown variable", good, func(c *CMTS) { c.Vars = map[string]string{"indx": "1"} }, `has no "indx"`},
		{"too many slots", good, func(c *CMTS) { c.Driver, c.Interfaces, c.Slots = "motorola-bsr", nil, 2 }, "motorola-bsr says 1"},
		{"no SNMP credentials", c3, func(c *CMTS) { c.SNMP = SNMP{} }, "neither community_file"},
		{"both SNMP credentials", c3, func(c *CMTS) { c.SNMP.User = "x" }, "leave one of them away"},
		{"interface that is no ifIndex", c3, func(c *CMTS) { c.Interfaces = []string{"Cable3"} }, "is the interface an ifIndex?"},
		{"auth", c3, func(c *CMTS) { c.SNMP = SNMP{User: "x", Auth: "crc"} }, `"crc" is not known`},
		{"priv", c3, func(c *CMTS) { c.SNMP = SNMP{User: "x", Priv: "rot13"} }, `"rot13" is not known`},
		{"no auth password", c3, func(c *CMTS) { c.SNMP = SNMP{User: "x"} }, "auth_password_file is not set"},
		{"short", c3, func(c *CMTS) {
			c.SNMP = SNMP{User: "x", AuthPasswordFile: r.file("s", "short"), PrivPasswordFile: r.file("s", "short")}
		}, "at least 8 characters"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			cfg := tt.base
			tt.spoil(&cfg)
			_, err := Open(cfg, r.opt)
			r.fails(err, tt.want, cfg.Name)
		})
	}
	opt := r.opt
	opt.KnownHosts = ""
	_, err := Open(good, opt)
	r.fails(err, "known_hosts is not set")
}

// The descriptions in the manual are a good one, once its gaps are filled.
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
			_, err = ParseFleet("README.md", []byte(src))
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

func FuzzScreen(f *testing.F) {
	f.Add([]byte(" --More-- \b\b\b\x1b[2K\r\nnext"))
	f.Add([]byte("\xff\xfd\x18\r\x00\x1b["))
	f.Fuzz(func(t *testing.T, in []byte) {
		var whole, pieces screen
		whole.write(in)
		for _, b := range in {
			pieces.write([]byte{b})
		}
		if whole.text() != pieces.text() {
			t.Errorf("whole it is %q, in pieces %q", whole.text(), pieces.text())
		}
		if n := whole.size(); n > len(in) {
			t.Errorf("%d octets became %d", len(in), n)
		}
		for _, c := range []byte(whole.text()) {
			if c < ' ' && c != '\n' && c != '\t' || c == 0x7f {
				t.Errorf("%q is left in %q", c, whole.text())
			}
		}
		s := &scrubber{}
		s.hide(newSecret)
		if out := s.excerpt(string(in) + newSecret[:8]); strings.Contains(out, newSecret[:8]) {
			t.Errorf("%q shows the secret", out)
		}
	})
}
