package cmts

import (
	"context"
	"errors"
	"fmt"
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
	rowAbsent      = 0 // not a value of the standard: no such row
)

// agent is the SNMP agent of a CMTS, during one operation.
type agent struct {
	g       *gosnmp.GoSNMP
	ctx     context.Context
	timeout time.Duration
}

// refusal is an error status in an answer (RFC 3416, section 3).
type refusal struct {
	what   string
	oid    string
	status gosnmp.SNMPError
}

func (r *refusal) Error() string {
	text := fmt.Sprintf("%s: agent answered %s", r.what, statusName(r.status))
	if r.oid != "" {
		text += " for " + r.oid
	}
	switch r.status {
	case gosnmp.TooBig:
		text += ": the message is too long"
	case gosnmp.NotWritable, gosnmp.ReadOnly, gosnmp.NoAccess, gosnmp.AuthorizationError:
		text += "; check that the community or user may write"
	case gosnmp.InconsistentValue, gosnmp.InconsistentName:
		text += ": the value conflicts with others"
	case gosnmp.WrongLength, gosnmp.WrongValue, gosnmp.WrongType, gosnmp.WrongEncoding, gosnmp.BadValue:
		text += ": the value is not accepted"
	}
	return text
}

// statusName returns the name of an error status as RFC 3416 has it, such as tooBig.
func statusName(e gosnmp.SNMPError) string {
	name := e.String() // TooBig
	if name == "" {
		return strconv.Itoa(int(e))
	}
	return strings.ToLower(name[:1]) + name[1:]
}

// send sends a request, and classifies the error.
func (a *agent) send(what string, request func() (*gosnmp.SnmpPacket, error)) (*gosnmp.SnmpPacket, error) {
	p, err := request()
	switch {
	case a.ctx.Err() != nil:
		return nil, fmt.Errorf("%s: %w", what, context.Cause(a.ctx))
	case errors.Is(err, gosnmp.ErrUnknownUsername), errors.Is(err, gosnmp.ErrWrongDigest), errors.Is(err, gosnmp.ErrDecryption),
		errors.Is(err, gosnmp.ErrUnknownSecurityLevel):
		return nil, fmt.Errorf("%s: %w: credentials refused: %w", what, ErrDenied, err)
	case errors.Is(err, context.DeadlineExceeded) && !errors.Is(err, gosnmp.ErrMaxRetriesExceeded): // of the context, by a hair
		return nil, fmt.Errorf("%s: %w", what, context.DeadlineExceeded)
	case errors.Is(err, gosnmp.ErrMaxRetriesExceeded):
		return nil, fmt.Errorf("%s: %w: no valid answer within %s; an agent does not answer to an unknown community either", what, ErrUnreachable, a.timeout)
	case err != nil && contains(err, "refused"):
		return nil, fmt.Errorf("%s: %w: %w", what, ErrUnreachable, err)
	case err != nil && contains(err, "recover:"):
		return nil, fmt.Errorf("%s: answer cannot be decoded", what)
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
		return gosnmp.SnmpPDU{}, fmt.Errorf("%s: answer for another object", what)
	}
	return p.Variables[0], nil
}

func (a *agent) set(what string, vars ...gosnmp.SnmpPDU) error {
	_, err := a.send(what, func() (*gosnmp.SnmpPacket, error) { return a.g.Set(vars) })
	return err
}

// status returns the RowStatus of a row, or rowAbsent.
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
	return 0, fmt.Errorf("get %s: answer is not a RowStatus", oid)
}

// look reports whether a place holds a secret, and returns its text if it can be read.
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

// put sets the secret of a place. An existing row is changed in place; if the agent refuses that and the place may be empty for
// a moment, the row is destroyed and created again.
func (a *agent) put(p place, secret secret.Text, mayBeEmpty bool) error {
	if p.Status == "" {
		return a.set("set "+p.Value, value(p, secret.Reveal()))
	}
	var last error
	// Twice: after a lost answer the row exists although the repeated request to create it was refused.
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
		return fmt.Errorf("row %s: created but not active (status %d)", p.Status, now)
	}
	return nil
}

// replace sets the secret of the first place. If its row has to be created again, the spare place holds the secret meanwhile.
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

// drop removes the secret of a place.
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
	// The answer may have been lost, as in put.
	if now, again := a.status(p.Status); again == nil && now == rowAbsent {
		return nil
	}
	return err
}
