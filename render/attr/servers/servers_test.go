package servers_test

import (
	"net"
	"testing"
	"time"

	"dcs/render/attr/servers"
)

// Each server answers, survives a stop and a crash with its data, and is gone afterwards.
func TestServers(t *testing.T) {
	for _, tc := range []struct {
		name       string
		start      func(testing.TB) *servers.Server
		make, read string
	}{
		{"postgres", servers.Postgres, "CREATE TABLE t (a int); INSERT INTO t VALUES (1);", "INSERT INTO t SELECT a FROM t;"},
		{"mariadb", servers.MariaDB, "CREATE TABLE t (a int); INSERT INTO t VALUES (1);", "INSERT INTO t SELECT a FROM t;"},
		{
			"slapd", servers.Slapd, "dn: ou=t," + servers.Suffix + "\nobjectClass: organizationalUnit\nou: t\n",
			"dn: ou=t," + servers.Suffix + "\nchangetype: modify\nreplace: description\ndescription: there\n",
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var addr string
			t.Run("life", func(t *testing.T) {
				begin := time.Now()
				s := tc.start(t)
				t.Logf("started in %v", time.Since(begin).Round(time.Millisecond))
				addr = s.Addr
				s.Run(t, tc.make)
				s.Stop(t)
				s.Start(t)
				s.Run(t, tc.read)
				s.Kill(t)
				s.Start(t)
			})
			if addr == "" {
				t.SkipNow()
			}
			if c, err := net.Dial("tcp", addr); err == nil {
				c.Close()
				t.Errorf("something still listens on %s", addr)
			}
		})
	}
}
