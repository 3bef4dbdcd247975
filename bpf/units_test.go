package bpf

import (
	"errors"
	"math/rand/v2"
	"net/netip"
	"runtime"
	"testing"
	"time"
	"unsafe"

	"dcs/bench/require"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"
)

//go:generate go tool bpf2go -target bpfel -type address -type take_call -type limit_call -type worker_call -type hash_call -cflags "-O2 -mcpu=v3 -Wall -Wextra -Werror -idirafter /usr/include/x86_64-linux-gnu -idirafter /usr/include/aarch64-linux-gnu" units units.bpf.c

func unitsForTest(t testing.TB) *unitsObjects {
	t.Helper()
	require.Root(t)
	var u unitsObjects
	if err := loadUnitsObjects(&u, nil); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { u.Close() })
	return &u
}

// call runs a program on *c.
func call[C any](t testing.TB, p *ebpf.Program, c *C) {
	t.Helper()
	b := unsafe.Slice((*byte)(unsafe.Pointer(c)), unsafe.Sizeof(*c))
	ret, err := p.Run(&ebpf.RunOptions{Data: b, DataOut: b})
	if err != nil || ret != xdpPass {
		t.Fatalf("%v: %d, %v", p, ret, err)
	}
}

func TestTakeOverTime(t *testing.T) {
	u := unitsForTest(t)
	const s = uint64(time.Second)
	const begin = 1000 * s // the machine has been up for a while
	type at struct {
		now  uint64
		want bool
	}
	for name, c := range map[string]struct {
		bucket, interval, burst uint64
		at                      []at
	}{
		"one at a time": {0, s, 1, []at{{0, true}, {0, false}, {s - 1, false}, {s, true}, {s, false}, {2 * s, true}}},
		"burst":         {0, s, 3, []at{{0, true}, {0, true}, {0, true}, {0, false}, {s, true}, {s, false}, {2 * s, true}}},
		"refused packets cost nothing": {0, s, 2, []at{
			{0, true}, {0, true}, {s / 2, false}, {s / 2, false}, {s - 1, false}, {s, true}, {s + 1, false}, {2 * s, true},
		}},
		"fills no higher than the burst": {0, s, 2, []at{{0, true}, {100 * s, true}, {100 * s, true}, {100 * s, false}}},
		"full after burst intervals":     {0, s, 2, []at{{0, true}, {0, true}, {2 * s, true}, {2 * s, true}, {2 * s, false}}},
		"emptied at a slower rate": {
			begin + 1000*s, s, 2, []at{{0, false}, {s - 1, false}, {s, true}, {s, false}, {2 * s, true}},
		},
		// The clocks of two processors may differ by a little, which is then won.
		"time goes back":  {0, s, 1, []at{{10, true}, {0, false}, {s - 1, false}, {s, true}, {s - 1, false}, {2 * s, true}}},
		"largest":         {0, 1<<32 - 1, 1 << 20, []at{{0, true}, {0, true}, {1 << 40, true}}},
		"a token each ns": {0, 1, 1, []at{{0, true}, {0, false}, {1, true}, {2, true}, {2, false}}},
	} {
		t.Run(name, func(t *testing.T) {
			bucket := c.bucket
			for i, a := range c.at {
				k := unitsTakeCall{Bucket: bucket, Now: begin + a.now, Interval: c.interval, Burst: c.burst}
				call(t, u.CallTake, &k)
				if got := k.Taken != 0; got != a.want {
					t.Fatalf("packet %d at %v: taken %v, want %v", i, time.Duration(a.now), got, a.want)
				}
				bucket = k.Bucket
			}
		})
	}
}

