package store_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"dcs/render/attr"
	"dcs/render/attr/csvfile"
	"dcs/render/attr/localdb"
	"dcs/render/attr/plugin"
	"dcs/render/attr/sqldb"
	"dcs/render/attr/sqldb/sqlite"
	"dcs/render/attr/store"
	"dcs/render/device"
	"dcs/render/secret"
)

// csvSource is a CSV file that is watched.
type csvSource struct {
	attr.Source
	path string
}

func openCSV(t *testing.T, _ *guardClock) testSource {
	w := &csvSource{path: filepath.Join(t.TempDir(), "devices.csv")}
	w.become(t, truth{}, whole(), false)
	w.Source = csvfile.New(csvfile.Config{Path: w.path, Debounce: 5 * time.Millisecond, Poll: 20 * time.Millisecond})
	return w
}

func (w *csvSource) source() attr.Source { return w.Source }

func (w *csvSource) become(t *testing.T, _, now truth, cut bool) {
	t.Helper()
	text := now.csv()
	if cut { // 100199 becomes 10: a rate of its own
		text = text[:strings.LastIndex(text, ",")+3]
	}
	replace(t, w.path, text)
}

func replace(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path+".new", []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		t.Fatal(err)
	}
}

// sqlSource is an SQLite database, read by polling the whole query or by changed_query.
type sqlSource struct {
	attr.Source
	db      *sql.DB
	changes bool
	mark    int
}

func openSQL(t *testing.T, changes bool) testSource {
	path := filepath.Join(t.TempDir(), "devices.sqlite")
	db, err := sql.Open("sqlite", "file:"+path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	w := &sqlSource{db: db, changes: changes}
	w.exec(t, "PRAGMA journal_mode = WAL")
	w.exec(t, "CREATE TABLE devices (mac TEXT PRIMARY KEY, profile TEXT, down TEXT, gone INT DEFAULT 0, changed INT)")
	w.become(t, truth{column: "down"}, whole(), false)
	cfg := sqldb.Config{DSN: secret.New(path), Query: "SELECT * FROM devices", AskQuery: "SELECT * FROM devices WHERE mac = ?", Poll: 10 * time.Millisecond}
	if changes {
		cfg.ChangedQuery, cfg.AskQuery = "SELECT * FROM devices WHERE changed >= ?", ""
	}
	if w.Source, err = sqldb.New(cfg, sqlite.Driver()); err != nil {
		t.Fatal(err)
	}
	return w
}

func (w *sqlSource) source() attr.Source { return w.Source }

func (w *sqlSource) exec(t *testing.T, query string, args ...any) {
	t.Helper()
	if _, err := w.db.Exec(query, args...); err != nil {
		t.Fatal(err)
	}
}

func (w *sqlSource) become(t *testing.T, before, now truth, _ bool) {
	t.Helper()
	if before.column != now.column {
		w.exec(t, "ALTER TABLE devices RENAME COLUMN "+before.column+" TO "+now.column)
	}
	tx, err := w.db.Begin()
	if err != nil {
		t.Fatal(err)
	}
	w.mark++
	for i := range 2000 {
		old, had := before.rows[i]
		r, has := now.rows[i]
		switch {
		case had == has && old == r:
			continue
		case !has && w.changes:
			_, err = tx.Exec("UPDATE devices SET gone = 1, changed = ? WHERE mac = ?", w.mark, macText(i))
		case !has:
			_, err = tx.Exec("DELETE FROM devices WHERE mac = ?", macText(i))
		default:
			_, err = tx.Exec("REPLACE INTO devices (mac, profile, "+now.column+", changed) VALUES (?, ?, ?, ?)", macText(i), r[0], r[1], w.mark)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := tx.Commit(); err != nil {
		t.Fatal(err)
	}
}

// pluginSource is a plug-in that lists and answers look-ups; it may report changes.
type pluginSource struct {
	attr.Source
	dir     string
	changes bool
	n       int
}

func openPlugin(t *testing.T, changes bool) testSource {
	w := &pluginSource{dir: t.TempDir(), changes: changes}
	tells := "none"
	if changes {
		tells = "changes"
	}
	replace(t, filepath.Join(w.dir, "plugin.sh"), pluginScript)
	w.become(t, whole(), whole(), false)
	var err error
	if w.Source, err = plugin.New(plugin.Config{Argv: []string{"/bin/sh", filepath.Join(w.dir, "plugin.sh"), w.dir, tells}, Changes: changes}); err != nil {
		t.Fatal(err)
	}
	return w
}

func (w *pluginSource) source() attr.Source { return w.Source }

func (w *pluginSource) become(t *testing.T, before, now truth, _ bool) {
	t.Helper()
	var list strings.Builder
	var told []string
	for i := range 2000 {
		old, had := before.rows[i]
		r, has := now.rows[i]
		line := fmt.Sprintf(`{"mac":"%s","attrs":{"profile":"%s","%s":"%s"}}`, macText(i), r[0], now.column, r[1])
		if has {
			list.WriteString(line + "\n")
		}
		switch {
		case had && !has:
			told = append(told, fmt.Sprintf(`{"mac":"%s","gone":true}`, macText(i)))
		case has && (!had || old != r || before.column != now.column):
			told = append(told, line)
		}
	}
	replace(t, filepath.Join(w.dir, "list"), list.String()+`{"end":true}`+"\n")
	if w.changes && len(told) > 0 {
		w.n++
		replace(t, filepath.Join(w.dir, fmt.Sprint("change.", w.n)), `{"changed":[`+strings.Join(told, ",")+"]}\n")
	}
}

// localSource is a file made by dcs devices build.
type localSource struct {
	attr.Source
	path string
}

func openLocal(t *testing.T, _ *guardClock) testSource {
	w := &localSource{path: filepath.Join(t.TempDir(), "fleet.db")}
	w.become(t, truth{}, whole(), false)
	w.Source = store.NewFile(w.path, 10*time.Millisecond)
	return w
}

func (w *localSource) source() attr.Source { return w.Source }

func (w *localSource) become(t *testing.T, _, now truth, cut bool) {
	t.Helper()
	csv := filepath.Join(t.TempDir(), "fleet.csv")
	replace(t, csv, now.csv())
	if _, err := store.Build(t.Context(), w.path, csvfile.New(csvfile.Config{Path: csv}), localdb.Options{}, nil); err != nil {
		t.Fatal(err)
	}
	if cut {
		text, err := os.ReadFile(w.path)
		if err != nil {
			t.Fatal(err)
		}
		replace(t, w.path, string(text[:len(text)*2/3]))
	}
}

// feed behaves like a database with notifications, or a polled directory: a list, and changes in batches of a fixed size.
type feed struct {
	batch   int // 0: all
	mu      sync.Mutex
	now     truth
	changes chan []attr.Change
}

func newFeed(batch int) testSource {
	return &feed{batch: batch, now: whole(), changes: make(chan []attr.Change, 4000)}
}

func (f *feed) source() attr.Source { return f }

func (f *feed) Name() string { return "feed" }

func (f *feed) Close() error { return nil }

func (f *feed) Open(context.Context) ([]string, error) { return []string{"profile", "down"}, nil }

func (f *feed) Load(_ context.Context, yield func(*attr.Device) error) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	for i := range 2000 {
		if d, ok := f.now.device(i); ok {
			if err := yield(&d); err != nil {
				return err
			}
		}
	}
	return nil
}

func (f *feed) Follow(ctx context.Context, apply func([]attr.Change) error) error {
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case c := <-f.changes:
			if err := apply(c); err != nil {
				return err
			}
		}
	}
}

