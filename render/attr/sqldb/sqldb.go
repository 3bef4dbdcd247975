// Package sqldb reads devices from an SQL database. The drivers are packages below it.
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
	// Listen subscribes to a channel; nil: the database has no channels.
	Listen func(ctx context.Context, dsn secret.Text, channel string) (Listener, error)
	// Columns returns the names of a query's columns without running it; nil: the query is started and canceled before its
	// first row.
	Columns func(ctx context.Context, conn *sql.Conn, query string) ([]string, error)
	// TextTimes says that times are stored as text, whose form the driver does not preserve, so that they cannot be
	// watermarks.
	TextTimes bool
}

// Listener is one subscription to a channel.
type Listener interface {
	// Wait returns the payload of the next notification.
	Wait(ctx context.Context) (payload string, err error)
	// Ping returns an error if the server does not answer. It is not called during Wait.
	Ping(ctx context.Context) error
	// Close ends the subscription.
	Close()
}

// Config describes the database and its queries. A query returns a device's address in a column called mac, or ip, or both;
// its other columns are attributes of the column's name. NULL and the empty text mean that the device does not have the
// attribute.
type Config struct {
	Name    string      // for logs; "": the driver's name
	DSN     secret.Text // may contain a password
	DSNFile string      // file that holds the DSN, read at each Open; takes precedence over DSN

	// Query returns all devices.
	Query string
	// ChangedQuery returns devices that have changed since its one parameter, the greatest value so far of the column
	// Watermark. It has the columns of Query, and optionally one called gone, true for deleted devices. It should compare
	// with >=: rows that were returned before are skipped.
	ChangedQuery string
	Watermark    string // "": changed
	// Poll is the interval of ChangedQuery. 0: 1 s. Without a ChangedQuery it is the interval at which Query is read and
	// compared with the last load, and all devices are loaded if it differs; 0: never.
	Poll time.Duration
	// Overlap is how far ChangedQuery looks back before a watermark that is a time, since rows may become visible in another
	// order. 0: 10 s; negative: none.
	Overlap time.Duration
	// Channel is the channel of LISTEN (PostgreSQL). If a payload is a MAC or an IP address, AskQuery looks that device up.
	// An empty payload loads all devices; any other runs ChangedQuery at once or, without it, loads all devices.
	Channel string
	// AskQuery returns one device. AskParams names its parameters, each "mac" or "ip"; the default is mac, or mac and ip.
	// Addresses are passed as text, 0a:01:02:03:04:05 or 10.1.2.3, or as NULL if unknown.
	AskQuery  string
	AskParams []string

	// Reload is the interval at which Follow requests a load of all devices; 0: never.
	Reload time.Duration
	// Timeout is how long the database may be silent. 0: 30 s.
	Timeout time.Duration
	// Connections is the maximum number of connections, besides the one for Channel. 0: 4.
	Connections int
	// MaxRejected is the number of rows without a usable address that a load may have: the limit of [attr.Rejected.Check].
	MaxRejected int
}

const (
	batch    = 1024 // changes passed to apply at once
	maxAsked = 256  // devices looked up one by one after notifications; more cause a poll
)

// source is wrapped by New in a type that has the methods that the Config enables.
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

	// State of the last load.
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

// New returns a source, which is an attr.Rejecter. It is an attr.Asker if there is an AskQuery, and an attr.Follower if there is
// a ChangedQuery, a Channel, a Poll or a Reload. It does not connect before Open.
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
