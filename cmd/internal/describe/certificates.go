package describe

import (
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"dcs/render/cvc"
	"dcs/render/tlv"
)

// certificateTLVs are the TLVs of a boot file that carry certificates.
var certificateTLVs = [...]byte{32, 33, 81, 82}

// Certificates writes which code verification certificates a file holds: a certificate or a PKCS #7 chain, a firmware image, or a boot
// file. now decides whether they are valid. The error is that of a file without certificates, or of those that cannot be read, and has
// no file name.
func Certificates(w io.Writer, file []byte, now time.Time) error {
	c, err := cvc.Read(file)
	if err == nil {
		return writeCertificates(w, c, now)
	}
	tree, _ := tlv.Decode(file) // what precedes a damage counts
	found, errs := false, []error(nil)
	for _, code := range certificateTLVs {
		var value []byte
		var title string
		for _, n := range tree.Nodes {
			if n.Code == code && n.Def != nil {
				value, title = append(value, n.Value...), n.Def.Title()
			}
		}
		if title == "" {
			continue
		}
		found = true
		fmt.Fprintf(w, "%s, ", title)
		c, err := cvc.Read(value)
		if err == nil {
			err = writeCertificates(w, c, now)
		} else {
			fmt.Fprintf(w, "%d octets\n", len(value))
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", title, err))
		}
	}
	if !found {
		return fmt.Errorf("no certificates: %w, nor a boot file with TLV 32, 33, 81 or 82", err)
	}
	return errors.Join(errs...)
}

func writeCertificates(w io.Writer, c *cvc.Contents, now time.Time) error {
	fmt.Fprintf(w, "%s\n", c.Kind)
	var errs []error
	for i, der := range c.Certs {
		role := ""
		for j, s := range c.Signers {
			if &s[0] == &der[0] {
				role = [...]string{", of the manufacturer", ", of the co-signer"}[min(j, 1)]
			}
		}
		fmt.Fprintf(w, "  certificate %d, %d octets%s\n", i+1, len(der), role)
		cert, err := x509.ParseCertificate(der)
		if err != nil {
			errs = append(errs, fmt.Errorf("certificate %d: %w", i+1, err))
			continue
		}
		fmt.Fprintf(w, "    subject: %s\n    issuer:  %s\n    serial:  %s\n    valid:   %s\n    usage:   %s\n",
			cert.Subject, cert.Issuer, hex.EncodeToString(cert.SerialNumber.Bytes()), validity(cert, now), usage(cert))
	}
	return errors.Join(errs...)
}

func validity(cert *x509.Certificate, now time.Time) string {
	text := cert.NotBefore.UTC().Format(time.DateTime) + " to " + cert.NotAfter.UTC().Format(time.DateTime) + " UTC"
	switch {
	case now.Before(cert.NotBefore):
		text += ", NOT YET VALID"
	case now.After(cert.NotAfter):
		text += ", EXPIRED"
	}
	return text
}

// usage names what the key may be used for.
func usage(cert *x509.Certificate) string {
	var out []string
	if cert.IsCA {
		out = append(out, "CA")
	}
	if cert.KeyUsage&x509.KeyUsageDigitalSignature != 0 {
		out = append(out, "digital signature")
	}
	if cert.KeyUsage&x509.KeyUsageCertSign != 0 {
		out = append(out, "certificate signing")
	}
	for _, u := range cert.ExtKeyUsage {
		if u == x509.ExtKeyUsageCodeSigning {
			out = append(out, "code signing")
		}
	}
	if len(out) == 0 {
		return "not stated"
	}
	return strings.Join(out, ", ")
}
