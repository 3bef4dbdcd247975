package cmts

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"time"

	"github.com/gosnmp/gosnmp"

	"dcs/render/secret"
)

// snmp is the driver of a CMTS with a MIB for its secrets.
type snmp struct {
	base
	host    string
	port    uint16
	address string
	retries int
	comm    secret.Text
	usm     *gosnmp.UsmSecurityParameters // for version 3; copied for each session
}

var authProtocols = map[string]gosnmp.SnmpV3AuthProtocol{
	"": gosnmp.SHA, "sha": gosnmp.SHA, "sha224": gosnmp.SHA224, "sha256": gosnmp.SHA256, "sha384": gosnmp.SHA384, "sha512": gosnmp.SHA512, "md5": gosnmp.MD5,
}

var privProtocols = map[string]gosnmp.SnmpV3PrivProtocol{
	"": gosnmp.AES, "aes": gosnmp.AES, "aes192": gosnmp.AES192, "aes256": gosnmp.AES256, "aes192c": gosnmp.AES192C, "aes256c": gosnmp.AES256C, "des": gosnmp.DES,
}

func openSNMP(b base) (Driver, error) {
	s := &snmp{base: b, retries: 2}
	host, port, err := splitAddress(b.cfg.Address, "161")
	if err != nil {
		return nil, err
	}
	n, _ := strconv.ParseUint(port, 10, 16)
	s.host, s.port, s.address = host, uint16(n), net.JoinHostPort(host, port)
	cfg := b.cfg.SNMP
	if cfg.Retries != nil {
		s.retries = *cfg.Retries
	}
	for i, p := range b.desc.MIB.Places {
		for _, iface := range s.interfaces() {
			at := s.place(p, iface)
			if at.Value == "" || p.Status != "" && at.Status == "" {
				return nil, fmt.Errorf("place %d for interface %q: not an OID; the interface must be an ifIndex", i+1, iface)
			}
		}
	}
	switch {
	case cfg.CommunityFile != "" && cfg.User != "":
		return nil, errors.New("snmp: community_file (version 2c) and user (version 3) are both set; want one of them")
	case cfg.CommunityFile != "":
		if s.comm, err = secret.ReadText("snmp.community_file", cfg.CommunityFile); err != nil {
			return nil, err
		}
		s.secrets = []secret.Text{s.comm}
	case cfg.User != "":
		auth, ok := authProtocols[strings.ToLower(cfg.Auth)]
		if !ok {
			return nil, fmt.Errorf("snmp.auth: unknown protocol %q; want sha, sha224, sha256, sha384, sha512 or md5", cfg.Auth)
		}
		priv, ok := privProtocols[strings.ToLower(cfg.Priv)]
		if !ok {
			return nil, fmt.Errorf("snmp.priv: unknown protocol %q; want aes, aes192, aes256, aes192c, aes256c or des", cfg.Priv)
		}
		authPass, err := secret.ReadText("snmp.auth_password_file", cfg.AuthPasswordFile)
		if err != nil {
			return nil, err
		}
		privPass, err := secret.ReadText("snmp.priv_password_file", cfg.PrivPasswordFile)
		if err != nil {
			return nil, err
		}
		s.secrets = []secret.Text{authPass, privPass}
		for _, p := range s.secrets {
			if len(p.Reveal()) < 8 {
				return nil, errors.New("snmp: password of version 3 is too short; want at least 8 characters (RFC 3414, section 11.2)")
			}
		}
		s.usm = &gosnmp.UsmSecurityParameters{
			UserName: cfg.User, AuthenticationProtocol: auth, AuthenticationPassphrase: authPass.Reveal(),
			PrivacyProtocol: priv, PrivacyPassphrase: privPass.Reveal(),
		}
	default:
		return nil, errors.New("snmp: neither community_file (version 2c) nor user (version 3) is set")
	}
	return s, nil
}

func (s *snmp) Readable() bool { return s.desc.MIB.Readable }

// interfaces returns the interfaces with secrets; a secret of the whole CMTS belongs to one without a name.
func (s *snmp) interfaces() []string {
	if s.desc.perInterface {
		return s.cfg.Interfaces
	}
	return []string{""}
}

