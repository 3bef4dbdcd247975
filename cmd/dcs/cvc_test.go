package main

import (
	"bytes"
	"encoding/pem"
	"os"
	"os/exec"
	"strings"
	"testing"

	"dcs/bench/require"
)

// certificates fills the working directory with what openssl makes: certificates of maker and operator in PEM and DER, firmware that
// both signed, and a chain.
func certificates(t *testing.T) {
	t.Helper()
	require.Program(t, "openssl")
	write(t, "code", strings.Repeat("code", 2000))
	signed := []string{"smime", "-sign", "-binary", "-in", "code", "-outform", "der", "-out", "signature"}
	for _, who := range []string{"maker", "operator"} {
		signed = append(signed, "-signer", who+".pem", "-inkey", who+".key")
	}
	for _, args := range [][]string{
		{"req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", "maker.key", "-out", "maker.pem", "-subj", "/O=maker/CN=CVC", "-addext", "extendedKeyUsage=codeSigning"},
		{"req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", "operator.key", "-out", "operator.pem", "-subj", "/O=operator/CN=CVC"},
		{"x509", "-in", "maker.pem", "-outform", "der", "-out", "maker.der"},
		{"x509", "-in", "operator.pem", "-outform", "der", "-out", "operator.der"},
		{"crl2pkcs7", "-nocrl", "-certfile", "maker.pem", "-outform", "der", "-out", "chain.p7"},
		{"pkey", "-in", "maker.key", "-outform", "der", "-out", "key.der"},
		{"req", "-new", "-key", "maker.key", "-out", "request.pem", "-subj", "/O=maker/CN=CVC"},
		{"smime", "-sign", "-binary", "-in", "code", "-outform", "der", "-out", "one", "-signer", "maker.pem", "-inkey", "maker.key"},
		signed,
	} {
		if out, err := exec.Command("openssl", args...).CombinedOutput(); err != nil {
			t.Fatalf("openssl %v: %v\n%s", args, err, out)
		}
	}
	write(t, "fw.image", content(t, "signature")+content(t, "code"))
}

