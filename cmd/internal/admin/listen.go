package admin

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"dcs/cmd/internal/httpserve"
	"dcs/cmd/internal/listen"
	"dcs/render/secret"
)

const unixPrefix = "unix:"

// isUnix reports whether a configured address is a Unix socket.
func isUnix(address string) bool { return strings.HasPrefix(address, unixPrefix) }

// loadTLS reads certificates and key; nil: plain HTTP.
func loadTLS(cfg *Config) (*tls.Config, error) {
	switch {
	case cfg.Cert == "" && cfg.Key == "" && cfg.ClientCA == "":
		return nil, nil
	case cfg.Cert == "" && cfg.Key == "":
		return nil, errors.New("admin_client_ca needs admin_cert and admin_key: client certificates exist in HTTPS only")
	case cfg.Cert == "" || cfg.Key == "":
		return nil, errors.New("admin_cert and admin_key belong together; one of them is missing")
	case !slices.ContainsFunc(cfg.Addresses, func(a string) bool { return !isUnix(a) }):
		return nil, errors.New("admin_cert, admin_key and admin_client_ca have no effect: admin has Unix sockets only")
	}
	cert, err := httpserve.KeyPair(cfg.Cert, cfg.Key)
	if err != nil {
		return nil, fmt.Errorf("admin_cert %s, admin_key %s: %w", cfg.Cert, cfg.Key, err)
	}
	c := &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS12}
	if cfg.ClientCA != "" {
		pem, err := secret.ReadCertificates(cfg.ClientCA)
		if err != nil {
			return nil, fmt.Errorf("admin_client_ca: %w", err)
		}
		c.ClientCAs = x509.NewCertPool()
		if !c.ClientCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("admin_client_ca %s contains no certificate", cfg.ClientCA)
		}
		c.ClientAuth = tls.RequireAndVerifyClientCert
	}
	return c, nil
}

// place parses a configured address, and checks that it may be opened.
func (s *Server) place(configured string) (network, address string, err error) {
	if path, ok := strings.CutPrefix(configured, unixPrefix); ok {
		if path == "" {
			return "", "", errors.New("admin: unix: needs the path of a socket, such as unix:/run/dcs/admin.sock")
		}
		return "unix", path, checkSocket(path)
	}
	host, _, err := net.SplitHostPort(configured)
	if err != nil {
		return "", "", fmt.Errorf("admin: %s is neither host:port nor unix:/path", configured)
	}
	known := s.auth.file != nil || s.cfg.ClientCA != ""
	switch {
	case !Loopback(host) && !known:
		return "", "", fmt.Errorf("admin: %s can be reached from other machines; set admin_token_file or admin_client_ca, or use 127.0.0.1 or unix:/path", configured)
	case !Loopback(host) && !s.secure:
		s.warn("admin: the token crosses the network to " + configured + " in clear text; set admin_cert and admin_key")
	case !known && !slices.ContainsFunc(s.cfg.Addresses, isUnix):
		s.warn("admin: " + configured + " accepts no changes; set admin_token_file or admin_client_ca, or add a Unix socket, such as unix:/run/dcs/admin.sock, to admin")
	}
	return "tcp", configured, nil
}

func (s *Server) warn(text string) { s.warnings = append(s.warnings, text) }

// Loopback reports whether a host can be reached from this machine only.
func Loopback(host string) bool {
	if host == "localhost" {
		return true
	}
	a, err := netip.ParseAddr(host)
	return err == nil && a.Unmap().IsLoopback()
}

// open opens an address. It replaces a stale socket, left behind by a server that was killed.
func open(network, address string) (net.Listener, error) {
	if network == "unix" {
		return openUnix(address)
	}
	ln, err := listen.TCP(address)
	if err != nil {
		return nil, fmt.Errorf("admin: %w", err)
	}
	return ln, nil
}

func openUnix(path string) (net.Listener, error) {
	switch err := checkSocket(path); {
	case errors.Is(err, errNoDirectory):
		return nil, listen.Temporary(err)
	case err != nil:
		return nil, err
	}
	if err := removeStale(path); err != nil {
		return nil, err
	}
	cfg := net.ListenConfig{Control: setMode}
	ln, err := cfg.Listen(context.Background(), "unix", path)
	if err != nil {
		return nil, fmt.Errorf("admin: %w", err)
	}
	if err := os.Chmod(path, socketMode); err != nil { // the umask may have cleared more
		ln.Close()
		return nil, fmt.Errorf("admin: %w", err)
	}
	return &peerListener{ln, path}, nil
}

// socketMode allows the server's user and group to connect.
const socketMode = 0o660

// setMode is a Control function of [net.ListenConfig]. The socket's file gets the mode of the descriptor, so that nobody else
// can connect before the file's own mode is set: whoever connects may change everything.
func setMode(_, _ string, c syscall.RawConn) error {
	var err error
	if e := c.Control(func(fd uintptr) { err = unix.Fchmod(int(fd), socketMode) }); e != nil {
		return e
	}
	return err
}

var errNoDirectory = errors.New("the directory of the socket")

// checkSocket returns why a socket cannot be created at path. A missing directory is not created: it would have the wrong owner,
// and nobody would remove it.
func checkSocket(path string) error {
	dir := filepath.Dir(path)
	switch info, err := os.Stat(dir); {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("admin: %w %s is missing; create %s, writable by the server's user (systemd does so for a unit with RuntimeDirectory=)", errNoDirectory, path, dir)
	case err != nil:
		return fmt.Errorf("admin: %w", err)
	case !info.IsDir():
		return fmt.Errorf("admin: %s, for the socket %s, is not a directory; name another path", dir, path)
	}
	switch info, err := os.Lstat(path); {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return fmt.Errorf("admin: %w", err)
	case info.Mode().Type() != os.ModeSocket:
		return fmt.Errorf("admin: %s exists and is not a socket; remove it, or name another path", path)
	}
	return nil
}

// Answering reports whether a server answers at the path of a socket.
func Answering(path string) bool {
	conn, err := net.DialTimeout("unix", path, time.Second)
	if err != nil {
		return false
	}
	conn.Close()
	return true
}

// removeStale removes a socket that no server answers.
func removeStale(path string) error {
	if _, err := os.Lstat(path); err != nil {
		return nil // listening reports the error, if any
	}
	if Answering(path) {
		return listen.Temporary(fmt.Errorf("admin: another server answers at %s", path))
	}
	return os.Remove(path)
}
