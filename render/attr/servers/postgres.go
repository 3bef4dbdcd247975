package servers

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"dcs/bench/require"
)

// Postgres starts a PostgreSQL server. Package: postgresql.
func Postgres(t testing.TB) *Server {
	t.Helper()
	require.Long(t, "a PostgreSQL server")
	const bin = "/usr/lib/postgresql/*/bin"
	postgres, ok1 := find("postgres", bin)
	initdb, ok2 := find("initdb", bin)
	psql, ok3 := find("psql", bin)
	if !ok1 || !ok2 || !ok3 {
		skip(t, "no postgres, initdb or psql here: install Debian's package postgresql")
	}
	dir := directory(t, "postgres")
	data, port := filepath.Join(dir, "data"), freePort(t)
	setUp(t, dir, initdb, "-D", data, "-U", User, "--pwfile", write(t, dir, "password", Password+"\n"), "--auth=scram-sha-256",
		"--no-sync", "--no-instructions", "-E", "UTF8", "--locale=C")
	s := &Server{
		name: "postgres", dir: dir, Addr: net.JoinHostPort("127.0.0.1", port),
		DSN: "host=127.0.0.1 port=" + port + " user=" + User + " password='" + Password + "' dbname=postgres sslmode=disable",
		argv: []string{
			postgres, "-D", data, "-p", port, "-h", "127.0.0.1", "-c", "unix_socket_directories=", "-c", "fsync=off",
			"-c", "full_page_writes=off", "-c", "shared_buffers=64MB",
		},
		orderly: syscall.SIGINT, abrupt: syscall.SIGQUIT, probe: "SELECT 1",
	}
	s.client = func(script string) *exec.Cmd {
		cmd := exec.Command(psql, "-X", "-q", "-v", "ON_ERROR_STOP=1", "-h", "127.0.0.1", "-p", port, "-U", User, "-d", "postgres")
		cmd.Env = append(os.Environ(), "PGPASSWORD="+Password)
		cmd.Stdin = strings.NewReader(script)
		return cmd
	}
	s.begin(t)
	return s
}