// However the packets come, no more pass within any time than the burst and what the time adds.
func TestTakeNeverMoreThanTheRate(t *testing.T) {
	u := unitsForTest(t)
	r := rand.New(rand.NewPCG(1, 2))
	for range 20 {
		interval, burst := 1+r.Uint64N(1000), 1+r.Uint64N(10)
		begin := uint64(1 << 30)
		now, bucket, passed := begin, uint64(0), uint64(0)
		for range 300 {
			now += r.Uint64N(2 * interval)
			k := unitsTakeCall{Bucket: bucket, Now: now, Interval: interval, Burst: burst}
			call(t, u.CallTake, &k)
			bucket = k.Bucket
			passed += k.Taken
			if most := burst + (now-begin)/interval; passed > most {
				t.Fatalf("interval %d, burst %d: %d passed after %d ns, at most %d may", interval, burst, passed, now-begin, most)
			}
		}
		if least := (now - begin) / interval / 4; passed < least {
			t.Errorf("interval %d, burst %d: only %d passed in %d ns", interval, burst, passed, now-begin)
		}
	}
}

func TestLimitKeepsSourcesApart(t *testing.T) {
	u := unitsForTest(t)
	rate, err := packRate(1, 2)
	if err != nil {
		t.Fatal(err)
	}
	if err := u.SourceMaskV4.Set(maskOf(24).Word[0]); err != nil {
		t.Fatal(err)
	}
	const begin = uint64(1 << 40)
	ask := func(a string, seconds float64) bool {
		addr := netip.MustParseAddr(a)
		c := unitsLimitCall{Now: begin + uint64(seconds*1e9), Rate: rate}
		c.Source.Word = addressOf(addr).Word
		if addr.Is4() {
			c.V4 = 1
		}
		call(t, u.CallLimit, &c)
		return c.Allowed != 0
	}
	for i, c := range []struct {
		source  string
		seconds float64
		want    bool
	}{
		{"10.0.0.1", 0, true},
		{"10.0.0.2", 0, true}, // the same source
		{"10.0.0.255", 0, false},
		{"10.0.1.2", 0, true},
		{"fd00::a00:1", 0, true},
		{"fd00::f:a00:1", 0, true},
		{"fd00::a00:2", 0.5, false},
		{"fd00:0:0:1::a00:1", 0.5, true},
		{"10.0.1.2", 0.5, true},
		{"10.0.1.2", 0.5, false},
		{"10.0.0.1", 1, true},
		{"10.0.0.1", 1.9, false},
		{"10.0.0.1", 9, true},
		{"10.0.0.1", 9, true},
		{"10.0.0.1", 9, false},
	} {
		if got := ask(c.source, c.seconds); got != c.want {
			t.Errorf("%d: %s at %v s: allowed %v, want %v", i, c.source, c.seconds, got, c.want)
		}
	}
	rate = 0
	for range 10 {
		if !ask("10.0.0.1", 9) {
			t.Error("held back without a limit")
		}
	}
}

// onOneProcessor keeps the test on a processor.
func onOneProcessor(t *testing.T) {
	t.Helper()
	runtime.LockOSThread()
	t.Cleanup(runtime.UnlockOSThread)
	var before, one unix.CPUSet
	if err := unix.SchedGetaffinity(0, &before); err != nil {
		t.Fatal(err)
	}
	for cpu := 0; one.Count() == 0; cpu++ {
		if before.IsSet(cpu) {
			one.Set(cpu)
		}
	}
	if err := unix.SchedSetaffinity(0, &one); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := unix.SchedSetaffinity(0, &before); err != nil {
			t.Error(err)
		}
	})
}

