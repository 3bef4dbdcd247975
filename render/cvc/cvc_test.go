package cvc

import (
	"bytes"
	"encoding/pem"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"dcs/bench/require"
)

// openssl is the independent program that makes certificates and images.
func openssl(t *testing.T, dir string, args ...string) {
	t.Helper()
	cmd := exec.Command("openssl", args...)
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("openssl %s: %v\n%s", strings.Join(args, " "), err, out)
	}
}

// made is a directory with what openssl makes of two keys.
func made(t *testing.T) func(name string) []byte {
	t.Helper()
	require.Program(t, "openssl")
	dir := t.TempDir()
	for _, who := range []string{"maker", "operator"} {
		openssl(t, dir, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", who+".key", "-out", who+".pem",
			"-subj", "/O="+who+"/CN=Code Verification Certificate", "-days", "30")
		openssl(t, dir, "x509", "-in", who+".pem", "-outform", "der", "-out", who+".der")
	}
	read := func(name string) []byte {
		b, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	write := func(name string, b []byte) {
		if err := os.WriteFile(filepath.Join(dir, name), b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	code := bytes.Repeat([]byte("code"), 2000)
	write("code", code)
	openssl(t, dir, "smime", "-sign", "-binary", "-in", "code", "-signer", "maker.pem", "-inkey", "maker.key", "-outform", "der", "-out", "one.sig")
	openssl(t, dir, "smime", "-sign", "-binary", "-in", "code", "-signer", "maker.pem", "-inkey", "maker.key", "-signer", "operator.pem", "-inkey", "operator.key", "-outform", "der", "-out", "two.sig")
	openssl(t, dir, "smime", "-sign", "-binary", "-in", "code", "-signer", "maker.pem", "-inkey", "maker.key", "-certfile", "operator.pem", "-outform", "der", "-out", "ca.sig")
	for _, name := range []string{"one", "two", "ca"} {
		write(name+".image", append(read(name+".sig"), code...))
	}
	openssl(t, dir, "crl2pkcs7", "-nocrl", "-certfile", "maker.pem", "-certfile", "operator.pem", "-outform", "der", "-out", "chain.p7")
	openssl(t, dir, "crl2pkcs7", "-nocrl", "-certfile", "maker.pem", "-out", "chain.pem")
	write("marked.pem", append([]byte("\ufeff"), read("maker.pem")...))
	write("both.pem", append(read("maker.pem"), read("operator.pem")...))
	write("key.pem", read("maker.key"))
	write("keyed.pem", append(read("maker.key"), read("maker.pem")...))
	write("told.pem", append([]byte("0 s:CN=Code Verification Certificate\n   i:O=maker\n\n"), read("maker.pem")...))
	openssl(t, dir, "req", "-new", "-key", "maker.key", "-subj", "/O=maker", "-out", "request.pem")
	openssl(t, dir, "req", "-in", "request.pem", "-outform", "der", "-out", "request.der")
	openssl(t, dir, "pkey", "-in", "maker.key", "-pubout", "-outform", "der", "-out", "public.der")
	openssl(t, dir, "pkey", "-in", "maker.key", "-outform", "der", "-out", "key.der")
	write("named.pem", pemBlock("PRIVATE KEY", read("maker.der")))
	write("binary", append([]byte{0x80, 0}, append([]byte("\n"), read("maker.pem")...)...))
	long := append([]byte{0x30, 0x83, MaxHead >> 16, 0, 0}, make([]byte, MaxHead)...)
	write("long", long)
	write("longer.der", append(read("maker.der"), 0))
	write("cut.image", read("two.image")[:300])
	write("text", []byte("NetworkAccess 1;"))
	write("empty", nil)
	return read
}

func TestRead(t *testing.T) {
	file := made(t)
	maker, operator := file("maker.der"), file("operator.der")
	for _, tt := range []struct {
		name    string
		kind    Kind
		certs   [][]byte
		signers [][]byte
		binary  []byte
	}{
		{"maker.der", DER, [][]byte{maker}, nil, maker},
		{"maker.pem", PEM, [][]byte{maker}, nil, maker},
		{"marked.pem", PEM, [][]byte{maker}, nil, maker},
		{"told.pem", PEM, [][]byte{maker}, nil, maker},
		{"chain.p7", Chain, [][]byte{maker, operator}, nil, file("chain.p7")},
		{"one.image", Image, [][]byte{maker}, [][]byte{maker}, nil},
		{"two.image", Image, [][]byte{maker, operator}, [][]byte{maker, operator}, nil},
		{"ca.image", Image, [][]byte{operator, maker}, [][]byte{maker}, nil}, // as openssl pkcs7 -print_certs lists them
	} {
		c, err := Read(file(tt.name))
		if err != nil {
			t.Errorf("%s: %v", tt.name, err)
			continue
		}
		if c.Kind != tt.kind || !equal(c.Certs, tt.certs) || !equal(c.Signers, tt.signers) || !bytes.Equal(c.Binary, tt.binary) {
			t.Errorf("%s: %v of %d certificates and %d signers, %d octets", tt.name, c.Kind, len(c.Certs), len(c.Signers), len(c.Binary))
		}
	}
	if c, err := Read(file("chain.pem")); err != nil || c.Kind != PEM || !IsChain(c.Binary) || !equal(c.Certs, [][]byte{maker}) {
		t.Errorf("chain.pem: %+v, %v", c, err)
	}
	for name, want := range map[string]string{
		"both.pem": "several PEM blocks", "key.pem": "PEM of type PRIVATE KEY", "keyed.pem": "PEM of type PRIVATE KEY", "named.pem": "PEM of type PRIVATE KEY",
		"request.pem": "PEM of type CERTIFICATE REQUEST", "request.der": "neither", "public.der": "neither", "key.der": "a private key", "binary": "neither", "long": "more than 262144 octets", "longer.der": "1 octets follow", "cut.image": "neither", "text": "neither", "empty": "neither",
	} {
		if c, err := Read(file(name)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %+v, %v; want %s", name, c, err, want)
		}
	}
}

func pemBlock(kind string, data []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: data})
}

func TestSubject(t *testing.T) {
	file := made(t)
	if got := Subject(file("maker.der")); got != `"CN=Code Verification Certificate,O=maker"` {
		t.Error(got)
	}
	for _, name := range []string{"text", "empty", "cut.image", "request.der"} {
		if got := Subject(file(name)); got != "unknown" {
			t.Errorf("%s: %s", name, got)
		}
	}
}

func equal(a, b [][]byte) bool {
	return bytes.Equal(bytes.Join(a, []byte("|")), bytes.Join(b, []byte("|"))) && len(a) == len(b)
}

// What is read of any file is within it.
func FuzzRead(f *testing.F) {
	f.Add([]byte{0x30, 0x82, 0, 4, 6, 2, 0x2a, 3})
	f.Add([]byte("-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n"))
	f.Add(append([]byte{0x30, 0x20, 0x06, 0x09}, append(signedDataOID, 0xa0, 0x13, 0x30, 0x11, 2, 1, 1, 0x31, 0, 0x30, 0, 0xa0, 4, 0x30, 2, 5, 0, 0x31, 2, 0x30, 0)...))
	f.Fuzz(func(t *testing.T, file []byte) {
		c, err := Read(file)
		if err != nil {
			return
		}
		from := file
		if c.Kind == PEM {
			block, _ := pem.Decode(bytes.TrimPrefix(bytes.TrimSpace(file), []byte("\ufeff")))
			from = block.Bytes
		}
		if len(c.Certs) == 0 || len(c.Certs) > maxCerts || len(c.Signers) > len(c.Certs) {
			t.Errorf("%d certificates, %d signers", len(c.Certs), len(c.Signers))
		}
		for _, cert := range c.Certs {
			if !bytes.Contains(from, cert) {
				t.Errorf("%x is not in the file", cert)
			}
		}
	})
}
