package httpserve

import (
	"crypto/tls"

	"dcs/render/secret"
)

// KeyPair reads a certificate with its chain, and its key, whose file must be private ([secret.Read]).
func KeyPair(cert, key string) (tls.Certificate, error) {
	certPEM, err := secret.ReadCertificates(cert)
	if err != nil {
		return tls.Certificate{}, err
	}
	keyPEM, err := secret.Read(key, secret.MaxSize)
	if err != nil {
		return tls.Certificate{}, err
	}
	return tls.X509KeyPair(certPEM, keyPEM)
}
