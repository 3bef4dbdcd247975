package storm

import (
	"math/rand/v2"
	"net/netip"
	"strings"
	"testing"
	"time"
)

func TestRampRises(t *testing.T) {
	for name, g := range map[string]Group{
		"within": {Modems: 9000, Within: 100 * time.Second, Ramp: 20 * time.Second},
		"rate":   {Modems: 9000, Rate: 100, Duration: 100 * time.Second, Ramp: 20 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			e, w := testEngine(t, func(c *Config) { c.Groups, c.Window, c.Count = []Group{g}, 0, 0 })
			w.mute = true
			at := map[int64]int{}
			for now := int64(0); now <= 100*second; now += second / 100 {
				for e.tick(now) > 0 {
				}
				at[now/second] = e.res.Offered
			}
			// At full height 100 a second; until second 10 a quarter of what 20 seconds bring, which is 1000.
			if n := at[9]; n < 230 || n > 270 {
				t.Errorf("%d after half of the ramp", n)
			}
			if n := at[19]; n < 980 || n > 1020 {
				t.Errorf("%d after the ramp", n)
			}
			if n := at[60] - at[50]; n < 980 || n > 1020 {
				t.Errorf("%d in ten seconds behind the ramp", n)
			}
			if at[100] < 8999 || at[100] > 9000 {
				t.Errorf("%d in all", at[100])
			}
		})
	}
}

func TestGroups(t *testing.T) {
	e, w := testEngine(t, func(c *Config) {
		c.Window, c.Count = 0, 0
		c.Groups = []Group{
			{Name: "first", Modems: 10, Within: time.Second, File: "a{i}"},
			{Name: "late", Modems: 5, After: 10 * time.Second, Window: 2, Count: 5},
			{Name: "flood", Modems: 3, Flood: 100, Duration: 2 * time.Second, File: "f{0-999}"},
		}
	})
	answered := 0
	names := map[string]bool{}
	for now := int64(0); now < 20*second && !e.over(now, true); now += second / 100 {
		for e.tick(now) > 0 {
			for _, line := range w.take() {
				var modem int
				fields := strings.Fields(line)
				if fields[1] != "RRQ" {
					continue
				}
				for _, c := range strings.Split(fields[0], ":")[0] {
					modem = modem*10 + int(c-'0')
				}
				if modem >= 10 && modem < 15 && now < 10*second {
					t.Fatalf("too early: %s", line)
				}
				if modem >= 15 {
					names[fields[2]] = true
				} else if fields[2][0] == 'f' {
					t.Fatalf("%s", line)
				}
				answered++
				e.handle(now, modem, e.modems[modem].port, 5000, data(1, 7))
			}
		}
	}
	r := e.result(20 * second)
	if r.Offered != 15 || r.Served != 15 || r.Flood != 200 || r.FloodAnswers != 200 || answered != 215 {
		t.Errorf("%+v, %d answers", r, answered)
	}
	if len(names) < 100 {
		t.Errorf("the flood asks for %d names", len(names))
	}
	for i, want := range []GroupResult{{Name: "first", Offered: 10, Served: 10}, {Name: "late", Offered: 5, Served: 5}, {Name: "flood", Flood: 200, FloodAnswers: 200}} {
		if g := r.Groups[i]; g.Name != want.Name || g.Offered != want.Offered || g.Served != want.Served || g.Flood != want.Flood || g.FloodAnswers != want.FloodAnswers || g.Unfinished != 0 {
			t.Errorf("%+v, want %+v", g, want)
		}
	}
}

func TestRestAndJitter(t *testing.T) {
	e, w := testEngine(t, func(c *Config) { c.Retries, c.Restarts, c.Rest, c.Jitter = 0, 1, 30*time.Second, 0.5 })
	var at []int64
	for now := int64(0); now < 100*second && !e.over(now, true); now += second / 4 {
		e.tick(now)
		for range w.take() {
			at = append(at, now)
		}
	}
	// A wait of 4 s is 3 to 5 s, a quarter more for the steps of this test; then the rest.
	if len(at) != 2 || at[1] < 33*second || at[1] > 35*second+second/2 {
		t.Errorf("requests at %v ns", at)
	}
}

