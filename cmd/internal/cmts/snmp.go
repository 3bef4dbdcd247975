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

// snmp drives a CMTS by its MIB.
type snmp struct {
	base
	host    string
	port    uint16
	address string
	retries int
	comm    secret.Text
	usm     *gosnmp.UsmSecurityParameters // of version 3: a template, with nothing learnt yet
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
				return nil, fmt.Errorf("place %d for interface %q is not an OID: is the interface an ifIndex?", i+1, iface)
			}
		}
	}
	switch {
	case cfg.CommunityFile != "" && cfg.User != "":
		return nil, errors.New("snmp: community_file is for version 2c, user for version 3: leave one of them away")
	case cfg.CommunityFile != "":
		if s.comm, err = secret.ReadText("snmp.community_file", cfg.CommunityFile); err != nil {
			return nil, err
		}
		s.secrets = []secret.Text{s.comm}
	case cfg.User != "":
		auth, ok := authProtocols[strings.ToLower(cfg.Auth)]
		if !ok {
			return nil, fmt.Errorf("snmp.auth: %q is not known: it may be sha, sha224, sha256, sha384, sha512 or md5", cfg.Auth)
		}
		priv, ok := privProtocols[strings.ToLower(cfg.Priv)]
		if !ok {
			return nil, fmt.Errorf("snmp.priv: %q is not known: it may be aes, aes192, aes256, aes192c, aes256c or des", cfg.Priv)
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
				return nil, errors.New("snmp: passwords of version 3 have at least 8 characters (RFC 3414, section 11.2)")
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

// interfaces are those to go through; a CMTS without any counts as one that has no name.
func (s *snmp) interfaces() []string {
	if s.desc.perInterface {
		return s.cfg.Interfaces
	}
	return []string{""}
}

// place fills in the variables; what is no OID then becomes empty.
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

// at returns the places on one interface. Of a CMTS that is said to have one slot, the others are not ours.
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
				// Nobody leans on the second place yet: it may be empty for a moment.
				err = a.put(places[1], text, true)
			}
			if err != nil {
				return at(iface, err)
			}
		}
		return nil
	})
}

func (s *snmp) Remove(ctx context.Context, keep secret.Text) error {
	if !keep.IsZero() {
		if err := s.Check(keep); err != nil {
			return err
		}
	}
	return s.ask(ctx, "remove", []secret.Text{keep}, func(a *agent) error {
		for _, iface := range s.interfaces() {
			places := s.at(iface)
			if !keep.IsZero() {
				if err := a.replace(places, keep); err != nil {
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
			h := held{}
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
					h.texts = append(h.texts, text)
				} else {
					h.hidden++
				}
			}
			state.Filled = max(state.Filled, h.filled)
			for j, w := range want {
				merge(&state.Holds[j], i == 0, h.holds(w))
			}
			if h.hidden > 0 {
				state.Note = "this CMTS does not show its secrets: only which places are filled is known"
			}
		}
		return nil
	})
	if err != nil {
		return State{}, err
	}
	return state, nil
}

func at(iface string, err error) error {
	if iface == "" {
		return err
	}
	return fmt.Errorf("interface %s: %w", iface, err)
}

// ask opens a socket for the length of one operation.
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
		s.log.Debug("CMTS: done", "step", op)
	}
	return scrub.fail(where, err)
}
