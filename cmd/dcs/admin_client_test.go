package main

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
	"io"
	"math/big"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"dcs/bench/require"
	api "dcs/cmd/internal/admin/client"
	"dcs/cmd/internal/adminapi"
	"dcs/cmd/internal/remote"
)

// authority makes an authority of its own, and a certificate of it for dcs.example.org, as ca.pem, cert.pem and key.pem in dir.
func authority(t *testing.T, dir string) {
	t.Helper()
	ca := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "authority"}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), KeyUsage: x509.KeyUsageCertSign,
	}
	leaf := &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "server"}, NotBefore: ca.NotBefore, NotAfter: ca.NotAfter,
		KeyUsage: x509.KeyUsageDigitalSignature, DNSNames: []string{"dcs.example.org"},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	signer, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	own, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	root, err := x509.CreateCertificate(rand.Reader, ca, ca, &signer.PublicKey, signer)
	if err != nil {
		t.Fatal(err)
	}
	signed, err := x509.CreateCertificate(rand.Reader, leaf, ca, &own.PublicKey, signer)
	if err != nil {
		t.Fatal(err)
	}
	key, err := x509.MarshalPKCS8PrivateKey(own)
	if err != nil {
		t.Fatal(err)
	}
	for name, block := range map[string]*pem.Block{
		"ca.pem": {Type: "CERTIFICATE", Bytes: root}, "cert.pem": {Type: "CERTIFICATE", Bytes: signed}, "key.pem": {Type: "PRIVATE KEY", Bytes: key},
	} {
		write(t, filepath.Join(dir, name), string(pem.EncodeToMemory(block)))
	}
}

// atSocket returns a client of a Unix socket.
func atSocket(t *testing.T, path string) *http.Client {
	transport := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", path)
	}}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport}
}

// getAt returns a page of the server at a Unix socket.
func getAt(t *testing.T, socket, path string) string {
	t.Helper()
	res, err := atSocket(t, socket).Get("http://localhost" + path)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != http.StatusOK {
		t.Fatalf("%s: %s, %v", path, res.Status, err)
	}
	return string(body)
}

// Verbs reach the server that a configuration has, whatever it takes to be let in.
func TestAdminAccess(t *testing.T) {
	t.Parallel()
	require.Long(t, "a server for each way of access")
	library, err := filepath.Abs("../../testdata/library")
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ name, admin string }{
		{"socket", "unix:DIR/admin.sock"},
		{"token", "127.0.0.1:PORT\nadmin_token_file: token"},
		{"certificate for another name", "127.0.0.1:PORT\nadmin_cert: cert.pem\nadmin_key: key.pem"},
		{"all that there is", "0.0.0.0:PORT\nadmin_token_file: token\nadmin_cert: cert.pem\nadmin_key: key.pem\nadmin_client_ca: ca.pem"},
		{"every address", `":PORT"` + "\nadmin_token_file: token"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			authority(t, dir)
			write(t, filepath.Join(dir, "token"), "0123456789abcdef0123456789abcdef\n")
			_, port, _ := strings.Cut(freeAddress(t), ":")
			file := filepath.Join(dir, "dcs.yaml")
			admin := strings.NewReplacer("DIR", dir, "PORT", port).Replace(tt.admin)
			write(t, file, fmt.Sprintf("library: %s\ntransport: socket\nadmin: %s\n", library, admin))
			serve(t, "--config", file)

			if got := dcs("", "top", "--config", file, "--once", "--interval", "100ms"); got.status != done || !strings.Contains(got.stdout, "serving for") {
				t.Errorf("%+v", got)
			}
			// The configuration of the package is found without being named.
			c, _, err := (&remote.Access{Standard: file}).Dial()
			if err != nil {
				t.Fatal(err)
			}
			var st adminapi.Top
			if err := c.Get(t.Context(), adminapi.TopPath, &st); err != nil || st.State != "serving" {
				t.Errorf("%+v, %v", st, err)
			}
		})
	}
}

// Of several addresses the socket that lets us in is asked.
func TestReachable(t *testing.T) {
	dir := t.TempDir()
	ln, err := net.Listen("unix", filepath.Join(dir, "there"))
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	there, missing := "unix:"+filepath.Join(dir, "there"), "unix:"+filepath.Join(dir, "missing")
	const tcp, more = "127.0.0.1:8069", "192.0.2.1:8069"
	for _, tt := range []struct {
		addresses []string
		want      string
	}{
		{nil, ""},
		{[]string{tcp, more}, tcp},
		{[]string{tcp, there, more}, there},
		{[]string{missing, there}, there},
		{[]string{missing}, missing}, // which says what is wrong
		{[]string{missing, tcp, more}, tcp},
		{[]string{tcp, missing}, tcp},
	} {
		if got := remote.Reachable(tt.addresses); got != tt.want {
			t.Errorf("%v: %s, want %s", tt.addresses, got, tt.want)
		}
	}
}

// The token goes to the server of its configuration and to no other address.
func TestAdminAccessElsewhere(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	token := filepath.Join(dir, "token")
	write(t, token, "0123456789abcdef0123456789abcdef\n")
	s := serveAll(t, "--admin-token-file", token)
	file := filepath.Join(dir, "dcs.yaml")
	write(t, file, "library: .\nadmin: 127.0.0.1:1\nadmin_token_file: token\n")
	for _, tt := range []struct {
		access remote.Access
		where  string
		status int // 0: the server lets it in
	}{
		{remote.Access{Standard: file, Address: s.admin}, s.admin, http.StatusUnauthorized},
		{remote.Access{Standard: file, Address: s.admin, TokenFile: token}, s.admin, 0},
		{remote.Access{File: file, Address: s.admin}, s.admin, 0}, // for whoever says so
	} {
		c, where, err := tt.access.Dial()
		if err != nil || where != tt.where {
			t.Fatal(where, err)
		}
		var refused *api.Error
		if err := c.Get(t.Context(), adminapi.TopPath, nil); errors.As(err, &refused) && refused.Status != tt.status || (err == nil) != (tt.status == 0) {
			t.Errorf("%+v: %v", tt.access, err)
		}
	}
	if _, where, err := (&remote.Access{Standard: filepath.Join(dir, "none")}).Dial(); err != nil || where != remote.Reachable([]string{"unix:/run/dcs/admin.sock", "127.0.0.1:8069"}) {
		t.Errorf("without a configuration: %s, %v", where, err)
	}
	write(t, file, "library: .\n")
	if got := dcs("", "top", "--config", file, "--once"); got.status != failed || !strings.Contains(got.stderr, "has no key admin") {
		t.Errorf("%+v", got)
	}
}

// The package's configuration says where its server is.
func TestAdminAccessOfPackage(t *testing.T) {
	if _, where, err := (&remote.Access{Standard: "packaging/etc/dcs.yaml"}).Dial(); err != nil || where != "unix:/run/dcs/admin.sock" {
		t.Errorf("%s, %v", where, err)
	}
}
