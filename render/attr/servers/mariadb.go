package servers

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"dcs/bench/require"
)

// MariaDB starts a MariaDB server. Package: mariadb-server.
func MariaDB(t testing.TB) *Server {
	t.Helper()
	require.Long(t, "a MariaDB server")
	mariadbd, ok1 := find("mariadbd", "/usr/sbin")
	install, ok2 := find("mariadb-install-db")
	client, ok3 := find("mariadb")
	if !ok1 || !ok2 || !ok3 {
		skip(t, "no mariadbd, mariadb-install-db or mariadb here: install Debian's package mariadb-server")
	}
	dir := directory(t, "mariadb")
	data, port := filepath.Join(dir, "data"), freePort(t)
	setUp(t, dir, install, "--no-defaults", "--datadir="+data, "--auth-root-authentication-method=normal", "--skip-test-db",
		"--skip-name-resolve", "--innodb-log-file-size=16M")
	first := write(t, dir, "first.sql", fmt.Sprintf("CREATE DATABASE IF NOT EXISTS %s;\nCREATE USER IF NOT EXISTS '%s'@'%%' IDENTIFIED BY '%s';\nGRANT ALL ON *.* TO '%s'@'%%';\n",
		Database, User, Password, User))
	s := &Server{
		name: "mariadb", dir: dir, Addr: net.JoinHostPort("127.0.0.1", port),
		DSN: User + ":" + Password + "@tcp(127.0.0.1:" + port + ")/" + Database,
		argv: []string{
			mariadbd, "--no-defaults", "--datadir=" + data, "--port=" + port, "--bind-address=127.0.0.1",
			"--socket=" + filepath.Join(dir, "sock"), "--pid-file=" + filepath.Join(dir, "pid"), "--init-file=" + first,
			"--skip-name-resolve", "--innodb-flush-log-at-trx-commit=0", "--innodb-log-file-size=16M", "--innodb-buffer-pool-size=64M",
		},
		orderly: syscall.SIGTERM, abrupt: syscall.SIGKILL, probe: "SELECT 1",
	}
	s.client = func(script string) *exec.Cmd {
		cmd := exec.Command(client, "--no-defaults", "-h", "127.0.0.1", "-P", port, "-u", User, Database)
		cmd.Env = append(os.Environ(), "MYSQL_PWD="+Password)
		cmd.Stdin = strings.NewReader(script)
		return cmd
	}
	s.begin(t)
	return s
}
