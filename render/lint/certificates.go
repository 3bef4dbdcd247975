package lint

import (
	"crypto/x509"
	"slices"
	"time"

	"dcs/render/cvc"
	"dcs/render/tlv"
)

// renewal is how long before its end a certificate is reported.
const renewal = 60 * 24 * time.Hour

// fragment is the length in octets of all TLVs of a certificate but the last.
const fragment = 254

// certificateRules are about the code verification certificates of a file: TLVs 32 and 33, and the chains of 81 and 82.
var certificateRules = []Rule{{
	ID: "sw-cvc", Severity: Error, Since: V11, In: []tlv.Dialect{tlv.CM, tlv.DPoE, tlv.PS}, Recalled: true, Cite: "RFC 4131, docsBpi2CodeDownloadStatusCode",
	Meaning: "A code verification certificate cannot be read, is not in DER, or is not for signing code: the modem takes no image (configFileCvcRejected). One that is not valid at this time, or soon, or that the modem's version does not read, is a warning.",
	Remedy:  "take the certificate out of the image: ManufacturerCVC from firmware \"image.bin\"",
	check: func(c *check) {
		for _, code := range []uint8{32, 33, 81, 82} {
			if list := c.top(code); len(list) > 0 && !slices.ContainsFunc(list, func(n *tlv.Node) bool { return !c.constant(n) }) {
				c.certificate(list, code > 33)
			}
			if list := c.top(code); len(list) > 0 {
				c.generation(list[0])
			}
		}
	},
}}

// generation judges whether a modem of the version of the check reads a certificate: chains of PKCS #7 came with 3.1.
func (c *check) generation(n *tlv.Node) {
	switch chain := n.Code > 33; {
	case c.Version == AnyVersion:
	case chain && c.Version < V31:
		c.reportAs(Warning, n, "%s: a modem of DOCSIS %v does not know it", c.title(n), c.Version).fix("add %s", plain(n))
	case !chain && c.Version >= V31 && !c.has(n.Code+49):
		c.reportAs(Warning, n, "%s: a modem of DOCSIS %v with certificates of 3.1 reads the chain in %d", c.title(n), c.Version, n.Code+49).fix("add ManufacturerCVCChain (81) or CoSignerCVCChain (82)")
	}
}

// certificate judges the certificate, or the chain, that consecutive TLVs of one type carry.
func (c *check) certificate(list []*tlv.Node, chain bool) {
	var value []byte
	first := list[0]
	for i, n := range list {
		value = append(value, n.Value...)
		switch {
		case i > 0 && list[i-1].Offset+len(list[i-1].Raw) != n.Offset:
			c.report(n, "%s: the fragments of a certificate must follow one another", c.title(n)).fix("move the parts together")
			return
		case i+1 < len(list) && len(n.Value) != fragment:
			c.report(n, "%s: a fragment before the last has %d octets, not %d", c.title(n), len(n.Value), fragment).fix("let DCS cut it: write the file's name")
			return
		}
	}
	contents, err := cvc.Read(value)
	switch {
	case err != nil:
		c.report(first, "%s: %v", c.title(first), err)
		return
	case contents.Kind == cvc.PEM:
		c.report(first, "%s is text in PEM, not DER", c.title(first)).fix("convert it: openssl x509 -outform der")
		return
	case chain && contents.Kind != cvc.Chain:
		c.report(first, "%s is a %v, and a PKCS #7 chain belongs here", c.title(first), contents.Kind).fix("write it as %s", plain(first))
		return
	case !chain && contents.Kind != cvc.DER:
		c.report(first, "%s is a %v, and one certificate in DER belongs here", c.title(first), contents.Kind)
		return
	}
	signs := false
	for _, der := range contents.Certs {
		cert, err := x509.ParseCertificate(der)
		if err != nil {
			c.reportAs(Warning, first, "%s: %v", c.title(first), err)
			return
		}
		signs = signs || slices.Contains(cert.ExtKeyUsage, x509.ExtKeyUsageCodeSigning)
		c.validity(first, cert)
	}
	if !signs {
		c.report(first, "%s is not for signing code: no extended key usage says so", c.title(first)).fix("use the code verification certificate, not another of its maker")
	}
}

// plain is the keyword of the single certificate that goes with a chain.
func plain(n *tlv.Node) string {
	if n.Code == 82 {
		return "CoSignerCVC (33)"
	}
	return "ManufacturerCVC (32)"
}

// validity judges a certificate at the time of the check, if that is known.
func (c *check) validity(n *tlv.Node, cert *x509.Certificate) {
	const renew = "a modem compares with the times of the last image, not with a clock, so images signed before may still be taken; ask the maker for a new one"
	switch {
	case c.Now.IsZero():
	case c.Now.Before(cert.NotBefore):
		c.reportAs(Warning, n, "%s: %s is valid from %s", c.title(n), cert.Subject, cert.NotBefore.UTC().Format(time.DateOnly)).fix(renew)
	case c.Now.After(cert.NotAfter):
		c.reportAs(Warning, n, "%s: %s expired on %s", c.title(n), cert.Subject, cert.NotAfter.UTC().Format(time.DateOnly)).fix(renew)
	case c.Now.Add(renewal).After(cert.NotAfter):
		c.reportAs(Warning, n, "%s: %s expires on %s", c.title(n), cert.Subject, cert.NotAfter.UTC().Format(time.DateOnly)).fix("ask the maker for a new one")
	}
}
