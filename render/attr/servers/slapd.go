package servers

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"dcs/bench/require"
)

// Slapd starts an OpenLDAP server with the schemas core, cosine, inetorgperson and nis, one database at Suffix with an entry
// ou=devices, StartTLS and ldaps. Packages: slapd and ldap-utils.
func Slapd(t testing.TB) *Server {
	t.Helper()
	require.Long(t, "an OpenLDAP server")
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

// certificates creates a CA and a server's certificate for 127.0.0.1.
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
