package main

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"dcs/cmd/internal/assemble"
	"dcs/cmd/internal/config"
	"dcs/render/attr"
	"dcs/render/attr/csvfile"
	"dcs/render/attr/store"
)

// A modem is known by the MAC address in its name, by what a proxy tells, and by its address, in this order.
func TestServeDevices(t *testing.T) {
	t.Parallel()
	dir := deviceFiles(t, withDevices("devices: [{csv: fleet.csv}]\nproxies: [127.0.0.9]\n", map[string]string{"fleet.csv": fleetCSV}))
	p := serve(t, "--config", filepath.Join(dir, "dcs.yaml"))
	p.await("devices loaded")
	proxied := func(from string, options ...string) modem { return modem{from, options} }
	gold, bronze := made(t, goldFile), made(t, bronzeFile)
	tests := []struct {
		what, name string
		modem      modem
		want       []byte
		err        string
	}{
		{"name", "modem.cm@020000000001", modem{}, gold, ""},
		{"name", "modem@02:00:00:00:00:02", modem{}, bronze, ""},
		{"own address", "modem.cm", modem{from: "127.0.0.2"}, bronze, ""},
		{"own address without MAC", "modem.cm", modem{from: "127.0.0.3"}, gold, ""},
		{"proxy hwaddr", "modem.cm", proxied("127.0.0.9", "hwaddr", "02:00:00:00:00:01"), gold, ""},
		{"proxy netaddr", "modem.cm", proxied("127.0.0.9", "netaddr", "127.0.0.2"), bronze, ""},
		{"name before proxy", "modem.cm@020000000002", proxied("127.0.0.9", "hwaddr", "02:00:00:00:00:01"), bronze, ""},
		{"proxy before address", "modem.cm", proxied("127.0.0.9", "hwaddr", "02:00:00:00:00:01", "netaddr", "127.0.0.2"), gold, ""},
		{"no proxy", "modem.cm", proxied("127.0.0.2", "hwaddr", "02:00:00:00:00:01"), bronze, ""},
		{"no proxy, netaddr", "modem.cm", proxied("127.0.0.8", "netaddr", "127.0.0.2"), nil, "ERROR 1"},
		{"unknown", "modem.cm@020000000099", modem{}, nil, "ERROR 1"},
		{"unknown with a default", "flat.cm@020000000099", modem{}, made(t, "Main { MaxCPE 5; }"), ""},
		{"over range", "modem.cm@020000000004", modem{}, nil, "ERROR 0"},
		{"no such profile", "modem.cm@020000000005", modem{}, nil, "ERROR 0"},
		{"lacks the profile", "modem.cm@020000000006", modem{}, nil, "ERROR 1"},
		{"capture", "cm-020000000002.cfg", modem{}, made(t, "Main { MaxCPE 1; TftpModemAddress 127.0.0.1; }"), ""},
		{"capture, proxy's netaddr is $ip", "cm-020000000002.cfg", proxied("127.0.0.9", "netaddr", "127.77.0.1"), made(t, "Main { MaxCPE 1; TftpModemAddress 127.77.0.1; }"), ""},
		{"strange name", "modem.cm@' OR 1=1 --", modem{}, nil, "ERROR 1"},
	}
	for _, tt := range tests {
		got, err := tt.modem.get(p.port, tt.name)
		if tt.err != "" && (err == nil || err.Error() != tt.err) || tt.err == "" && (err != nil || !bytes.Equal(got, tt.want)) {
			t.Errorf("%s: %s: %d octets, %v; want %d, %s", tt.what, tt.name, len(got), err, len(tt.want), tt.err)
		}
	}
	// A change of the file is noticed.
	csv := strings.Replace(fleetCSV, "gold,50\n", "bronze,\n", 1)
	if err := writeFile(filepath.Join(dir, "fleet.csv"), []byte(csv)); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the modem gets its new profile", func() bool {
		got, err := modem{}.get(p.port, "modem.cm@020000000001")
		return err == nil && bytes.Equal(got, bronze)
	})
	// Without its source the server serves what it knew, and at once.
	if err := p.stop(syscall.SIGINT); err != nil {
		t.Error(err)
	}
	if err := os.Remove(filepath.Join(dir, "fleet.csv")); err != nil {
		t.Fatal(err)
	}
	p = serve(t, "--config", filepath.Join(dir, "dcs.yaml"))
	if got, err := (modem{}).get(p.port, "modem.cm@020000000001"); err != nil || !bytes.Equal(got, bronze) {
		t.Errorf("without its source: %d octets, %v", len(got), err)
	}
	p.await("devices failed")
}