func content(t *testing.T, name string) string {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// fragments is a value in TLVs of 254 octets.
func fragments(code byte, value string) string {
	var out bytes.Buffer
	for len(value) > 254 {
		out.WriteString(string([]byte{code, 254}) + value[:254])
		value = value[254:]
	}
	out.WriteString(string([]byte{code, byte(len(value))}) + value)
	return out.String()
}

func TestCertificateFiles(t *testing.T) {
	t.Chdir(t.TempDir())
	certificates(t)
	for name, text := range map[string]string{
		"note": "see the portal", "digits": "0 is no certificate\n", "binary": "\x00\x01", "sequence": "\x30\x02\x05\x00", "one.image": content(t, "one") + content(t, "code"),
		"commented.pem": "0 s:CN=CVC, O=maker\r\n  i:CN=CVC\r\n" + content(t, "maker.pem"), "keys.pem": content(t, "maker.key") + content(t, "maker.pem"),
	} {
		write(t, name, text)
	}
	maker, operator := content(t, "maker.der"), content(t, "operator.der")
	for _, tt := range []struct{ src, begins, says string }{
		{`ManufacturerCVC "maker.der";`, fragments(32, maker), ""},
		{`ManufacturerCVC from firmware "one.image";`, fragments(32, maker), ""},
		{`ManufacturerCVC from firmware "fw.image";`, fragments(32, maker), `"fw.image" has 2 signers, and which is the manufacturer's only their subjects say: took "CN=CVC,O=maker", number 1; not "CN=CVC,O=operator"`},
		{`CoSignerCVC from firmware "fw.image";`, fragments(33, operator), `took "CN=CVC,O=operator", number 2; not "CN=CVC,O=maker"`},
		{`ManufacturerCVCChainFile "chain.p7";`, fragments(81, content(t, "chain.p7")), ""},
		{`ManufacturerCVC "maker.pem";`, fragments(32, maker), `x.cfg:1:8: warning: ManufacturerCVC: "maker.pem" is PEM, and becomes the DER that it holds; openssl x509 -outform der`},
		{`ManufacturerCVC "chain.p7";`, fragments(32, content(t, "chain.p7")), "is a PKCS #7 chain, and a certificate belongs here"},
		{`ManufacturerCVCChainFile "maker.der";`, fragments(81, maker), "is a certificate, and a PKCS #7 chain belongs here"},
		{`ManufacturerCVC "commented.pem";`, fragments(32, maker), `"commented.pem" is PEM`},
		{`ManufacturerCVC "note";`, "", `"note": neither a certificate in DER or PEM, nor PKCS #7; expected DER, which begins with octet 30`},
		{`ManufacturerCVC "digits";`, "", `expected DER, which begins with octet 30`},
		{`ManufacturerCVC "binary";`, "", `expected DER, which begins with octet 30; accepted with --lenient`},
		{`ManufacturerCVC "key.der";`, "", `"key.der": a private key`},
		{`ManufacturerCVC "sequence";`, fragments(32, "\x30\x02\x05\x00"), `warning: ManufacturerCVC: "sequence": neither`},
		{`ManufacturerCVC "maker.key";`, "", `PEM of type PRIVATE KEY, not CERTIFICATE or PKCS7; expected DER`},
		{`ManufacturerCVC "keys.pem";`, "", `PEM of type PRIVATE KEY`},
		{`ManufacturerCVC "request.pem";`, "", `PEM of type CERTIFICATE REQUEST`},
		{`ManufacturerCVC "fw.image";`, "", `x.cfg:1:24: ManufacturerCVC: "fw.image" is a firmware image, not its certificate; write ManufacturerCVC from firmware "fw.image"`},
		{`ManufacturerCVC from firmware "maker.der";`, "", `x.cfg:1:38: ManufacturerCVC: "maker.der": no firmware image but a DER certificate; write ManufacturerCVC "maker.der"`},
		{`ManufacturerCVC from firmware "note";`, "", `"note": no firmware image`},
		{`ManufacturerCVC from firmware "none";`, "", `"none"`},
		{`ManufacturerCVCChainFile from firmware "fw.image";`, "", "only ManufacturerCVC and CoSignerCVC"},
	} {
		write(t, "x.cfg", "Main { "+tt.src+" }")
		got := dcs("", "compile", "x.cfg")
		if (got.status == done) != (tt.begins != "") || !strings.HasPrefix(got.stdout, tt.begins) || !strings.Contains(got.stderr, tt.says) || tt.says == "" && got.stderr != "" {
			t.Errorf("%s: status %d, %x\n%s", tt.src, got.status, got.stdout, got.stderr)
		}
	}
}

// Lenient accepts octets, as the open encoder does, but no text and no key.
func TestCertificateFilesLenient(t *testing.T) {
	t.Chdir(t.TempDir())
	certificates(t)
	write(t, "binary", "\x00\x01")
	write(t, "note", "see the portal")
	for name, status := range map[string]int{"binary": done, "note": failed, "maker.key": failed, "key.der": failed, "fw.image": failed} {
		write(t, "x.cfg", `Main { ManufacturerCVC "`+name+`"; }`)
		got := dcs("", "compile", "x.cfg", "--lenient")
		if got.status != status || status == done && (!strings.HasPrefix(got.stdout, "\x20\x02\x00\x01") || !strings.Contains(got.stderr, "warning: ")) {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

func TestCVC(t *testing.T) {
	t.Chdir(t.TempDir())
	certificates(t)
	write(t, "x.cfg", `Main { NetworkAccess 1; ManufacturerCVC "maker.der"; CoSignerCVC "operator.der"; ManufacturerCVCChainFile "chain.p7"; }`)
	if got := dcs("", "compile", "x.cfg", "-o", "x.cm"); got.status != done {
		t.Fatal(got.stderr)
	}
	const subject = "subject: CN=CVC,O=maker\n"
	for _, tt := range []struct {
		file string
		says []string
	}{
		{"maker.pem", []string{"PEM\n", subject, "issuer:  CN=CVC,O=maker\n", "code signing", "valid:   2"}},
		{"maker.der", []string{"DER certificate\n", subject}},
		{"chain.p7", []string{"PKCS #7 chain\n", subject}},
		{"fw.image", []string{"firmware image\n", "octets, of the manufacturer\n    " + subject, "octets, of the co-signer\n    subject: CN=CVC,O=operator\n"}},
		{"x.cm", []string{"ManufacturerCVC (32), DER certificate\n", "CoSignerCVC (33), DER certificate\n", "ManufacturerCVCChain (81), PKCS #7 chain\n", subject}},
	} {
		got := dcs("", "cvc", tt.file)
		if got.status != done || got.stderr != "" {
			t.Errorf("%s: %+v", tt.file, got)
		}
		for _, s := range tt.says {
			if !strings.Contains(got.stdout, s) {
				t.Errorf("%s: %q is missing in\n%s", tt.file, s, got.stdout)
			}
		}
	}
	broken := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: []byte(content(t, "maker.der"))[:200]})
	for file, data := range map[string]string{"empty": "", "key": content(t, "maker.key"), "plain.cm": "\x03\x01\x01\xff", "broken.pem": string(broken)} {
		write(t, file, data)
		if got := dcs("", "cvc", file); got.status != failed || !strings.Contains(got.stderr, file+": ") {
			t.Errorf("%s: %+v", file, got)
		}
	}
}
