package cmts

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/subtle"
	"errors"
	"net"
	"slices"

	"golang.org/x/crypto/ssh"
)

// hostKeys returns the host keys; the first is the one that clients know.
func (c *CMTS) hostKeys() ([]ssh.Signer, error) {
	if c.cfg.Legacy {
		key, err := rsa.GenerateKey(rand.Reader, 2048)
		if err != nil {
			return nil, err
		}
		signer, err := ssh.NewSignerFromKey(key)
		if err != nil {
			return nil, err
		}
		old, err := ssh.NewSignerWithAlgorithms(signer.(ssh.AlgorithmSigner), []string{ssh.KeyAlgoRSA})
		return []ssh.Signer{old}, err
	}
	_, known, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, err
	}
	other, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	a, err := ssh.NewSignerFromKey(known)
	if err != nil {
		return nil, err
	}
	b, err := ssh.NewSignerFromKey(other)
	return []ssh.Signer{a, b}, err
}

// ServeSSH listens on addr, such as 127.0.0.1:0, with new host keys.
func (c *CMTS) ServeSSH(addr string) (*Server, error) {
	keys, err := c.hostKeys()
	if err != nil {
		return nil, err
	}
	cfg := &ssh.ServerConfig{
		ServerVersion: "SSH-2.0-" + string(c.cfg.Make),
		PasswordCallback: func(m ssh.ConnMetadata, password []byte) (*ssh.Permissions, error) {
			if c.cfg.Password == "" || m.User() != c.cfg.User || subtle.ConstantTimeCompare(password, []byte(c.cfg.Password)) != 1 {
				return nil, errors.New("wrong password")
			}
			return nil, nil
		},
		PublicKeyCallback: func(m ssh.ConnMetadata, key ssh.PublicKey) (*ssh.Permissions, error) {
			want, _, _, _, err := ssh.ParseAuthorizedKey(c.cfg.AuthorizedKey)
			if err != nil || m.User() != c.cfg.User || !slices.Equal(want.Marshal(), key.Marshal()) {
				return nil, errors.New("unknown key")
			}
			return nil, nil
		},
	}
	if c.cfg.Interactive {
		cfg.PasswordCallback = nil
		cfg.KeyboardInteractiveCallback = func(m ssh.ConnMetadata, ask ssh.KeyboardInteractiveChallenge) (*ssh.Permissions, error) {
			answers, err := ask("", "", []string{"Password: "}, []bool{false})
			if err != nil || m.User() != c.cfg.User || len(answers) != 1 || answers[0] != c.cfg.Password {
				return nil, errors.New("wrong password")
			}
			return nil, nil
		}
	}
	if c.cfg.Legacy {
		cfg.KeyExchanges = []string{ssh.InsecureKeyExchangeDH1SHA1}
		cfg.Ciphers = []string{ssh.InsecureCipherAES128CBC}
		cfg.MACs = []string{ssh.HMACSHA1}
	}
	for _, k := range keys {
		cfg.AddHostKey(k)
	}
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, err
	}
	s := &Server{Addr: l.Addr().String(), HostKey: keys[0].PublicKey(), listener: l}
	s.serve(func(conn net.Conn) {
		_, channels, requests, err := ssh.NewServerConn(conn, cfg)
		if err != nil {
			return
		}
		go ssh.DiscardRequests(requests)
		for nc := range channels {
			if nc.ChannelType() != "session" {
				_ = nc.Reject(ssh.UnknownChannelType, "sessions only")
				continue
			}
			ch, reqs, err := nc.Accept()
			if err != nil {
				return
			}
			go func() {
				for r := range reqs {
					_ = r.Reply(r.Type == "pty-req" || r.Type == "shell", nil)
					if r.Type == "shell" {
						go func() {
							c.Shell(ch)
							_ = ch.Close()
							_ = conn.Close()
						}()
					}
				}
			}()
		}
	})
	return s, nil
}
