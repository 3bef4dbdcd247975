// Package cvc finds code verification certificates: in DER or PEM files, in PKCS #7 chains and at the heads of firmware images.
package cvc

import (
	"bytes"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"errors"
	"fmt"
	"slices"
	"strconv"

	"dcs/render/plaintext"
)

// Kind is what holds the certificates.
type Kind uint8

const (
	DER   Kind = iota + 1 // one certificate, as TLVs 32 and 33 carry it
	Chain                 // a PKCS #7 SignedData without signatures, as TLVs 81 and 82 carry it
	Image                 // a PKCS #7 SignedData with signatures, and the image that they are of (BPI+, appendix D)
	PEM                   // text; what it holds is what DER and Chain are
)

// String returns the kind in words.
func (k Kind) String() string {
	return [...]string{"nothing", "DER certificate", "PKCS #7 chain", "firmware image", "PEM"}[k]
}

// Contents is what a file holds.
type Contents struct {
	Kind  Kind
	Certs [][]byte // in DER, in the order of the file, at most 16
	// Signers are those of Certs that signed the image: the manufacturer's comes first, then a co-signer's, if the
	// image has them in that order.
	Signers [][]byte
	// Binary is what belongs into a TLV: the DER of a certificate or of a chain. It is nil for an image.
	Binary []byte
}

// MaxHead is how many octets of a file Read looks at.
const MaxHead = 256 << 10

// First is the first octet of every certificate, chain and image.
const First = 0x30

const maxCerts = 16

// ErrKey is the error of a file that is a private key.
var ErrKey = errors.New("a private key, not its certificate")

var errForeign = errors.New("neither a certificate in DER or PEM, nor PKCS #7")

// Read reads the certificates of a file. It looks at the first MaxHead octets only, and does not verify signatures. In PEM, text before
// the first block is skipped.
func Read(file []byte) (*Contents, error) {
	file = file[:min(len(file), MaxHead)]
	if text := bytes.TrimSpace(bytes.TrimPrefix(bytes.TrimSpace(file), []byte("\ufeff"))); hasPEM(text) {
		return readPEM(text)
	}
	head, rest, err := element(file)
	switch {
	case err != nil && len(file) == MaxHead && file[0] == First:
		return nil, fmt.Errorf("its head has more than %d octets, the limit", MaxHead)
	case err != nil || head.Tag != asn1.TagSequence || head.Class != asn1.ClassUniversal:
		return nil, errForeign
	}
	first, _, err := element(head.Bytes)
	if err != nil {
		return nil, errForeign
	}
	if first.Tag == asn1.TagInteger { // its version (PKCS #1, PKCS #8, SEC 1)
		return nil, ErrKey
	}
	if first.Tag != asn1.TagOID {
		if _, _, err := names(head.FullBytes); err != nil {
			return nil, errForeign
		}
		if len(rest) > 0 {
			return nil, fmt.Errorf("%d octets follow the certificate", len(rest))
		}
		return &Contents{Kind: DER, Certs: [][]byte{head.FullBytes}, Binary: head.FullBytes}, nil
	}
	c, err := signedData(head.Bytes)
	if err != nil {
		return nil, err
	}
	if len(c.Signers) == 0 && len(rest) == 0 {
		c.Kind, c.Binary = Chain, head.FullBytes
	}
	return c, nil
}

// hasPEM reports whether a file begins with PEM, or with lines of text before it.
func hasPEM(file []byte) bool {
	begin := []byte("-----BEGIN ")
	if bytes.HasPrefix(file, begin) {
		return true
	}
	at := bytes.Index(file, append([]byte("\n"), begin...))
	return at >= 0 && plaintext.Is(file[:at])
}

// readPEM reads the first block of a PEM file, which must be its only one.
func readPEM(text []byte) (*Contents, error) {
	block, rest := pem.Decode(text)
	if block == nil {
		return nil, errors.New("damaged PEM")
	}
	if block.Type != "CERTIFICATE" && block.Type != "PKCS7" {
		return nil, fmt.Errorf("PEM of type %s, not CERTIFICATE or PKCS7", block.Type)
	}
	if next, _ := pem.Decode(rest); next != nil {
		return nil, errors.New(`several PEM blocks; for a chain, convert them: openssl crl2pkcs7 -nocrl -certfile FILE -outform der`)
	}
	c, err := Read(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("PEM of type %s: %w", block.Type, err)
	}
	if c.Binary == nil {
		return nil, errors.New("a firmware image in PEM")
	}
	c.Kind = PEM
	return c, nil
}

// signedDataOID is 1.2.840.113549.1.7.2 (RFC 2315, section 14).
var signedDataOID = []byte{0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x07, 0x02}

