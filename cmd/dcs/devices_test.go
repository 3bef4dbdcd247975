package main

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"dcs/bench/require"
	"dcs/cmd/internal/assemble"
	"dcs/cmd/internal/config"
	"dcs/render/attr"
	"dcs/render/attr/csvfile"
	"dcs/render/attr/servers"
	"dcs/render/attr/store"
)

// A modem asks as itself, or a proxy for it.
type modem struct {
	from    string   // its address; "": 127.0.0.1
	options []string // names and values in turn
}

var errSilent = errors.New("no answer")

// get fetches a file of any size, asking once.
func (m modem) get(port, name string) ([]byte, error) {
	from := m.from
	if from == "" {
		from = "127.0.0.1"
	}
	local := &net.UDPAddr{IP: net.ParseIP(from)}
	c, err := net.ListenUDP("udp", local)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	server, err := net.ResolveUDPAddr("udp", "127.0.0.1:"+port)
	if err != nil {
		return nil, err
	}
	rrq := append([]byte{0, 1}, name+"\x00octet\x00"...)
	for _, o := range m.options {
		rrq = append(rrq, o+"\x00"...)
	}
	if _, err := c.WriteTo(rrq, server); err != nil {
		return nil, err
	}
	var file []byte
	next := uint16(1)
	buf := make([]byte, 2048)
	for {
		if err := c.SetReadDeadline(time.Now().Add(2 * time.Second)); err != nil {
			return nil, err
		}
		n, peer, err := c.ReadFromUDP(buf)
		if err != nil {
			return nil, errSilent
		}
		block := uint16(buf[2])<<8 | uint16(buf[3])
		switch buf[1] {
		case 5:
			return nil, fmt.Errorf("ERROR %d", block)
		case 6:
			block = 0
		case 3:
			if block == next {
				file = append(file, buf[4:n]...)
				next++
			}
		}
		if _, err := c.WriteTo([]byte{0, 4, byte(block >> 8), byte(block)}, peer); err != nil {
			return nil, err
		}
		if buf[1] == 3 && n < 4+512 {
			return file, nil
		}
	}
}

