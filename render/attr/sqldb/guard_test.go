package sqldb_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"dcs/render/attr"
	"dcs/render/attr/sqldb"
	"dcs/render/attr/store"
	"dcs/render/secret"
)

const guardFleet = 200

func guardText(i int) string { return fmt.Sprintf("00:00:5e:00:53:%02x", i) }

// guardRows creates a table of guardFleet devices.
func guardRows(t *testing.T, k *kit, table string) {
	var rows []string
	for i := range guardFleet {
		rows = append(rows, fmt.Sprintf("('%s', 'gold', '%d', 1)", guardText(i), 1000+i))
	}
	k.exec(t, "CREATE TABLE "+table+" (mac VARCHAR(20), profile VARCHAR(20), down VARCHAR(20), changed BIGINT);\nINSERT INTO "+table+" VALUES "+strings.Join(rows, ",")+";")
}

func guardStore(t *testing.T, k *kit, dir string, cfg sqldb.Config) *store.Store {
	t.Helper()
	cfg.DSN = secret.New(k.dsn)
	src, err := sqldb.New(cfg, k.drv)
	if err != nil {
		t.Fatal(err)
	}
	s, err := store.Open(store.Config{
		Dir: dir, Sources: []attr.Source{src}, Now: time.Now, RetryMin: 10 * time.Millisecond, RetryMax: 100 * time.Millisecond, Publish: time.Millisecond,
	})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func guardDevice(s *store.Store, i int) string {
	v := s.View()
	r, ok := v.Lookup(mac(byte(i)), nil)
	if !ok {
		return "none"
	}
	down, _ := v.Schema().Index("down")
	profile, _ := v.Schema().Index("profile")
	p, _ := r.Get(profile)
	d, _ := r.Get(down)
	return p + " " + d
}

func guardCount(s *store.Store) (n int) {
	for i := range guardFleet {
		if guardDevice(s, i) == fmt.Sprint("gold ", 1000+i) {
			n++
		}
	}
	return n
}

func await(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for limit := time.Now().Add(30 * time.Second); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(limit) {
			t.Fatalf("never: %s", what)
		}
	}
}

// guarded empties a column while the Store is closed. Its first load is held back; a device changed before that load is served with
// its new values.
func guarded(t *testing.T, k *kit) {
	guardRows(t, k, "guarded")
	mark := map[bool]string{true: "$1", false: "?"}[k.drv.Name == "postgres"]
	cfg := sqldb.Config{Query: "SELECT * FROM guarded", ChangedQuery: "SELECT * FROM guarded WHERE changed >= " + mark, Poll: 20 * time.Millisecond}
	dir := t.TempDir()
	s := guardStore(t, k, dir, cfg)
	await(t, "the fleet is served", func() bool { return guardCount(s) == guardFleet })
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	k.exec(t, "UPDATE guarded SET down = NULL, changed = 2;\nUPDATE guarded SET profile = 'walled', changed = 3 WHERE mac = '"+guardText(7)+"';")
	s = guardStore(t, k, dir, cfg)
	defer s.Close()
	await(t, "held back", func() bool { return s.State()[0].HeldBack != nil })
	if err := s.State()[0].HeldBack; !errors.Is(err, attr.ErrHeldBack) || !strings.Contains(err.Error(), "attribute down would lose 200 of 200 values") {
		t.Error(err)
	}
	await(t, "a change from before the load that is held back", func() bool { return guardDevice(s, 7) == "walled 1007" })
	if n := guardCount(s); n != guardFleet-1 {
		t.Errorf("%d devices are served as before", n)
	}
	if err := s.Reload("", true); err != nil {
		t.Fatal(err)
	}
	await(t, "accepted", func() bool { return guardDevice(s, 1) == "gold " && s.State()[0].HeldBack == nil })
}

// guardedNotify deletes most rows of a table, with a notification for each.
func guardedNotify(t *testing.T, k *kit) {
	guardRows(t, k, "listened")
	s := guardStore(t, k, t.TempDir(), sqldb.Config{
		Query: "SELECT mac, profile, down FROM listened", Channel: "guard", AskQuery: "SELECT mac, profile, down FROM listened WHERE mac = $1",
	})
	defer s.Close()
	await(t, "the fleet is served", func() bool { return guardCount(s) == guardFleet })
	k.exec(t, "WITH lost AS (DELETE FROM listened WHERE down >= '1020' RETURNING mac) SELECT pg_notify('guard', mac) FROM lost;")
	await(t, "held back", func() bool { return s.State()[0].HeldBack != nil })
	k.exec(t, "UPDATE listened SET profile = 'walled' WHERE mac = '"+guardText(7)+"'; SELECT pg_notify('guard', '"+guardText(7)+"');")
	await(t, "a change that loses nothing", func() bool { return guardDevice(s, 7) == "walled 1007" })
	if n := guardCount(s); n < guardFleet*4/5-1 {
		t.Errorf("%d devices are served as before", n)
	}
	if err := s.Reload("", true); err != nil {
		t.Fatal(err)
	}
	await(t, "accepted", func() bool {
		return guardDevice(s, 100) == "none" && guardCount(s) == 19 && s.State()[0].HeldBack == nil
	})
}
