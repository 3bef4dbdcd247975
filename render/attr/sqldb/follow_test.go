package sqldb_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"dcs/render/attr"
	"dcs/render/attr/servers"
	"dcs/render/attr/sqldb"
)

// feed collects what Follow applies.
type feed struct {
	mu    sync.Mutex
	got   []string
	whole int // calls with nil
	news  chan struct{}
	done  chan error
	stop  func() // ends it, and waits for that
}

func follow(t *testing.T, src attr.Source, names []string) *feed {
	t.Helper()
	f := &feed{news: make(chan struct{}, 1), done: make(chan error, 1)}
	ctx, cancel := context.WithCancel(ctx)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		f.done <- src.(attr.Follower).Follow(ctx, func(cs []attr.Change) error {
			f.mu.Lock()
			defer f.mu.Unlock()
			if cs == nil {
				f.whole++
			}
			for _, c := range cs {
				if c.Gone {
					f.got = append(f.got, fmt.Sprintf("%x gone", c.MAC[:]))
				} else {
					f.got = append(f.got, loaded(names, &c.Device))
				}
			}
			select {
			case f.news <- struct{}{}:
			default:
			}
			return nil
		})
	}()
	f.stop = func() { cancel(); <-ended }
	t.Cleanup(f.stop)
	return f
}

// want waits until exactly these changes have been applied, in any order.
func (f *feed) want(t *testing.T, what string, want ...string) {
	t.Helper()
	slices.Sort(want)
	limit := time.After(patience)
	for {
		f.mu.Lock()
		got := slices.Clone(f.got)
		f.mu.Unlock()
		slices.Sort(got)
		got = slices.Compact(got)
		if slices.Equal(got, want) {
			f.mu.Lock()
			f.got = nil
			f.mu.Unlock()
			return
		}
		select {
		case <-f.news:
		case err := <-f.done:
			t.Fatalf("%s: Follow has ended: %v", what, err)
		case <-limit:
			t.Fatalf("%s: after %v %q, want %q", what, patience, got, want)
		}
	}
}

// has waits until this change has been applied, among others.
func (f *feed) has(t *testing.T, what, want string) {
	t.Helper()
	for limit := time.Now().Add(patience); ; time.Sleep(5 * time.Millisecond) {
		f.mu.Lock()
		got := slices.Clone(f.got)
		f.mu.Unlock()
		if slices.Contains(got, want) {
			return
		}
		if time.Now().After(limit) {
			t.Fatalf("%s: after %v %q, want %q among them", what, patience, got, want)
		}
	}
}

func changes(t *testing.T, k *kit, cfg sqldb.Config) {
	cfg.Channel, cfg.Poll = "", 50*time.Millisecond
	src, names := open(t, k, cfg)
	load(t, src, names)
	f := follow(t, src, names)
	// The first poll may repeat what Load returned, since its transaction may have been the last. It is over when a change is seen.
	k.exec(t, "UPDATE devices SET profile = 'first' WHERE mac = '00:00:5e:00:53:01';")
	f.has(t, "the first change", "00005e005301 192.0.2.1 profile=first down=1000000 up=50000 max_cpe=16")
	f.mu.Lock()
	f.got = nil
	f.mu.Unlock()

	k.exec(t, "UPDATE devices SET profile = 'platinum' WHERE mac = '00:00:5e:00:53:01';")
	f.want(t, "update", "00005e005301 192.0.2.1 profile=platinum down=1000000 up=50000 max_cpe=16")
	k.exec(t, "INSERT INTO devices (mac, profile) VALUES ('00:00:5e:00:53:04', 'new');")
	f.want(t, "insert", "00005e005304 profile=new")
	k.exec(t, "UPDATE devices SET mac = '00:00:5e:00:53:05' WHERE mac = '00:00:5e:00:53:04';")
	f.want(t, "another address", "00005e005304 gone", "00005e005305 profile=new")
	k.exec(t, "DELETE FROM devices WHERE mac = '00:00:5e:00:53:05';")
	f.want(t, "delete", "00005e005305 gone")
	for i := range 3 { // polls that would repeat what is above
		last := fmt.Sprint("last", i)
		k.exec(t, "UPDATE devices SET profile = '"+last+"' WHERE mac = '00:00:5e:00:53:01';")
		f.want(t, "nothing twice", "00005e005301 192.0.2.1 profile="+last+" down=1000000 up=50000 max_cpe=16")
	}

	// An empty table at first.
	k.exec(t, "CREATE TABLE fresh (mac VARCHAR(20), a VARCHAR(20), changed BIGINT);")
	q := map[bool]string{true: "$1", false: "?"}[k.drv.Name == "postgres"]
	src, names = open(t, k, sqldb.Config{Query: "SELECT * FROM fresh", ChangedQuery: "SELECT * FROM fresh WHERE changed >= " + q, Poll: 50 * time.Millisecond})
	load(t, src, names)
	f = follow(t, src, names)
	k.exec(t, "INSERT INTO fresh VALUES ('00:00:5e:00:53:01', 'x', 1);")
	f.want(t, "the first device", "00005e005301 a=x")
	k.exec(t, "INSERT INTO fresh VALUES ('00:00:5e:00:53:02', 'y', 2), ('oops', 'z', 3);")
	f.want(t, "the second", "00005e005302 a=y")
}

