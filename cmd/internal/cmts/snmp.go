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

// Values of RowStatus (RFC 2579).
const (
	rowActive      = 1
	rowNotReady    = 3
	rowCreateAndGo = 4
	rowDestroy     = 6
	rowAbsent      = 0 // not a value of it: there is no such row
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

// agent is the other side, for the length of one operation.
type agent struct {
	g       *gosnmp.GoSNMP
	ctx     context.Context
	timeout time.Duration
}

// refusal is an error-status in an answer (RFC 3416, section 3).
type refusal struct {
	what   string
	oid    string
	status gosnmp.SNMPError
}

func (r *refusal) Error() string {
	text := fmt.Sprintf("%s: the agent answered %s", r.what, statusName(r.status))
	if r.oid != "" {
		text += " for " + r.oid
	}
	switch r.status {
	case gosnmp.TooBig:
		text += ": the message is longer than it takes"
	case gosnmp.NotWritable, gosnmp.ReadOnly, gosnmp.NoAccess, gosnmp.AuthorizationError:
		text += ": are we allowed to write?"
	case gosnmp.InconsistentValue, gosnmp.InconsistentName:
		text += ": it would not be in keeping with what else is there"
	case gosnmp.WrongLength, gosnmp.WrongValue, gosnmp.WrongType, gosnmp.WrongEncoding, gosnmp.BadValue:
		text += ": it does not take such a value"
	}
	return text
}

func statusName(e gosnmp.SNMPError) string {
	name := e.String() // TooBig
	if name == "" {
		return strconv.Itoa(int(e))
	}
	return strings.ToLower(name[:1]) + name[1:]
}

func (a *agent) send(what string, request func() (*gosnmp.SnmpPacket, error)) (*gosnmp.SnmpPacket, error) {
	p, err := request()
	switch {
	case a.ctx.Err() != nil:
		return nil, fmt.Errorf("%s: %w", what, context.Cause(a.ctx))
	case errors.Is(err, gosnmp.ErrUnknownUsername), errors.Is(err, gosnmp.ErrWrongDigest), errors.Is(err, gosnmp.ErrDecryption),
		errors.Is(err, gosnmp.ErrUnknownSecurityLevel):
		return nil, fmt.Errorf("%s: %w: the agent does not take our credentials: %w", what, ErrDenied, err)
	case errors.Is(err, context.DeadlineExceeded) && !errors.Is(err, gosnmp.ErrMaxRetriesExceeded): // of the context, by a hair
		return nil, fmt.Errorf("%s: %w", what, context.DeadlineExceeded)
	case errors.Is(err, gosnmp.ErrMaxRetriesExceeded):
		return nil, fmt.Errorf("%s: %w: no answer that makes sense within %s; an agent keeps silent, too, when it does not know the community", what, ErrUnreachable, a.timeout)
	case err != nil && contains(err, "refused"):
		return nil, fmt.Errorf("%s: %w: %w", what, ErrUnreachable, err)
	case err != nil && contains(err, "recover:"):
		return nil, fmt.Errorf("%s: the answer cannot be decoded", what)
	case err != nil:
		return nil, fmt.Errorf("%s: %w", what, err)
	case p.Error != gosnmp.NoError:
		r := &refusal{what: what, status: p.Error}
		if i := int(p.ErrorIndex); i >= 1 && i <= len(p.Variables) {
			r.oid = p.Variables[i-1].Name
		}
		return nil, r
	}
	return p, nil
}

func contains(err error, s string) bool { return strings.Contains(err.Error(), s) }

func (a *agent) get(oid string) (gosnmp.SnmpPDU, error) {
	what := "get " + oid
	p, err := a.send(what, func() (*gosnmp.SnmpPacket, error) { return a.g.Get([]string{oid}) })
	if err != nil {
		return gosnmp.SnmpPDU{}, err
	}
	if len(p.Variables) != 1 || p.Variables[0].Name != oid {
		return gosnmp.SnmpPDU{}, fmt.Errorf("%s: the answer is about something else", what)
	}
	return p.Variables[0], nil
}

func (a *agent) set(what string, vars ...gosnmp.SnmpPDU) error {
	_, err := a.send(what, func() (*gosnmp.SnmpPacket, error) { return a.g.Set(vars) })
	return err
}

// status returns a row's RowStatus, or rowAbsent.
func (a *agent) status(oid string) (int, error) {
	v, err := a.get(oid)
	if err != nil {
		return 0, err
	}
	switch v.Type {
	case gosnmp.NoSuchInstance, gosnmp.NoSuchObject:
		return rowAbsent, nil
	case gosnmp.Integer:
		if n, ok := v.Value.(int); ok && n >= rowActive && n <= rowNotReady {
			return n, nil
		}
	}
	return 0, fmt.Errorf("get %s: the answer is no RowStatus", oid)
}

// look tells whether a secret is in a place, and its text where it can be read.
func (a *agent) look(p place) (filled bool, text string, err error) {
	if p.Status != "" {
		status, err := a.status(p.Status)
		if err != nil || status != rowActive {
			return false, "", err
		}
	}
	v, err := a.get(p.Value)
	if err != nil {
		return false, "", err
	}
	b, _ := v.Value.([]byte)
	return p.Status != "" || len(b) > 0, string(b), nil
}

func value(p place, text string) gosnmp.SnmpPDU {
	return gosnmp.SnmpPDU{Name: p.Value, Type: gosnmp.OctetString, Value: []byte(text)}
}

func status(p place, s int) gosnmp.SnmpPDU {
	return gosnmp.SnmpPDU{Name: p.Status, Type: gosnmp.Integer, Value: s}
}

// put makes a place hold a secret. A row that is there is changed in place; where the agent does not have that, it is
// made anew if it may be empty for a moment.
func (a *agent) put(p place, secret secret.Text, mayBeEmpty bool) error {
	if p.Status == "" {
		return a.set("set "+p.Value, value(p, secret.Reveal()))
	}
	var last error
	// Twice: when an answer got lost, the row is there although we were told that it cannot be made.
	for range 2 {
		now, err := a.status(p.Status)
		if err != nil {
			return err
		}
		switch now {
		case rowAbsent:
			last = a.set("create row "+p.Status, value(p, secret.Reveal()), status(p, rowCreateAndGo))
		case rowActive:
			last = a.set("change row "+p.Value, value(p, secret.Reveal()))
		default:
			last = a.set("activate row "+p.Status, value(p, secret.Reveal()), status(p, rowActive))
		}
		var refused *refusal
		if !errors.As(last, &refused) {
			break
		}
		if now != rowAbsent && mayBeEmpty {
			if err := a.drop(p); err != nil {
				return err
			}
		}
	}
	if last != nil {
		return last
	}
	switch now, err := a.status(p.Status); {
	case err != nil:
		return err
	case now != rowActive:
		return fmt.Errorf("row %s was made, but it is not active: its status is %d", p.Status, now)
	}
	return nil
}

// replace makes the first place hold a secret; if that has to be made anew, a spare one holds it meanwhile.
func (a *agent) replace(places []place, secret secret.Text) error {
	err := a.put(places[0], secret, false)
	var refused *refusal
	if !errors.As(err, &refused) || len(places) < 3 || places[0].Status == "" {
		return err
	}
	if err := a.put(places[2], secret, true); err != nil {
		return err
	}
	return a.put(places[0], secret, true)
}

// drop empties a place.
func (a *agent) drop(p place) error {
	if p.Status == "" {
		return a.set("empty "+p.Value, value(p, ""))
	}
	now, err := a.status(p.Status)
	if err != nil || now == rowAbsent {
		return err
	}
	err = a.set("destroy row "+p.Status, status(p, rowDestroy))
	if err == nil {
		return nil
	}
	// As in put: an answer may have been lost.
	if now, again := a.status(p.Status); again == nil && now == rowAbsent {
		return nil
	}
	return err
}
