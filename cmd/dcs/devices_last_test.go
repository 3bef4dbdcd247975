package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"dcs/bench/require"
	"dcs/render/attr/servers"
)

// A change that PostgreSQL has told of is served after the server's end, by whatever signal, with the database down.
func TestServeChangesLast(t *testing.T) {
	for _, signal := range []syscall.Signal{syscall.SIGKILL, syscall.SIGTERM} {
		t.Run(signal.String(), func(t *testing.T) {
			t.Parallel()
			db := servers.Postgres(t)
			db.Run(t, `CREATE TABLE devices (mac text PRIMARY KEY, profile text, down int);
				INSERT INTO devices SELECT '0200000000' || lpad(to_hex(n), 2, '0'), 'gold', 50 FROM generate_series(1, 20) n;
				CREATE FUNCTION tell() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_notify('devices', COALESCE(NEW.mac, OLD.mac)); RETURN NULL; END $$;
				CREATE TRIGGER told AFTER INSERT OR UPDATE OR DELETE ON devices FOR EACH ROW EXECUTE FUNCTION tell();`)
			dir := deviceFiles(t, withDevices(`devices:
  - sql:
      driver: postgres
      dsn_file: dsn
      query: SELECT mac, profile, down FROM devices
      ask_query: SELECT mac, profile, down FROM devices WHERE mac = replace($1::text, ':', '')
      ask_params: [mac]
      channel: devices
`, map[string]string{"dsn": db.DSN}))
			config := filepath.Join(dir, "dcs.yaml")
			p := serve(t, "--config", config)
			gold, bronze := made(t, goldFile), made(t, bronzeFile)
			gets := func(mac int, want []byte) bool {
				got, err := modem{}.get(p.port, fmt.Sprintf("modem.cm@0200000000%02x", mac))
				return err == nil && bytes.Equal(got, want)
			}
			eventually(t, "the fleet is loaded", func() bool { return gets(7, gold) })
			db.Run(t, "UPDATE devices SET profile = 'bronze' WHERE mac = '020000000007'; INSERT INTO devices VALUES ('0200000000f0', 'bronze', 1)")
			eventually(t, "the changes are served", func() bool { return gets(7, bronze) && gets(0xf0, bronze) })
			db.Kill(t)
			if err := p.stop(signal); (err == nil) != (signal == syscall.SIGTERM) {
				t.Error(err)
			}
			p = serve(t, "--config", config)
			for _, mac := range []int{7, 0xf0} {
				if got, err := (modem{}).get(p.port, fmt.Sprintf("modem.cm@0200000000%02x", mac)); err != nil || !bytes.Equal(got, bronze) {
					t.Errorf("%x: %d octets, %v", mac, len(got), err)
				}
			}
			if !gets(8, gold) {
				t.Error("the others are not served")
			}
			if err := p.stop(syscall.SIGKILL); err == nil {
				t.Error("it was not killed")
			}
			got := dcs("", "explain", "modem.cm@020000000007", "--config", config)
			if got.status != done || !strings.Contains(got.stdout, `attribute $profile = "bronze"`) {
				t.Errorf("explain: %+v", got)
			}
		})
	}
}

// A snapshot that is cut while modems ask: each gets its own file or no answer, and the server lives. The source
// brings all back.
func TestServeSnapshotCut(t *testing.T) {
	t.Parallel()
	require.Long(t, "4,000 devices")
	var csv strings.Builder
	csv.WriteString("mac,profile,down\n")
	const n = 4000
	for i := range n {
		fmt.Fprintf(&csv, "0200%08x,gold,%d\n", i, 1+i)
	}
	dir := deviceFiles(t, withDevices("devices: [{csv: fleet.csv}]\n", map[string]string{
		"fleet.csv":      csv.String(),
		"library/my.dcs": "Main { default down 4294967; MaxClassifiers 1; UsServiceFlow { UsServiceFlowRef 1; QosParamSetType 7; MaxRateSustained $down; } }\n",
	}))
	p := serve(t, "--config", filepath.Join(dir, "dcs.yaml"))
	p.await("devices loaded")
	get := func(i int) (file []byte, err error) {
		return modem{}.get(p.port, fmt.Sprintf("my.cm@0200%08x", i))
	}
	check := func(i int) bool {
		want := made(t, fmt.Sprintf("Main { MaxClassifiers 1; UsServiceFlow { UsServiceFlowRef 1; QosParamSetType 7; MaxRateSustained %d; } }", 1+i))
		got, err := get(i)
		if err == nil && !bytes.Equal(got, want) || err != nil && !errors.Is(err, errSilent) {
			t.Errorf("device %d: %d octets, %v", i, len(got), err)
		}
		return err == nil
	}
	eventually(t, "the fleet is served", func() bool { return check(n - 1) })
	paths, err := filepath.Glob(filepath.Join(dir, "state", "*.devices"))
	if err != nil || len(paths) != 1 {
		t.Fatal(paths, err)
	}
	stop := make(chan struct{})
	var asking sync.WaitGroup
	for w := range 4 {
		asking.Go(func() {
			for i := w; ; i = (i + 37) % n {
				select {
				case <-stop:
					return
				default:
					check(i)
				}
			}
		})
	}
	if err := errors.Join(os.Chmod(paths[0], 0o600), os.Truncate(paths[0], 40_000)); err != nil {
		t.Fatal(err)
	}
	p.await("devices damaged")
	eventually(t, "the source was loaded again", func() bool { return check(1) && check(n/2) && check(n-1) })
	close(stop)
	asking.Wait()
	if err := p.stop(syscall.SIGTERM); err != nil {
		t.Error(err)
	}
}
