package cmts

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"slices"
	"time"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/knownhosts"

	"dcs/render/secret"
)

// sshLogin is the access to a CMTS over SSH.
type sshLogin struct {
	user       string
	password   secret.Text
	signer     ssh.Signer // or nil
	knownHosts string
	legacy     bool
}

// dialSSH opens a shell on a terminal that is wide enough for all commands.
func dialSSH(ctx context.Context, address string, login sshLogin, timeout time.Duration) (io.ReadWriteCloser, error) {
	check, err := knownhosts.New(login.knownHosts)
	if err != nil {
		return nil, fmt.Errorf("known_hosts: %w", err)
	}
	conn, err := dialTCP(ctx, address, timeout)
	if err != nil {
		return nil, err
	}
	// The handshake takes no context; it is bounded by the deadline of the connection.
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(timeout))
	stream, err := shell(conn, address, login, check)
	if !stop() {
		err = errors.Join(context.Cause(ctx), err)
	}
	if err != nil {
		_ = conn.Close()
		return nil, err
	}
	_ = conn.SetDeadline(time.Time{})
	return stream, nil
}

func dialTCP(ctx context.Context, address string, timeout time.Duration) (net.Conn, error) {
	conn, err := (&net.Dialer{Timeout: timeout}).DialContext(ctx, "tcp", address)
	if err != nil {
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		return nil, fmt.Errorf("%w: %w", ErrUnreachable, err)
	}
	return conn, nil
}

// shell does the handshake and starts a shell.
func shell(conn net.Conn, address string, login sshLogin, check ssh.HostKeyCallback) (*sshShell, error) {
	cfg := &ssh.ClientConfig{User: login.user}
	var hostKeyErr error
	cfg.HostKeyCallback = func(host string, remote net.Addr, key ssh.PublicKey) error {
		hostKeyErr = explainHostKey(check(host, remote, key), address, login.knownHosts, key)
		return hostKeyErr
	}
	algorithms := ssh.SupportedAlgorithms()
	if login.legacy {
		old := ssh.InsecureAlgorithms()
		algorithms.KeyExchanges = append(algorithms.KeyExchanges, old.KeyExchanges...)
		algorithms.Ciphers = append(algorithms.Ciphers, old.Ciphers...)
		algorithms.MACs = append(algorithms.MACs, old.MACs...)
		algorithms.HostKeys = append(algorithms.HostKeys, old.HostKeys...)
	}
	cfg.KeyExchanges, cfg.Ciphers, cfg.MACs = algorithms.KeyExchanges, algorithms.Ciphers, algorithms.MACs
	cfg.HostKeyAlgorithms = knownFirst(check, address, algorithms.HostKeys)
	if login.signer != nil {
		cfg.Auth = append(cfg.Auth, ssh.PublicKeys(login.signer))
	}
	if !login.password.IsZero() {
		asked := false
		cfg.Auth = append(cfg.Auth, ssh.Password(login.password.Reveal()),
			ssh.KeyboardInteractive(func(_, _ string, questions []string, echos []bool) ([]string, error) {
				answers := make([]string, len(questions))
				for i := range questions {
					if echos[i] || asked || i > 0 {
						return nil, errors.New("CMTS asks for more than a password")
					}
					answers[i], asked = login.password.Reveal(), true
				}
				return answers, nil
			}))
	}
	c, channels, requests, err := ssh.NewClientConn(conn, address, cfg)
	var netErr net.Error
	switch {
	case hostKeyErr != nil:
		return nil, hostKeyErr
	case errors.As(err, &netErr) && netErr.Timeout():
		return nil, fmt.Errorf("%w: no answer during the SSH handshake", ErrUnreachable)
	case err != nil && isAuth(err):
		return nil, fmt.Errorf("%w: credentials of user %q refused: %w", ErrDenied, login.user, err)
	case err != nil && contains(err, "no common algorithm") && !login.legacy:
		return nil, fmt.Errorf("SSH: %w; set legacy_ssh to offer broken ones too", err)
	case err != nil:
		return nil, fmt.Errorf("SSH: %w", err)
	}
	client := ssh.NewClient(c, channels, requests)
	session, err := client.NewSession()
	if err != nil {
		_ = client.Close()
		return nil, fmt.Errorf("SSH session: %w", err)
	}
	s := &sshShell{client: client}
	if s.Reader, err = session.StdoutPipe(); err == nil {
		s.Writer, err = session.StdinPipe()
	}
	if err == nil {
		// Many rows, for systems that page by the size of the terminal.
		err = session.RequestPty("vt100", 1000, 512, ssh.TerminalModes{})
	}
	if err == nil {
		err = session.Shell()
	}
	if err != nil {
		_ = client.Close()
		return nil, fmt.Errorf("SSH shell: %w", err)
	}
	return s, nil
}

