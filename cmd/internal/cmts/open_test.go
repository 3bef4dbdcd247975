package cmts

import (
	"os"
	"slices"
	"strings"
	"testing"

	sim "dcs/bench/cmts"
	"dcs/render/secret"
)

// Awkward secrets arrive unchanged, or are refused before anything is sent.
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
		{"driver", good, func(c *CMTS) { c.Driver = "../cisco" }, "is not a name of a description"},
		{"unknown driver", good, func(c *CMTS) { c.Driver = "casa" }, `no description "casa"; want one of: arris-c3, arris-c4, cisco, motorola-bsr`},
		{"no user", good, func(c *CMTS) { c.User = "" }, "user is not set"},
		{"no credentials", good, func(c *CMTS) { c.PasswordFile = "" }, "neither password_file nor key_file"},
		{"missing file", good, func(c *CMTS) { c.PasswordFile += "-not" }, "password_file: open"},
		{"readable by all", good, func(c *CMTS) { c.PasswordFile = open }, "chmod 600"},
		{"empty file", good, func(c *CMTS) { c.PasswordFile = r.file("empty", "\n") }, "is empty"},
		{"two lines", good, func(c *CMTS) { c.PasswordFile = r.file("lines", "a\nb\n") }, "more than one line"},
		{"no key", good, func(c *CMTS) { c.KeyFile = c.PasswordFile }, "is not a readable private key"},
		{"telnet with a key", good, func(c *CMTS) { c.Telnet, c.KeyFile = true, "x" }, "no effect with telnet"},
		{"no interfaces", good, func(c *CMTS) { c.Interfaces = nil }, "interfaces is not set"},
		{"interfaces for nothing", good, func(c *CMTS) { c.Driver = "arris-c4" }, "belongs to the whole CMTS"},
		{"unknown variable", good, func(c *CMTS) { c.Vars = map[string]string{"indx": "1"} }, `has no variable "indx"`},
		{"too many slots", good, func(c *CMTS) { c.Driver, c.Interfaces, c.Slots = "motorola-bsr", nil, 2 }, "motorola-bsr has 1"},
		{"no SNMP credentials", c3, func(c *CMTS) { c.SNMP = SNMP{} }, "neither community_file"},
		{"both SNMP credentials", c3, func(c *CMTS) { c.SNMP.User = "x" }, "want one of them"},
		{"interface that is no ifIndex", c3, func(c *CMTS) { c.Interfaces = []string{"Cable3"} }, "the interface must be an ifIndex"},
		{"auth", c3, func(c *CMTS) { c.SNMP = SNMP{User: "x", Auth: "crc"} }, `unknown protocol "crc"`},
		{"priv", c3, func(c *CMTS) { c.SNMP = SNMP{User: "x", Priv: "rot13"} }, `unknown protocol "rot13"`},
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
