// Package ldapdir reads devices from an LDAP directory.
package ldapdir

import (
	"context"
	"crypto/tls"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/go-ldap/ldap/v3"

	"dcs/render/attr"
	"dcs/render/device"
	"dcs/render/secret"
)

// Config describes the directory, and how to search it.
type Config struct {
	Name string // for logs; "": ldap and the URL

	URL      string // ldap://host or ldaps://host, with an optional :port
	StartTLS bool   // for ldap://
	// CAFile holds the CA certificates of the server, in PEM; "": those of the system.
	CAFile string
	// BindDN and the first line of PasswordFile, which is read for each connection, are used for a simple bind. Without
	// BindDN, connections are anonymous.
	BindDN       string
	PasswordFile string

	Base   string
	Scope  string // sub, one or base; "": sub
	Filter string // of all devices
	// MACAttr and IPAttr are the attributes that hold a device's addresses. "": macAddress, ipHostNumber.
	MACAttr, IPAttr string
	// Attributes maps the directory's attributes to device attributes. Of several values, the first is used. Values that are
	// not UTF-8 are given in hexadecimal after 0x.
	Attributes map[string]string

	// AskFilter finds one device by its MAC address, written {mac} (0a:01:02:03:04:05) or {mac12} (0a0102030405), and
	// AskIPFilter by its IP address, {ip}.
	AskFilter, AskIPFilter string

	// Poll is the interval at which Follow searches for entries with a newer modifyTimestamp. 0: 5 s. Overlap is how far it
	// looks back, since replicas may receive entries late. 0: 10 s; negative: none.
	Poll, Overlap time.Duration
	// Reload is the interval at which Follow requests a load, the only way to find deleted entries. 0: 15 min; negative: never.
	Reload time.Duration

	Timeout  time.Duration // how long the server may be silent; 0: 30 s
	PageSize int           // entries of one page; 0: 1000
	// MaxRejected is the number of entries without a usable address that a load may have: the limit of
	// [attr.Rejected.Check].
	MaxRejected int
	// Warn receives errors that do not fail a call, such as attributes with several values. It may be nil.
	Warn func(error)
}

const (
	batch     = 1024
	timestamp = "modifyTimestamp"
	general   = "20060102150405Z" // layout of GeneralizedTime in filters (RFC 4517)
)

type source struct {
	attr.Marks // of loads

	cfg   Config
	host  string // and port
	tls   *tls.Config
	scope int
	attrs []string // the directory's, by device attribute
	names []string // of the device attributes

	mu       sync.Mutex
	password secret.Text
	shared   *conn // for Ask
	rejected attr.Rejected
	loaded   bool
	mark     time.Time // the latest modifyTimestamp; zero: no entry so far
	seen     map[string]string
}

type asker struct{ *source }

var (
	_ attr.Follower = (*source)(nil)
	_ attr.Rejecter = (*source)(nil)
	_ attr.Asker    = asker{}
	_ attr.Marker   = (*source)(nil) // a load's mark is the greatest modifyTimestamp in it
)

