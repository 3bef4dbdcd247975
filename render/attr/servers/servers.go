// Package servers starts PostgreSQL, MariaDB and slapd for tests, each on a port and in a directory of its own.
package servers

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"dcs/bench/require"

	"golang.org/x/sys/unix"
)

// What every server here knows its user by.
const (
	User     = "dcs"
	Password = "pass/word#1%"
	Database = "dcs"

	// Suffix is where slapd's entries begin, AdminDN who may write them, ConfigDN who may
	// change cn=config; both have Password.
	Suffix   = "dc=example,dc=org"
	AdminDN  = "cn=admin,dc=example,dc=org"
	ConfigDN = "cn=config"
)

const startWithin = 60 * time.Second

// Server is one server process. It ends with the test that started it, and with the test
// process, however that ends.
type Server struct {
	Addr   string // 127.0.0.1:port
	DSN    string // for database/sql's driver; of slapd, an ldap:// URL
	TLSURL string // of slapd, an ldaps:// URL whose certificate CAFile signed
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

// skip says why there is no server: a skip on a laptop, a failure where
// DCS_REQUIRE_SERVERS says that there must be one.
func skip(t testing.TB, format string, args ...any) {
	t.Helper()
	require.Missing(t, "SERVERS", format, args...)
}

// find returns the path of a program, looked for in dirs (patterns) first, then in PATH.
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

// account is who servers run as: PostgreSQL refuses root.
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

// directory makes a directory that the servers' account may write to. The test's own would
// not do: only root can enter it.
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

// setUp runs a program that has to succeed before there is a server.
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

// Postgres starts a PostgreSQL server. Package: postgresql.
func Postgres(t testing.TB) *Server {
	t.Helper()
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

// MariaDB starts a MariaDB server. Package: mariadb-server.
func MariaDB(t testing.TB) *Server {
	t.Helper()
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

// Slapd starts an OpenLDAP server that has the schemas core, cosine, inetorgperson and nis,
// one database at Suffix with an entry ou=devices, StartTLS and ldaps. Packages: slapd and
// ldap-utils.
func Slapd(t testing.TB) *Server {
	t.Helper()
	slapd, ok1 := find("slapd", "/usr/sbin")
	slapadd, ok2 := find("slapadd", "/usr/sbin")
	modify, ok3 := find("ldapmodify")
	if !ok1 || !ok2 || !ok3 {
		skip(t, "no slapd, slapadd or ldapmodify here: install Debian's packages slapd and ldap-utils")
	}
	dir := directory(t, "slapd")
	conf, data := filepath.Join(dir, "conf"), filepath.Join(dir, "data")
	for _, d := range []string{conf, data} {
		if err := os.Mkdir(d, 0o700); err != nil {
			t.Fatal(err)
		}
		give(t, d)
	}
	ca, cert, key := certificates(t, dir)
	setUp(t, dir, slapadd, "-n", "0", "-F", conf, "-l", write(t, dir, "config.ldif", strings.NewReplacer(
		"{data}", data, "{ca}", ca, "{cert}", cert, "{key}", key, "{suffix}", Suffix, "{admin}", AdminDN, "{config}", ConfigDN, "{password}", Password,
	).Replace(slapdConfig)))
	setUp(t, dir, slapadd, "-n", "1", "-F", conf, "-l", write(t, dir, "base.ldif",
		"dn: "+Suffix+"\nobjectClass: dcObject\nobjectClass: organization\no: Example\ndc: example\n\ndn: ou=devices,"+Suffix+"\nobjectClass: organizationalUnit\nou: devices\n"))
	port, tlsPort := freePort(t), freePort(t)
	s := &Server{
		name: "slapd", dir: dir, Addr: net.JoinHostPort("127.0.0.1", port), CAFile: ca,
		DSN: "ldap://127.0.0.1:" + port, TLSURL: "ldaps://127.0.0.1:" + tlsPort,
		orderly: syscall.SIGTERM, abrupt: syscall.SIGKILL,
		probe: "dn: cn=none," + Suffix + "\nchangetype: delete\n",
	}
	s.argv = []string{slapd, "-F", conf, "-h", s.DSN + " " + s.TLSURL, "-d", "0"}
	s.client = func(script string) *exec.Cmd {
		as := AdminDN
		if strings.Contains(script, "cn=schema,cn=config") || strings.Contains(script, "olcDatabase=") {
			as = ConfigDN
		}
		cmd := exec.Command(modify, "-x", "-a", "-H", s.DSN, "-D", as, "-y", filepath.Join(dir, "bind"))
		cmd.Stdin = strings.NewReader(script)
		return cmd
	}
	write(t, dir, "bind", Password)
	s.begin(t)
	return s
}

const slapdConfig = `dn: cn=config
objectClass: olcGlobal
cn: config
olcTLSCACertificateFile: {ca}
olcTLSCertificateFile: {cert}
olcTLSCertificateKeyFile: {key}

dn: cn=module{0},cn=config
objectClass: olcModuleList
cn: module{0}
olcModulePath: /usr/lib/ldap
olcModuleLoad: back_mdb

dn: cn=schema,cn=config
objectClass: olcSchemaConfig
cn: schema

include: file:///etc/ldap/schema/core.ldif
include: file:///etc/ldap/schema/cosine.ldif
include: file:///etc/ldap/schema/nis.ldif
include: file:///etc/ldap/schema/inetorgperson.ldif

dn: olcDatabase={0}config,cn=config
objectClass: olcDatabaseConfig
olcDatabase: {0}config
olcRootDN: {config}
olcRootPW: {password}

dn: olcDatabase={1}mdb,cn=config
objectClass: olcDatabaseConfig
objectClass: olcMdbConfig
olcDatabase: {1}mdb
olcSuffix: {suffix}
olcRootDN: {admin}
olcRootPW: {password}
olcDbDirectory: {data}
olcDbMaxSize: 1073741824
olcDbNoSync: TRUE
olcDbIndex: objectClass eq
`

// certificates makes a CA and a server's certificate for 127.0.0.1.
func certificates(t testing.TB, dir string) (ca, cert, key string) {
	t.Helper()
	sign := func(tmpl, parent *x509.Certificate, parentKey *ecdsa.PrivateKey) (*x509.Certificate, *ecdsa.PrivateKey, string) {
		k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		if parent == nil {
			parent, parentKey = tmpl, k
		}
		der, err := x509.CreateCertificate(rand.Reader, tmpl, parent, &k.PublicKey, parentKey)
		if err != nil {
			t.Fatal(err)
		}
		c, err := x509.ParseCertificate(der)
		if err != nil {
			t.Fatal(err)
		}
		return c, k, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
	}
	from, to := time.Now().Add(-time.Hour), time.Now().Add(24*time.Hour)
	root, rootKey, rootPEM := sign(&x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "dcs test CA"}, NotBefore: from, NotAfter: to,
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}, nil, nil)
	_, leafKey, leafPEM := sign(&x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "127.0.0.1"}, NotBefore: from, NotAfter: to,
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}, root, rootKey)
	der, err := x509.MarshalPKCS8PrivateKey(leafKey)
	if err != nil {
		t.Fatal(err)
	}
	return write(t, dir, "ca.pem", rootPEM), write(t, dir, "cert.pem", leafPEM),
		write(t, dir, "key.pem", string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})))
}