// What the commands tell of devices.
func TestDeviceCommands(t *testing.T) {
	dir := deviceFiles(t, withDevices("devices:\n  - csv: fleet.csv\n  - csv: {path: more.csv, name: more}\n", map[string]string{
		"fleet.csv": fleetCSV + "nonsense,,gold,1\n", "more.csv": "mac,down,site\n020000000001,7,north\n020000000002,8,south\n",
	}))
	at := func(name string) string { return filepath.Join(dir, name) }
	config := at("dcs.yaml")
	tests := []struct {
		args   []string
		status int
		out    []string // parts of stdout
		err    []string // of stderr
	}{
		{[]string{"check", "--config", config, "--devices"}, done, []string{": 6 devices, 1 rejected, 0 duplicates\n", "more: 2 devices, 0 rejected", "ok: "}, []string{"line 8: "}},
		{[]string{"explain", "modem.cm", "--config", config, "--mac", "020000000001"}, done, []string{
			"device    02:00:00:00:00:01, known to csv " + at("fleet.csv") + ", more, in the sources",
			"attribute $profile = \"gold\", from csv ", "attribute $down = \"50\", from csv ", "attribute $site = \"north\", from more\n", "MaxCPE 16",
		}, nil},
		{[]string{"explain", "modem.cm", "--config", config, "--ip", "127.0.0.2"}, done, []string{"attribute $down = \"8\", from more\n", "MaxCPE 1;"}, nil},
		{[]string{"explain", "modem.cm@020000000002", "--config", config, "--set", "profile=gold"}, done, []string{"attribute $profile = \"gold\", from --set\n", "MaxRateSustained 8000;"}, nil},
		{[]string{"explain", "modem.cm@020000000077", "--config", config}, failed, []string{"device    not in the sources"}, []string{"$profile"}},
		{[]string{"devices", "build", "--csv", at("fleet.csv"), "-o", at("fleet.db")}, done, []string{"fleet.db: 6 devices, ", " 1 rejected, 0 duplicates"}, []string{"rejected: ", "line 8: "}},
		{[]string{"devices", "build", "--config", config, "--source", "more", "-o", at("more.db")}, done, []string{": 2 devices"}, nil},
		{[]string{"devices", "build", "--config", config, "-o", at("x.db")}, misuse, nil, []string{"--source, one of: csv ", "; more"}},
		{[]string{"devices", "build", "--csv", at("none.csv"), "-o", at("x.db")}, failed, nil, []string{"no such file"}},
		{[]string{"devices", "get", at("fleet.db"), "02-00-00-00-00-02"}, done, []string{"02:00:00:00:00:02 127.0.0.2\n", "profile = \"bronze\"\n"}, nil},
		{[]string{"devices", "get", at("fleet.db"), "127.0.0.3"}, done, []string{"127.0.0.3\n", "down = \"50\"\n"}, nil},
		{[]string{"devices", "get", at("fleet.db"), "127.0.0.4"}, failed, nil, []string{"has no device 127.0.0.4"}},
		{[]string{"devices", "get", at("fleet.db"), "' OR 1=1"}, misuse, nil, []string{"neither a MAC nor an IP address"}},
		{[]string{"devices", "stat", at("fleet.db")}, done, []string{"devices     6\n", "by MAC      5\n", "by IP       2\n", "profile, down\n", "checksums   valid\n"}, nil},
	}
	for _, tt := range tests {
		got := dcs("", tt.args...)
		if got.status != tt.status {
			t.Errorf("%v: status %d, %s", tt.args, got.status, got.stderr)
		}
		for _, part := range tt.out {
			if !strings.Contains(got.stdout, part) {
				t.Errorf("%v: no %q in\n%s", tt.args, part, got.stdout)
			}
		}
		for _, part := range tt.err {
			if !strings.Contains(got.stderr, part) {
				t.Errorf("%v: no %q in\n%s", tt.args, part, got.stderr)
			}
		}
	}
	// An altered file is refused.
	db, err := os.ReadFile(at("fleet.db"))
	if err != nil {
		t.Fatal(err)
	}
	db[len(db)/2] ^= 1
	if err := writeFile(at("altered.db"), db); err != nil {
		t.Fatal(err)
	}
	if got := dcs("", "devices", "stat", at("altered.db")); got.status != failed || !strings.Contains(got.stderr, "damaged device file") {
		t.Errorf("an altered file: %+v", got)
	}
}

