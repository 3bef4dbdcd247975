package store

import (
	"context"
	"errors"
	"math/rand/v2"
	"net/netip"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"dcs/render/attr"
	"dcs/render/device"
)

// slow is a source that answers a question when it gets a token, and knows the devices of vendor that end in a 1 bit.
type slow struct {
	tokens  chan struct{}
	entered atomic.Int64
	asks    atomic.Int64 // of these, answered
	fails   device.MAC   // a device that it fails on

	mu   sync.Mutex
	when map[device.MAC]int64 // the number of the question for a device
}

func (s *slow) Name() string                           { return "slow" }
func (s *slow) Close() error                           { return nil }
func (s *slow) Open(context.Context) ([]string, error) { return []string{"n"}, nil }
func (s *slow) Load(_ context.Context, yield func(*attr.Device) error) error {
	return yield(&attr.Device{MAC: device.MAC{vendor[0], vendor[1], vendor[2]}, Values: []string{"0"}})
}

func (s *slow) Ask(ctx context.Context, mac device.MAC, _ netip.Addr) (attr.Device, bool, error) {
	s.entered.Add(1)
	select {
	case <-ctx.Done():
		return attr.Device{}, false, ctx.Err()
	case <-s.tokens:
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.when[mac] = s.asks.Add(1)
	if mac == s.fails {
		return attr.Device{}, false, errors.New("no device at all")
	}
	return attr.Device{Values: []string{"1"}}, [3]byte(mac[:3]) == vendor && mac[5]&1 == 1, nil
}

// In a whole Store, look-ups of new devices overtake thousands that are waiting.
func TestStoreUnderFlood(t *testing.T) {
	t.Parallel()
	for name, ip := range map[string]func(*rand.Rand) netip.Addr{
		"one address": only("10.9.9.9"), "one /64": within("fd00::/64"), "any address": within("0.0.0.0/0"), "the plant's": within("10.1.0.0/16"),
	} {
		t.Run(name, bubble(func(t *testing.T) {
			src := &slow{tokens: make(chan struct{}), when: make(map[device.MAC]int64)}
			cfg, _ := testConfig(t.TempDir(), src)
			cfg.AskTimeout = time.Hour
			s := openStore(t, cfg)
			eventually(t, "loaded, and its vendor known", func() bool { return s.AllLoaded() && s.likely.any.Load() })
			r := rand.New(rand.NewPCG(1, 2))
			miss := func(mac device.MAC, ip netip.Addr) {
				if s.Miss(time.Now().UnixNano(), mac, ip) != Asking {
					t.Fatal("a device that is not known yet was answered")
				}
			}
			takenIn := func() bool {
				for i := range s.intake.lanes {
					if s.intake.lanes[i].waiting.Load() > 0 {
						return false
					}
				}
				return true
			}
			eventually(t, "the queue is full", func() bool {
				for range 1000 {
					miss(randomMAC(r), ip(r))
				}
				return s.Questions().Waiting == s.cfg.AskQueue && s.Questions().Dropped > 1000
			})
			eventually(t, "what was left is taken in", takenIn)
			var mine []device.MAC
			for i := range 8 {
				mine = append(mine, device.MAC{vendor[0], vendor[1], vendor[2], 1, byte(i), 1})
				miss(mine[i], netip.AddrFrom4([4]byte{10, 1, 2, byte(i)}))
			}
			eventually(t, "the new devices' questions are taken in", takenIn)
			const allowed = 100 // a quarter of a second at 400 a second
			for given := range int64(allowed) {
				eventually(t, "the source is asked all that it may be", func() bool {
					q := s.Questions()
					return q.Asked-int64(q.Asking) == given && src.entered.Load()-given == int64(q.Asking)
				})
				src.tokens <- struct{}{}
			}
			for _, m := range mine {
				eventually(t, "the new device is known", func() bool { _, ok := s.View().Lookup(m, nil); return ok })
				src.mu.Lock()
				if n := src.when[m]; n > allowed {
					t.Errorf("it was question %d", n)
				}
				src.mu.Unlock()
			}
		}))
	}
}

// A device whose look-up always fails does not delay those of others.
func TestStoreFailsOnOne(t *testing.T) { runBubble(t, testStoreFailsOnOne) }

func testStoreFailsOnOne(t *testing.T) {
	src := &slow{tokens: make(chan struct{}), when: make(map[device.MAC]int64), fails: device.MAC{vendor[0], vendor[1], vendor[2], 9, 9, 9}}
	close(src.tokens)
	cfg, _ := testConfig(t.TempDir(), src)
	cfg.RetryMin, cfg.RetryMax = time.Hour, time.Hour // a source that rests does so for good
	s := openStore(t, cfg)
	eventually(t, "loaded", s.AllLoaded)
	from := netip.MustParseAddr("10.0.0.1")
	for i := range 50 {
		m := device.MAC{vendor[0], vendor[1], vendor[2], 1, byte(i), 1}
		eventually(t, "another device is found", func() bool {
			s.Miss(time.Now().UnixNano(), src.fails, from)
			s.Miss(time.Now().UnixNano(), m, from)
			_, ok := s.View().Lookup(m, nil)
			return ok
		})
	}
	eventually(t, "the source's error is told", func() bool { return s.State()[0].Err != nil })
	if s.Miss(time.Now().UnixNano(), src.fails, from) != Asking {
		t.Error("a device that the source fails on is unknown")
	}
}

// A source that fails on different devices in a row is paused.
func TestStoreFailsOnAll(t *testing.T) { runBubble(t, testStoreFailsOnAll) }

func testStoreFailsOnAll(t *testing.T) {
	f := newFake("db", []string{"n"}, dev(1, "", "1"))
	f.askErr = errors.New("down")
	cfg, _ := testConfig(t.TempDir(), asking{plain{f}, f})
	cfg.RetryMin, cfg.RetryMax, cfg.Askers = time.Hour, time.Hour, 1
	s := openStore(t, cfg)
	is(t, s, 1, "n=1")
	for i := range 100 {
		eventually(t, "asked, or the source rests", func() bool {
			s.Miss(time.Now().UnixNano(), mac(100+i), netip.Addr{})
			return s.Questions().Asked > int64(i)
		})
	}
	if n := f.asks.Load(); n != 2 {
		t.Errorf("a source that fails was asked %d times before it rested, want 2", n)
	}
}

// A flood does not evict unknown devices of other networks, which would be looked up again.
func TestUnknownsUnderFlood(t *testing.T) {
	t.Parallel()
	now := time.Unix(1e9, 0)
	d := newDebts()
	for _, tc := range []struct {
		name   string
		ip     func(*rand.Rand) netip.Addr
		likely bool
	}{
		{"one address, known vendor", only("10.9.9.9"), true},
		{"one address, random", only("10.9.9.9"), false},
		{"one /64, known vendor", within("fd00::/64"), true},
		{"any address, random", within("0.0.0.0/0"), false},
	} {
		r := rand.New(rand.NewPCG(1, 2))
		u := newUnknowns(30 * time.Second)
		var own []uint64
		for range 5000 {
			h := u.hash(question{vendorMAC(r), netip.Addr{}})
			u.add(h, d.networksOf(within("10.1.0.0/16")(r))[0], true, now)
			own = append(own, h)
		}
		for range 200_000 {
			u.add(u.hash(question{randomMAC(r), netip.Addr{}}), d.networksOf(tc.ip(r))[0], tc.likely, now)
		}
		lost := 0
		for _, h := range own {
			if !u.has(h, now.UnixNano()) {
				lost++
			}
		}
		// 5,000 devices share 8,192 sets: a few sets overflow without the flood.
		if lost > 50 {
			t.Errorf("%s: %d of %d unknown devices are to be asked for again", tc.name, lost, len(own))
		}
		if u.has(own[0], now.Add(31*time.Second).UnixNano()) || u.has(own[0], now.Add(-time.Hour).UnixNano()) {
			t.Errorf("%s: a device is unknown for longer than it may be", tc.name)
		}
	}
}

// An unknown device is remembered however many others share its prefix, and no other device is taken for it.
func TestUnknowns(t *testing.T) {
	now := time.Unix(1e9, 0)
	u := newUnknowns(30 * time.Second)
	r := rand.New(rand.NewPCG(1, 2))
	for range 100_000 {
		h := u.hash(question{randomMAC(r), netip.Addr{}})
		if u.add(h, 1, r.IntN(2) == 0, now); !u.has(h, now.UnixNano()) {
			t.Fatal("a device that was just noted is not found")
		}
	}
	for range 100_000 {
		if u.has(u.hash(question{randomMAC(r), netip.Addr{}}), now.UnixNano()) {
			t.Error("a device is unknown that nobody asked for")
		}
	}
	byIP := question{ip: netip.MustParseAddr("10.0.0.1")}
	byMAC := question{mac: device.MAC{10, 0, 0, 1}}
	if u.hash(byIP) == u.hash(byMAC) || u.hash(byIP) == u.hash(question{ip: netip.MustParseAddr("::10.0.0.1")}) {
		t.Error("two devices hash alike")
	}
}

func TestLikely(t *testing.T) {
	l := newLikely()
	q := question{device.MAC{0, 1, 2, 3, 4, 5}, netip.MustParseAddr("10.0.0.1")}
	if !l.is(q) {
		t.Error("unlikely though no device is known")
	}
	l.add(device.MAC{0, 1, 3, 3, 4, 5})
	if l.is(q) || l.is(question{ip: q.ip}) {
		t.Error("likely for another vendor's sake")
	}
	l.drop(q)
	if !l.is(q) {
		t.Error("unlikely though it was dropped before")
	}
	if other := (question{device.MAC{0, 1, 2, 3, 4, 6}, q.ip}); l.is(other) {
		t.Error("likely though another was dropped")
	}
	l.add(device.MAC{0, 1, 2, 9, 9, 9})
	if !l.is(question{device.MAC{0, 1, 2, 0, 0, 0}, netip.Addr{}}) {
		t.Error("unlikely though the vendor is known")
	}
}

// Each question is taken once, and a single lane cannot fill the ring.
func TestIntake(t *testing.T) {
	in := newIntake(1000)
	n := 0
	for in.put(question{}, 7) {
		n++
	}
	if n != 128 {
		t.Errorf("one lane got %d of 1024 places, want 128", n)
	}
	if !in.put(question{}, 8) {
		t.Error("no place for another lane")
	}
	for range n + 1 {
		in.get()
	}
	if _, ok := in.get(); ok {
		t.Error("more was taken than was put")
	}
	const workers, each = 4, 20_000
	var put [workers]int
	var wg sync.WaitGroup
	for w := range workers {
		wg.Go(func() {
			for i := range each {
				if in.put(question{mac: mac(w<<20 | i)}, uint64(i)) {
					put[w]++
				}
			}
		})
	}
	done := make(chan struct{})
	go func() { wg.Wait(); close(done) }()
	seen := make(map[device.MAC]bool)
	for running := true; running; {
		select {
		case <-done:
			running = false
		case <-in.wake:
		}
		for q, ok := in.get(); ok; q, ok = in.get() {
			if seen[q.mac] {
				t.Fatalf("%x was taken twice", q.mac)
			}
			seen[q.mac] = true
		}
	}
	if total := put[0] + put[1] + put[2] + put[3]; len(seen) != total {
		t.Errorf("%d were taken of %d", len(seen), total)
	}
	for i := range in.lanes {
		if c := in.lanes[i].waiting.Load(); c != 0 {
			t.Fatalf("lane %d counts %d when nothing is left", i, c)
		}
	}
}

func TestMissNoAllocs(t *testing.T) {
	src := &slow{tokens: make(chan struct{}), when: make(map[device.MAC]int64)}
	cfg, _ := testConfig(t.TempDir(), src)
	if err := cfg.defaults(); err != nil {
		t.Fatal(err)
	}
	s := &Store{cfg: cfg} // nobody takes what Miss leaves
	s.asker.init(&s.cfg)
	from, n := netip.MustParseAddr("fd00::1"), 0
	for name, call := range map[string]func(){
		"by address": func() { s.Miss(1, device.MAC{}, from) },
		"by MAC":     func() { n++; s.Miss(1, mac(n), netip.AddrFrom4([4]byte{10, 0, byte(n >> 8), byte(n)})) },
	} {
		if n := testing.AllocsPerRun(1000, call); n != 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
}

func BenchmarkMiss(b *testing.B) {
	src := &slow{tokens: make(chan struct{}), when: make(map[device.MAC]int64)}
	cfg, _ := testConfig(b.TempDir(), src)
	s, err := Open(cfg)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { s.Close() })
	r := rand.New(rand.NewPCG(1, 2))
	ip := within("0.0.0.0/0")
	for b.Loop() {
		s.Miss(1, randomMAC(r), ip(r))
	}
}
