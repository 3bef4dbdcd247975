package ldapdir

import (
	"encoding/hex"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/go-ldap/ldap/v3"

	"dcs/render/attr"
	"dcs/render/device"
)

// several counts, by attribute, entries with more than one value.
type several map[string]int

// device stores an entry in d.
func (s *source) device(e *ldap.Entry, d *attr.Device, more several) error {
	first := func(name string) string {
		for _, a := range e.Attributes {
			if !strings.EqualFold(a.Name, name) || len(a.ByteValues) == 0 {
				continue
			}
			if len(a.ByteValues) > 1 {
				more[name]++
			}
			if v := a.ByteValues[0]; !utf8.Valid(v) {
				return "0x" + hex.EncodeToString(v)
			}
			return a.Values[0]
		}
		return ""
	}
	d.MAC, d.IP = device.MAC{}, netip.Addr{}
	if v := strings.TrimSpace(first(s.cfg.MACAttr)); v != "" {
		mac, err := device.ParseMAC(v)
		if err != nil {
			return fmt.Errorf("%q is %w", short(v), err)
		}
		d.MAC = mac
	}
	if v := strings.TrimSpace(first(s.cfg.IPAttr)); v != "" {
		ip, err := netip.ParseAddr(v)
		if err != nil {
			return fmt.Errorf("%q is not an IP address", short(v))
		}
		d.IP = ip.Unmap().WithZone("")
	}
	if d.MAC.IsZero() && !d.IP.IsValid() {
		return errors.New("neither a MAC address nor an IP address")
	}
	for i, a := range s.attrs {
		d.Values[i] = first(a)
	}
	return nil
}

func short(s string) string {
	if len(s) > 64 {
		return s[:64] + "…"
	}
	return s
}

// modified returns an entry's modifyTimestamp, or the zero time if it has none.
func modified(e *ldap.Entry) time.Time {
	t, _ := time.Parse("20060102150405Z0700", e.GetEqualFoldAttributeValue(timestamp))
	return t.UTC()
}

func (s *source) reject(dn string, why error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	text := short(dn) + ": " + why.Error()
	if !slices.Contains(s.rejected.First, text) { // each poll returns it again
		s.rejected.Add(text)
	}
}

func (s *source) Rejected() attr.Rejected {
	s.mu.Lock()
	defer s.mu.Unlock()
	return attr.Rejected{Rows: s.rejected.Rows, First: slices.Clone(s.rejected.First)}
}
