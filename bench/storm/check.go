package storm

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"time"

	"dcs/render/mic"
)

// Check selects what every file is checked for.
type Check uint8

// From nothing to everything.
const (
	CheckNothing   Check = iota
	CheckStructure       // the file of a modem or an MTA: TLVs, CM MIC or hash, the time in TLV 19, the requester's address in TLV 20 or 59
	CheckAll             // also the CMTS MIC, under one of the Keys
)

// ParseCheck parses off, structure or full.
func ParseCheck(s string) (Check, error) {
	switch s {
	case "off":
		return CheckNothing, nil
	case "structure":
		return CheckStructure, nil
	case "full":
		return CheckAll, nil
	}
	return 0, fmt.Errorf("%s: must be off, structure or full", s)
}

// Key is a secret that the CMTS MIC may be signed with.
type Key struct {
	Label  string       // its name in results
	Prefix netip.Prefix // modems that it applies to; zero: all. For a modem, the keys with the longest matching prefix apply.
	Secret *mic.Secret
}

// checker checks files as a CMTS would.
type checker struct {
	all  bool
	keys []Key
	used []int // files by key
	skew int64
}

func newChecker(cfg *Config) *checker {
	if cfg.Check == CheckNothing {
		return nil
	}
	return &checker{all: cfg.Check == CheckAll, keys: cfg.Keys, used: make([]int, len(cfg.Keys)), skew: int64(cfg.Skew)}
}

const (
	tlvTimestamp = 19
	tlvModemIPv4 = 20
	tlvModemIPv6 = 59
	tlvMTA       = 254 // type of the first TLV of an MTA's file

	since1900 = 2208988800 // seconds from 1900 to 1970, RFC 868
)

// examine checks one file. begun and now are Unix nanoseconds: the file was rendered between them.
func (c *checker) examine(modem netip.Addr, body []byte, begun, now int64) error {
	mta := len(body) > 0 && body[0] == tlvMTA
	if err := c.mics(modem, body, mta); err != nil || mta {
		return err
	}
	var wrong error
	err := mic.Walk(body, func(off, hdr, end int, code uint8) bool {
		value := body[off+hdr : end]
		switch code {
		case tlvTimestamp:
			wrong = c.stamp(value, begun, now)
		case tlvModemIPv4, tlvModemIPv6:
			if a, ok := netip.AddrFromSlice(value); !ok || a != modem {
				wrong = fmt.Errorf("TLV %d is % x, requested by %v", code, value, modem)
			}
		}
		return wrong == nil
	})
	return errors.Join(wrong, err)
}

func (c *checker) stamp(value []byte, begun, now int64) error {
	if len(value) != 4 {
		return fmt.Errorf("TLV 19 of %d bytes", len(value))
	}
	at := int64(binary.BigEndian.Uint32(value)) - since1900
	const second = int64(time.Second)
	switch first, last := (begun-c.skew)/second, (now+c.skew)/second; {
	case at < first:
		return fmt.Errorf("TLV 19 %d s before the request", begun/second-at)
	case at > last:
		return fmt.Errorf("TLV 19 %d s in the future", at-now/second)
	}
	return nil
}

func (c *checker) mics(modem netip.Addr, body []byte, mta bool) error {
	keys, bits := 0, -1
	for k := range c.keys {
		if c.covers(k, modem) {
			keys++
			bits = max(bits, c.keys[k].Prefix.Bits())
		}
	}
	if !c.all || mta {
		r, err := mic.Verify(body, nil)
		return broken(&r, err, mta)
	}
	if keys == 0 {
		return fmt.Errorf("no secret for %v", modem)
	}
	for k := range c.keys {
		if !c.covers(k, modem) || c.keys[k].Prefix.Bits() != bits {
			continue
		}
		r, err := mic.Verify(body, c.keys[k].Secret)
		signed := r.CMTS.Verdict == mic.Valid && r.Extended.Verdict != mic.Invalid
		if err != nil || signed || r.CM.Verdict != mic.Valid {
			if err == nil && signed {
				c.used[k]++
			}
			return broken(&r, err, false)
		}
	}
	return errors.New("CMTS MIC under none of the secrets")
}

// broken returns what is wrong with a file, apart from what needs a secret.
func broken(r *mic.Report, err error, mta bool) error {
	switch {
	case err != nil:
		return fmt.Errorf("not a modem's file: %w", err)
	case mta && r.MTA.Verdict == mic.Invalid:
		return errors.New("wrong MTA hash")
	case mta:
		return nil
	case r.CM.Verdict == mic.Absent:
		return errors.New("missing CM MIC")
	case r.CM.Verdict != mic.Valid:
		return errors.New("wrong CM MIC")
	case r.CMTS.Verdict == mic.Absent:
		return errors.New("missing CMTS MIC")
	}
	for _, n := range r.Notes {
		if strings.Contains(n, "end-of-data") {
			return errors.New(n)
		}
	}
	return nil
}

// covers reports whether key k applies to a modem. The zero prefix has -1 bits.
func (c *checker) covers(k int, modem netip.Addr) bool {
	p := c.keys[k].Prefix
	return !p.IsValid() || p.Contains(modem)
}

func (c *checker) signed() map[string]int {
	if !c.all {
		return nil
	}
	m := map[string]int{}
	for k, n := range c.used {
		m[c.keys[k].Label] += n
	}
	return m
}