// notify is for PostgreSQL alone.
func notify(t *testing.T, k *kit) {
	cfg, _ := documented(t, k)
	cfg.ChangedQuery = ""
	cfg.Query = "SELECT mac, profile FROM devices"
	cfg.AskQuery = "SELECT mac, profile FROM devices WHERE mac = $1::macaddr"
	src, names := open(t, k, cfg)
	if err := src.(attr.Follower).Follow(ctx, nil); err == nil {
		t.Error("followed before a load")
	}
	load(t, src, names)
	k.exec(t, "UPDATE devices SET profile = 'early' WHERE mac = '00:00:5e:00:53:01';") // between Load and Follow
	f := follow(t, src, names)
	f.want(t, "before Follow", "00005e005301 profile=early")
	k.exec(t, "UPDATE devices SET profile = 'late' WHERE mac = '00:00:5e:00:53:01'; INSERT INTO devices VALUES ('00:00:5e:00:53:09');")
	f.want(t, "notified", "00005e005301 profile=late", "00005e005309")
	k.exec(t, "DELETE FROM devices WHERE mac = '00:00:5e:00:53:09';")
	f.want(t, "deleted", "00005e005309 gone")

	// Notifications whose changes could not be applied are repeated, even by a later subscription: the load between may be held back.
	f.stop()
	refuse := func() {
		t.Helper()
		refused := errors.New("refused")
		if err := src.(attr.Follower).Follow(ctx, func([]attr.Change) error { return refused }); !errors.Is(err, refused) {
			t.Fatal(err)
		}
	}
	k.exec(t, "UPDATE devices SET profile = 'refused' WHERE mac = '00:00:5e:00:53:01';")
	refuse()
	refuse()
	k.exec(t, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'listen%' OR query LIKE 'LISTEN%';")
	for limit := time.Now().Add(patience); ; {
		// The change may be reported once more before the end of the connection is noticed.
		err := src.(attr.Follower).Follow(ctx, func([]attr.Change) error { return errors.New("refused") })
		if err != nil && strings.Contains(err.Error(), "listen") {
			break
		}
		if time.Now().After(limit) {
			t.Fatalf("the subscription goes on: %v", err)
		}
	}
	load(t, src, names)
	f = follow(t, src, names)
	f.want(t, "after all that", "00005e005301 profile=refused")

	whole := func(what string) {
		t.Helper()
		for limit := time.Now().Add(patience); ; time.Sleep(5 * time.Millisecond) {
			f.mu.Lock()
			n := f.whole
			f.whole = 0
			f.mu.Unlock()
			if n > 0 {
				return
			}
			if time.Now().After(limit) {
				t.Fatalf("%s: not loaded anew", what)
			}
		}
	}
	k.exec(t, "NOTIFY dcs;")
	whole("an empty payload")
	k.exec(t, "NOTIFY dcs, 'devices'' OR 1=1';")
	whole("a strange payload")
	k.exec(t, "SELECT pg_notify('dcs', '0a0000' || lpad(to_hex(i), 6, '0')) FROM generate_series(1, 5000) i;")
	whole("a flood")

	// A device whose look-up fails ends Follow once, and is not looked up again.
	cfg.AskQuery = "SELECT CASE WHEN mac = '00:00:5e:00:53:66' THEN '00:00:5e:00:53:67'::macaddr ELSE mac END AS mac, profile FROM devices WHERE mac = $1::macaddr"
	src, names = open(t, k, cfg)
	load(t, src, names)
	f = follow(t, src, names)
	k.exec(t, "INSERT INTO devices VALUES ('00:00:5e:00:53:66');")
	select {
	case err := <-f.done:
		if err == nil || !strings.Contains(err.Error(), "a different device") {
			t.Fatal(err)
		}
	case <-time.After(patience):
		t.Fatal("a device that cannot be asked for is passed over")
	}
	f = follow(t, src, names)
	k.exec(t, "UPDATE devices SET profile = 'next' WHERE mac = '00:00:5e:00:53:01';")
	f.want(t, "after a device that cannot be asked for", "00005e005301 profile=next")
	k.exec(t, "DELETE FROM devices WHERE mac = '00:00:5e:00:53:66';")

	// A channel's name is quoted, and with changed_query a payload of any kind polls at once.
	cfg, _ = documented(t, k)
	cfg.AskQuery, cfg.Channel, cfg.Poll = "", `Ch"; DROP TABLE devices; --`, time.Hour
	src, names = open(t, k, cfg)
	load(t, src, names)
	f = follow(t, src, names)
	k.exec(t, "UPDATE devices SET profile = 'polled' WHERE mac = '00:00:5e:00:53:03'; SELECT pg_notify('Ch\"; DROP TABLE devices; --', 'x');")
	f.has(t, "polled on a notification", "00005e005303 profile=polled down=50000 up=10000 max_cpe=1")

	// Follow fails when the server stops, and works again after the next load.
	k.server.Stop(t)
	select {
	case err := <-f.done:
		if err == nil || strings.Contains(err.Error(), servers.Password) {
			t.Errorf("Follow ended with %v", err)
		}
	case <-time.After(patience):
		t.Fatal("Follow did not notice that the server has gone")
	}
	if err := src.Load(ctx, func(*attr.Device) error { return nil }); err == nil {
		t.Error("loaded without a server")
	}
	k.server.Start(t)
	load(t, src, names)
	f = follow(t, src, names)
	k.exec(t, "DELETE FROM devices WHERE mac = '00:00:5e:00:53:03'; SELECT pg_notify('Ch\"; DROP TABLE devices; --', 'x');")
	f.has(t, "after the server came back", "00005e005303 gone")
}
