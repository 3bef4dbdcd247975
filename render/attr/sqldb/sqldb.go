// Package sqldb is a source of devices in an SQL database; the drivers stand in packages of their own below it.
package sqldb

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"hash/maphash"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"dcs/render/attr"
	"dcs/render/device"
	"dcs/render/secret"
)

// Driver is what one kind of database needs beyond database/sql.
type Driver struct {
	Name string
	// Open makes a pool of connections and connects nothing yet. Secrets are the passwords
	// of the DSN, which no error is to show; the error shows nothing of the DSN either.
	Open func(dsn string) (db *sql.DB, secrets []string, err error)
	// Listen subscribes to a channel; nil: the database has none.
	Listen func(ctx context.Context, dsn, channel string) (Listener, error)
	// Columns names the columns of a query without running it; nil: the query is begun,
	// and given up before its first row.
	Columns func(ctx context.Context, conn *sql.Conn, query string) ([]string, error)
	// TextTimes says that times are stored as texts, whose form is lost when the driver
	// reads them: they cannot be watermarks.
	TextTimes bool
}

// Listener is one subscription to a channel.
type Listener interface {
	// Wait returns the payload of the next notification.
	Wait(ctx context.Context) (payload string, err error)
	// Ping fails if the server is no longer there. It is not called during Wait.
	Ping(ctx context.Context) error
	Close()
}

// Config says where devices are and how to ask for them. A query gives a device's address
// in a column called mac, or ip, or both; its other columns are attributes of the column's
// name. NULL and the empty text are an attribute that the device lacks.
type Config struct {
	Name    string // for logs; "": the driver's name
	DSN     string
	DSNFile string // a file that holds the DSN, read at each Open; goes before DSN

	// Query gives all devices.
	Query string
	// ChangedQuery gives those that have changed since its one parameter, which is the
	// greatest value so far of the column Watermark. It has the columns of Query, and may
	// have one called gone that is true for a device that was deleted. Compare with >=:
	// rows that were given already are left out.
	ChangedQuery string
	Watermark    string // "": changed
	// Poll is how often ChangedQuery is asked. 0: 1 s. Without a ChangedQuery it is how often Query is read to its end, to have all
	// devices loaded anew if a row is another than at the last load; 0: never.
	Poll time.Duration
	// Overlap is how far ChangedQuery looks back behind a watermark that is a time, since
	// rows may become visible later than others of a later time. 0: 10 s; negative: none.
	Overlap time.Duration
	// Channel is LISTENed on (PostgreSQL). A payload that is a MAC or an IP address has
	// AskQuery ask for that device; an empty one has all loaded anew; another one has
	// ChangedQuery asked at once or, without it, all loaded anew.
	Channel string
	// AskQuery gives one device. AskParams says what its parameters are, each "mac" or
	// "ip". Without it they are mac, or mac and ip. An address is given as text,
	// 0a:01:02:03:04:05 or 10.1.2.3, and as NULL if it is not known.
	AskQuery  string
	AskParams []string

	// Reload is how often Follow has all devices loaded anew; 0: never of itself.
	Reload time.Duration
	// Timeout is how long the database may stay silent. 0: 30 s.
	Timeout time.Duration
	// Connections is how many there may be at once, the one for Channel not counted. 0: 4.
	Connections int
	// MaxRejected is how many rows without a usable address a load may have: the limit of
	// [attr.Rejected.Check].
	MaxRejected int
}

const (
	batch    = 1024 // changes given to apply at once
	maxAsked = 256  // devices asked for one by one after notifications; more are loaded
)

