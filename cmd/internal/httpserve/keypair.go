package httpserve

import (
	"crypto/tls"

	"dcs/render/private"
)

// KeyPair reads a certificate with its chain, and its key, which must be private ([private.Read]).
func KeyPair(cert, key string) (tls.Certificate, error) {
	certPEM, err := private.ReadCertificates(cert)
	if err != nil {
		return tls.Certificate{}, err
	}
	keyPEM, err := private.Read(key, private.MaxSize)
	if err != nil {
		return tls.Certificate{}, err
	}
	return tls.X509KeyPair(certPEM, keyPEM)
}
