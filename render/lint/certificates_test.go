package lint_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"encoding/pem"
	"math/big"
	"strings"
	"testing"
	"time"

	"dcs/render/lint"
)

// now is the time of the cases below.
var now = time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC)

// issued returns a self-signed certificate that is valid for a number of days from 2026-01-01.
func issued(days int, use ...x509.ExtKeyUsage) []byte {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	tmpl := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{Organization: []string{"maker"}, CommonName: "CVC"},
		NotBefore: start, NotAfter: start.AddDate(0, 0, days), ExtKeyUsage: use,
	}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, &key.PublicKey, key)
	if err != nil {
		panic(err)
	}
	return der
}

var (
	lasting = issued(3650, x509.ExtKeyUsageCodeSigning)
	ending  = issued(170, x509.ExtKeyUsageCodeSigning)
	ended   = issued(100, x509.ExtKeyUsageCodeSigning)
	server  = issued(3650, x509.ExtKeyUsageServerAuth)
	dated   = lint.Options{Now: now}
	good    = sound + carries(lasting)
)

func carries(cert []byte) string { return `MfgCVCData 0x` + hex.EncodeToString(cert) + `; ` }

var certificateCases = []ruleCase{
	{rule: "sw-cvc", bad: sound + carries(ended), good: good, options: dated, severity: lint.Warning},
	{rule: "sw-cvc", bad: sound + carries(ending), good: good, options: dated, severity: lint.Warning},
	{rule: "sw-cvc", bad: sound + carries(lasting), good: sound, options: lint.Options{Now: now.AddDate(-1, 0, 0)}, severity: lint.Warning},
	{rule: "sw-cvc", bad: sound + carries(server), good: good},
	{rule: "sw-cvc", bad: good, good: sound, options: lint.Options{Version: lint.V31}, severity: lint.Warning},
	{rule: "sw-cvc", bad: sound + carries(lasting[:200]), good: good},
	{rule: "sw-cvc", bad: sound + carries(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: lasting})), good: good},
	{rule: "sw-cvc", bad: sound + `ManufacturerCVCChain 0x` + hex.EncodeToString(lasting) + `; `, good: good},
	{rule: "sw-cvc", bad: sound + `GenericTLV TlvCode 32 TlvValue 0x` + hex.EncodeToString(lasting[:100]) + `; GenericTLV TlvCode 32 TlvValue 0x` + hex.EncodeToString(lasting[100:254]) + `; `, good: good},
	{rule: "sw-cvc", bad: sound + `GenericTLV TlvCode 32 TlvValue 0x` + hex.EncodeToString(lasting[:254]) + `; MaxClassifiers 0; GenericTLV TlvCode 32 TlvValue 0x` + hex.EncodeToString(lasting[254:]) + `; `, good: good},
}

// A modem reads a certificate of its own generation: chains came with DOCSIS 3.1.
func TestCertificateOfVersion(t *testing.T) {
	single := `0x030101 2004 30020500`
	chain := `0x030101 5104 30020500`
	both := `0x030101 2004 30020500 5104 30020500`
	for _, tt := range []struct {
		file    string
		version lint.Version
		want    string
	}{
		{single, lint.AnyVersion, ""},
		{single, lint.V30, ""},
		{single, lint.V31, "reads the chain in 81"},
		{chain, lint.V31, ""},
		{chain, lint.V40, ""},
		{chain, lint.V30, "a modem of DOCSIS 3.0 does not know it"},
		{both, lint.V31, ""},
		{both, lint.V20, "a modem of DOCSIS 2.0 does not know it"},
	} {
		got := ""
		for _, f := range lint.Check(file(t, tt.file), &lint.Options{Version: tt.version}) {
			if f.Rule.ID == "sw-cvc" && strings.Contains(f.Text, "DOCSIS") {
				got += f.Text
			}
		}
		if !strings.Contains(got, tt.want) || tt.want == "" && got != "" {
			t.Errorf("%s for %v: %q, want %q", tt.file, tt.version, got, tt.want)
		}
	}
}
