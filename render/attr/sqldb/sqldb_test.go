package sqldb_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"dcs/render/attr"
	"dcs/render/attr/servers"
	"dcs/render/attr/sqldb"
	"dcs/render/attr/sqldb/mysql"
	"dcs/render/attr/sqldb/postgres"
	"dcs/render/attr/sqldb/sqlite"
	"dcs/render/device"
	"dcs/render/secret"
)

// kit is what the tests common to all databases need of one of them.
type kit struct {
	drv      sqldb.Driver
	dsn      string
	schema   string // the file in schema/
	server   *servers.Server
	exec     func(t *testing.T, script string)
	endless  string // a query that does not end for a minute
	millions string // a query of 2,000,000 devices
	types    string // a query of one device of every type
	want     map[string]string
}

func TestSQLite(t *testing.T) {
	path := filepath.Join(t.TempDir(), "devices?#%.sqlite")
	w, err := sql.Open("sqlite", "file:"+strings.NewReplacer("?", "%3f", "#", "%23", "%", "%25").Replace(path))
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	const series = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i < %d) SELECT "
	suite(t, &kit{
		drv: sqlite.Driver(), dsn: path, schema: "sqlite.sql",
		exec: func(t *testing.T, script string) {
			t.Helper()
			if _, err := w.Exec(script); err != nil {
				t.Fatal(err)
			}
		},
		endless:  fmt.Sprintf(series, 1<<60) + "max(i) AS mac, 'x' AS profile FROM n",
		millions: fmt.Sprintf(series, 2000000) + "i AS mac, 'gold' AS profile FROM n",
		types: `SELECT x'00005e005301' AS mac, '192.0.2.1' AS ip, 42 AS int, 1.5 AS real, 512.0 AS whole, 'täxt' AS text,
			x'00ff' AS blob, NULL AS absent, '' AS empty, true AS yes`,
		want: map[string]string{"int": "42", "real": "1.5", "whole": "512", "text": "täxt", "blob": "0x00ff", "absent": "", "empty": "", "yes": "1"},
	})
}

func TestPostgres(t *testing.T) {
	s := servers.Postgres(t)
	k := &kit{
		drv: postgres.Driver(), dsn: s.DSN, schema: "postgres.sql", server: s,
		exec:     func(t *testing.T, script string) { t.Helper(); s.Run(t, script) },
		endless:  "SELECT 1 AS mac, pg_sleep(60)::text AS profile",
		millions: "SELECT i AS mac, 'gold' AS profile FROM generate_series(1, 2000000) i",
		types: `SELECT '00:00:5e:00:53:01'::macaddr AS mac, '192.0.2.1/24'::inet AS ip, 42::int2 AS int2, -7::int8 AS int8, 12.50::numeric(6,2) AS "numeric",
			0.1::float4 AS float4, 1e15::float8 AS float8, 'täxt'::text AS text, 'x'::char(3) AS char, '\x00ff'::bytea AS bytea, NULL::int AS absent,
			''::text AS empty, true AS yes, false AS no, '2026-11-24'::date AS date, '2026-11-24 06:30:00.5+01'::timestamptz AS tz,
			'2026-11-24 06:30:00'::timestamp AS stamp, '{"a": 1}'::jsonb AS json, '{1,2}'::int[] AS "array", 'ab'::varchar AS vc,
			'08:00:2b:01:02:03'::macaddr AS mac2, '10.0.0.0/8'::cidr AS net, '2001:db8::1'::inet AS ip6, '6e6f5a34-0000-4000-8000-000000000001'::uuid AS uuid`,
		want: map[string]string{
			"int2": "42", "int8": "-7", "numeric": "12.50", "float4": "0.1", "float8": "1000000000000000", "text": "täxt", "char": "x  ",
			"bytea": "0x00ff", "absent": "", "empty": "", "yes": "1", "no": "0", "date": "2026-11-24", "tz": "2026-11-24T05:30:00.5Z",
			"stamp": "2026-11-24T06:30:00Z", "json": `{"a": 1}`, "array": "{1,2}", "vc": "ab", "mac2": "08:00:2b:01:02:03", "net": "10.0.0.0/8",
			"ip6": "2001:db8::1", "uuid": "6e6f5a34-0000-4000-8000-000000000001",
		},
	}
	suite(t, k)
	t.Run("notify", func(t *testing.T) { notify(t, k) })
	t.Run("guarded notify", func(t *testing.T) { guardedNotify(t, k) })
	t.Run("flood", func(t *testing.T) { flooded(t, k) })
	t.Run("memory", func(t *testing.T) { memory(t, k) })
}