// New returns a source, which is an attr.Follower and attr.Rejecter, and an attr.Asker if there is an AskFilter or an
// AskIPFilter. It does not connect before Open.
func New(cfg Config) (attr.Source, error) {
	u, err := url.Parse(cfg.URL)
	if err != nil || u.User != nil || u.Hostname() == "" || u.Scheme != "ldap" && u.Scheme != "ldaps" || strings.Trim(u.Path, "/") != "" {
		return nil, errors.New("ldap: url: not of the form ldap://host:port or ldaps://host:port")
	}
	if cfg.Name == "" {
		cfg.Name = "ldap " + u.Scheme + "://" + u.Host
	}
	for _, d := range []struct {
		v       *time.Duration
		initial time.Duration
	}{{&cfg.Poll, 5 * time.Second}, {&cfg.Overlap, 10 * time.Second}, {&cfg.Reload, 15 * time.Minute}, {&cfg.Timeout, 30 * time.Second}} {
		if *d.v == 0 {
			*d.v = d.initial
		}
	}
	if cfg.PageSize == 0 {
		cfg.PageSize = 1000
	}
	for _, s := range []struct {
		v       *string
		initial string
	}{{&cfg.Scope, "sub"}, {&cfg.MACAttr, "macAddress"}, {&cfg.IPAttr, "ipHostNumber"}} {
		if *s.v == "" {
			*s.v = s.initial
		}
	}
	if cfg.Warn == nil {
		cfg.Warn = func(error) {}
	}
	s := &source{cfg: cfg}
	fail := func(format string, args ...any) (attr.Source, error) {
		return nil, fmt.Errorf(cfg.Name+": "+format, args...)
	}
	var known bool
	s.scope, known = map[string]int{"sub": ldap.ScopeWholeSubtree, "one": ldap.ScopeSingleLevel, "base": ldap.ScopeBaseObject}[cfg.Scope]
	switch {
	case !known:
		return fail("scope: %q is none of sub, one, base", cfg.Scope)
	case cfg.StartTLS && u.Scheme == "ldaps":
		return fail("starttls is for ldap://, and the url is ldaps://")
	case cfg.BindDN != "" && cfg.PasswordFile == "":
		return fail("bind_dn without password_file")
	case cfg.Poll < 0 || cfg.Timeout < 0 || cfg.PageSize < 1 || cfg.PageSize > 1<<20:
		return fail("poll and timeout cannot be negative, page_size is from 1 to %d", 1<<20)
	}
	for _, f := range []struct{ key, text string }{
		{"filter", cfg.Filter}, {"ask_filter", s.filter(cfg.AskFilter, device.MAC{}, netip.IPv4Unspecified())}, {"ask_ip_filter", s.filter(cfg.AskIPFilter, device.MAC{}, netip.IPv4Unspecified())},
	} {
		if f.text == "" && f.key != "filter" {
			continue
		}
		if _, err := ldap.CompileFilter(f.text); err != nil {
			return fail("%s: %q: %w", f.key, f.text, err)
		}
	}
	s.attrs = slices.SortedFunc(maps.Keys(cfg.Attributes), func(a, b string) int {
		return strings.Compare(cfg.Attributes[a], cfg.Attributes[b])
	})
	for i, a := range s.attrs {
		name := cfg.Attributes[a]
		if name == "" || i > 0 && name == s.names[i-1] {
			return fail("attributes: %s: the name %q is empty or taken", a, name)
		}
		s.names = append(s.names, name)
	}
	s.host = u.Host
	if u.Port() == "" {
		s.host = net.JoinHostPort(u.Hostname(), map[string]string{"ldap": "389", "ldaps": "636"}[u.Scheme])
	}
	if u.Scheme == "ldaps" || cfg.StartTLS {
		s.tls = &tls.Config{ServerName: u.Hostname(), MinVersion: tls.VersionTLS12}
	}
	if cfg.AskFilter != "" || cfg.AskIPFilter != "" {
		return asker{s}, nil
	}
	return s, nil
}

// filter expands a template, with escaped addresses (RFC 4515).
func (s *source) filter(template string, mac device.MAC, ip netip.Addr) string {
	plain := hex.EncodeToString(mac[:])
	colons := make([]string, 6)
	for i := range colons {
		colons[i] = plain[2*i : 2*i+2]
	}
	return strings.NewReplacer("{mac}", ldap.EscapeFilter(strings.Join(colons, ":")), "{mac12}", ldap.EscapeFilter(plain),
		"{ip}", ldap.EscapeFilter(ip.String())).Replace(template)
}

func (s *source) Name() string { return s.cfg.Name }

func (s *source) Open(ctx context.Context) ([]string, error) {
	_ = s.Close()
	c, err := s.connect(ctx)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	s.shared, s.loaded, s.seen = c, false, nil
	s.mu.Unlock()
	return slices.Clone(s.names), nil
}

func (s *source) Close() error {
	s.mu.Lock()
	c := s.shared
	s.shared = nil
	s.mu.Unlock()
	if c != nil {
		c.close()
	}
	return nil
}

func (s *source) Load(ctx context.Context, yield func(*attr.Device) error) error {
	s.mu.Lock()
	s.rejected, s.loaded = attr.Rejected{}, false
	s.mu.Unlock()
	d := attr.Device{Values: make([]string, len(s.attrs))}
	more := several{}
	var mark time.Time
	n := 0
	err := s.search(ctx, s.cfg.Filter, func(e *ldap.Entry) error {
		n++
		if t := modified(e); t.After(mark) {
			mark = t
		}
		if err := s.device(e, &d, more); err != nil {
			s.reject(e.DN, err)
			return nil
		}
		return yield(&d)
	})
	if err != nil {
		return err
	}
	for a, k := range more {
		s.cfg.Warn(fmt.Errorf("%s: %s has several values in %d entries; the first is used", s.cfg.Name, a, k))
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.rejected.Check(n, s.cfg.MaxRejected); err != nil {
		return fmt.Errorf("%s: load: %w", s.cfg.Name, err)
	}
	s.loaded, s.mark, s.seen = true, mark, nil
	s.SetLoaded(mark.Format(time.RFC3339))
	return nil
}
