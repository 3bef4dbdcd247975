package cmts

import (
	"net/netip"
	"strings"
	"testing"
)

func TestFleet(t *testing.T) {
	fleet, err := parseFleet("/etc/dcs/fleet.yaml", []byte(`
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
		{"- {address: 192.0.2.1, driver: cisco}", "CMTS 1: name is not set"},
		{"- {name: a, driver: cisco}", "a: address is not set"},
		{"- {name: a, address: 'host:99999', driver: cisco}", `"99999" is not a port`},
		{"- {name: a, address: h}", "driver is not set; want one of: arris-c3, arris-c4, cisco, motorola-bsr"},
		{"- {name: a, address: h, driver: cisco, pasword: x}", `fleet.yaml:1:40: unknown field "pasword"`},
		{"- {name: a, address: h, driver: cisco, prefixes: [10.1.2.3/16]}", "want 10.1.0.0/16"},
		{"- {name: a, address: h, driver: cisco, prefixes: [10.1/16]}", "fleet.yaml"},
		{"- {name: a, address: h, driver: cisco, prefixes: [10]}", "fleet.yaml"},
		{"- {name: a, address: h, driver: cisco, interfaces: [\"x\\ny\"]}", "interfaces: contains a control character"},
		{"- {name: a, address: h, driver: cisco}\n- {name: a, address: i, driver: cisco}", "two CMTSes are called a"},
		{"- {name: a, address: h, driver: cisco, prefixes: [10.0.0.0/8]}\n- {name: b, address: i, driver: cisco, prefixes: [10.0.0.0/8]}", "b: prefix 10.0.0.0/8 already belongs to a"},
		{"- {name: \"a b\", address: h, driver: cisco}", "invalid name"},
		{"- {name: a, address: h, driver: cisco, slots: 3}", "slots: 3"},
	} {
		if _, err := parseFleet("fleet.yaml", []byte(tt.src)); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want %q", tt.src, err, tt.want)
		}
	}
}

// Names and values are used as written, even if YAML would read them as numbers.
func TestFleetAsWritten(t *testing.T) {
	fleet, err := parseFleet("fleet.yaml", []byte(`
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
	if _, err := parseFleet("fleet.yaml", []byte("- name: a\n  user: \xff\n")); err == nil || !strings.Contains(err.Error(), "fleet.yaml:2:9: not UTF-8") {
		t.Error(err)
	}
}