func TestMariaDB(t *testing.T) {
	s := servers.MariaDB(t)
	suite(t, &kit{
		drv: mysql.Driver(), dsn: s.DSN, schema: "mariadb.sql", server: s,
		exec:     func(t *testing.T, script string) { t.Helper(); s.Run(t, script) },
		endless:  "SELECT 1 AS mac, SLEEP(60) AS profile",
		millions: "SELECT seq AS mac, 'gold' AS profile FROM seq_1_to_2000000",
		types: `SELECT UNHEX('00005e005301') AS mac, INET6_ATON('192.0.2.1') AS ip, 42 AS small, CAST(18446744073709551615 AS UNSIGNED) AS big, CAST(12.5 AS DECIMAL(6,2)) AS deci,
			CAST(0.1 AS DOUBLE) AS dbl, 'täxt' AS text, UNHEX('00ff') AS bin, NULL AS absent, '' AS empty, TRUE AS yes, DATE '2026-11-24' AS date,
			TIMESTAMP '2026-11-24 05:30:00.5' AS stamp, b'101' AS bits, CAST('2001:db8::1' AS INET6) AS ip6`,
		want: map[string]string{
			"small": "42", "big": "18446744073709551615", "deci": "12.50", "dbl": "0.1", "text": "täxt", "bin": "0x00ff", "absent": "", "empty": "",
			"yes": "1", "date": "2026-11-24", "stamp": "2026-11-24T05:30:00.5Z", "bits": "0x05", "ip6": "2001:db8::1",
		},
	})
}

// patience is the deadline of what usually takes less than a second.
const patience = 20 * time.Second

var ctx = context.Background()

func mac(last byte) device.MAC { return device.MAC{0, 0, 0x5e, 0, 0x53, last} }

// loaded returns a device as text.
func loaded(names []string, d *attr.Device) string {
	s := ""
	if !d.MAC.IsZero() {
		s = fmt.Sprintf("%x", d.MAC[:])
	}
	if d.IP.IsValid() {
		s += " " + d.IP.String()
	}
	for i, n := range names {
		if d.Values[i] != "" {
			s += " " + n + "=" + d.Values[i]
		}
	}
	return s
}

func load(t *testing.T, src attr.Source, names []string) []string {
	t.Helper()
	var all []string
	if err := src.Load(ctx, func(d *attr.Device) error { all = append(all, loaded(names, d)); return nil }); err != nil {
		t.Fatal(err)
	}
	slices.Sort(all)
	return all
}

func open(t *testing.T, k *kit, cfg sqldb.Config) (attr.Source, []string) {
	t.Helper()
	if cfg.DSN.IsZero() && cfg.DSNFile == "" {
		cfg.DSN = secret.New(k.dsn)
	}
	src, err := sqldb.New(cfg, k.drv)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := src.Close(); err != nil {
			t.Error(err)
		}
	})
	names, err := src.Open(ctx)
	if err != nil {
		t.Fatal(err)
	}
	return src, names
}

// documented reads the configuration out of a schema's comment.
func documented(t *testing.T, k *kit) (cfg sqldb.Config, script string) {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("schema", k.schema))
	if err != nil {
		t.Fatal(err)
	}
	key := func(name string) string {
		m := regexp.MustCompile(`(?m)^--  +` + name + `: (.*?)( +#.*)?$`).FindSubmatch(b)
		if m == nil {
			return ""
		}
		return string(m[1])
	}
	if key("driver") != k.drv.Name {
		t.Errorf("%s names the driver %q, not %q", k.schema, key("driver"), k.drv.Name)
	}
	return sqldb.Config{Query: key("query"), ChangedQuery: key("changed_query"), AskQuery: key("ask_query"), Channel: key("channel")}, string(b)
}