// signedData reads the contents of a ContentInfo (RFC 2315, sections 7 and 9).
func signedData(info []byte) (*Contents, error) {
	id, rest, _ := element(info)
	if !bytes.Equal(id.Bytes, signedDataOID) {
		return nil, errors.New("PKCS #7, but no SignedData")
	}
	explicit, _, err := element(rest)
	if err != nil {
		return nil, errDamaged
	}
	sequence, _, err := element(explicit.Bytes)
	if err != nil || sequence.Tag != asn1.TagSequence {
		return nil, errDamaged
	}
	c := &Contents{Kind: Image}
	var signers []byte
	for at, field := 0, sequence.Bytes; len(field) > 0; at++ {
		var e asn1.RawValue
		if e, field, err = element(field); err != nil {
			return nil, errDamaged
		}
		switch {
		case e.Class == asn1.ClassContextSpecific && e.Tag == 0:
			if c.Certs, err = list(e.Bytes); err != nil {
				return nil, err
			}
		case e.Class == asn1.ClassUniversal && e.Tag == asn1.TagSet && at > 1: // after the digest algorithms
			signers = e.Bytes
		}
	}
	if len(c.Certs) == 0 {
		return nil, errors.New("PKCS #7 without certificates")
	}
	infos, err := list(signers)
	if err != nil {
		return nil, err
	}
	signed := make([]bool, len(c.Certs))
	for _, info := range infos {
		if at := c.signer(info); at >= 0 {
			signed[at] = true
		}
	}
	for i, cert := range c.Certs { // encoders sort signers, which are a set, by their octets
		if signed[i] {
			c.Signers = append(c.Signers, cert)
		}
	}
	if len(infos) > 0 && len(c.Signers) == 0 {
		return nil, errors.New("PKCS #7 without the certificate of its signer")
	}
	return c, nil
}

var errDamaged = errors.New("damaged PKCS #7")

// list returns the elements of a set.
func list(set []byte) ([][]byte, error) {
	var out [][]byte
	for len(set) > 0 {
		e, rest, err := element(set)
		switch {
		case err != nil:
			return nil, errDamaged
		case len(out) == maxCerts:
			return nil, fmt.Errorf("PKCS #7 of more than %d certificates or signers", maxCerts)
		}
		out, set = append(out, e.FullBytes), rest
	}
	return out, nil
}

// signer returns the index of the certificate that a SignerInfo names by issuer and serial number; -1: it is not there.
func (c *Contents) signer(info []byte) int {
	outer, _, err := element(info)
	if err != nil {
		return -1
	}
	_, rest, err := element(outer.Bytes) // the version
	if err != nil {
		return -1
	}
	id, _, err := element(rest)
	if err != nil {
		return -1
	}
	issuer, rest, err := element(id.Bytes)
	if err != nil {
		return -1
	}
	serial, _, err := element(rest)
	if err != nil {
		return -1
	}
	return slices.IndexFunc(c.Certs, func(cert []byte) bool {
		i, s, err := names(cert)
		return err == nil && bytes.Equal(i, issuer.FullBytes) && bytes.Equal(s, serial.FullBytes)
	})
}

// IsChain reports whether DER is that of a PKCS #7 SignedData, not of a certificate.
func IsChain(der []byte) bool {
	head, _, err := element(der)
	if err != nil {
		return false
	}
	id, _, err := element(head.Bytes)
	return err == nil && id.Tag == asn1.TagOID && bytes.Equal(id.Bytes, signedDataOID)
}

// Subject returns the subject of a certificate in DER, in quotes; "unknown" if it cannot be read.
func Subject(cert []byte) string {
	f, err := fields(cert)
	var name pkix.RDNSequence
	if err == nil {
		_, err = asn1.Unmarshal(f[subject].FullBytes, &name)
	}
	if err != nil {
		return "unknown"
	}
	return strconv.Quote(name.String())
}

// names returns the issuer and the serial number of a certificate, in DER.
func names(cert []byte) (issuer, serial []byte, err error) {
	f, err := fields(cert)
	return f[issuerName].FullBytes, f[serialNumber].FullBytes, err
}

// The first fields of a certificate after its version (RFC 5280, section 4.1).
const (
	serialNumber = iota
	algorithm
	issuerName
	validity
	subject
	numFields
)

// fields returns the first fields of a certificate. A request for one, or a list of revoked ones, has others. Certificates that crypto/x509
// refuses are in use.
func fields(cert []byte) (f [numFields]asn1.RawValue, err error) {
	outer, _, err := element(cert)
	if err != nil {
		return f, err
	}
	tbs, _, err := element(outer.Bytes)
	if err != nil {
		return f, err
	}
	for i, rest := 0, tbs.Bytes; i < len(f); i++ {
		if f[i], rest, err = element(rest); err != nil {
			return f, err
		}
		if i == 0 && f[0].Class == asn1.ClassContextSpecific { // the version
			i--
		}
	}
	is := func(e *asn1.RawValue, tag int) bool { return e.Class == asn1.ClassUniversal && e.Tag == tag }
	if !is(&tbs, asn1.TagSequence) || !is(&f[serialNumber], asn1.TagInteger) {
		return f, errForeign
	}
	for i := algorithm; i < len(f); i++ {
		if !is(&f[i], asn1.TagSequence) {
			return f, errForeign
		}
	}
	return f, nil
}

// element returns the first element of b.
func element(b []byte) (e asn1.RawValue, rest []byte, err error) {
	rest, err = asn1.Unmarshal(b, &e)
	return e, rest, err
}