// sshShell is the shell's input and output.
type sshShell struct {
	io.Reader
	io.Writer
	client *ssh.Client
}

func (s *sshShell) Close() error { return s.client.Close() }

// isAuth reports whether the credentials were refused.
func isAuth(err error) bool {
	var auth *ssh.ServerAuthError
	if errors.As(err, &auth) {
		return true
	}
	// Package ssh has no type for these.
	return contains(err, "unable to authenticate") || contains(err, "asks for more than a password")
}

// explainHostKey turns an error of package knownhosts into one with advice.
func explainHostKey(err error, address, file string, key ssh.PublicKey) error {
	var unknown *knownhosts.KeyError
	var revoked *knownhosts.RevokedError
	fingerprint := key.Type() + " " + ssh.FingerprintSHA256(key)
	switch {
	case err == nil:
		return nil
	case errors.As(err, &revoked):
		return fmt.Errorf("%w: host key %s is revoked in %s", ErrDenied, fingerprint, file)
	case errors.As(err, &unknown) && len(unknown.Want) == 0:
		return fmt.Errorf("%w: host key of %s is not in %s; check that %s is the key of the CMTS, and add it: ssh-keyscan -p PORT HOST >> %s",
			ErrDenied, knownhosts.Normalize(address), file, fingerprint, file)
	case errors.As(err, &unknown):
		w := unknown.Want[0]
		return fmt.Errorf("%w: HOST KEY HAS CHANGED: it is %s, but %s:%d has %s %s; another machine may be answering, or the CMTS has a new key",
			ErrDenied, fingerprint, w.Filename, w.Line, w.Key.Type(), ssh.FingerprintSHA256(w.Key))
	}
	return fmt.Errorf("%w: %w", ErrDenied, err)
}

// knownFirst puts the algorithms of the known keys of address before the others: a CMTS with keys of several types would
// otherwise present an unknown one.
func knownFirst(check ssh.HostKeyCallback, address string, all []string) []string {
	var unknown *knownhosts.KeyError
	if !errors.As(check(address, noAddr{}, noKey{}), &unknown) {
		return all
	}
	var first, rest []string
	for _, a := range all {
		plain := a
		if a == ssh.KeyAlgoRSASHA256 || a == ssh.KeyAlgoRSASHA512 {
			plain = ssh.KeyAlgoRSA
		}
		if slices.ContainsFunc(unknown.Want, func(k knownhosts.KnownKey) bool { return k.Key.Type() == plain }) {
			first = append(first, a)
		} else {
			rest = append(rest, a)
		}
	}
	return append(first, rest...)
}

// noKey matches no key: the error of its check lists the keys that known_hosts has.
type noKey struct{}

func (noKey) Type() string                        { return "none" }
func (noKey) Marshal() []byte                     { return []byte("none") }
func (noKey) Verify([]byte, *ssh.Signature) error { return errors.New("no key") }

// noAddr is an address for the same check.
type noAddr struct{}

func (noAddr) Network() string { return "tcp" }
func (noAddr) String() string  { return "0.0.0.0:0" }

// readKey reads a private key. Its file must be private, like that of a password.
func readKey(file, passphraseFile string) (ssh.Signer, error) {
	text, err := secret.Read(file, secret.MaxSize)
	if err != nil {
		return nil, fmt.Errorf("key_file: %w", err)
	}
	var signer ssh.Signer
	if passphraseFile == "" {
		signer, err = ssh.ParsePrivateKey(text)
	} else {
		var phrase secret.Text
		if phrase, err = secret.ReadText("passphrase_file", passphraseFile); err != nil {
			return nil, err
		}
		signer, err = ssh.ParsePrivateKeyWithPassphrase(text, []byte(phrase.Reveal()))
	}
	var missing *ssh.PassphraseMissingError
	switch {
	case errors.As(err, &missing):
		return nil, fmt.Errorf("key_file: %s needs a passphrase; set passphrase_file", file)
	case err != nil:
		return nil, fmt.Errorf("key_file: %s is not a readable private key", file)
	}
	return signer, nil
}

// readableFile returns an error if the file of a key cannot be read.
func readableFile(key, name string) error {
	f, err := os.Open(name)
	if err != nil {
		return fmt.Errorf("%s: %w", key, err)
	}
	return f.Close()
}