var attributes = []string{"profile", "down", "up", "max_cpe", "firmware"}

func suite(t *testing.T, k *kit) {
	cfg, script := documented(t, k)
	k.exec(t, script)
	t.Run("sample", func(t *testing.T) {
		src, names := open(t, k, cfg)
		if !slices.Equal(names, attributes) {
			t.Fatalf("names %q", names)
		}
		want := []string{
			"00005e005301 192.0.2.1 profile=gold down=1000000 up=50000 max_cpe=16",
			"00005e005302 192.0.2.2 profile=silver down=250000 up=25000 max_cpe=4 firmware=modem-2.1.bin",
			"00005e005303 profile=bronze down=50000 up=10000 max_cpe=1",
		}
		if got := load(t, src, names); !slices.Equal(got, want) {
			t.Errorf("got  %q\nwant %q", got, want)
		}
		d, found, err := src.(attr.Asker).Ask(ctx, mac(2), netip.Addr{})
		if err != nil || !found || loaded(names, &d) != want[1] {
			t.Errorf("ask: %v, %v, %q", err, found, loaded(names, &d))
		}
		if _, found, err := src.(attr.Asker).Ask(ctx, mac(99), netip.Addr{}); err != nil || found {
			t.Errorf("ask for an unknown device: %v, %v", err, found)
		}
		if _, found, err := src.(attr.Asker).Ask(ctx, device.MAC{}, netip.Addr{}); err != nil || found {
			t.Errorf("ask for nothing: %v, %v", err, found)
		}
	})
	t.Run("ask by ip", func(t *testing.T) {
		q := "SELECT * FROM dcs_devices WHERE ip = ?"
		if k.drv.Name == "postgres" {
			q = "SELECT * FROM dcs_devices WHERE ip = $1"
		}
		src, names := open(t, k, sqldb.Config{Query: cfg.Query, AskQuery: q, AskParams: []string{"ip"}})
		d, found, err := src.(attr.Asker).Ask(ctx, device.MAC{}, netip.MustParseAddr("::ffff:192.0.2.1"))
		if err != nil || !found || !strings.Contains(loaded(names, &d), "profile=gold") {
			t.Errorf("%v, %v, %q", err, found, loaded(names, &d))
		}
	})
	t.Run("changes", func(t *testing.T) { changes(t, k, cfg) })
	t.Run("whole", func(t *testing.T) { whole(t, k) })
	t.Run("guarded", func(t *testing.T) { guarded(t, k) })
	t.Run("types", func(t *testing.T) {
		src, names := open(t, k, sqldb.Config{Query: k.types})
		err := src.Load(ctx, func(d *attr.Device) error {
			if d.MAC != mac(1) || d.IP != netip.MustParseAddr("192.0.2.1") {
				t.Errorf("address %v, %v", d.MAC, d.IP)
			}
			got := map[string]string{}
			for i, n := range names {
				got[n] = d.Values[i]
			}
			if !reflect.DeepEqual(got, k.want) {
				for n := range got {
					if got[n] != k.want[n] {
						t.Errorf("%s: %q, want %q", n, got[n], k.want[n])
					}
				}
			}
			return nil
		})
		if err != nil {
			t.Error(err)
		}
	})
	t.Run("hostile values", func(t *testing.T) {
		const evil = `'; DROP TABLE devices; -- " \ $1 ?`
		k.exec(t, "CREATE TABLE loose (mac VARCHAR(200), ip VARCHAR(200), profile VARCHAR(200));\nINSERT INTO loose VALUES "+
			"('00:00:5e:00:53:01', NULL, '''; DROP TABLE devices; -- \" "+map[bool]string{true: `\\`, false: `\`}[k.drv.Name == "mysql"]+" $1 ?'),"+
			"(''' OR ''1''=''1', NULL, 'a'), (NULL, '10.0.0.1; DROP TABLE devices', 'b'), (NULL, NULL, 'c'), (NULL, '192.0.2.9', 'd'), ('', '', 'e');")
		src, names := open(t, k, sqldb.Config{Query: "SELECT mac, ip, profile FROM loose"})
		if got, want := load(t, src, names), []string{" 192.0.2.9 profile=d", "00005e005301 profile=" + evil}; !slices.Equal(got, want) {
			t.Errorf("got %q, want %q", got, want)
		}
		if r := src.(attr.Rejecter).Rejected(); r.Rows != 4 || len(r.First) != 4 || !strings.Contains(r.First[0], `"' OR '1'='1" is not a MAC address`) {
			t.Errorf("rejected %+v", r)
		}
		src, _ = open(t, k, sqldb.Config{Query: "SELECT mac, ip, profile FROM loose", MaxRejected: 3})
		if err := src.Load(ctx, func(*attr.Device) error { return nil }); !errors.Is(err, attr.ErrRejected) {
			t.Errorf("more bad rows than may be: %v", err)
		}
	})
	t.Run("no usable row", func(t *testing.T) {
		src, _ := open(t, k, sqldb.Config{Query: "SELECT mac, ip, profile FROM loose WHERE profile IN ('a', 'b')"})
		if err := src.Load(ctx, func(*attr.Device) error { return nil }); !errors.Is(err, attr.ErrRejected) {
			t.Errorf("%v", err)
		}
	})
	t.Run("wrong queries", func(t *testing.T) {
		for _, tc := range []struct{ query, changed, ask, want string }{
			{query: "SELECT 'x' AS profile", want: "no column mac or ip"},
			{query: "SELECT 1 AS mac, 2 AS " + quoted(k, "max cpe"), want: "is not a variable name"},
			{query: "SELECT 1 AS mac, 2 AS a, 3 AS a", want: "duplicate column a"},
			{query: "SELECT 1 AS mac FROM nowhere", want: "nowhere"},
			{query: "SELECT mac, profile FROM dcs_devices", changed: "SELECT mac, profile FROM dcs_changes", want: "no column changed"},
		} {
			src, err := sqldb.New(sqldb.Config{DSN: secret.New(k.dsn), Query: tc.query, ChangedQuery: tc.changed, AskQuery: tc.ask}, k.drv)
			if err != nil {
				t.Fatal(err)
			}
			if names, err := src.Open(ctx); err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("%s: %v, %v; want %q", tc.query, names, err, tc.want)
			}
			src.Close()
		}
		src, _ := open(t, k, sqldb.Config{Query: cfg.Query, AskQuery: strings.Replace(cfg.AskQuery, "*", "mac, profile", 1)})
		if _, _, err := src.(attr.Asker).Ask(ctx, mac(1), netip.Addr{}); err == nil || !strings.Contains(err.Error(), "no column") {
			t.Errorf("an ask_query with fewer columns: %v", err)
		}
	})
	t.Run("slow", func(t *testing.T) {
		for _, tc := range []struct {
			name  string
			limit time.Duration // of ctx
			quiet time.Duration
		}{{"ctx ends", 300 * time.Millisecond, 0}, {"silence", time.Minute, 300 * time.Millisecond}} {
			src, err := sqldb.New(sqldb.Config{DSN: secret.New(k.dsn), Query: k.endless, Timeout: tc.quiet}, k.drv)
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithTimeout(ctx, tc.limit)
			begin := time.Now()
			_, err = src.Open(ctx)
			if err == nil { // PostgreSQL tells the columns without running it
				err = src.Load(ctx, func(*attr.Device) error { return nil })
			}
			cancel()
			if !errors.Is(err, context.DeadlineExceeded) || time.Since(begin) > patience {
				t.Errorf("%s: %v after %v", tc.name, err, time.Since(begin))
			}
			src.Close()
		}
	})
	t.Run("stopped by yield", func(t *testing.T) {
		src, _ := open(t, k, sqldb.Config{Query: k.millions})
		stop, n := errors.New("stop"), 0
		err := src.Load(ctx, func(*attr.Device) error {
			if n++; n == 10 {
				return stop
			}
			return nil
		})
		if err != stop || n != 10 {
			t.Errorf("%v after %d devices", err, n)
		}
		n = 9
		if err := src.Load(ctx, func(*attr.Device) error { n++; return stop }); err != stop || n != 10 {
			t.Errorf("afterwards: %v, %d", err, n)
		}
	})
	if k.server == nil {
		return
	}
	t.Run("wrong password", func(t *testing.T) {
		const wrong = "w/rong#secret"
		file := filepath.Join(t.TempDir(), "dsn")
		for _, dsn := range []string{strings.Replace(k.dsn, servers.Password, wrong, 1), "postgres://u:" + wrong + "@[::1:/%", "u:" + wrong + "@tcp(x"} {
			if err := os.WriteFile(file, []byte(dsn+"\n"), 0o600); err != nil {
				t.Fatal(err)
			}
			src, err := sqldb.New(sqldb.Config{DSNFile: file, Query: cfg.Query}, k.drv)
			if err != nil {
				t.Fatal(err)
			}
			_, err = src.Open(ctx)
			if err == nil || strings.Contains(err.Error(), "secret") {
				t.Errorf("%v", err)
			}
			t.Log(err)
		}
		if err := os.WriteFile(file, []byte(k.dsn+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		open(t, k, sqldb.Config{DSNFile: file, Query: cfg.Query})
	})
	t.Run("killed in a load", func(t *testing.T) {
		src, _ := open(t, k, sqldb.Config{Query: k.millions})
		n := 0
		err := src.Load(ctx, func(*attr.Device) error {
			if n++; n == 1000 {
				k.server.Kill(t)
			}
			return nil
		})
		if err == nil || n >= 2000000 {
			t.Errorf("%v after %d devices", err, n)
		}
		if _, err := src.Open(ctx); err == nil {
			t.Error("opened without a server")
		}
		k.server.Start(t)
		if _, err := src.Open(ctx); err != nil {
			t.Error(err)
		}
		stop := errors.New("stop")
		if err := src.Load(ctx, func(*attr.Device) error { return stop }); err != stop {
			t.Errorf("afterwards: %v", err)
		}
	})
	t.Run("not answering", func(t *testing.T) {
		l, err := net.Listen("tcp", "127.0.0.1:0") // takes connections and says nothing
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		src, err := sqldb.New(sqldb.Config{DSN: secret.New(strings.Replace(k.dsn, portOf(k.server.Addr), portOf(l.Addr().String()), 1)), Query: cfg.Query, Timeout: 300 * time.Millisecond}, k.drv)
		if err != nil {
			t.Fatal(err)
		}
		begin := time.Now()
		if _, err := src.Open(ctx); err == nil || time.Since(begin) > patience {
			t.Errorf("%v after %v", err, time.Since(begin))
		}
	})
}

func quoted(k *kit, name string) string {
	if k.drv.Name == "mysql" {
		return "`" + name + "`"
	}
	return `"` + name + `"`
}

func portOf(addr string) string {
	_, port, _ := net.SplitHostPort(addr)
	return port
}

// memory loads a million devices and watches the heap while it does.
func memory(t *testing.T, k *kit) {
	const total = 1000000
	src, _ := open(t, k, sqldb.Config{Query: fmt.Sprintf(`SELECT ('x0000' || lpad(to_hex(i), 12, '0'))::text AS raw, substr(lpad(to_hex(i), 12, '0'), 1, 12) AS mac,
		'10.0.0.0'::inet + i AS ip, 'profile' || i %% 40 AS profile, i %% 1000 AS down, i %% 16 AS cpe, repeat('x', 100) AS note FROM generate_series(1, %d) i`, total)})
	heap := func() uint64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	before, most, n := heap(), uint64(0), 0
	begin := time.Now()
	err := src.Load(ctx, func(*attr.Device) error {
		if n++; n%100000 == 0 {
			most = max(most, heap())
		}
		return nil
	})
	if err != nil || n != total {
		t.Fatalf("%d devices, %v", n, err)
	}
	t.Logf("%d devices in %v, heap before %d KiB, at most %d KiB", n, time.Since(begin).Round(time.Millisecond), before>>10, most>>10)
	if most > before+4<<20 {
		t.Errorf("the heap grew from %d to %d octets", before, most)
	}
}
