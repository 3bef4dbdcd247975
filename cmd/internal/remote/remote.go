// Package remote finds a running server by its configuration, and makes a client of its admin API.
package remote

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	api "dcs/cmd/internal/admin/client"
	"dcs/cmd/internal/config"
	"dcs/cmd/internal/httpserve"
	"dcs/render/secret"
)

// StandardConfig is where packages put the configuration.
const StandardConfig = "/etc/dcs/dcs.yaml"

// StandardAdmin are the addresses where a server may be that no configuration tells of.
var StandardAdmin = []string{"unix:/run/dcs/admin.sock", "127.0.0.1:8069"}

// Reachable returns the one of a server's admin addresses that this process asks: a Unix socket that lets it in, since that takes
// changes, else one on TCP; "": there is none.
func Reachable(addresses []string) string {
	other := ""
	for _, a := range addresses {
		path, isSocket := strings.CutPrefix(a, "unix:")
		switch {
		case isSocket && unix.Access(path, unix.W_OK) == nil:
			return a
		case other == "" || strings.HasPrefix(other, "unix:") && !isSocket:
			other = a
		}
	}
	return other
}

// Installed returns the configuration of the package if it is there, else nothing.
func Installed(file string) (string, error) {
	_, err := os.Stat(file)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return "", nil
	case err != nil:
		return "", fmt.Errorf("%w: root and the server's user may read it", err)
	}
	return file, nil
}

// Access is how verbs reach a running server.
type Access struct {
	File, Address, TokenFile string

	Standard string // the configuration where no other is given
}

// Flags adds the flags that say where the server is. standard is the configuration if none is given, "": there is none.
func (a *Access) Flags(cmd *cobra.Command, standard string) {
	a.Standard = standard
	f := cmd.Flags()
	f.StringVarP(&a.File, "config", "c", "", "the server's configuration `file` (default: "+StandardConfig+", if it is there and no address is given)")
	f.StringVar(&a.TokenFile, "token-file", "", "a `file` with the token that the server's admin_token_file has (default: as the configuration says)")
}

// Dial makes a client of the server, and returns where that is. An address goes before that of the configuration; without
// either, a server is looked for where the package's is, or on loopback. The token and certificates of a configuration that
// was not asked for stay away from an address that it does not have. Of several addresses it takes the first that is reachable.
func (a *Access) Dial() (*api.Client, string, error) {
	file := a.File
	if file == "" && a.Address == "" {
		var err error
		if file, err = Installed(a.Standard); err != nil {
			return nil, "", err
		}
	}
	cfg := config.Default()
	if file != "" {
		if err := cfg.Load(file); err != nil {
			return nil, "", err
		}
	}
	switch {
	case a.Address != "":
		cfg.Admin = []string{a.Address}
	case file == "":
		cfg.Admin = StandardAdmin
	case len(cfg.Admin) == 0:
		return nil, "", fmt.Errorf("%s has no key admin: the server cannot be asked", file)
	}
	if a.TokenFile != "" {
		cfg.AdminTokenFile = a.TokenFile
	}
	address := Reachable(cfg.Admin)
	c, err := DialAdmin(&cfg, address)
	return c, address, err
}

// DialAdmin makes a client of the server that has this configuration and address: it brings the token, trusts the server's
// own certificate, and has that for its own where clients need one. Nothing is connected yet.
func DialAdmin(cfg *config.Config, address string) (*api.Client, error) {
	token := ""
	if cfg.AdminTokenFile != "" {
		b, err := secret.Read(cfg.AdminTokenFile, secret.MaxSize)
		if err != nil {
			return nil, fmt.Errorf("admin_token_file: %w", err)
		}
		token = strings.TrimSpace(string(b))
	}
	host, port, err := net.SplitHostPort(address)
	if err == nil && host == "" { // all addresses of the machine
		host = "127.0.0.1"
		address = net.JoinHostPort(host, port)
	}
	if cfg.AdminCert == "" || strings.HasPrefix(address, "unix:") {
		return api.Dial(address, token), nil
	}
	chain, err := certificates(cfg.AdminCert)
	if err != nil {
		return nil, fmt.Errorf("admin_cert: %w", err)
	}
	own := &tls.Config{MinVersion: tls.VersionTLS12}
	if own.RootCAs, err = x509.SystemCertPool(); err != nil {
		own.RootCAs = x509.NewCertPool()
	}
	for _, c := range chain {
		own.RootCAs.AddCert(c)
	}
	// The configuration has an address to listen at, which need not be what the certificate is for.
	if leaf := chain[0]; host != "" && leaf.VerifyHostname(host) != nil {
		switch {
		case len(leaf.DNSNames) > 0:
			own.ServerName = leaf.DNSNames[0]
		case len(leaf.IPAddresses) > 0:
			own.ServerName = leaf.IPAddresses[0].String()
		}
	}
	if cfg.AdminClientCA != "" {
		pair, err := httpserve.KeyPair(cfg.AdminCert, cfg.AdminKey)
		if err != nil {
			return nil, fmt.Errorf("admin_cert: %w", err)
		}
		own.Certificates = []tls.Certificate{pair}
	}
	return api.DialTLS(address, token, own), nil
}

// certificates reads the certificates in a PEM file, at least one.
func certificates(file string) ([]*x509.Certificate, error) {
	rest, err := secret.ReadCertificates(file)
	if err != nil {
		return nil, err
	}
	var all []*x509.Certificate
	for {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			break
		}
		if block.Type != "CERTIFICATE" {
			continue
		}
		c, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		all = append(all, c)
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("%s holds no certificate", file)
	}
	return all, nil
}
