package admin

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"log/slog"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"dcs/bench/require"
	"dcs/cmd/internal/admin/client"
	"dcs/render/secret"
)

// A socket that a server has left behind is replaced, one that is answered is not.
func TestStaleSocket(t *testing.T) {
	path := filepath.Join(t.TempDir(), "admin.sock")
	ln, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	s, err := New(Config{Addresses: []string{"unix:" + path}}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	if err := s.listeners[0].Err(); err == nil || !strings.Contains(err.Error(), "another server answers") {
		t.Error(err)
	}
	s.Close()
	ln.(*net.UnixListener).SetUnlinkOnClose(false)
	ln.Close()
	run(t, Config{Addresses: []string{"unix:" + path}})
}

// An address that somebody else uses is served as soon as it is free; until then Tried is told why it is not.
func TestAddressInUse(t *testing.T) {
	t.Parallel()
	require.Long(t, "retries of an address")
	for _, network := range []string{"tcp", "unix"} {
		t.Run(network, func(t *testing.T) {
			address, prefix := "127.0.0.1:0", ""
			if network == "unix" {
				address, prefix = filepath.Join(t.TempDir(), "admin.sock"), "unix:"
			}
			other, err := net.Listen(network, address)
			if err != nil {
				t.Fatal(err)
			}
			defer other.Close()
			tried := make(chan error, 100)
			s := run(t, Config{Addresses: []string{prefix + other.Addr().String()}, Tried: func(_ string, err error) { tried <- err }})
			if s.listeners[0].Err() == nil {
				t.Error("the address is open")
			}
			if err := <-tried; err == nil {
				t.Error("it was opened")
			}
			other.Close()
			for err := range tried {
				if err == nil {
					break
				}
			}
			if l := s.Listener(prefix + other.Addr().String()); l.Err() != nil || l.Addr().String() != other.Addr().String() {
				t.Errorf("%v, %v", l.Addr(), l.Err())
			}
			c, err := net.Dial(network, other.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			c.Close()
		})
	}
}

func TestMutualTLS(t *testing.T) {
	t.Parallel()
	cert, key, ca, mine := certificates(t)
	s := run(t, Config{Addresses: []string{"127.0.0.1:0"}, Cert: cert, Key: key, ClientCA: ca})
	pem, err := os.ReadFile(ca)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(pem)
	address := at(s).String()
	if url := s.listeners[0].URL(); url != "https://"+address+"/" {
		t.Error(url)
	}
	var out struct{ Seen int }
	c := client.DialTLS(address, secret.Text{}, &tls.Config{RootCAs: pool, Certificates: []tls.Certificate{mine}})
	defer c.Close() // an open connection of HTTP/2 would delay the server's end by a second
	if err := c.Get(t.Context(), "/api/seen", &out); err != nil || out.Seen != 1 {
		t.Error(out, err)
	}
	if err := client.DialTLS(address, secret.Text{}, &tls.Config{RootCAs: pool}).Get(t.Context(), "/api/seen", nil); err == nil {
		t.Error("served without a certificate")
	}
	_, _, _, strange := certificates(t)
	if err := client.DialTLS(address, secret.Text{}, &tls.Config{RootCAs: pool, Certificates: []tls.Certificate{strange}}).Get(t.Context(), "/api/seen", nil); err == nil {
		t.Error("served with a certificate of another authority")
	}
	if err := client.Dial(address, secret.Text{}).Get(t.Context(), "/api/seen", nil); err == nil {
		t.Error("served in plain HTTP")
	}
}

// certificates makes an authority, a server's certificate of its, and a client's.
func certificates(t *testing.T) (cert, key, ca string, client tls.Certificate) {
	t.Helper()
	authority := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "authority"}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), KeyUsage: x509.KeyUsageCertSign,
	}
	issue := func(c, parent *x509.Certificate, signer *ecdsa.PrivateKey) ([]byte, *ecdsa.PrivateKey) {
		own, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		if signer == nil {
			signer = own
		}
		der, err := x509.CreateCertificate(rand.Reader, c, parent, &own.PublicKey, signer)
		if err != nil {
			t.Fatal(err)
		}
		return der, own
	}
	block := func(kind string, der []byte) string {
		return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
	}
	root, signer := issue(authority, authority, nil)
	leaf := *authority
	leaf.IsCA, leaf.KeyUsage, leaf.Subject.CommonName = false, x509.KeyUsageDigitalSignature, "leaf"
	leaf.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}
	leaf.IPAddresses, leaf.DNSNames = []net.IP{net.IPv4(127, 0, 0, 1)}, []string{"dcs.example.org"}
	server, serverKey := issue(&leaf, authority, signer)
	own, ownKey := issue(&leaf, authority, signer)
	der, err := x509.MarshalPKCS8PrivateKey(serverKey)
	if err != nil {
		t.Fatal(err)
	}
	return write(t, "cert.pem", block("CERTIFICATE", server), 0o644), write(t, "key.pem", block("PRIVATE KEY", der), 0o600),
		write(t, "ca.pem", block("CERTIFICATE", root), 0o644), tls.Certificate{Certificate: [][]byte{own}, PrivateKey: ownKey}
}
