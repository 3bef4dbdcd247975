package main

import (
	"bytes"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// A source whose file, program or password is not there keeps neither the server from starting nor the other source from
// being served; it is told of, and tried again.
func TestServeBesideBadSource(t *testing.T) {
	for _, tt := range []struct{ name, source, want string }{
		{"csv", "csv: {path: none.csv, name: bad}", "none.csv: no such file"},
		{"localdb", "localdb: {path: none.db}", "none.db: no such file"},
		{"plugin", "plugin: {argv: [./none], name: bad}", "none: no such file"},
		{"sql", "sql: {driver: postgres, dsn_file: none.dsn, query: SELECT mac FROM devices, name: bad}", "none.dsn: no such file"},
		{"sqlite", "sql: {driver: sqlite, dsn: none/x.db, query: SELECT mac FROM devices, name: bad}", "unable to open"},
		{"ldap", `ldap: {url: "ldap://127.0.0.1:1", base: "dc=x", filter: (a=b), bind_dn: "cn=x", password_file: none, attributes: {x: other}, name: bad}`, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			dir := deviceFiles(t, withDevices("devices:\n  - csv: {path: fleet.csv, name: good}\n  - "+tt.source+"\n", map[string]string{"fleet.csv": fleetCSV}))
			p := serve(t, "--config", filepath.Join(dir, "dcs.yaml"))
			p.said("devices loaded", "source=good")
			p.said("level=WARN", "source", "retry=", tt.want)
			eventually(t, "the good source's devices are served", func() bool {
				got, err := modem{}.get(p.port, "modem.cm@020000000001")
				return err == nil && bytes.Equal(got, made(t, goldFile))
			})
			if tt.name == "csv" {
				write(t, filepath.Join(dir, "none.csv"), strings.Replace(fleetCSV, "02:00:00:00:00:01", "02:00:00:00:01:01", 1))
				eventually(t, "the source that has come is served", func() bool {
					got, err := modem{}.get(p.port, "modem.cm@020000000101")
					return err == nil && bytes.Equal(got, made(t, goldFile))
				})
			}
			if err := p.stop(syscall.SIGTERM); err != nil {
				t.Error(err)
			}
		})
	}
}