// source is what New returns, within a type that has the methods that the Config asks for.
type source struct {
	attr.Marks // of loads

	cfg   Config
	drv   Driver
	hash  maphash.Seed
	whole bool // Poll is for Query

	mu      sync.Mutex // guards what follows
	db      *sql.DB
	dsn     string
	secrets []string
	names   []string
	index   map[string]int // of names
	params  []string       // of AskQuery
	ears    *ears          // nil: not listening

	// What the last load left out, and where changes begin if it has succeeded.
	rejected attr.Rejected
	loaded   bool
	mark     any            // the watermark
	seen     map[key]uint64 // sums of the rows of the last poll
	digest   digest         // of the devices of the last load, if whole
}

type (
	asker         struct{ *source }
	follower      struct{ *source }
	askerFollower struct{ *source }
)

var (
	_ attr.Asker    = asker{}
	_ attr.Follower = follower{}
	_ attr.Asker    = askerFollower{}
	_ attr.Follower = askerFollower{}
)

// New makes a source, which is an attr.Rejecter. It is an attr.Asker if there is an AskQuery, and an attr.Follower if
// there is a ChangedQuery, a Channel, a Poll or a Reload. Nothing is connected before Open.
func New(cfg Config, drv Driver) (attr.Source, error) {
	if cfg.Name == "" {
		cfg.Name = drv.Name
	}
	whole := cfg.ChangedQuery == "" && cfg.Poll > 0
	for _, d := range []struct {
		v       *time.Duration
		initial time.Duration
	}{{&cfg.Poll, time.Second}, {&cfg.Timeout, 30 * time.Second}, {&cfg.Overlap, 10 * time.Second}} {
		if *d.v == 0 {
			*d.v = d.initial
		}
	}
	cfg.Overlap = max(cfg.Overlap, 0)
	if cfg.Connections == 0 {
		cfg.Connections = 4
	}
	if cfg.Watermark == "" {
		cfg.Watermark = "changed"
	}
	fail := func(format string, args ...any) (attr.Source, error) {
		return nil, fmt.Errorf(cfg.Name+": "+format, args...)
	}
	switch {
	case cfg.DSN == "" && cfg.DSNFile == "":
		return fail("neither dsn nor dsn_file")
	case cfg.Query == "":
		return fail("no query")
	case cfg.Channel != "" && drv.Listen == nil:
		return fail("channel: %s has no notifications", drv.Name)
	case cfg.Poll < 0 || cfg.Timeout < 0 || cfg.Reload < 0 || cfg.Connections < 1:
		return fail("poll, timeout, reload and connections cannot be negative")
	case len(cfg.AskParams) > 0 && cfg.AskQuery == "":
		return fail("ask_params without ask_query")
	}
	for _, p := range cfg.AskParams {
		if p != "mac" && p != "ip" {
			return fail("ask_params: %q is neither mac nor ip", p)
		}
	}
	s := &source{cfg: cfg, drv: drv, hash: maphash.MakeSeed(), whole: whole}
	follows := cfg.ChangedQuery != "" || cfg.Channel != "" || cfg.Reload > 0 || whole
	switch {
	case follows && cfg.AskQuery != "":
		return askerFollower{s}, nil
	case follows:
		return follower{s}, nil
	case cfg.AskQuery != "":
		return asker{s}, nil
	}
	return s, nil
}

func (s *source) Name() string { return s.cfg.Name }

// hidden is an error whose text shows no password.
type hidden struct {
	text string
	err  error
}

func (h *hidden) Error() string { return h.text }
func (h *hidden) Unwrap() error { return h.err }

// wrap says what failed, with the passwords taken out.
func (s *source) wrap(step string, err error) error {
	if err == nil {
		return nil
	}
	text := s.cfg.Name + ": " + step + ": " + err.Error()
	s.mu.Lock()
	for _, secret := range s.secrets {
		if secret != "" {
			text = strings.ReplaceAll(text, secret, "****")
		}
	}
	s.mu.Unlock()
	return &hidden{text, err}
}