// deviceFiles writes files into a directory of their own and returns it.
func deviceFiles(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// deviceLibrary has templates that a device's attributes choose and fill in.
var deviceLibrary = map[string]string{
	"library/profiles.dcs": `
Block gold { MaxCPE 16; UsServiceFlow { UsServiceFlowRef 1; QosParamSetType 7; MaxRateSustained $down * 1000; } }
Block bronze { MaxCPE 1; }
`,
	"library/modem.dcs": "Main { NetworkAccess 1; include $profile; }\n",
	"library/flat.dcs":  "Main { default down 5; MaxCPE $down; }\n",
	"library/named.dcs": "Main ~ \"^cm-(?P<mac>[0-9a-f]{12})\\.cfg$\" { include $profile; TftpModemAddress $ip; }\n",
	"library/addr.dcs":  "Main { default profile none; SwUpgradeFilename \"$profile\"; TftpModemAddress $ip; }\n",
}

func withDevices(config string, more map[string]string) map[string]string {
	files := map[string]string{"dcs.yaml": "library: library\ndevices_dir: state\n" + config}
	for name, text := range deviceLibrary {
		files[name] = text
	}
	for name, text := range more {
		files[name] = text
	}
	return files
}

// made returns what compile makes of a source.
func made(t *testing.T, source string) []byte {
	t.Helper()
	got := dcs(source, "compile", "-", "--ip", "127.0.0.1")
	if got.status != done {
		t.Fatal(got.stderr)
	}
	return []byte(got.stdout)
}

const (
	goldFile   = "Main { NetworkAccess 1; MaxCPE 16; UsServiceFlow { UsServiceFlowRef 1; QosParamSetType 7; MaxRateSustained 50000; } }"
	bronzeFile = "Main { NetworkAccess 1; MaxCPE 1; }"
)

const fleetCSV = `mac,ip,profile,down
02:00:00:00:00:01,,gold,50
02:00:00:00:00:02,127.0.0.2,bronze,
,127.0.0.3,gold,50
02:00:00:00:00:04,,gold,5000000
02:00:00:00:00:05,,platinum,1
02:00:00:00:00:06,,,1
`

// A modem is known by the MAC address in its name, by what a proxy tells, and by its address, in this order.
func TestServeDevices(t *testing.T) {
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
		{[]string{"check", "--config", config, "--devices"}, done, []string{": 6 devices, 1 left out, 0 duplicates\n", "more: 2 devices, 0 left out", "ok: "}, []string{"line 8: "}},
		{[]string{"explain", "modem.cm", "--config", config, "--mac", "020000000001"}, done, []string{
			"device    02:00:00:00:00:01, known to csv " + at("fleet.csv") + ", more, in the sources",
			"attribute $profile = \"gold\", from csv ", "attribute $down = \"50\", from csv ", "attribute $site = \"north\", from more\n", "MaxCPE 16",
		}, nil},
		{[]string{"explain", "modem.cm", "--config", config, "--ip", "127.0.0.2"}, done, []string{"attribute $down = \"8\", from more\n", "MaxCPE 1;"}, nil},
		{[]string{"explain", "modem.cm@020000000002", "--config", config, "--set", "profile=gold"}, done, []string{"attribute $profile = \"gold\", from --set\n", "MaxRateSustained 8000;"}, nil},
		{[]string{"explain", "modem.cm@020000000077", "--config", config}, failed, []string{"device    not in the sources"}, []string{"$profile"}},
		{[]string{"devices", "build", "--csv", at("fleet.csv"), "-o", at("fleet.db")}, done, []string{"fleet.db: 6 devices, ", " 1 left out, 0 duplicates"}, []string{"left out: ", "line 8: "}},
		{[]string{"devices", "build", "--config", config, "--source", "more", "-o", at("more.db")}, done, []string{": 2 devices"}, nil},
		{[]string{"devices", "build", "--config", config, "-o", at("x.db")}, misuse, nil, []string{"--source, one of: csv ", "; more"}},
		{[]string{"devices", "build", "--csv", at("none.csv"), "-o", at("x.db")}, failed, nil, []string{"no such file"}},
		{[]string{"devices", "get", at("fleet.db"), "02-00-00-00-00-02"}, done, []string{"02:00:00:00:00:02 127.0.0.2\n", "profile = \"bronze\"\n"}, nil},
		{[]string{"devices", "get", at("fleet.db"), "127.0.0.3"}, done, []string{"127.0.0.3\n", "down = \"50\"\n"}, nil},
		{[]string{"devices", "get", at("fleet.db"), "127.0.0.4"}, failed, nil, []string{"has no device 127.0.0.4"}},
		{[]string{"devices", "get", at("fleet.db"), "' OR 1=1"}, misuse, nil, []string{"neither a MAC nor an IP address"}},
		{[]string{"devices", "stat", at("fleet.db")}, done, []string{"devices     6\n", "by MAC      5\n", "by IP       2\n", "profile, down\n", "sums        right\n"}, nil},
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
		if got.status != misuse || !strings.Contains(got.stderr, "the file of devices would replace it; name another") {
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

// A database tells of a change, goes away, and is as dead as can be: modems get their files all along, and at once after a
// start. Names that look like SQL find nothing.
func TestServePostgres(t *testing.T) {
	t.Parallel()
	db := servers.Postgres(t)
	db.Run(t, `CREATE TABLE devices (mac text PRIMARY KEY, ip inet, profile text, down int);
		INSERT INTO devices SELECT '0200000000' || lpad(to_hex(n), 2, '0'), NULL, 'bronze', NULL FROM generate_series(1, 100) n;
		CREATE FUNCTION tell() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_notify('devices', NEW.mac); RETURN NEW; END $$;
		CREATE TRIGGER told AFTER INSERT OR UPDATE ON devices FOR EACH ROW EXECUTE FUNCTION tell();`)
	dir := deviceFiles(t, withDevices(`devices:
  - sql:
      driver: postgres
      dsn_file: dsn
      query: SELECT mac, ip, profile, down FROM devices
      ask_query: SELECT mac, ip, profile, down FROM devices WHERE mac = replace($1::text, ':', '')
      ask_params: [mac]
      channel: devices
prebuild: on
`, map[string]string{"dsn": db.DSN}))
	p := serve(t, "--config", filepath.Join(dir, "dcs.yaml"), "--admin", "unix:"+filepath.Join(dir, "admin.sock"))
	gold, bronze := made(t, goldFile), made(t, bronzeFile)
	gets := func(mac int, want []byte) bool {
		got, err := modem{}.get(p.port, fmt.Sprintf("modem.cm@0200000000%02x", mac))
		return err == nil && bytes.Equal(got, want)
	}
	eventually(t, "the fleet is loaded", func() bool { return gets(7, bronze) })
	p.await("msg=prebuilt devices=100")
	db.Run(t, "UPDATE devices SET profile = 'gold', down = 50 WHERE mac = '020000000007'")
	changed := time.Now()
	eventually(t, "the change is served", func() bool { return gets(7, gold) })
	took := time.Since(changed)
	t.Logf("the change was served after %v", took)
	if took > 20*time.Second { // a second on a machine of one's own; this one may be busy. Nothing else but NOTIFY would tell of it
		t.Errorf("the change was served after %v", took)
	}
	// A modem that was added is found by asking, on its own retry at the latest.
	db.Run(t, "ALTER TABLE devices DISABLE TRIGGER told; INSERT INTO devices VALUES ('0200000000f0', NULL, 'bronze', NULL)")
	eventually(t, "the new modem is served", func() bool { return gets(0xf0, bronze) })
	for _, name := range []string{"modem.cm@'; DROP TABLE devices; --", "cm-' OR '1'='1.cfg", "modem.cm@0200000000f0' OR 1=1"} {
		if _, err := (modem{}).get(p.port, name); err == nil || err.Error() != "ERROR 1" {
			t.Errorf("%s: %v", name, err)
		}
	}
	// The database goes while modems ask all the time: none of them notices.
	expect := filepath.Join(dir, "bronze.cm")
	if err := os.WriteFile(expect, bronze, 0o600); err != nil {
		t.Fatal(err)
	}
	var told bytes.Buffer
	storm := exec.Command(binary(t), "storm", fmt.Sprintf("127.0.0.1:%v", p.port), "--name", "modem.cm@02000000000{1-6}",
		"--rate", "500", "--duration", "4s", "--expect", expect, "--max-failed", "0")
	storm.Stdout, storm.Stderr = &told, &told
	if err := storm.Start(); err != nil {
		t.Fatal(err)
	}
	stormy(t, filepath.Join(dir, "admin.sock"))
	db.Kill(t)
	p.await("devices failed")
	if err := storm.Wait(); err != nil {
		t.Errorf("%v\n%s", err, &told)
	}
	t.Logf("while the database went:\n%s", &told)
	if _, err := (modem{}).get(p.port, "modem.cm@0200000000ee"); !errors.Is(err, errSilent) {
		t.Errorf("a device that only the database could know got %v instead of silence", err)
	}
	if err := p.stop(syscall.SIGKILL); err == nil {
		t.Error("it was not killed")
	}
	p = serve(t, "--config", filepath.Join(dir, "dcs.yaml"))
	eventually(t, "a start without the database serves", func() bool { return gets(8, bronze) })
	if strings.Contains(p.log.String(), servers.Password) {
		t.Error("the password is in the log")
	}
}

// Whatever a plug-in does, what it told last goes on serving.
func TestServePlugin(t *testing.T) {
	const script = `#!/bin/sh
echo '{"hello":1,"attributes":["profile","down"],"list":true,"ask":false}'
while read -r line; do
	case $line in *list*)
		if [ -e "$1" ]; then echo garbage; echo '{"mac":'; exit 3; fi
		echo '{"mac":"02:00:00:00:00:01","attrs":{"profile":"gold","down":50}}'
		echo '{"mac":"02:00:00:00:00:02","attrs":{"profile":"bronze"}}'
		echo '{"end":true,"count":2}';;
	esac
done
`
	dir := deviceFiles(t, withDevices("devices: [{plugin: {argv: [/bin/sh, PROGRAM, BROKEN]}}]\n", map[string]string{"plugin.sh": script}))
	config := filepath.Join(dir, "dcs.yaml")
	text, err := os.ReadFile(config)
	if err != nil {
		t.Fatal(err)
	}
	broken := filepath.Join(dir, "broken")
	text = []byte(strings.NewReplacer("PROGRAM", filepath.Join(dir, "plugin.sh"), "BROKEN", broken).Replace(string(text)))
	if err := writeFile(config, text); err != nil {
		t.Fatal(err)
	}
	p := serve(t, "--config", config)
	gold := made(t, goldFile)
	right := func() bool {
		got, err := modem{}.get(p.port, "modem.cm@020000000001")
		return err == nil && bytes.Equal(got, gold)
	}
	eventually(t, "the plug-in's devices are served", right)
	if err := os.WriteFile(broken, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	p.reload() // asks for the list again
	p.await("devices failed")
	if !right() {
		t.Error("what the plug-in told last is not served")
	}
}

// What may need attributes that a source has not told yet gets no answer. Once they are told it does, and what needs
// others is an error.
func TestServeUntoldAttributes(t *testing.T) {
	t.Parallel()
	require.Long(t, "a modem's time-outs")
	dir := deviceFiles(t, withDevices("devices: [{csv: fleet.csv}]\n", map[string]string{
		"library/plain.dcs": "Main { MaxCPE 3; }",
		"library/typo.dcs":  "Main ~ \"^typo-(?P<n>[0-9]+)$\" { MaxCPE $dwon; }",
	}))
	p := serve(t, "--config", filepath.Join(dir, "dcs.yaml"))
	errNone := errors.New("ERROR 1")
	gets := func(name string, want []byte, wantErr error) {
		t.Helper()
		got, err := modem{}.get(p.port, name)
		if !bytes.Equal(got, want) || fmt.Sprint(err) != fmt.Sprint(wantErr) {
			t.Errorf("%s: %d octets, %v; want %d, %v", name, len(got), err, len(want), wantErr)
		}
	}
	plain := made(t, "Main { MaxCPE 3; }")
	gets("plain.cm", plain, nil)
	gets("nobody.cm", nil, errNone)
	for _, name := range []string{"modem.cm@020000000001", "flat.cm@020000000001", "cm-020000000001.cfg", "typo-1"} {
		gets(name, nil, errSilent)
	}
	p.await("templates are waiting for device attributes")

	if err := writeFile(filepath.Join(dir, "fleet.csv"), []byte(fleetCSV)); err != nil {
		t.Fatal(err)
	}
	p.await("$dwon: undefined variable")
	p.await("serving the library without the templates that failed to load")
	gold := made(t, goldFile)
	eventually(t, "the devices are served", func() bool {
		got, err := modem{}.get(p.port, "modem.cm@020000000001")
		return err == nil && bytes.Equal(got, gold)
	})
	gets("flat.cm@020000000001", made(t, "Main { MaxCPE 50; }"), nil)
	gets("plain.cm", plain, nil)
	gets("typo-1", nil, errors.New("ERROR 0"))
}

// A file of the snapshot that was altered does not serve wrong values.
func TestServeAlteredFile(t *testing.T) {
	dir := deviceFiles(t, withDevices("devices: [{csv: fleet.csv}]\n", map[string]string{"fleet.csv": fleetCSV}))
	config := filepath.Join(dir, "dcs.yaml")
	p := serve(t, "--config", config)
	p.await("devices loaded")
	if err := p.stop(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(dir, "state", "*.devices"))
	if err != nil || len(files) != 1 {
		t.Fatal(files, err)
	}
	data, err := os.ReadFile(files[0])
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(files[0]); err != nil {
		t.Fatal(err)
	}
	for i := 64; i < len(data); i += 512 {
		data[i] ^= 0x40
	}
	if err := os.WriteFile(files[0], data, 0o600); err != nil {
		t.Fatal(err)
	}
	p = serve(t, "--config", config)
	p.await("devices damaged")
	p.await("devices loaded") // from its source again
	gold := made(t, goldFile)
	eventually(t, "the file is right again", func() bool {
		got, err := modem{}.get(p.port, "modem.cm@020000000001")
		return err == nil && bytes.Equal(got, gold)
	})
}

// A disk without room costs nothing but the change: what was known goes on serving, and the log says why.
func TestServeDiskFull(t *testing.T) {
	require.Root(t) // for a file system of its own
	dir := deviceFiles(t, withDevices("devices: [{csv: fleet.csv}]\n", map[string]string{"fleet.csv": fleetCSV, "state/none": ""}))
	port, admin := freePort(t), "unix:"+filepath.Join(dir, "admin.sock")
	cmd := exec.Command("unshare", "-m", "sh", "-c", `mount -t tmpfs -o size=128k none "$1/state" && exec "$2" serve --config "$1/dcs.yaml" --listen "127.0.0.1:$3" --admin "$4"`,
		"sh", dir, binary(t), port, admin)
	p := start(t, cmd)
	p.port = port
	p.await("msg=serving")
	p.await("devices loaded")
	var big strings.Builder
	big.WriteString(fleetCSV)
	for i := range 20000 {
		fmt.Fprintf(&big, "0200000%05x,,gold,%d\n", 0x1000+i, i)
	}
	if err := writeFile(filepath.Join(dir, "fleet.csv"), []byte(big.String())); err != nil {
		t.Fatal(err)
	}
	p.await("no space left on device")
	eventually(t, "what does not fit is served all the same", func() bool {
		_, err := modem{}.get(port, "modem.cm@020000005e1f") // the last one
		return err == nil
	})
	if got, err := (modem{}).get(port, "modem.cm@020000000001"); err != nil || !bytes.Equal(got, made(t, goldFile)) {
		t.Errorf("on a full disk: %d octets, %v", len(got), err)
	}
	if err := writeFile(filepath.Join(dir, "fleet.csv"), []byte(strings.Replace(fleetCSV, "gold,50\n", "bronze,\n", 1))); err != nil {
		t.Fatal(err)
	}
	p.await("20000 of 20006 devices would be lost")
	if got := dcs("", "devices", "reload", "--force", "--admin", admin); got.status != done {
		t.Fatalf("%+v", got)
	}
	eventually(t, "a file that fits is served", func() bool {
		got, err := modem{}.get(port, "modem.cm@020000000001")
		return err == nil && bytes.Equal(got, made(t, bronzeFile))
	})
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
	check(result{done, "ok: the library was not checked\n", "these have: " + sources[1].Name() + "\n"})
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
	dir := deviceFiles(t, withDevices("", map[string]string{"plugin.sh": script}))
	at := func(name string) string { return filepath.Join(dir, name) }
	source := func(own, other string) string {
		return fmt.Sprintf("  - plugin: {name: %s, argv: [/bin/sh, %q, %q, %q], start_timeout: 20s}\n", own, at("plugin.sh"), at(own), at(other))
	}
	write(t, at("dcs.yaml"), "library: library\ndevices_dir: state\ndevices:\n"+source("one", "two")+source("two", "one"))
	if got := dcs("", "check", "--config", at("dcs.yaml")); got.status != done {
		t.Errorf("%+v", got)
	}
}

// A source that has lost many devices is held back, says how to accept that, and is accepted so.
func TestServeShrunk(t *testing.T) {
	fleet := func(n int) string {
		var b strings.Builder
		b.WriteString("mac,profile\n")
		for i := range n {
			fmt.Fprintf(&b, "0200000000%02x,bronze\n", i)
		}
		return b.String()
	}
	dir := deviceFiles(t, withDevices("devices:\n  - csv: fleet.csv\n  - csv: {path: more.csv, name: more}\nadmin: unix:admin.sock\n", map[string]string{
		"fleet.csv": fleet(200), "more.csv": "mac,site\n0200000000c0,north\n",
	}))
	config, csv := filepath.Join(dir, "dcs.yaml"), filepath.Join(dir, "fleet.csv")
	p := serve(t, "--config", config)
	has := func(mac int) bool {
		_, err := modem{}.get(p.port, fmt.Sprintf("modem.cm@0200000000%02x", mac))
		return err == nil
	}
	eventually(t, "the fleet is loaded", func() bool { return has(150) })
	if err := writeFile(csv, []byte(fleet(100))); err != nil {
		t.Fatal(err)
	}
	p.await("held back: 100 of 200 devices would be lost; accept with: dcs devices reload --force 'csv " + csv + "'")
	reload := func(args ...string) result {
		return dcs("", append([]string{"devices", "reload", "--config", config}, args...)...)
	}
	if got := reload(); got.status != done || strings.Count(got.stdout, "to be loaded anew") != 2 {
		t.Errorf("%+v", got)
	}
	if got := reload("none"); got.status != failed || !strings.Contains(got.stderr, "is called none; there are: csv "+csv+", more") {
		t.Errorf("%+v", got)
	}
	if got := dcs("", "devices", "reload", "--admin", "127.0.0.1:1"); got.status != failed || !strings.Contains(got.stderr, "refused") {
		t.Errorf("%+v", got)
	}
	if page := getAt(t, filepath.Join(dir, "admin.sock"), "/devices"); !strings.Contains(page, `value="csv `+csv+`"`) || strings.Contains(page, `value="more"`) {
		t.Errorf("the page has not the one form that accepts the loss:\n%s", page)
	}
	if !has(150) {
		t.Error("the loss was accepted without being asked for")
	}
	if got := reload("--force", "csv "+csv); got.status != done || got.stdout != "csv "+csv+": to be loaded anew; it has 200 devices\n" {
		t.Errorf("%+v", got)
	}
	eventually(t, "the loss is accepted", func() bool { return has(50) && !has(150) })
}
