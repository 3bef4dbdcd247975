// Package sqldb is a source of devices in an SQL database; the drivers stand in packages of their own below it.
package sqldb

import (
	"context"
	"database/sql"
	"fmt"
	"hash/maphash"
	"strings"
	"sync"
	"time"

	"dcs/render/attr"
	"dcs/render/secret"
)

// Driver is what one kind of database needs beyond database/sql.
type Driver struct {
	Name string
	// Open returns a pool of connections without connecting. Secrets are the passwords in the DSN, to be hidden in errors;
	// its own error shows nothing of the DSN.
	Open func(dsn secret.Text) (db *sql.DB, secrets []secret.Text, err error)
	// Listen subscribes to a channel; nil: the database has none.
	Listen func(ctx context.Context, dsn secret.Text, channel string) (Listener, error)
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
	Name    string      // for logs; "": the driver's name
	DSN     secret.Text // may contain a password
	DSNFile string      // a file that holds the DSN, read at each Open; goes before DSN

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

	cfg           Config
	drv           Driver
	hash          maphash.Seed
	comparesQuery bool // Poll is for Query

	mu      sync.Mutex // guards what follows
	db      *sql.DB
	dsn     secret.Text
	secrets []secret.Text
	names   []string
	index   map[string]int // of names
	params  []string       // of AskQuery
	sub     *subscription  // nil: not listening

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
	case cfg.DSN.IsZero() && cfg.DSNFile == "":
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
	s := &source{cfg: cfg, drv: drv, hash: maphash.MakeSeed(), comparesQuery: whole}
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

// wrap returns an error that names the step that failed and shows no passwords.
func (s *source) wrap(step string, err error) error {
	if err == nil {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return secret.Hide(s.cfg.Name+": "+step+": "+err.Error(), err, s.secrets...)
}

func (s *source) Open(ctx context.Context) ([]string, error) {
	dsn := s.cfg.DSN
	if s.cfg.DSNFile != "" {
		b, err := secret.Read(s.cfg.DSNFile, secret.MaxSize)
		if err != nil {
			return nil, s.wrap("dsn_file", err)
		}
		dsn = secret.New(strings.TrimSpace(string(b)))
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

func (s *source) Close() error {
	s.mu.Lock()
	db, e := s.db, s.sub
	s.db, s.sub = nil, nil
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
