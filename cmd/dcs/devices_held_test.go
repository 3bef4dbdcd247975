package main

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"dcs/bench/require"
)

// What a file of devices loses is shown beforehand by check, and is shown by the log, the API and the metrics of the server that holds
// it back. The modem gets what it had.
func TestServeHeld(t *testing.T) {
	t.Parallel()
	fleet := func(header string) string {
		var b strings.Builder
		b.WriteString(header + "\n")
		for i := range 200 {
			fmt.Fprintf(&b, "0200000000%02x,gold,%d\n", i, 100+i)
		}
		return b.String()
	}
	admin := freeAddress(t)
	dir := deviceFiles(t, withDevices("devices: [{csv: {path: fleet.csv, name: fleet, settle: 10ms, poll: 100ms}}]\nadmin: "+admin+"\n", map[string]string{"fleet.csv": fleet("mac,profile,down")}))
	config, csv := filepath.Join(dir, "dcs.yaml"), filepath.Join(dir, "fleet.csv")
	p := serve(t, "--config", config)
	file := func() string {
		got, err := modem{}.get(p.port, "modem.cm@0200000000c7")
		if err != nil {
			return err.Error()
		}
		return string(got)
	}
	p.await("devices loaded")
	eventually(t, "the last device is served", func() bool { return len(file()) > 40 })
	before := file()
	for name, tc := range map[string]struct{ text, want string }{
		"renamed":        {fleet("mac,profile,speed"), "attribute down would lose 200 of 200 values; accept with: dcs devices reload --force 'fleet'"},
		"cut in mid-row": {strings.TrimSuffix(fleet("mac,profile,down"), "9\n"), "the last row has no line end"},
	} {
		if err := writeFile(csv, []byte(tc.text)); err != nil {
			t.Fatal(err)
		}
		p.await(tc.want)
		if got := dcs("", "check", "--devices", "--config", config); got.status != failed || !strings.Contains(got.stderr, tc.want) {
			t.Errorf("%s: check: %+v", name, got)
		}
		if _, text := get("http://" + admin + "/api/devices"); !strings.Contains(text, `"held":"`) {
			t.Errorf("%s: the API says %s", name, text)
		}
		if _, text := get("http://" + admin + "/metrics"); !strings.Contains(text, `dcs_device_source_held{source="fleet"} 1`) {
			t.Errorf("%s: the metrics do not say so", name)
		}
		if got := file(); got != before {
			t.Errorf("%s: the modem gets %q, before it was %q", name, got, before)
		}
	}
}

// Whoever has set up a source whose changes are not seen is told so.
func TestUnseenChanges(t *testing.T) {
	t.Parallel()
	require.Long(t, "checks of the host")
	for source, want := range map[string]string{
		"sql: {driver: sqlite, dsn: x.db, query: SELECT mac FROM d}":                                                      "changes in the database are seen only at a start",
		"sql: {driver: sqlite, dsn: x.db, query: SELECT mac FROM d, poll: 1m}":                                            "changes in the database are seen only every 1m0s",
		"sql: {driver: sqlite, dsn: x.db, query: SELECT mac FROM d, changed_query: SELECT mac FROM d WHERE changed >= ?}": "",
		"sql: {driver: postgres, dsn: x, query: SELECT mac FROM d, channel: dcs}":                                         "",
		"ldap: {url: ldap://x.example, base: o=x, filter: (a=b), attributes: {x: y}, reload: -1ns}":                       "reload is negative: deleted entries of the directory are never noticed",
		"ldap: {url: ldap://x.example, base: o=x, filter: (a=b), attributes: {x: y}}":                                     "",
		"plugin: {argv: [/bin/false]}":              "changes of listed devices are noticed only at a start",
		"plugin: {argv: [/bin/false], changes: on}": "",
		"csv: x.csv": "",
	} {
		dir := deviceFiles(t, withDevices("devices:\n  - "+source+"\n", nil))
		got := dcs("", "check", "--offline", "--config", filepath.Join(dir, "dcs.yaml"))
		line := "dcs.yaml:4:5: " + want
		if want == "" && strings.Contains(got.stderr, "dcs.yaml:4:5: ") || want != "" && !strings.Contains(got.stderr, line) {
			t.Errorf("%s: %q, want %q", source, got.stderr, want)
		}
	}
}
