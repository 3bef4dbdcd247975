package cmts

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"strings"
	"time"

	"golang.org/x/crypto/ssh"

	"dcs/render/secret"
)

// cli is the driver of a CMTS with a command line.
type cli struct {
	base
	address    string
	password   secret.Text
	enable     secret.Text
	signer     ssh.Signer
	knownHosts string
	loginQuiet time.Duration
}

func openCLI(b base, opt Options) (Driver, error) {
	c := &cli{base: b, loginQuiet: cmp.Or(opt.loginQuiet, loginQuiet)}
	port := "22"
	if b.cfg.Telnet {
		port = "23"
	}
	host, port, err := splitAddress(b.cfg.Address, port)
	if err != nil {
		return nil, err
	}
	c.address = net.JoinHostPort(host, port)
	if b.cfg.User == "" {
		return nil, errors.New("user is not set")
	}
	if b.cfg.PasswordFile == "" && b.cfg.KeyFile == "" {
		return nil, errors.New("neither password_file nor key_file is set")
	}
	if b.cfg.PasswordFile != "" {
		if c.password, err = secret.ReadText("password_file", b.cfg.PasswordFile); err != nil {
			return nil, err
		}
	}
	if b.cfg.EnablePasswordFile != "" {
		if c.enable, err = secret.ReadText("enable_password_file", b.cfg.EnablePasswordFile); err != nil {
			return nil, err
		}
	}
	c.secrets = []secret.Text{c.password, c.enable}
	for _, s := range c.secrets {
		if strings.ContainsAny(s.Reveal(), "\r\n\x00") {
			return nil, errors.New("password: more than one line")
		}
	}
	if b.cfg.Telnet {
		if b.cfg.KeyFile != "" {
			return nil, errors.New("key_file has no effect with telnet")
		}
		c.log.Warn("telnet: passwords and secrets cross the network in clear text", "address", c.address)
		return c, nil
	}
	if b.cfg.KeyFile != "" {
		if c.signer, err = readKey(b.cfg.KeyFile, b.cfg.PassphraseFile); err != nil {
			return nil, err
		}
	}
	if c.knownHosts = b.cfg.KnownHosts; c.knownHosts == "" {
		c.knownHosts = opt.KnownHosts
	}
	if c.knownHosts == "" {
		return nil, errors.New("known_hosts is not set; it has the SSH host key of the CMTS")
	}
	return c, readableFile("known_hosts", c.knownHosts)
}

func (c *cli) Readable() bool { return c.desc.Dialogue.readable() }

func (c *cli) Add(ctx context.Context, secret secret.Text) error {
	if err := c.Check(secret); err != nil {
		return err
	}
	steps := c.desc.Dialogue.Add
	if c.slots == 1 {
		steps = c.desc.Dialogue.Set
	}
	return c.change(ctx, "add", steps, secret)
}

func (c *cli) Remove(ctx context.Context, remaining secret.Text) error {
	if remaining.IsZero() {
		return c.change(ctx, "clear", c.desc.Dialogue.Clear, remaining)
	}
	if err := c.Check(remaining); err != nil {
		return err
	}
	steps := c.desc.Dialogue.Promote
	if c.slots == 1 {
		steps = c.desc.Dialogue.Set
	}
	return c.change(ctx, "remove", steps, remaining)
}

// change takes steps in which text is the secret, and saves the configuration.
func (c *cli) change(ctx context.Context, op string, steps []step, text secret.Text) error {
	return c.talk(ctx, op, []secret.Text{text}, func(s *session) error {
		vars := maps.Clone(c.vars)
		vars[varSecret] = c.desc.Secret.write(text)
		if err := s.run(ctx, steps, c.cfg.Interfaces, c.questions(vars), nil); err != nil {
			return err
		}
		if c.cfg.Save != nil && !*c.cfg.Save {
			return nil
		}
		if err := s.run(ctx, c.desc.Dialogue.Save, nil, c.questions(maps.Clone(c.vars)), nil); err != nil {
			return fmt.Errorf("secret set but not saved: %w", err)
		}
		return nil
	})
}

// questions adds the answers to what a step may be asked.
func (c *cli) questions(vars map[string]string) map[string]string {
	vars[varUser], vars[varPassword], vars[varEnable] = c.cfg.User, c.password.Reveal(), c.enable.Reveal()
	return vars
}

// talk opens a session, logs in, and calls f.
func (c *cli) talk(ctx context.Context, op string, secrets []secret.Text, f func(*session) error) error {
	scrub := c.scrubber(secrets...)
	where := c.where(op, c.address)
	var conn io.ReadWriteCloser
	var err error
	connectTimeout := max(c.timeout, defaultTimeout) // old processors take seconds for the key exchange
	if c.cfg.Telnet {
		conn, err = dialTelnet(ctx, c.address, connectTimeout)
	} else {
		login := sshLogin{c.cfg.User, c.password, c.signer, c.knownHosts, c.cfg.LegacySSH}
		conn, err = dialSSH(ctx, c.address, login, connectTimeout)
	}
	if err != nil {
		return scrub.fail(where, err)
	}
	s := newSession(conn)
	defer s.close()
	s.dialogue, s.timeout, s.loginQuiet, s.scrub = c.desc.Dialogue, c.timeout, c.loginQuiet, scrub
	s.vars = c.questions(maps.Clone(c.vars))
	if err = s.login(ctx); err == nil {
		if err = s.run(ctx, c.desc.Dialogue.Start, nil, s.vars, nil); err == nil {
			err = f(s)
		}
	}
	if err == nil {
		c.log.Debug("CMTS step done", "step", op)
	}
	return scrub.fail(where, err)
}

func (c *cli) Verify(ctx context.Context, want []secret.Text) (State, error) {
	state := State{Holds: make([]Holding, len(want)), Filled: -1}
	found := map[string]*holdings{}
	err := c.talk(ctx, "verify", want, func(s *session) error {
		return s.run(ctx, c.desc.Dialogue.Verify, c.cfg.Interfaces, c.questions(maps.Clone(c.vars)), func(iface string, r *reading, output string) {
			h := found[iface]
			if h == nil {
				h = &holdings{}
				found[iface] = h
			}
			h.read(r, output, c.desc.Secret.Quote)
		})
	})
	if err != nil {
		return State{}, err
	}
	if len(found) == 0 {
		state.Note = "secrets of this CMTS cannot be read; it accepted the commands"
		return state, nil
	}
	first := true
	for _, h := range found {
		state.Filled = max(state.Filled, h.filled)
		for i, w := range want {
			merge(&state.Holds[i], first, h.holds(w))
		}
		if h.hidden > 0 {
			state.Note = "the CMTS shows its secrets in an encoding that cannot be read"
		}
		first = false
	}
	return state, nil
}