func (f *feed) become(_ *testing.T, before, now truth, _ bool) {
	f.mu.Lock()
	f.now = now
	f.mu.Unlock()
	var all []attr.Change
	for i := range 2000 {
		old, had := before.device(i)
		d, has := now.device(i)
		if had && !has || has && (!had || old.Values[0] != d.Values[0] || old.Values[1] != d.Values[1]) {
			all = append(all, attr.Change{Device: d, Gone: !has})
		}
	}
	if f.batch == 0 { // a directory does not report deleted entries
		for i := range all {
			if !all[i].Gone {
				f.changes <- all[i : i+1]
			}
		}
		return
	}
	for len(all) > 0 {
		n := min(f.batch, len(all))
		f.changes <- all[:n]
		all = all[n:]
	}
}

// asked is a source that answers look-ups only.
type asked struct {
	clock *guardClock
	asks  atomic.Int64
	mu    sync.Mutex
	now   truth
}

func (a *asked) source() attr.Source { return a }

func (a *asked) Name() string { return "asked" }

func (a *asked) Close() error { return nil }

func (a *asked) Open(context.Context) ([]string, error) { return []string{"profile", "down"}, nil }

func (a *asked) Load(context.Context, func(*attr.Device) error) error {
	return errors.ErrUnsupported
}

func (a *asked) Ask(_ context.Context, mac device.MAC, _ netip.Addr) (attr.Device, bool, error) {
	a.asks.Add(1)
	a.mu.Lock()
	defer a.mu.Unlock()
	d, ok := a.now.device(int(mac[4])<<8 | int(mac[5]))
	return d, ok, nil
}

func (a *asked) become(_ *testing.T, _, now truth, _ bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.now = now
}

// fill looks every device up until it is known.
func (a *asked) fill(t *testing.T, s *store.Store) {
	wait(t, "all were asked for", func() bool {
		missing := false
		for i := range fleetSize {
			if get(s, i) == "none" {
				missing = true
				s.Miss(a.clock.now().UnixNano(), macOf(i), netip.Addr{})
			}
		}
		return !missing
	})
}

// again makes all refreshes due.
func (a *asked) again() { a.clock.offset.Add(int64(2 * time.Minute)) }

// askedAll waits until the devices that are left have been looked up again.
func (a *asked) askedAll(t *testing.T) {
	before := a.asks.Load()
	a.again()
	wait(t, "all were asked for again", func() bool { return a.asks.Load() >= before+fleetSize*4/5 })
}