// A build does not replace what it is made from.
func TestDevicesBuildSparesSource(t *testing.T) {
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	files := map[string]string{
		"fleet.csv":    fleetCSV,
		"dcs.yaml":     "devices: [{csv: fleet.csv}, {localdb: {path: fleet.db}}]\n",
		"sql.yaml":     "devices: [{sql: {driver: sqlite, dsn: 'file:" + at("fleet.sqlite") + "?mode=ro', query: SELECT 1}}]\n",
		"fleet.sqlite": "a database",
	}
	for name, text := range files {
		if err := os.WriteFile(at(name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(os.Symlink("fleet.csv", at("soft")), os.Link(at("fleet.csv"), at("hard"))); err != nil {
		t.Fatal(err)
	}
	before, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{
		{"--csv", at("fleet.csv"), "-o", at("fleet.csv")},
		{"--csv", at("fleet.csv"), "-o", dir + "/./fleet.csv"},
		{"--csv", at("fleet.csv"), "-o", at("soft")},
		{"--csv", at("soft"), "-o", at("fleet.csv")},
		{"--csv", at("hard"), "-o", at("fleet.csv")},
		{"--config", at("dcs.yaml"), "--source", "csv " + at("fleet.csv"), "-o", at("fleet.csv")},
		{"--config", at("dcs.yaml"), "--source", "csv " + at("fleet.csv"), "-o", at("dcs.yaml")},
		{"--config", at("sql.yaml"), "-o", at("fleet.sqlite")},
	} {
		got := dcs("", append([]string{"devices", "build"}, args...)...)
		if got.status != misuse || !strings.Contains(got.stderr, "which the build reads; use another file") {
			t.Errorf("%v: %+v", args, got)
		}
	}
	for name, want := range files {
		if got, err := os.ReadFile(at(name)); err != nil || string(got) != want {
			t.Errorf("%s is %q, %v", name, got, err)
		}
	}
	if after, err := os.ReadDir(dir); err != nil || len(after) != len(before) {
		t.Errorf("%v, %v; there were %v", after, err, before)
	}
	for _, args := range [][]string{
		{"--csv", at("fleet.csv"), "-o", at("fleet.db")},
		{"--csv", at("fleet.csv"), "-o", at("fleet.db")},
		{"--config", at("dcs.yaml"), "--source", "file " + at("fleet.db"), "-o", at("fleet.db")},
	} {
		if got := dcs("", append([]string{"devices", "build"}, args...)...); got.status != done || !strings.Contains(got.stdout, "fleet.db: 6 devices") {
			t.Errorf("%v: %+v", args, got)
		}
	}
}

// Names with a MAC address, as the documents have them for DHCP, are of that device.
func TestDocumentedNames(t *testing.T) {
	for _, document := range []string{"doc/devices.md", "doc/migrate.md"} {
		text, err := os.ReadFile(document)
		if err != nil {
			t.Fatal(err)
		}
		names := regexp.MustCompile("`([a-z.]+@[^`]+)`").FindAllSubmatch(text, -1)
		if len(names) == 0 {
			t.Errorf("%s has no name with a MAC address", document)
		}
		for _, name := range names {
			if got := dcs("", "explain", string(name[1]), "--library", "../../testdata/library"); !strings.Contains(got.stdout, "\nMAC  ") {
				t.Errorf("%s: %s is of no device: %s", document, name[1], got.stdout)
			}
		}
	}
}

// The check that the unit makes before each start waits for no source, and opens none: it knows their attributes by the snapshot.
func TestCheckOffline(t *testing.T) {
	hung, err := net.Listen("tcp", "127.0.0.1:0") // the system accepts, and nobody answers
	if err != nil {
		t.Fatal(err)
	}
	defer hung.Close()
	const source = "devices:\n  - csv: fleet.csv\n  - sql: {driver: postgres, dsn_file: dsn, query: SELECT mac FROM devices}\n"
	dir := deviceFiles(t, withDevices(source, map[string]string{"fleet.csv": fleetCSV, "dsn": "postgres://dcs:x@" + hung.Addr().String() + "/dcs"}))
	for _, name := range []string{"flat", "addr"} {
		write(t, filepath.Join(dir, "library", name+".dcs"), "Main { default down 5; NetworkAccess 1; MaxCPE $down; "+flows+" }\n")
	}
	unit, err := os.ReadFile("packaging/systemd/dcs.service")
	if err != nil {
		t.Fatal(err)
	}
	_, line, ok := strings.Cut(string(unit), "\nExecStartPre=-/usr/bin/dcs ")
	line, _, _ = strings.Cut(line, "\n")
	if !ok {
		t.Fatal("the unit checks nothing")
	}
	args := strings.Fields(strings.Replace(line, "/etc/dcs/dcs.yaml", filepath.Join(dir, "dcs.yaml"), 1))
	check := func(want result) {
		t.Helper()
		got := dcs("", args...)
		if got.status != want.status || withoutMemory(got.stdout) != want.stdout || !strings.Contains(got.stderr, want.stderr) {
			t.Errorf("%+v; want %+v", got, want)
		}
	}
	check(result{done, "ok: the library was not checked\n", "has no attributes yet of: all sources\n"})
	// The snapshot of a server whose sources are both well.
	cfg := config.Default()
	if err := cfg.Load(filepath.Join(dir, "dcs.yaml")); err != nil {
		t.Fatal(err)
	}
	sources, err := assemble.OpenSources(cfg.Devices.Sources, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	save := func(sources ...attr.Source) {
		t.Helper()
		store, err := store.Open(store.Config{Dir: assemble.DevicesDir(&cfg.Devices), Sources: sources, Now: time.Now})
		if err != nil {
			t.Fatal(err)
		}
		eventually(t, "the sources are loaded", store.AllLoaded)
		if err := store.Close(); err != nil {
			t.Fatal(err)
		}
	}
	save(sources[0])
	check(result{done, "ok: the library was not checked\n", "has no attributes yet of: " + sources[1].Name() + "\n"})
	save(sources[0], renamed{csvfile.New(csvfile.Config{Path: filepath.Join(dir, "fleet.csv")}), sources[1].Name()})
	check(result{done, "ok: 4 templates, 0 static files\n", "are those of the snapshot in " + filepath.Join(dir, "state") + "\n"})
	write(t, filepath.Join(dir, "library/bad.dcs"), "Main { MaxCPE $dwn; }")
	check(result{failed, "", "bad.dcs:1:15: "})

	_ = hung.(*net.TCPListener).SetDeadline(time.Now().Add(100 * time.Millisecond))
	if c, err := hung.Accept(); err == nil {
		c.Close()
		t.Error("the check has connected to the database")
	}
	if got := dcs("", "check", "--config", filepath.Join(dir, "dcs.yaml"), "--offline", "--devices"); got.status != misuse {
		t.Errorf("--offline --devices: %+v", got)
	}
}

// renamed is a source under another's name.
type renamed struct {
	attr.Source
	name string
}

func (r renamed) Name() string { return r.name }

// A check opens all sources at once: one that is slow costs its own time alone.
func TestCheckOpensAtOnce(t *testing.T) {
	// Each says hello when the other runs, too.
	const script = `#!/bin/sh
: >"$1"
while ! [ -e "$2" ]; do sleep 0.05; done
echo '{"hello":1,"attributes":["profile","down"],"list":true,"ask":false}'
cat >/dev/null
`
	dir := deviceFiles(t, withDevices("", map[string]string{"plugin.sh": script, "plain/a.dcs": "Main { NetworkAccess 1; " + flows + " }"}))
	at := func(name string) string { return filepath.Join(dir, name) }
	source := func(own, other string) string {
		return fmt.Sprintf("  - plugin: {name: %s, argv: [/bin/sh, %q, %q, %q], start_timeout: 20s}\n", own, at("plugin.sh"), at(own), at(other))
	}
	write(t, at("dcs.yaml"), listening(t, "library: plain\ndevices_dir: state\ndevices:\n"+source("one", "two")+source("two", "one")))
	if got := dcs("", "check", "--config", at("dcs.yaml")); got.status != done {
		t.Errorf("%+v", got)
	}
}
