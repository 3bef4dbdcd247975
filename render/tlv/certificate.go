package tlv

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"dcs/render/cvc"
	"dcs/render/plaintext"
)

// certificate is the contents of a file, a certificate cut out of a firmware image, or octets.
type certificate struct{ octetString }

func (certificate) wants(*Def) string {
	return `a file name in quotes, from firmware and the name of an image, or 0x and hexadecimal digits`
}

func (certificate) append(e *Encoder, dst []byte, d *Def, f Form, vals []Value) ([]byte, error) {
	if len(vals) == 3 && vals[0].word("from") && vals[1].word("firmware") && f == FormFile {
		return e.appendSigner(dst, d, &vals[2])
	}
	v, err := d.single(vals)
	if err != nil {
		return dst, err
	}
	_, isHex := cutHex(v.Text)
	if v.Type == Hex || v.Type == Octets || f == FormBytes && v.Type == Any && isHex {
		return d.appendOctets(dst, v)
	}
	if f == FormBytes {
		msg := "expected 0x and hexadecimal digits, got " + v.describe()
		if name := d.nameFor(FormFile); name != "" {
			msg += "; " + name + " takes a file name"
		}
		return dst, d.fail(0, msg)
	}
	data, err := e.readFile(d, v)
	if err != nil {
		return dst, err
	}
	if len(data) == 0 {
		return dst, d.fail(0, "the file "+v.describe()+" is empty")
	}
	data, err = e.certificate(d, v, data)
	if err != nil {
		return dst, err
	}
	return append(dst, data...), nil
}

func (v *Value) word(text string) bool { return v.Type == Word && strings.EqualFold(v.Text, text) }

// chain reports whether d carries a PKCS #7 chain, not a single certificate.
func (d *Def) chain() bool { return d.Code == 81 || d.Code == 82 }

// certificate returns what belongs into d of a file: PEM is converted to DER. A firmware image is an error, and so are text, keys and,
// unless Lenient, what does not begin as DER. What does, but is no certificate that can be read, is a warning.
func (e *Encoder) certificate(d *Def, v *Value, data []byte) ([]byte, error) {
	c, err := cvc.Read(data)
	const convert = "; openssl x509 -outform der, or openssl pkcs7 -outform der for a chain, converts it"
	switch {
	case err != nil && (plaintext.Is(data) || errors.Is(err, cvc.ErrKey)):
		return nil, d.fail(0, v.describe()+": "+err.Error()+"; expected DER, which begins with octet 30")
	case err != nil && data[0] != cvc.First && !e.Lenient:
		return nil, d.fail(0, v.describe()+": "+err.Error()+"; expected DER, which begins with octet 30"+Lifted)
	case err != nil:
		e.warn(d, v.describe()+": "+err.Error())
		return data, nil
	case c.Kind == cvc.Image:
		msg := v.describe() + " is a firmware image, not its certificate"
		if !d.chain() {
			msg += "; write " + d.Name + " from firmware " + v.describe()
		}
		return nil, d.fail(0, msg)
	}
	if c.Kind == cvc.PEM {
		e.warn(d, v.describe()+" is PEM, and becomes the DER that it holds"+convert)
		data = c.Binary
	}
	if d.chain() != cvc.IsChain(data) {
		what, want := "a PKCS #7 chain", "a certificate"
		if d.chain() {
			what, want = want, what
		}
		e.warn(d, v.describe()+" is "+what+", and "+want+" belongs here")
	}
	return data, nil
}

// appendSigner appends the certificate of the manufacturer or, for a CoSignerCVC, of the co-signer, out of a firmware image.
func (e *Encoder) appendSigner(dst []byte, d *Def, v *Value) ([]byte, error) {
	if d.chain() {
		return dst, d.fail(0, "only ManufacturerCVC and CoSignerCVC are cut out of a firmware image; write the name of a PKCS #7 file")
	}
	image, err := e.readHead(d, v)
	if err != nil {
		return dst, err
	}
	c, err := cvc.Read(image)
	if err != nil {
		return dst, d.fail(2, v.describe()+": no firmware image: "+err.Error())
	}
	if c.Kind != cvc.Image {
		return dst, d.fail(2, v.describe()+": no firmware image but a "+c.Kind.String()+"; write "+d.Name+" "+v.describe())
	}
	signer := 0
	if d.Code == 33 {
		signer = 1
	}
	if signer >= len(c.Signers) {
		return dst, d.fail(2, v.describe()+" has "+strconv.Itoa(len(c.Signers))+" signers, and a co-signer is the second")
	}
	if n := len(c.Signers); n > 1 {
		e.warn(d, fmt.Sprintf("%s has %d signers, and which is the manufacturer's only their subjects say: took %s, number %d; not %s", v.describe(), n,
			cvc.Subject(c.Signers[signer]), signer+1, subjects(c.Signers, signer)))
	}
	return append(dst, c.Signers[signer]...), nil
}

// subjects lists the subjects of all certificates but one.
func subjects(certs [][]byte, but int) string {
	var list []string
	for i, c := range certs {
		if i != but {
			list = append(list, cvc.Subject(c))
		}
	}
	return strings.Join(list, ", ")
}
