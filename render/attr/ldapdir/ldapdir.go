// Package ldapdir is a source of devices in an LDAP directory.
package ldapdir

import (
	"context"
	"crypto/tls"
	"crypto/x509"
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
	"unicode/utf8"

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
	password string
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
		{"filter", cfg.Filter}, {"ask_filter", s.filter(cfg.AskFilter, [6]byte{}, netip.IPv4Unspecified())}, {"ask_ip_filter", s.filter(cfg.AskIPFilter, [6]byte{}, netip.IPv4Unspecified())},
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
func (s *source) filter(template string, mac [6]byte, ip netip.Addr) string {
	plain := hex.EncodeToString(mac[:])
	colons := make([]string, 6)
	for i := range colons {
		colons[i] = plain[2*i : 2*i+2]
	}
	return strings.NewReplacer("{mac}", ldap.EscapeFilter(strings.Join(colons, ":")), "{mac12}", ldap.EscapeFilter(plain),
		"{ip}", ldap.EscapeFilter(ip.String())).Replace(template)
}

func (s *source) Name() string { return s.cfg.Name }

// hidden is an error whose text shows no password.
type hidden struct {
	text string
	err  error
}

func (h *hidden) Error() string { return h.text }
func (h *hidden) Unwrap() error { return h.err }

func (s *source) wrap(ctx context.Context, step string, err error) error {
	if cause := context.Cause(ctx); cause != nil && !errors.Is(err, cause) {
		err = fmt.Errorf("%w (%w)", cause, err)
	}
	text := s.cfg.Name + ": " + step + ": " + err.Error()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.password != "" {
		text = strings.ReplaceAll(text, s.password, "****")
	}
	return &hidden{text, err}
}

// conn is a connection with what is below it, which can be closed without waiting.
type conn struct {
	*ldap.Conn
	wire net.Conn
}

func (c *conn) close() {
	c.wire.Close()
	c.Conn.Close()
}

// ended returns an error if a search may have ended because the connection did.
func (c *conn) ended(ctx context.Context) error {
	switch err := c.GetLastError(); {
	case context.Cause(ctx) != nil:
		return context.Cause(ctx)
	case err != nil:
		return err
	case c.IsClosing():
		return errors.New("the connection was closed")
	}
	return nil
}

// connect dials and binds.
func (s *source) connect(ctx context.Context) (*conn, error) {
	ctx, cancel := context.WithTimeout(ctx, s.cfg.Timeout)
	defer cancel()
	tlsConfig := s.tls
	if tlsConfig != nil && s.cfg.CAFile != "" {
		pem, err := secret.ReadCertificates(s.cfg.CAFile)
		if err != nil {
			return nil, s.wrap(ctx, "ca_file", err)
		}
		tlsConfig = tlsConfig.Clone()
		tlsConfig.RootCAs = x509.NewCertPool()
		if !tlsConfig.RootCAs.AppendCertsFromPEM(pem) {
			return nil, s.wrap(ctx, "ca_file", fmt.Errorf("%s has no certificate in PEM", s.cfg.CAFile))
		}
	}
	password := ""
	if s.cfg.BindDN != "" {
		b, err := secret.Read(s.cfg.PasswordFile, secret.MaxSize)
		if err != nil {
			return nil, s.wrap(ctx, "password_file", err)
		}
		password, _, _ = strings.Cut(string(b), "\n")
		password = strings.TrimSuffix(password, "\r")
		if password == "" { // which a server would take for an anonymous bind
			return nil, s.wrap(ctx, "password_file", fmt.Errorf("the first line of %s is empty", s.cfg.PasswordFile))
		}
		s.mu.Lock()
		s.password = password
		s.mu.Unlock()
	}
	wire, err := (&net.Dialer{}).DialContext(ctx, "tcp", s.host)
	if err != nil {
		return nil, s.wrap(ctx, "connect", err)
	}
	stop := context.AfterFunc(ctx, func() { wire.Close() })
	defer stop()
	over := wire
	if tlsConfig != nil && !s.cfg.StartTLS {
		t := tls.Client(wire, tlsConfig)
		if err := t.HandshakeContext(ctx); err != nil {
			wire.Close()
			return nil, s.wrap(ctx, "TLS", err)
		}
		over = t
	}
	// The library's own timeout is for a request as a whole, however fast its entries come,
	// and drops responses that nobody takes for so long: contexts end what is silent here.
	c := &conn{ldap.NewConn(over, over != wire), wire}
	c.Start()
	if s.cfg.StartTLS {
		if err := c.StartTLS(tlsConfig); err != nil {
			c.close()
			return nil, s.wrap(ctx, "StartTLS", err)
		}
	}
	if s.cfg.BindDN != "" {
		if err := c.Bind(s.cfg.BindDN, password); err != nil {
			c.close()
			return nil, s.wrap(ctx, "bind as "+s.cfg.BindDN, err)
		}
	}
	if !stop() {
		c.close()
		return nil, s.wrap(ctx, "connect", ctx.Err())
	}
	return c, nil
}

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

func (s *source) wanted() []string {
	return append([]string{s.cfg.MACAttr, s.cfg.IPAttr, timestamp}, s.attrs...)
}

// search calls each for every entry, in the memory of one page at most.
func (s *source) search(ctx context.Context, filter string, each func(*ldap.Entry) error) error {
	c, err := s.connect(ctx)
	if err != nil {
		return err
	}
	defer c.close()
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer context.AfterFunc(ctx, func() { c.wire.Close() })()
	silence := time.AfterFunc(s.cfg.Timeout, func() {
		cancel(fmt.Errorf("the server has said nothing for %v: %w", s.cfg.Timeout, context.DeadlineExceeded))
	})
	defer silence.Stop()
	paging := ldap.NewControlPaging(uint32(s.cfg.PageSize))
	for {
		r := c.SearchAsync(ctx, ldap.NewSearchRequest(s.cfg.Base, s.scope, ldap.NeverDerefAliases, 0, 0, false, filter, s.wanted(), []ldap.Control{paging}), 64)
		for r.Next() {
			e := r.Entry()
			if e == nil {
				continue // a reference to another server
			}
			silence.Stop()
			if err := each(e); err != nil {
				return err
			}
			silence.Reset(s.cfg.Timeout)
		}
		if err := r.Err(); err != nil {
			return s.wrap(ctx, "search", err)
		}
		// The library ends a search without a word if the connection ended before it.
		if err := c.ended(ctx); err != nil {
			return s.wrap(ctx, "search", err)
		}
		next, _ := ldap.FindControl(r.Controls(), ldap.ControlTypePaging).(*ldap.ControlPaging)
		if next == nil && len(paging.Cookie) > 0 {
			return s.wrap(ctx, "search", errors.New("the server stopped telling of pages"))
		}
		if next == nil || len(next.Cookie) == 0 {
			return nil
		}
		paging.SetCookie(next.Cookie)
	}
}

// several counts attributes of several values of which only the first is taken.
type several map[string]int

// device turns an entry into d.
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
	d.HasMAC, d.IP = false, netip.Addr{}
	if v := strings.TrimSpace(first(s.cfg.MACAttr)); v != "" {
		mac, err := device.ParseMAC(v)
		if err != nil {
			return fmt.Errorf("%q is %w", short(v), err)
		}
		d.MAC, d.HasMAC = mac, true
	}
	if v := strings.TrimSpace(first(s.cfg.IPAttr)); v != "" {
		ip, err := netip.ParseAddr(v)
		if err != nil {
			return fmt.Errorf("%q is not an IP address", short(v))
		}
		d.IP = ip.Unmap().WithZone("")
	}
	if !d.HasMAC && !d.IP.IsValid() {
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

// modified returns an entry's modifyTimestamp, zero if it is not given.
func modified(e *ldap.Entry) time.Time {
	t, _ := time.Parse("20060102150405Z0700", e.GetEqualFoldAttributeValue(timestamp))
	return t.UTC()
}

func (s *source) reject(dn string, why error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	text := short(dn) + ": " + why.Error()
	if !slices.Contains(s.rejected.First, text) { // one poll after the other gives it
		s.rejected.Add(text)
	}
}

func (s *source) Rejected() attr.Rejected {
	s.mu.Lock()
	defer s.mu.Unlock()
	return attr.Rejected{Rows: s.rejected.Rows, First: slices.Clone(s.rejected.First)}
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

// Follow asks again and again for what was modified. That a device is gone shows when all
// is loaded anew.
func (s *source) Follow(ctx context.Context, apply func([]attr.Change) error) error {
	s.mu.Lock()
	loaded := s.loaded
	s.mu.Unlock()
	if !loaded {
		return fmt.Errorf("%s: follow: nothing was loaded yet", s.cfg.Name)
	}
	s.rewind()
	polls := time.NewTicker(s.cfg.Poll)
	defer polls.Stop()
	var reloads <-chan time.Time
	if s.cfg.Reload > 0 {
		t := time.NewTicker(s.cfg.Reload)
		defer t.Stop()
		reloads = t.C
	}
	for {
		var err error
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-reloads:
			err = apply(nil)
		case <-polls.C:
			err = s.poll(ctx, apply)
		}
		if err != nil {
			return err
		}
	}
}

// poll applies what was modified since the mark. Entries that it gave at the poll before,
// with the same values, it leaves out: the server's time stamps are whole seconds.
func (s *source) poll(ctx context.Context, apply func([]attr.Change) error) error {
	s.mu.Lock()
	mark, seen := s.mark, s.seen
	s.mu.Unlock()
	filter := s.cfg.Filter
	if !mark.IsZero() {
		filter = "(&" + filter + "(" + timestamp + ">=" + mark.Add(-max(s.cfg.Overlap, 0)).Format(general) + "))"
	}
	now := make(map[string]string)
	var changes []attr.Change
	flush := func() error {
		if len(changes) == 0 {
			return nil
		}
		given := changes
		changes = nil
		return apply(given)
	}
	err := s.search(ctx, filter, func(e *ldap.Entry) error {
		if t := modified(e); t.After(mark) {
			mark = t
		}
		d := attr.Device{Values: make([]string, len(s.attrs))}
		if err := s.device(e, &d, several{}); err != nil {
			s.reject(e.DN, err)
			return nil
		}
		what := fmt.Sprintf("%x %v %q", d.MAC, d.IP, d.Values)
		now[e.DN] = what
		if seen[e.DN] == what {
			return nil
		}
		if changes = append(changes, attr.Change{Device: d}); len(changes) == batch {
			return flush()
		}
		return nil
	})
	if err == nil {
		err = flush()
	}
	if err != nil {
		return err
	}
	s.mu.Lock()
	s.mark, s.seen = mark, now
	s.mu.Unlock()
	return nil
}

// Ask looks for one device over a connection that is kept.
func (s asker) Ask(ctx context.Context, mac [6]byte, hasMAC bool, ip netip.Addr) (d attr.Device, found bool, err error) {
	template := s.cfg.AskFilter
	if !hasMAC {
		template = s.cfg.AskIPFilter
	}
	if template == "" || !hasMAC && !ip.IsValid() {
		return d, false, nil
	}
	filter := s.filter(template, mac, ip.Unmap().WithZone(""))
	ctx, cancel := context.WithTimeout(ctx, s.cfg.Timeout)
	defer cancel()
	for try := 0; ; try++ {
		c, fresh, err := s.kept(ctx)
		if err != nil {
			return d, false, err
		}
		e, n, err := s.one(ctx, c, filter)
		if err != nil {
			if !fresh && try == 0 && ctx.Err() == nil && c.IsClosing() { // it was closed while it was idle
				s.drop(c)
				continue
			}
			s.drop(c)
			return d, false, s.wrap(ctx, "ask", err)
		}
		if n == 0 {
			return d, false, nil
		}
		if n > 1 {
			s.cfg.Warn(fmt.Errorf("%s: %s finds several entries: the first is taken", s.cfg.Name, filter))
		}
		d.Values = make([]string, len(s.attrs))
		if err := s.device(e, &d, several{}); err != nil {
			return attr.Device{}, false, s.wrap(ctx, "ask: "+short(e.DN), err)
		}
		return d, true, nil
	}
}

// kept returns the connection for Ask, and whether it is new.
func (s *source) kept(ctx context.Context) (c *conn, fresh bool, err error) {
	s.mu.Lock()
	c = s.shared
	s.mu.Unlock()
	if c != nil && !c.IsClosing() {
		return c, false, nil
	}
	if c, err = s.connect(ctx); err != nil {
		return nil, false, err
	}
	s.mu.Lock()
	old := s.shared
	s.shared = c
	s.mu.Unlock()
	if old != nil {
		old.close()
	}
	return c, true, nil
}

func (s *source) drop(c *conn) {
	s.mu.Lock()
	if s.shared == c {
		s.shared = nil
	}
	s.mu.Unlock()
	c.close()
}

// one returns the first entry that a filter finds, and how many it finds, up to two.
func (s *source) one(ctx context.Context, c *conn, filter string) (first *ldap.Entry, n int, err error) {
	r := c.SearchAsync(ctx, ldap.NewSearchRequest(s.cfg.Base, s.scope, ldap.NeverDerefAliases, 2, 0, false, filter, s.wanted(), nil), 2)
	for r.Next() {
		if e := r.Entry(); e != nil {
			if n++; n == 1 {
				first = e
			}
		}
	}
	err = r.Err()
	if n > 0 && ldap.IsErrorWithCode(err, ldap.LDAPResultSizeLimitExceeded) {
		return first, 2, nil
	}
	if err == nil && n == 0 {
		err = c.ended(ctx)
	}
	return first, n, err
}