// place expands the variables. What is not an OID afterwards becomes empty.
func (s *snmp) place(p place, iface string) place {
	vars := map[string]string{varInterface: iface}
	for k, v := range s.vars {
		vars[k] = v
	}
	oid := func(text string) string {
		o := "." + strings.TrimPrefix(expand(text, vars), ".")
		for arc := range strings.SplitSeq(o[1:], ".") {
			if _, err := strconv.ParseUint(arc, 10, 32); err != nil {
				return ""
			}
		}
		return o
	}
	return place{oid(p.Value), oid(p.Status)}
}

// at returns the places of an interface: only the first if one slot is used.
func (s *snmp) at(iface string) []place {
	all := s.desc.MIB.Places
	if s.slots == 1 {
		all = all[:1]
	}
	places := make([]place, len(all))
	for i, p := range all {
		places[i] = s.place(p, iface)
	}
	return places
}

func (s *snmp) Add(ctx context.Context, text secret.Text) error {
	if err := s.Check(text); err != nil {
		return err
	}
	return s.ask(ctx, "add", []secret.Text{text}, func(a *agent) error {
		for _, iface := range s.interfaces() {
			places := s.at(iface)
			var err error
			if s.slots == 1 {
				err = a.replace(places, text)
			} else {
				// Files are not signed with the second secret yet: it may be missing for a moment.
				err = a.put(places[1], text, true)
			}
			if err != nil {
				return at(iface, err)
			}
		}
		return nil
	})
}

func (s *snmp) Remove(ctx context.Context, remaining secret.Text) error {
	if !remaining.IsZero() {
		if err := s.Check(remaining); err != nil {
			return err
		}
	}
	return s.ask(ctx, "remove", []secret.Text{remaining}, func(a *agent) error {
		for _, iface := range s.interfaces() {
			places := s.at(iface)
			if !remaining.IsZero() {
				if err := a.replace(places, remaining); err != nil {
					return at(iface, err)
				}
			} else if err := a.drop(places[0]); err != nil {
				return at(iface, err)
			}
			for _, p := range places[1:] {
				if err := a.drop(p); err != nil {
					return at(iface, err)
				}
			}
		}
		return nil
	})
}

func (s *snmp) Verify(ctx context.Context, want []secret.Text) (State, error) {
	state := State{Holds: make([]Holding, len(want)), Filled: -1}
	err := s.ask(ctx, "verify", want, func(a *agent) error {
		for i, iface := range s.interfaces() {
			h := holdings{}
			for _, p := range s.at(iface) {
				filled, text, err := a.look(p)
				if err != nil {
					return at(iface, err)
				}
				if !filled {
					continue
				}
				h.filled++
				if s.desc.MIB.Readable {
					h.texts = append(h.texts, secret.New(text))
				} else {
					h.hidden++
				}
			}
			state.Filled = max(state.Filled, h.filled)
			for j, w := range want {
				merge(&state.Holds[j], i == 0, h.holds(w))
			}
			if h.hidden > 0 {
				state.Note = "this CMTS does not show its secrets, only which slots are in use"
			}
		}
		return nil
	})
	if err != nil {
		return State{}, err
	}
	return state, nil
}

// at adds the interface to an error.
func at(iface string, err error) error {
	if iface == "" {
		return err
	}
	return fmt.Errorf("interface %s: %w", iface, err)
}

// ask opens a socket for one operation, and calls f.
func (s *snmp) ask(ctx context.Context, op string, secrets []secret.Text, f func(*agent) error) error {
	scrub := s.scrubber(secrets...)
	g := &gosnmp.GoSNMP{
		Target: s.host, Port: s.port, Transport: "udp", Context: ctx, Retries: s.retries, MaxOids: gosnmp.MaxOids,
		Timeout: max(s.timeout/time.Duration(s.retries+1), 10*time.Millisecond),
	}
	if s.usm == nil {
		g.Version, g.Community = gosnmp.Version2c, s.comm.Reveal()
	} else {
		g.Version, g.SecurityModel, g.MsgFlags, g.SecurityParameters = gosnmp.Version3, gosnmp.UserSecurityModel, gosnmp.AuthPriv, s.usm.Copy()
		g.ContextName = s.cfg.SNMP.Context
	}
	where := s.where(op, s.address)
	if err := g.Connect(); err != nil {
		return scrub.fail(where, fmt.Errorf("%w: %w", ErrUnreachable, err))
	}
	conn := g.Conn
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	defer func() {
		stop()
		_ = conn.Close()
	}()
	err := f(&agent{g: g, ctx: ctx, timeout: s.timeout})
	if err == nil {
		s.log.Debug("CMTS step done", "step", op)
	}
	return scrub.fail(where, err)
}
