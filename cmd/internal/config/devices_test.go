package config

import (
	"net/netip"
	"reflect"
	"strings"
	"testing"
	"time"

	"dcs/render/attr/csvfile"
	"dcs/render/attr/ldapdir"
	"dcs/render/attr/plugin"
	"dcs/render/attr/sqldb"
)

func TestDevices(t *testing.T) {
	const src = `devices:
  - csv: fleet.csv
  - csv: {path: /x.csv, comma: ";", settle: 1s}
  - sql:
      driver: postgres
      dsn_file: dsn
      query: SELECT mac FROM devices
      channel: devices
      ask_params: [mac, ip]
  - ldap: {url: "ldap://h", base: "dc=x", filter: (a=b), starttls: on, attributes: {dcsProfile: profile}}
  - plugin: {argv: [/bin/x, -v], changes: on, user: dcs-plugin}
  - localdb: fleet.db
devices_dir: state
proxies: [10.0.0.0/24, "fd00::1"]
bind: refuse
mac_in_name: off
prebuild: on
`
	got := Default()
	if err := got.parse("/etc/dcs/dcs.yaml", []byte(src)); err != nil {
		t.Fatal(err)
	}
	want := Devices{
		Sources: []DeviceSource{
			{Pos: "/etc/dcs/dcs.yaml:2:5", CSV: &csvfile.Config{Path: "/etc/dcs/fleet.csv"}},
			{Pos: "/etc/dcs/dcs.yaml:3:5", CSV: &csvfile.Config{Path: "/x.csv", Comma: ';', Debounce: time.Second}},
			{Pos: "/etc/dcs/dcs.yaml:4:5", SQL: &SQL{Driver: "postgres", Config: sqldb.Config{
				DSNFile: "/etc/dcs/dsn", Query: "SELECT mac FROM devices", Channel: "devices", AskParams: []string{"mac", "ip"},
			}}},
			{Pos: "/etc/dcs/dcs.yaml:10:5", LDAP: &ldapdir.Config{
				URL: "ldap://h", Base: "dc=x", Filter: "(a=b)", StartTLS: true, Attributes: map[string]string{"dcsProfile": "profile"},
			}},
			{Pos: "/etc/dcs/dcs.yaml:11:5", Plugin: &Plugin{User: "dcs-plugin", Config: plugin.Config{Argv: []string{"/bin/x", "-v"}, Changes: true}}},
			{Pos: "/etc/dcs/dcs.yaml:12:5", File: &DeviceFile{Path: "/etc/dcs/fleet.db"}},
		},
		Dir:     "/etc/dcs/state",
		Proxies: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/24"), netip.MustParsePrefix("fd00::1/128")},
		Bind:    BindRefuse, MACInName: false, Prebuild: true,
	}
	if !reflect.DeepEqual(got.Devices, want) {
		t.Errorf("got  %+v\nwant %+v", got.Devices, want)
	}
}

func TestDevicesErrors(t *testing.T) {
	for _, tt := range []struct{ src, want string }{
		{"devices: fleet.csv", `f.yaml:1:10: devices: unexpected text "fleet.csv"; expected a list of sources`},
		{"devices: [fleet.csv]", `f.yaml:1:11: unexpected text "fleet.csv"; expected one source`},
		{"devices:\n  - csv: x\n    sql: y\n", "f.yaml:2:5: unexpected block of settings; expected one source"},
		{"devices: [{json: x}]", `f.yaml:1:12: unknown source "json"; expected csv, sql`},
		{"devices: [{csv: {file: x}}]", `f.yaml:1:18: unknown key "file"`},
		{"devices: [{csv: {comma: ab, path: x}}]", `f.yaml:1:25: comma: "ab" is not a single character`},
		{"devices: [{sql: {driver: oracle, query: q}}]", "f.yaml:1:26: driver: oracle is not one of mysql, postgres, sqlite"},
		{"devices: [{sql: {dsn: x}}]", "f.yaml:1:12: sql: missing driver, query"},
		{"devices: [{sql: postgres}]", `f.yaml:1:17: sql: unexpected text "postgres"; expected a block of settings`},
		{"devices: [{ldap: {attributes: [a], url: u, base: b, filter: f}}]", "f.yaml:1:31: unexpected list; expected the directory's attributes"},
		{"devices: [{plugin: {argv: x, timeout: 5}}]", "f.yaml:1:39: timeout: 5 is not a duration"},
		{"devices: [{plugin: {argv: x, user: a b}}]", `f.yaml:1:36: user: "a b" is not a user: NAME, NAME:GROUP or UID:GID`},
		{"devices: [{plugin: {argv: x, user: [a]}}]", "f.yaml:1:36: user: unexpected list"},
		{"proxies: [10.0.0.1/8]", "f.yaml:1:11: proxies: 10.0.0.1/8 has host bits set"},
		{"prebuild: maybe", "f.yaml:1:11: prebuild: maybe is neither on nor off"},
	} {
		c := Default()
		if err := c.parse("f.yaml", []byte(tt.src)); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: got %v, want %s", tt.src, err, tt.want)
		}
	}
	c := Default()
	c.Static, c.Devices.Prebuild = []string{"x"}, true
	if err := c.Validate(); err == nil || !strings.Contains(err.Error(), "prebuild: no device sources") {
		t.Error(err)
	}
}