// With long bursts many sources are counted together first. A source has its burst in a row whoever else asks, and at most a sixteenth
// of it more.
func TestLimitOfLongBursts(t *testing.T) {
	u := unitsForTest(t)
	const burst = 2048
	rate, err := packRate(0.25, burst) // none comes back while this test runs
	if err != nil {
		t.Fatal(err)
	}
	cpus, err := ebpf.PossibleCPU()
	if err != nil {
		t.Fatal(err)
	}
	s := sieveOf(rate, uint64(cpus))
	if err := errors.Join(u.SieveInterval.Set(s.interval), u.SieveShare.Set(s.share)); err != nil {
		t.Fatal(err)
	}
	onOneProcessor(t) // each has a share of its own
	at := uint64(1 << 50)
	asks := func(a string, times int) (allowed int) {
		c := unitsLimitCall{Now: at, Rate: rate, V4: 1}
		c.Source.Word = addressOf(netip.MustParseAddr(a)).Word
		for range times {
			call(t, u.CallLimit, &c)
			allowed += int(c.Allowed)
		}
		return allowed
	}
	for _, source := range []string{"10.0.0.1", "10.0.0.2", "10.0.0.3"} {
		if n := asks(source, burst+500); n < burst || n > burst+burst/16 {
			t.Errorf("%s has %d in a row, want %d to %d", source, n, burst, burst+burst/16)
		}
	}
	if n := asks("10.0.0.1", 100); n != 0 {
		t.Errorf("a source that has had its burst has %d more", n)
	}
	at += 1e9 * 4 * burst
	if n := asks("10.0.0.1", burst+500); n < burst || n > burst+burst/16 {
		t.Errorf("%d in a row when all is full again, want %d to %d", n, burst, burst+burst/16)
	}
}

func TestPackRate(t *testing.T) {
	for _, c := range []struct {
		perSecond float64
		burst     int
		want      uint64
		ok        bool
	}{
		{0, 0, 0, true},
		{1, 1, 1<<32 | 1_000_000_000, true},
		{0.5, 3, 3<<32 | 2_000_000_000, true},
		{1e9, 1, 1<<32 | 1, true},
		{0.2, 1, 0, false},
		{3e9, 1, 0, false},
		{-1, 1, 0, false},
		{1, 0, 0, false},
		{1, -1, 0, false},
		{1, 1<<20 + 1, 0, false},
		{1, 1 << 20, 1<<52 | 1_000_000_000, true},
	} {
		got, err := packRate(c.perSecond, c.burst)
		if got != c.want || (err == nil) != c.ok {
			t.Errorf("%v per second, burst %d: %#x, %v, want %#x", c.perSecond, c.burst, got, err, c.want)
		}
	}
}

func TestWorkerAsTheProgramsChoose(t *testing.T) {
	u := unitsForTest(t)
	r := rand.New(rand.NewPCG(3, 4))
	for range 2000 {
		var b [16]byte
		for i := range b {
			b[i] = byte(r.Uint32())
		}
		a := netip.AddrFrom16(b)
		if r.IntN(2) == 0 {
			a = netip.AddrFrom4([4]byte(b[:4]))
		}
		c := unitsWorkerCall{N: 1 + r.Uint32N(512)}
		c.Source.Word = addressOf(a).Word
		if a.Is4() {
			c.V4 = 1
		}
		call(t, u.CallWorker, &c)
		if got := Worker(a, int(c.N)); got != int(c.Worker) || got >= int(c.N) {
			t.Fatalf("%v of %d: %d in Go, %d in BPF", a, c.N, got, c.Worker)
		}
	}
}

// Modems have neighbouring addresses.
func TestWorkerSpreadsNeighbours(t *testing.T) {
	for name, first := range map[string]netip.Addr{
		"IPv4":           netip.MustParseAddr("10.32.0.2"),
		"IPv6":           netip.MustParseAddr("2001:db8:1:2::1:0"),
		"IPv6 by EUI-64": netip.MustParseAddr("2001:db8::0201:02ff:fe03:0400"),
	} {
		for _, n := range []int{2, 3, 8, 64} {
			const each = 1000
			got := make([]int, n)
			a := first
			for range n * each {
				got[Worker(a, n)]++
				a = a.Next()
			}
			for w, k := range got {
				// Five standard deviations of a fair choice.
				if k < each-160 || k > each+160 {
					t.Errorf("%s: worker %d of %d has %d sources, a fair share is %d", name, w, n, k, each)
				}
			}
		}
	}
}