func (s *Server) begin(t testing.TB) {
	t.Helper()
	var err error
	if s.log, err = os.Create(filepath.Join(s.dir, "log")); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.log.Close() })
	t.Cleanup(func() {
		if err := s.end(s.orderly); err != nil {
			t.Error(err)
		}
	})
	s.Start(t)
}

// Start starts a server that Stop or Kill has stopped, on the same port with the same data.
func (s *Server) Start(t testing.TB) {
	t.Helper()
	for limit := time.Now().Add(startWithin); ; time.Sleep(50 * time.Millisecond) {
		if !s.running() {
			if err := s.spawn(); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := s.run(s.probe); err == nil {
			return
		} else if time.Now().After(limit) {
			t.Fatalf("%s does not answer: %v\n%s", s.name, err, s.Log())
		}
	}
}

func (s *Server) running() bool {
	if s.done == nil {
		return false
	}
	select {
	case <-s.done:
		return false
	default:
		return true
	}
}

// spawn starts the process from a thread that lives as long as the process: the signal
// that it gets when its parent dies is sent when the thread that started it ends.
func (s *Server) spawn() error {
	cmd := exec.Command(s.argv[0], s.argv[1:]...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = s.dir, s.log, s.log
	cmd.Env = append(os.Environ(), "LC_ALL=C", "HOME="+s.dir)
	cmd.SysProcAttr = attributes()
	started, done := make(chan error), make(chan struct{})
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		started <- err
		if err == nil {
			_ = cmd.Wait()
			close(done)
		}
	}()
	if err := <-started; err != nil {
		return fmt.Errorf("start %s: %w", s.name, err)
	}
	s.cmd, s.done = cmd, done
	return nil
}

func (s *Server) end(sig syscall.Signal) error {
	if !s.running() {
		return nil
	}
	_ = s.cmd.Process.Signal(sig)
	select {
	case <-s.done:
		return nil
	case <-time.After(20 * time.Second):
	}
	_ = s.cmd.Process.Kill()
	<-s.done
	return fmt.Errorf("%s did not end on %v", s.name, sig)
}

// Stop ends the server in an orderly way: connections that are open are cut.
func (s *Server) Stop(t testing.TB) {
	t.Helper()
	if err := s.end(s.orderly); err != nil {
		t.Error(err)
	}
}

// Kill ends the server as a crash would.
func (s *Server) Kill(t testing.TB) {
	t.Helper()
	if err := s.end(s.abrupt); err != nil {
		t.Error(err)
	}
}

// Pause stops the server's process without ending it: connections stay open, and nothing
// comes from new ones. Of PostgreSQL it stops no session that is open already.
func (s *Server) Pause(t testing.TB) {
	t.Helper()
	s.signal(t, syscall.SIGSTOP)
	// Until each of its threads has noticed, it may answer.
	if err := unix.Waitid(unix.P_PID, s.cmd.Process.Pid, nil, unix.WSTOPPED|unix.WEXITED|unix.WNOWAIT, nil); err != nil {
		t.Fatal(err)
	}
}

// Resume ends a Pause.
func (s *Server) Resume(t testing.TB) { s.signal(t, syscall.SIGCONT) }

func (s *Server) signal(t testing.TB, sig syscall.Signal) {
	t.Helper()
	if !s.running() {
		t.Fatalf("%s does not run", s.name)
	}
	if err := s.cmd.Process.Signal(sig); err != nil {
		t.Fatal(err)
	}
}

// Log returns the end of what the server has said.
func (s *Server) Log() string {
	b, _ := os.ReadFile(s.log.Name())
	return tail(string(b))
}

func (s *Server) run(script string) (string, error) {
	out, err := s.client(script).CombinedOutput()
	var exit *exec.ExitError
	if s.name == "slapd" && errors.As(err, &exit) && exit.ExitCode() == 32 { // noSuchObject answers the probe
		err = nil
	}
	return string(out), err
}

// Run gives script to the server's own client program: SQL to psql or mariadb, LDIF to
// ldapmodify -a, as ConfigDN if it is about cn=config, else as AdminDN.
func (s *Server) Run(t testing.TB, script string) {
	t.Helper()
	if out, err := s.run(script); err != nil {
		t.Fatalf("%s: %v\n%s\n%s", s.name, err, tail(out), s.Log())
	}
}
