package sqldb_test

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"testing"
	"time"

	"dcs/render/attr"
	"dcs/render/attr/sqldb"
	"dcs/render/attr/store"
	"dcs/render/device"
	"dcs/render/secret"
)

// flooded sends 4,000 look-ups a second of unknown devices to a database that answers at most 400 a second. New devices are found
// within a second nevertheless, in one of three attempts, since the machine may be busy.
func flooded(t *testing.T, k *kit) {
	k.exec(t, "INSERT INTO devices (mac, profile) VALUES ('00:00:5e:00:53:fe', 'first')") // its vendor is known
	src, err := sqldb.New(sqldb.Config{
		DSN: secret.New(k.dsn), Query: "SELECT * FROM dcs_devices", Connections: 4,
		// The subquery runs first, and once, even if there is no such device.
		AskQuery: "SELECT * FROM dcs_devices WHERE mac = (SELECT $1::macaddr FROM pg_sleep(0.01))",
	}, k.drv)
	if err != nil {
		t.Fatal(err)
	}
	store, err := store.Open(store.Config{Dir: t.TempDir(), Sources: []attr.Source{src}, Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
	known := func(mac device.MAC) bool { _, ok := store.View().Lookup(mac, nil); return ok }
	for end := time.Now().Add(30 * time.Second); !known(device.MAC{0, 0, 0x5e, 0, 0x53, 0xfe}); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("the database is not loaded")
		}
	}
	const devices = 8 // of one try
	k.exec(t, "INSERT INTO devices (mac, profile) SELECT ('00:00:5e:00:60:' || lpad(to_hex(n), 2, '0'))::macaddr, 'new' FROM generate_series(0, 255) n")
	next := 0
	for name, from := range map[string]func(r *rand.Rand) netip.Addr{
		"one address": func(*rand.Rand) netip.Addr { return netip.MustParseAddr("10.9.9.9") },
		"the plant's addresses": func(r *rand.Rand) netip.Addr {
			return netip.AddrFrom4([4]byte{10, byte(r.Uint32()), byte(r.Uint32()), byte(r.Uint32())})
		},
	} {
		t.Run(name, func(t *testing.T) {
			var worst time.Duration
			for range 3 {
				before := store.Questions()
				worst = flood(store, from, devices, func(i int) device.MAC { return device.MAC{0, 0, 0x5e, 0, 0x60, byte(next + i)} })
				next += devices
				after := store.Questions()
				t.Logf("found within %v; %d questions were asked, %d dropped", worst, after.Asked-before.Asked, after.Dropped-before.Dropped)
				if worst <= time.Second {
					return
				}
			}
			t.Errorf("a new device was found after %v", worst)
		})
	}
}

// flood looks up 4,000 random devices a second and, after a second, when the queue is full, a new device four times a second. It
// returns the longest time until one was found, at most 30 s.
func flood(store *store.Store, from func(*rand.Rand) netip.Addr, devices int, nth func(i int) device.MAC) (worst time.Duration) {
	r := rand.New(rand.NewPCG(1, uint64(time.Now().UnixNano())))
	began := time.Now()
	waiting := make(map[device.MAC]time.Time)
	sent, asked := 0, 0
	for asked < devices || len(waiting) > 0 {
		now := time.Now()
		for ; sent < int(now.Sub(began).Seconds()*4000); sent++ {
			x := r.Uint64()
			store.Miss(now.UnixNano(), device.MAC{byte(x) &^ 1, byte(x >> 8), byte(x >> 16), byte(x >> 24), byte(x >> 32), byte(x >> 40)}, from(r))
		}
		if asked < devices && now.Sub(began) > time.Second+time.Duration(asked)*time.Second/4 {
			m := nth(asked)
			store.Miss(now.UnixNano(), m, netip.MustParseAddr(fmt.Sprintf("10.1.2.%d", 1+asked)))
			waiting[m] = now
			asked++
		}
		for m, since := range waiting {
			took := now.Sub(since)
			if _, found := store.View().Lookup(m, nil); found || took > 30*time.Second {
				worst = max(worst, took)
				delete(waiting, m)
			}
		}
		time.Sleep(time.Millisecond)
	}
	return worst
}