func TestHWAddr(t *testing.T) {
	e, w := testEngine(t, func(c *Config) { c.HWAddr = true })
	e.tick(0)
	want(t, w, "0:1001 RRQ m0 octet hwaddr 020000000000 ")
	e.handle(1, 0, 1001, 5000, []byte("\x00\x06hwaddr\x00020000000000\x00"))
	e.handle(2, 0, 1001, 5000, data(1, 5))
	want(t, w, "0 ACK 0 to 5000", "0 ACK 1 to 5000")
	if e.res.Served != 1 {
		t.Errorf("%+v", e.res)
	}
}

func TestTimelineHalves(t *testing.T) {
	e, w := testEngine(t, func(c *Config) { c.Window, c.Rate, c.Count, c.Duration, c.Modems = 0, 10, 0, 200*time.Second, 100 })
	w.mute = true
	for now := int64(0); now <= 200*second; now += second / 20 {
		for e.tick(now) > 0 {
		}
		for i := range e.modems {
			if m := &e.modems[i]; m.state == asking {
				e.handle(now+1e6, i, m.port, 5000, data(1, 5))
			}
		}
		if now >= e.line.due {
			e.line.sample(now, e)
		}
	}
	r := e.result(200 * second)
	sum := 0
	for _, s := range r.Timeline {
		sum += s.Served
	}
	if len(r.Timeline) > maxSamples || len(r.Timeline) < maxSamples/2-1 || r.Interval != 0.4 || sum != r.Served || r.Served != 2000 {
		t.Errorf("%d samples of %g s, %d of %d served", len(r.Timeline), r.Interval, sum, r.Served)
	}
}

// TestFaultyServer has a server that drops, repeats, answers from another port and with errors, at random: a modem that
// is patient enough comes to its file, and none is counted twice.
func TestFaultyServer(t *testing.T) {
	file := make([]byte, 1100)
	for i := range file {
		file[i] = byte(i * 7)
	}
	e, w := testEngine(t, func(c *Config) {
		c.Window, c.Count, c.Within, c.Modems, c.Restarts = 0, 0, 5*time.Second, 500, 20
		c.Expect = file
		c.Verify = func(_ []byte, _ netip.Addr, body []byte) error { return nil }
	})
	rnd := rand.New(rand.NewPCG(1, 1))
	type packet struct {
		modem    int
		to, from uint16
		p        []byte
	}
	var queue []packet
	block := func(n int) []byte {
		return append([]byte{0, opDATA, byte(n >> 8), byte(n)}, file[min((n-1)*512, len(file)):min(n*512, len(file))]...)
	}
	for now := int64(0); now < 3600*second && !e.over(now, len(queue) == 0); now += second / 50 {
		e.tick(now)
		for _, line := range w.take() {
			var modem, port, n, peer int
			switch {
			case sscan(line, "%d:%d RRQ", &modem, &port):
				n, peer = 1, 5000+rnd.IntN(2) // a repeated request may meet another transfer
			case sscan(line, "%d ACK %d to %d", &modem, &n, &peer):
				if n++; n > 3 {
					continue
				}
			default:
				continue
			}
			m := &e.modems[modem]
			good := packet{modem, m.port, uint16(peer), block(n)}
			switch rnd.IntN(10) {
			case 0: // lost
			case 1:
				queue = append(queue, good, good)
			case 2:
				stranger := good
				stranger.from = 7000
				queue = append(queue, good, stranger)
			case 3:
				queue = append(queue, packet{modem, m.port, uint16(peer), []byte("\x00\x05\x00\x00busy\x00")})
			case 4:
				queue = append(queue, packet{modem, m.port, uint16(peer), block(min(n+1, 3))}, good)
			default:
				queue = append(queue, good)
			}
		}
		rnd.Shuffle(len(queue), func(i, j int) { queue[i], queue[j] = queue[j], queue[i] })
		keep := len(queue) / 4 // the rest comes later
		for _, q := range queue[keep:] {
			e.handle(now, q.modem, q.to, q.from, append([]byte(nil), q.p...))
		}
		queue = append([]packet(nil), queue[:keep]...)
	}
	r := e.result(3600 * second)
	if r.Served != 500 || r.Wrong != 0 || r.Failed != 0 || r.Unfinished != 0 {
		t.Errorf("%+v", r)
	}
	if r.Retries == 0 || r.Duplicates == 0 || r.Strays == 0 || r.FailedDownloads == 0 || r.Errors["0 busy"] == 0 {
		t.Errorf("the server was not faulty: %+v", r)
	}
}