func (s *source) Open(ctx context.Context) ([]string, error) {
	dsn := s.cfg.DSN
	if s.cfg.DSNFile != "" {
		b, err := secret.Read(s.cfg.DSNFile, secret.MaxSize)
		if err != nil {
			return nil, s.wrap("dsn_file", err)
		}
		dsn = strings.TrimSpace(string(b))
	}
	db, secrets, err := s.drv.Open(dsn)
	if err != nil {
		return nil, s.wrap("dsn", err)
	}
	db.SetMaxOpenConns(s.cfg.Connections)
	db.SetMaxIdleConns(s.cfg.Connections)
	db.SetConnMaxIdleTime(5 * time.Minute)
	_ = s.Close()
	s.mu.Lock()
	s.secrets = secrets
	s.mu.Unlock()

	ctx, cancel := context.WithTimeout(ctx, s.cfg.Timeout)
	defer cancel()
	names, params, err := s.describe(ctx, db)
	if err != nil {
		db.Close()
		return nil, err
	}
	index := make(map[string]int, len(names))
	for i, n := range names {
		index[n] = i
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.db, s.dsn, s.names, s.index, s.params = db, dsn, names, index, params
	s.loaded, s.mark, s.seen = false, nil, nil
	return append([]string(nil), names...), nil
}

// describe connects, and finds out what the queries give and want.
func (s *source) describe(ctx context.Context, db *sql.DB) (names, params []string, err error) {
	if err := db.PingContext(ctx); err != nil {
		return nil, nil, s.wrap("connect", timeout(ctx, err))
	}
	cols, err := s.queryColumns(ctx, db)
	if err != nil {
		return nil, nil, s.wrap("query", timeout(ctx, err))
	}
	m, err := s.columns(cols)
	if err != nil {
		return nil, nil, s.wrap("query", err)
	}
	if s.cfg.ChangedQuery != "" && m.mark < 0 {
		return nil, nil, s.wrap("query", fmt.Errorf("no column %s, which changed_query begins from", s.cfg.Watermark))
	}
	conn, err := db.Conn(ctx)
	if err != nil {
		return nil, nil, s.wrap("connect", timeout(ctx, err))
	}
	defer conn.Close()
	names = make([]string, 0, len(cols))
	for i, c := range cols {
		if m.attr[i] >= 0 {
			names = append(names, c)
		}
	}
	if q := s.cfg.ChangedQuery; q != "" {
		n, err := inputs(ctx, conn, q)
		if err != nil {
			return nil, nil, s.wrap("changed_query", timeout(ctx, err))
		}
		if n >= 0 && n != 1 {
			return nil, nil, s.wrap("changed_query", fmt.Errorf("it has %d parameters, not one, the watermark", n))
		}
	}
	params = s.cfg.AskParams
	if q := s.cfg.AskQuery; q != "" {
		n, err := inputs(ctx, conn, q)
		switch {
		case err != nil:
			return nil, nil, s.wrap("ask_query", timeout(ctx, err))
		case len(params) > 0 && n >= 0 && n != len(params):
			return nil, nil, s.wrap("ask_query", fmt.Errorf("it has %d parameters, and ask_params names %d", n, len(params)))
		case len(params) > 0:
		case n == 1:
			params = []string{"mac"}
		case n == 2 || n < 0:
			params = []string{"mac", "ip"}
		default:
			return nil, nil, s.wrap("ask_query", fmt.Errorf("it has %d parameters: ask_params must say what each is", n))
		}
	}
	return names, params, nil
}

func (s *source) queryColumns(ctx context.Context, db *sql.DB) ([]string, error) {
	if s.drv.Columns != nil {
		conn, err := db.Conn(ctx)
		if err != nil {
			return nil, err
		}
		defer conn.Close()
		return s.drv.Columns(ctx, conn, s.cfg.Query)
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	rows, err := db.QueryContext(ctx, s.cfg.Query)
	if err != nil {
		return nil, err
	}
	cols, err := rows.Columns()
	// First cancel, or Close would read all that the server sends.
	cancel()
	rows.Close()
	return cols, err
}

// inputs says how many parameters a query has, -1 if the driver cannot tell.
func inputs(ctx context.Context, conn *sql.Conn, query string) (n int, err error) {
	err = conn.Raw(func(c any) error {
		p, ok := c.(driver.ConnPrepareContext)
		if !ok {
			n = -1
			return nil
		}
		st, err := p.PrepareContext(ctx, query)
		if err != nil {
			return err
		}
		n = st.NumInput()
		return st.Close()
	})
	return n, err
}

// errDone is why a query's context ends that nothing is wrong with.
var errDone = errors.New("done")

// timeout lets an error say that it was ctx that ended the call.
func timeout(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); cause != nil && cause != errDone && err != nil && !errors.Is(err, cause) {
		return fmt.Errorf("%w (%w)", cause, err)
	}
	return err
}

func (s *source) Close() error {
	s.mu.Lock()
	db, e := s.db, s.ears
	s.db, s.ears = nil, nil
	s.mu.Unlock()
	if e != nil {
		e.close()
	}
	if db != nil {
		return s.wrap("close", db.Close())
	}
	return nil
}

func (s *source) pool() (*sql.DB, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.db == nil {
		return nil, fmt.Errorf("%s: not open", s.cfg.Name)
	}
	return s.db, nil
}

// rows runs a query and calls each for every row, in the memory of one row. It gives up
// when ctx ends or the database stays silent for longer than Timeout.
func (s *source) rows(ctx context.Context, query string, args []any, each func(*row) error) (err error) {
	db, err := s.pool()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	var progress atomic.Uint64
	watch := s.watch(cancel, &progress)
	defer watch()
	defer cancel(errDone)
	defer func() { err = timeout(ctx, err) }()

	rows, err := db.QueryContext(ctx, query, args...)
	if err != nil {
		s.forget(db)
		return err
	}
	// Cancelled first: Close reads all rows that are left on a connection that goes on.
	defer func() { cancel(errDone); rows.Close() }()
	cols, err := rows.Columns()
	if err != nil {
		return err
	}
	types, err := rows.ColumnTypes()
	if err != nil {
		return err
	}
	m, err := s.columns(cols)
	if err != nil {
		return err
	}
	r := newRow(m, types)
	for rows.Next() {
		progress.Add(1)
		if err := rows.Scan(r.into...); err != nil {
			return err
		}
		if err := each(r); err != nil {
			return err
		}
		progress.Add(1)
	}
	if err := rows.Err(); err != nil {
		s.forget(db)
		return err
	}
	return nil
}

// forget closes connections that are idle: after an error they may be as dead as the one
// that has failed.
func (s *source) forget(db *sql.DB) {
	db.SetMaxIdleConns(-1)
	db.SetMaxIdleConns(s.cfg.Connections)
}

// watch cancels a query during which progress has stood still for Timeout. It is odd while
// a row is in the caller's hands, who may take longer.
func (s *source) watch(cancel context.CancelCauseFunc, progress *atomic.Uint64) (stop func()) {
	quit := make(chan struct{})
	go func() {
		tick := time.NewTicker(s.cfg.Timeout)
		defer tick.Stop()
		for last := progress.Load(); ; {
			select {
			case <-quit:
				return
			case <-tick.C:
			}
			now := progress.Load()
			if now == last && now%2 == 0 {
				cancel(fmt.Errorf("the database has said nothing for %v: %w", s.cfg.Timeout, context.DeadlineExceeded))
				return
			}
			last = now
		}
	}()
	return func() { close(quit) }
}

func (s *source) Load(ctx context.Context, yield func(*attr.Device) error) (err error) {
	db, err := s.pool()
	if err != nil {
		return err
	}
	// From here on notifications are kept: what the query is too early to see, Follow sees.
	if s.cfg.Channel != "" {
		if err := s.listen(ctx); err != nil {
			s.forget(db)
			return s.wrap("listen", err)
		}
	}
	s.mu.Lock()
	s.rejected, s.loaded = attr.Rejected{}, false
	s.mu.Unlock()
	var mark any
	sums := newDigester(s.hash)
	n := 0
	var stop error
	err = s.rows(ctx, s.cfg.Query, nil, func(r *row) error {
		n++
		if r.m.mark >= 0 {
			m, err := s.later(mark, r.values[r.m.mark])
			if err != nil {
				return fmt.Errorf("row %d: %w", n, err)
			}
			mark = m
		}
		if r.gone() {
			return nil
		}
		d, err := r.device()
		if err != nil {
			s.reject(fmt.Errorf("row %d: %w", n, err))
			return nil
		}
		if s.whole {
			sums.add(d)
		}
		stop = yield(d)
		return stop
	})
	if stop != nil {
		return stop
	}
	if err != nil {
		return s.wrap("load", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.rejected.Check(n, s.cfg.MaxRejected); err != nil {
		return fmt.Errorf("%s: load: %w", s.cfg.Name, err)
	}
	s.loaded, s.mark, s.seen, s.digest = true, mark, nil, sums.digest
	s.SetLoaded(encodeMark(mark))
	return nil
}

func (s *source) reject(why error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.rejected.Add(why.Error())
}

// rejectOnce is for rows that one poll after the other gives.
func (s *source) rejectOnce(why error) {
	s.mu.Lock()
	told := len(s.rejected.First) == attr.MaxTold || slices.Contains(s.rejected.First, why.Error())
	s.mu.Unlock()
	if !told {
		s.reject(why)
	}
}

// Rejected makes source an attr.Rejecter.
func (s *source) Rejected() attr.Rejected {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.rejected
	r.First = append([]string(nil), r.First...)
	return r
}

var errEnough = errors.New("one row is enough")

func (s *source) ask(ctx context.Context, mac [6]byte, hasMAC bool, ip netip.Addr) (d attr.Device, found bool, err error) {
	s.mu.Lock()
	params := s.params
	s.mu.Unlock()
	ip = ip.Unmap().WithZone("")
	args := make([]any, len(params))
	known := false
	for i, p := range params {
		switch {
		case p == "mac" && hasMAC:
			args[i], known = device.MAC(mac).String(), true
		case p == "ip" && ip.IsValid():
			args[i], known = ip.String(), true
		}
	}
	if !known {
		return d, false, nil
	}
	err = s.rows(ctx, s.cfg.AskQuery, args, func(r *row) error {
		if r.gone() {
			return nil
		}
		got, err := r.device()
		if err != nil {
			return err
		}
		switch {
		case hasMAC && got.HasMAC && got.MAC != mac, !hasMAC && got.IP.IsValid() && got.IP != ip:
			return errors.New("it gives another device than the one that was asked for")
		case hasMAC:
			got.MAC, got.HasMAC = mac, true
		case !got.IP.IsValid():
			got.IP = ip
		}
		d, found = *got, true
		d.Values = append([]string(nil), got.Values...)
		return errEnough
	})
	if err != nil && !errors.Is(err, errEnough) {
		return attr.Device{}, false, s.wrap("ask", err)
	}
	return d, found, nil
}

func (s asker) Ask(ctx context.Context, mac [6]byte, hasMAC bool, ip netip.Addr) (attr.Device, bool, error) {
	return s.ask(ctx, mac, hasMAC, ip)
}

func (s askerFollower) Ask(ctx context.Context, mac [6]byte, hasMAC bool, ip netip.Addr) (attr.Device, bool, error) {
	return s.ask(ctx, mac, hasMAC, ip)
}

func (s follower) Follow(ctx context.Context, apply func([]attr.Change) error) error {
	return s.follow(ctx, apply)
}

func (s askerFollower) Follow(ctx context.Context, apply func([]attr.Change) error) error {
	return s.follow(ctx, apply)
}
