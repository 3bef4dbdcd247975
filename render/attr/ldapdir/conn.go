package ldapdir

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"strings"

	"github.com/go-ldap/ldap/v3"

	"dcs/render/secret"
)

func (s *source) wrap(ctx context.Context, step string, err error) error {
	if cause := context.Cause(ctx); cause != nil && !errors.Is(err, cause) {
		err = fmt.Errorf("%w (%w)", cause, err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return secret.Hide(s.cfg.Name+": "+step+": "+err.Error(), err, s.password)
}

// conn is a connection and its socket, which can be closed without waiting.
type conn struct {
	*ldap.Conn
	wire net.Conn
}

func (c *conn) close() {
	c.wire.Close()
	c.Conn.Close()
}

// ended returns an error if the connection has failed, so that a search may be incomplete.
func (c *conn) ended(ctx context.Context) error {
	switch err := c.GetLastError(); {
	case context.Cause(ctx) != nil:
		return context.Cause(ctx)
	case err != nil:
		return err
	case c.IsClosing():
		return errors.New("connection closed")
	}
	return nil
}

// connect dials and binds.
func (s *source) connect(ctx context.Context) (*conn, error) {
	ctx, cancel := context.WithTimeout(ctx, s.cfg.Timeout)
	defer cancel()
	tlsConfig := s.tls
	if tlsConfig != nil && s.cfg.CAFile != "" {
		pem, err := secret.ReadCertificates(s.cfg.CAFile)
		if err != nil {
			return nil, s.wrap(ctx, "ca_file", err)
		}
		tlsConfig = tlsConfig.Clone()
		tlsConfig.RootCAs = x509.NewCertPool()
		if !tlsConfig.RootCAs.AppendCertsFromPEM(pem) {
			return nil, s.wrap(ctx, "ca_file", fmt.Errorf("%s has no certificate in PEM", s.cfg.CAFile))
		}
	}
	var password secret.Text
	if s.cfg.BindDN != "" {
		b, err := secret.Read(s.cfg.PasswordFile, secret.MaxSize)
		if err != nil {
			return nil, s.wrap(ctx, "password_file", err)
		}
		line, _, _ := strings.Cut(string(b), "\n")
		password = secret.New(strings.TrimSuffix(line, "\r"))
		if why := secret.Mark(line); why != "" {
			return nil, s.wrap(ctx, "password_file", fmt.Errorf("%s %s; save it without one, as UTF-8", s.cfg.PasswordFile, why))
		}
		if password.IsZero() { // a server would take it for an anonymous bind
			return nil, s.wrap(ctx, "password_file", fmt.Errorf("the first line of %s is empty", s.cfg.PasswordFile))
		}
		s.mu.Lock()
		s.password = password
		s.mu.Unlock()
	}
	wire, err := (&net.Dialer{}).DialContext(ctx, "tcp", s.host)
	if err != nil {
		return nil, s.wrap(ctx, "connect", err)
	}
	stop := context.AfterFunc(ctx, func() { wire.Close() })
	defer stop()
	over := wire
	if tlsConfig != nil && !s.cfg.StartTLS {
		t := tls.Client(wire, tlsConfig)
		if err := t.HandshakeContext(ctx); err != nil {
			wire.Close()
			return nil, s.wrap(ctx, "TLS", err)
		}
		over = t
	}
	// The library's timeout is for a request as a whole, however fast its entries arrive, and drops responses that are not
	// read in time. Contexts detect silence instead.
	c := &conn{ldap.NewConn(over, over != wire), wire}
	c.Start()
	if s.cfg.StartTLS {
		if err := c.StartTLS(tlsConfig); err != nil {
			c.close()
			return nil, s.wrap(ctx, "StartTLS", err)
		}
	}
	if s.cfg.BindDN != "" {
		if err := c.Bind(s.cfg.BindDN, password.Reveal()); err != nil {
			c.close()
			return nil, s.wrap(ctx, "bind as "+s.cfg.BindDN, err)
		}
	}
	if !stop() {
		c.close()
		return nil, s.wrap(ctx, "connect", ctx.Err())
	}
	return c, nil
}
