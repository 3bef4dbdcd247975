package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"dcs/bench/require"
	"dcs/render/attr/servers"
)

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
	if n := p.count("msg=prebuilt"); n != 1 {
		t.Errorf("the start rendered the fleet %d times", n)
	}
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
	t.Parallel()
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
	t.Parallel()
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
	t.Parallel()
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

// A source that has lost many devices is held back, says how to accept that, and is accepted so.
func TestServeShrunk(t *testing.T) {
	t.Parallel()
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
	if got := reload(); got.status != done || strings.Count(got.stdout, "reload requested") != 2 {
		t.Errorf("%+v", got)
	}
	if got := reload("none"); got.status != failed || !strings.Contains(got.stderr, "no device source called none; there are: csv "+csv+", more") {
		t.Errorf("%+v", got)
	}
	if got := dcs("", "devices", "reload", "--admin", "127.0.0.1:1"); got.status != failed || !strings.Contains(got.stderr, "no server answers") || !strings.Contains(got.stderr, "refused; is it running?") {
		t.Errorf("%+v", got)
	}
	if page := getAt(t, filepath.Join(dir, "admin.sock"), "/devices"); !strings.Contains(page, `value="csv `+csv+`"`) || strings.Contains(page, `value="more"`) {
		t.Errorf("the page has not the one form that accepts the loss:\n%s", page)
	}
	if !has(150) {
		t.Error("the loss was accepted without being asked for")
	}
	if got := reload("--force", "csv "+csv); got.status != done || got.stdout != "csv "+csv+": reload requested; it has 200 devices\n" {
		t.Errorf("%+v", got)
	}
	eventually(t, "the loss is accepted", func() bool { return has(50) && !has(150) })
}
