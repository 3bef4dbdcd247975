// Package servers starts PostgreSQL, MariaDB and slapd for tests, each on a port and in a directory of its own.
package servers

import (
	"context"
	"errors"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"
	"testing"
	"time"

	"dcs/bench/require"
)

// Credentials and database of every server.
const (
	User     = "dcs"
	Password = "pass/word#1%"
	Database = "dcs"

	// Suffix is the base of slapd's entries. AdminDN may write them, and ConfigDN may change cn=config; both have Password.
	Suffix   = "dc=example,dc=org"
	AdminDN  = "cn=admin,dc=example,dc=org"
	ConfigDN = "cn=config"
)

const startWithin = 60 * time.Second

// Server is one server process. It ends with the test that started it, or with the test process, even if that is killed.
type Server struct {
	Addr   string // 127.0.0.1:port
	DSN    string // for database/sql's driver; for slapd, an ldap:// URL
	TLSURL string // for slapd, an ldaps:// URL, with a certificate signed by CAFile
	CAFile string

	name            string
	dir             string
	argv            []string
	orderly, abrupt syscall.Signal
	client          func(script string) *exec.Cmd
	probe           string

	cmd  *exec.Cmd
	done chan struct{} // closed once cmd has ended
	log  *os.File
}

// skip skips the test for lack of a server, or fails it if DCS_REQUIRE_SERVERS is set.
func skip(t testing.TB, format string, args ...any) {
	t.Helper()
	require.Missing(t, "SERVERS", format, args...)
}

// find returns the path of a program. It searches dirs, which are patterns, and then PATH.
func find(name string, dirs ...string) (string, bool) {
	for _, d := range dirs {
		hits, _ := filepath.Glob(filepath.Join(d, name))
		slices.Sort(hits)
		for _, h := range slices.Backward(hits) {
			if info, err := os.Stat(h); err == nil && !info.IsDir() {
				return h, true
			}
		}
	}
	p, err := exec.LookPath(name)
	return p, err == nil
}

// account returns the user that servers run as; nil: the current one. It is not root, which PostgreSQL refuses.
func account() *syscall.Credential {
	if os.Geteuid() != 0 {
		return nil
	}
	u, err := user.Lookup("nobody")
	if err != nil {
		return nil
	}
	uid, _ := strconv.ParseUint(u.Uid, 10, 32)
	gid, _ := strconv.ParseUint(u.Gid, 10, 32)
	return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
}

func attributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Credential: account(), Pdeathsig: syscall.SIGKILL, Setpgid: true}
}

// directory creates a directory that the servers' account may write to. t.TempDir is not suitable: only root can enter it.
func directory(t testing.TB, name string) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "dcs-"+name+"-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Errorf("remove the directory of %s: %v", name, err)
		}
	})
	give(t, dir)
	return dir
}

func give(t testing.TB, path string) {
	t.Helper()
	if c := account(); c != nil {
		if err := os.Chown(path, int(c.Uid), int(c.Gid)); err != nil {
			t.Fatal(err)
		}
	}
}

func write(t testing.TB, dir, name, text string) string {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	give(t, path)
	return path
}

func freePort(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, port, _ := net.SplitHostPort(l.Addr().String())
	return port
}

// setUp runs a program that must succeed before the server can start.
func setUp(t testing.TB, dir, program string, args ...string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), startWithin)
	defer cancel()
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "LC_ALL=C", "HOME="+dir)
	cmd.SysProcAttr = attributes()
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", filepath.Base(program), err, tail(string(out)))
	}
}

func tail(s string) string {
	if len(s) > 4000 {
		s = "…" + s[len(s)-4000:]
	}
	return s
}

// Log returns the end of the server's log.
func (s *Server) Log() string {
	b, _ := os.ReadFile(s.log.Name())
	return tail(string(b))
}

func (s *Server) run(script string) (string, error) {
	out, err := s.client(script).CombinedOutput()
	var exit *exec.ExitError
	if s.name == "slapd" && errors.As(err, &exit) && exit.ExitCode() == 32 { // noSuchObject: the answer to the probe
		err = nil
	}
	return string(out), err
}

// Run passes script to the server's own client: SQL to psql or mariadb, LDIF to ldapmodify -a, as ConfigDN if it is about cn=config,
// else as AdminDN.
func (s *Server) Run(t testing.TB, script string) {
	t.Helper()
	if out, err := s.run(script); err != nil {
		t.Fatalf("%s: %v\n%s\n%s", s.name, err, tail(out), s.Log())
	}
}
