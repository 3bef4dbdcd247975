// Package remote finds a running server by its configuration, and creates clients of its admin API.
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

// StandardConfig is the path of the packages' configuration.
const StandardConfig = "/etc/dcs/dcs.yaml"

// standardAdmin are the addresses at which a server is looked for without a configuration.
var standardAdmin = []string{"unix:/run/dcs/admin.sock", "127.0.0.1:8069"}

// Reachable returns the admin address to use: a Unix socket that this process may write to, as that accepts changes; else an
// address on TCP; "" if there is none.
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

// Installed returns file, the configuration of the package, if it exists; else "".
func Installed(file string) (string, error) {
	_, err := os.Stat(file)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return "", nil
	case err != nil:
		return "", fmt.Errorf("%w; only root and the server's user may read it", err)
	}
	return file, nil
}

// Access says how a verb reaches the running server.
type Access struct {
	File, Address, TokenFile string

	Standard string // the default configuration
}

// Flags adds the flags that say where the server is. standard is the default configuration, which need not exist.
func (a *Access) Flags(cmd *cobra.Command, standard string) {
	a.Standard = standard
	f := cmd.Flags()
	f.StringVarP(&a.File, "config", "c", "", "the server's configuration `file` (default: "+StandardConfig+", if it exists and no address is given)")
	f.StringVar(&a.TokenFile, "token-file", "", "a `file` with the token of the server's admin_token_file (default: from the configuration)")
}

// Dial returns a client of the server and its address. An address that is given overrides that of the configuration; without
// either it is /run/dcs/admin.sock or 127.0.0.1:8069. The token and the certificates of the default configuration are not used
// with another address. Of several addresses it uses the one that [Reachable] returns.
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
		cfg.Admin = standardAdmin
	case len(cfg.Admin) == 0:
		return nil, "", fmt.Errorf("%s has no key admin: the server cannot be reached", file)
	}
	if a.TokenFile != "" {
		cfg.AdminTokenFile = a.TokenFile
	}
	address := Reachable(cfg.Admin)
	c, err := DialAdmin(&cfg, address)
	return c, address, err
}

// DialAdmin returns a client of the server with this configuration and address. It has the token, trusts the server's own
// certificate, and presents that one if clients need a certificate. It does not connect yet.
func DialAdmin(cfg *config.Config, address string) (*api.Client, error) {
	var token secret.Text
	if cfg.AdminTokenFile != "" {
		b, err := secret.Read(cfg.AdminTokenFile, secret.MaxSize)
		if err != nil {
			return nil, fmt.Errorf("admin_token_file: %w", err)
		}
		token = secret.New(strings.TrimSpace(string(b)))
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
	client := &tls.Config{MinVersion: tls.VersionTLS12}
	if client.RootCAs, err = x509.SystemCertPool(); err != nil {
		client.RootCAs = x509.NewCertPool()
	}
	for _, c := range chain {
		client.RootCAs.AddCert(c)
	}
	// The address is one to listen on; the certificate may be for another name.
	if leaf := chain[0]; host != "" && leaf.VerifyHostname(host) != nil {
		switch {
		case len(leaf.DNSNames) > 0:
			client.ServerName = leaf.DNSNames[0]
		case len(leaf.IPAddresses) > 0:
			client.ServerName = leaf.IPAddresses[0].String()
		}
	}
	if cfg.AdminClientCA != "" {
		pair, err := httpserve.KeyPair(cfg.AdminCert, cfg.AdminKey)
		if err != nil {
			return nil, fmt.Errorf("admin_cert: %w", err)
		}
		client.Certificates = []tls.Certificate{pair}
	}
	return api.DialTLS(address, token, client), nil
}

// certificates reads the certificates of a PEM file, at least one.
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
		return nil, fmt.Errorf("%s: no certificate", file)
	}
	return all, nil
}
