// Package ldapdir is a source of devices in an LDAP directory.
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

// Config says where devices are and how to ask for them.
type Config struct {
	Name string // for logs; "": ldap and the URL

	URL      string // ldap://host, ldaps://host, each with :port or not
	StartTLS bool   // on ldap://
	// CAFile holds the certificates that the server's may be signed with, in PEM; "": the system's.
	CAFile string
	// BindDN and the first line of PasswordFile, read for each connection, are for a simple
	// bind. Without BindDN the source is anonymous.
	BindDN       string
	PasswordFile string

	Base   string
	Scope  string // sub, one or base; "": sub
	Filter string // of all devices
	// MACAttr and IPAttr hold a device's addresses. "": macAddress, ipHostNumber.
	MACAttr, IPAttr string
	// Attributes names ours by the directory's. Of several values the first is taken. One
	// that is not UTF-8 is given in hexadecimal after 0x.
	Attributes map[string]string

	// AskFilter finds one device by its MAC address, for which {mac} stands
	// (0a:01:02:03:04:05) or {mac12} (0a0102030405), AskIPFilter by its IP address, {ip}.
	AskFilter, AskIPFilter string

	// Poll is how often Follow asks for entries with a newer modifyTimestamp. 0: 5 s.
	// Overlap is how far it looks back, since a replica may get entries late. 0: 10 s;
	// negative: none.
	Poll, Overlap time.Duration
	// Reload is how often Follow has all loaded anew, which is how deleted entries are
	// found. 0: 15 min; negative: never.
	Reload time.Duration

	Timeout  time.Duration // how long the server may stay silent; 0: 30 s
	PageSize int           // entries asked for at once; 0: 1000
	// MaxRejected is how many entries without a usable address a load may have: the limit of
	// [attr.Rejected.Check].
	MaxRejected int
	// Warn is told of what is wrong and fails no call: attributes with several values. It may be nil.
	Warn func(error)
}

const (
	batch     = 1024
	timestamp = "modifyTimestamp"
	general   = "20060102150405Z" // GeneralizedTime as filters are written with
)

type source struct {
	attr.Marks // of loads

	cfg   Config
	host  string // and port
	tls   *tls.Config
	scope int
	attrs []string // of the directory, by our attribute
	names []string // ours

	mu       sync.Mutex
	password secret.Text
	shared   *conn // for Ask
	rejected attr.Rejected
	loaded   bool
	mark     time.Time // the greatest modifyTimestamp; zero: there was no entry
	seen     map[string]string
}

type asker struct{ *source }

var (
	_ attr.Follower = (*source)(nil)
	_ attr.Rejecter = (*source)(nil)
	_ attr.Asker    = asker{}
	_ attr.Marker   = (*source)(nil) // a load's mark is the greatest modifyTimestamp in it
)

// New makes a source, an attr.Follower and attr.Rejecter, and an attr.Asker if there is an
// AskFilter or an AskIPFilter. Nothing is connected before Open.
func New(cfg Config) (attr.Source, error) {
	u, err := url.Parse(cfg.URL)
	if err != nil || u.User != nil || u.Hostname() == "" || u.Scheme != "ldap" && u.Scheme != "ldaps" || strings.Trim(u.Path, "/") != "" {
		return nil, errors.New("ldap: url: it is not of the form ldap://host:port or ldaps://host:port")
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

// filter fills in a template. What it fills in consists of digits, letters, colons and
// dots; it is escaped nevertheless (RFC 4515).
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
		s.cfg.Warn(fmt.Errorf("%s: %s has several values in %d entries: the first is taken", s.cfg.Name, a, k))
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
