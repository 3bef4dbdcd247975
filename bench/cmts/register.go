package cmts

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"dcs/render/mic"
)

// Reason is the reason for rejecting a modem.
type Reason uint8

// Reasons to reject a modem.
const (
	BadFile Reason = iota
	BadMIC
	BadCMTSMIC
	BadTime
	BadAddress
	numReasons
)

// String returns the reason in words.
func (r Reason) String() string {
	switch r {
	case BadFile:
		return "not a boot file"
	case BadMIC:
		return "CM MIC"
	case BadCMTSMIC:
		return "CMTS MIC"
	case BadTime:
		return "timestamp"
	case BadAddress:
		return "modem address"
	case numReasons:
	}
	return fmt.Sprintf("Reason(%d)", uint8(r))
}

// Rejection is the error of a modem that may not register.
type Rejection struct {
	Reason Reason
	Detail string
}

func (r *Rejection) Error() string { return "rejected: " + r.Reason.String() + ": " + r.Detail }

// Counts are the registrations so far.
type Counts struct {
	Accepted, Rejected uint64
	Reasons            map[Reason]uint64
}

// Counts returns how many modems were accepted and rejected.
func (c *CMTS) Counts() Counts {
	n := Counts{Accepted: c.accepted.Load(), Reasons: map[Reason]uint64{}}
	for r := range c.rejected {
		if v := c.rejected[r].Load(); v > 0 {
			n.Rejected += v
			n.Reasons[Reason(r)] = v
		}
	}
	return n
}

// keyring is the secrets of all interfaces, prepared for signing, in one version.
type keyring struct {
	version uint64
	keys    map[string][]*mic.Secret
}

func (c *CMTS) secretsFor(iface string) []*mic.Secret {
	k := c.keys.Load()
	if k.keys == nil || k.version != c.version.Load() {
		c.mu.Lock()
		k = &keyring{c.version.Load(), map[string][]*mic.Secret{}}
		for _, i := range c.cfg.Interfaces {
			for _, s := range c.secrets(i) {
				k.keys[i] = append(k.keys[i], mic.NewSecret([]byte(s)))
			}
			if k.keys[i] == nil {
				// Without a secret the MIC is checked with an empty key.
				k.keys[i] = []*mic.Secret{mic.NewSecret(nil)}
			}
		}
		c.mu.Unlock()
		c.keys.Store(k)
	}
	return k.keys[iface]
}

// Register is [CMTS.RegisterOn] with the first interface.
func (c *CMTS) Register(file []byte, modem netip.Addr, now time.Time) error {
	return c.RegisterOn(c.cfg.Interfaces[0], file, modem, now)
}

// RegisterOn decides whether a modem with this address and boot file may register now. The file must have a valid CM MIC, a CMTS
// MIC under one of the interface's secrets, a TLV 19, if any, within the processing time, and a TLV 20 or 59, if any, with the
// modem's address. The error is a [*Rejection].
func (c *CMTS) RegisterOn(iface string, file []byte, modem netip.Addr, now time.Time) error {
	err := c.judge(iface, file, modem, now)
	var r *Rejection
	if errors.As(err, &r) {
		c.rejected[r.Reason].Add(1)
	} else {
		c.accepted.Add(1)
	}
	return err
}

// epoch1900 is the Unix epoch in seconds since 1900 (RFC 868).
const epoch1900 = 2208988800

func (c *CMTS) judge(iface string, file []byte, modem netip.Addr, now time.Time) error {
	reject := func(r Reason, format string, args ...any) error {
		return &Rejection{r, fmt.Sprintf(format, args...)}
	}
	secrets := c.secretsFor(iface)
	if secrets == nil {
		return reject(BadFile, "no interface %q", iface)
	}
	valid := false
	for _, s := range secrets {
		rep, err := mic.Verify(file, s)
		if err != nil {
			return reject(BadFile, "%v", err)
		}
		if rep.CM.Verdict != mic.Valid {
			return reject(BadMIC, "%s", rep.CM.Verdict)
		}
		if rep.CMTS.Verdict == mic.Valid && rep.Extended.Verdict != mic.Invalid {
			valid = true
			break
		}
	}
	if !valid {
		return reject(BadCMTSMIC, "under none of the %d secrets", len(secrets))
	}
	modem = modem.Unmap()
	var verdict error
	err := mic.Walk(file, func(off, hdr, end int, code uint8) bool {
		value := file[off+hdr : end]
		switch code {
		case 19:
			if len(value) != 4 {
				verdict = reject(BadTime, "TLV 19 has %d octets", len(value))
				break
			}
			at := time.Unix(int64(binary.BigEndian.Uint32(value))-epoch1900, 0)
			if d := now.Sub(at); d > c.cfg.ProcessingTime || d < -c.cfg.ProcessingTime {
				verdict = reject(BadTime, "TLV 19 is off by %s", d.Round(time.Second))
			}
		case 20, 59:
			at, ok := netip.AddrFromSlice(value)
			if !ok || at.Is4() != (code == 20) || at != modem {
				verdict = reject(BadAddress, "TLV %d is %v, the modem %v", code, at, modem)
			}
		}
		return verdict == nil
	})
	if err != nil {
		return reject(BadFile, "%v", err)
	}
	return verdict
}
