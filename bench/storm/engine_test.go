package storm

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"testing"
	"time"
)

// wireless is a link that keeps what was sent, in words.
type wireless struct {
	buf  [2048]byte
	log  []string
	mute bool
	sent int
}

func (w *wireless) slot() []byte { return w.buf[:0] }

func (w *wireless) send(modem int, from, to uint16, p []byte) {
	w.sent++
	if w.mute {
		return
	}
	switch op := binary.BigEndian.Uint16(p); op {
	case opRRQ:
		w.log = append(w.log, fmt.Sprintf("%d:%d RRQ %s", modem, from, bytes.ReplaceAll(p[2:], []byte{0}, []byte{' '})))
	case opACK:
		w.log = append(w.log, fmt.Sprintf("%d ACK %d to %d", modem, binary.BigEndian.Uint16(p[2:]), to))
	case opERROR:
		w.log = append(w.log, fmt.Sprintf("%d ERROR %d to %d", modem, binary.BigEndian.Uint16(p[2:]), to))
	default:
		w.log = append(w.log, fmt.Sprintf("opcode %d", op))
	}
}

func (w *wireless) flush()                   {}
func (w *wireless) port(modem, n int) uint16 { return uint16(1000 + 100*modem + n) }
func (w *wireless) addr(modem int) netip.Addr {
	return modemAddr(netip.MustParsePrefix("198.18.0.0/16"), modem)
}
func (w *wireless) receive(now int64, e *engine) int { return 0 }
func (w *wireless) wait(time.Duration)               {}
func (w *wireless) stats() linkStats                 { return linkStats{} }
func (w *wireless) close() error                     { return nil }

func (w *wireless) take() []string {
	l := w.log
	w.log = nil
	return l
}

func testEngine(t testing.TB, change func(*Config)) (*engine, *wireless) {
	t.Helper()
	cfg := Default()
	cfg.Target = netip.MustParseAddrPort("198.19.0.1:69")
	cfg.Modems, cfg.Count, cfg.Window, cfg.Name = 2, 1, 1, "m{i}"
	if change != nil {
		change(&cfg)
	}
	if err := cfg.complete(); err != nil {
		t.Fatal(err)
	}
	w := &wireless{}
	e, err := newEngine(&cfg, w)
	if err != nil {
		t.Fatal(err)
	}
	return e, w
}

func data(block uint16, n int) []byte {
	return append([]byte{0, opDATA, byte(block >> 8), byte(block)}, make([]byte, n)...)
}

func want(t *testing.T, w *wireless, lines ...string) {
	t.Helper()
	if got := w.take(); !slices.Equal(got, lines) {
		t.Errorf("sent %q\nwant %q", got, lines)
	}
}

func sscan(line, format string, args ...any) bool {
	n, _ := fmt.Sscanf(line, format, args...)
	return n == len(args)
}

const second = int64(time.Second)

func TestDownloadOfOneBlock(t *testing.T) {
	e, w := testEngine(t, nil)
	e.tick(0)
	want(t, w, "0:1001 RRQ m0 octet ")
	e.handle(1000, 0, 1001, 5000, data(1, 400))
	want(t, w, "0 ACK 1 to 5000")
	if !e.over(1000, false) || e.res.Served != 1 || e.res.Bytes != 400 {
		t.Errorf("%+v", e.res)
	}
	// The acknowledgement was lost: the block comes again and is acknowledged again.
	e.handle(2000, 0, 1001, 5000, data(1, 400))
	want(t, w, "0 ACK 1 to 5000")
	if e.res.Served != 1 || e.res.Duplicates != 1 {
		t.Errorf("%+v", e.res)
	}
}

// TestWindows: an ACK for each window and for the end, and one at once for a gap (RFC 7440, section 4).
func TestWindows(t *testing.T) {
	e, w := testEngine(t, func(c *Config) { c.WinSize, c.BlkSize = 3, 8 })
	e.tick(0)
	want(t, w, "0:1001 RRQ m0 octet blksize 8 windowsize 3 ")
	e.handle(1000, 0, 1001, 5000, append([]byte{0, opOACK}, "blksize\x008\x00windowsize\x003\x00"...))
	want(t, w, "0 ACK 0 to 5000")
	for block := range uint16(3) {
		want(t, w)
		e.handle(2000, 0, 1001, 5000, data(block+1, 8))
	}
	want(t, w, "0 ACK 3 to 5000")
	e.handle(3000, 0, 1001, 5000, data(4, 8))
	want(t, w)
	e.handle(3000, 0, 1001, 5000, data(6, 8))
	want(t, w, "0 ACK 4 to 5000")
	e.handle(3000, 0, 1001, 5000, data(7, 8))
	want(t, w)
	e.handle(4000, 0, 1001, 5000, data(5, 8))
	want(t, w)
	e.handle(4000, 0, 1001, 5000, data(6, 7))
	want(t, w, "0 ACK 6 to 5000")
	if !e.over(4000, false) || e.res.Served != 1 || e.res.Bytes != 47 {
		t.Errorf("%+v", e.res)
	}
}

// TestTimeouts follows the DOCSIS back-off: 4, 8, 16, 16, 16 seconds, then a restart from another port.
func TestTimeouts(t *testing.T) {
	e, w := testEngine(t, func(c *Config) { c.Restarts = 1 })
	var at []int64
	port := map[string]int{}
	for now := int64(0); now < 200*second && !e.over(now, true); now += second / 4 {
		e.tick(now)
		for _, line := range w.take() {
			at = append(at, now/second)
			port[line[:6]]++
		}
	}
	// Deadlines are met by the first tick behind them, a quarter of a second at most.
	if wantAt := []int64{0, 4, 12, 28, 44, 60, 64, 72, 88, 104}; !slices.Equal(at, wantAt) {
		t.Errorf("requests after %v s, want %v", at, wantAt)
	}
	if port["0:1001"] != 5 || port["0:1002"] != 5 {
		t.Errorf("requests by port: %v", port)
	}
	if r := e.res; r.Failed != 1 || r.FailedDownloads != 2 || r.FailedTwice != 1 || r.Retries != 8 || r.Served != 0 {
		t.Errorf("%+v", r)
	}
}

func TestManyBlocks(t *testing.T) {
	file := bytes.Repeat([]byte("0123456789abcdef"), 64) // exactly two blocks of 512: an empty third one follows
	verified := ""
	e, w := testEngine(t, func(c *Config) {
		c.Expect = file
		c.Verify = func(name []byte, modem netip.Addr, body []byte) error {
			verified = fmt.Sprintf("%s %s %t", name, modem, bytes.Equal(body, file))
			return nil
		}
	})
	part := func(block uint16, b []byte) []byte { return append(data(block, 0), b...) }
	e.tick(0)
	w.take()
	e.handle(1, 0, 1001, 5000, part(1, file[:512]))
	e.handle(2, 0, 1001, 5000, part(1, file[:512])) // again
	e.handle(3, 0, 1001, 5000, part(3, nil))        // of the future
	e.handle(4, 0, 1001, 5001, part(2, file[512:])) // from a stranger
	e.handle(5, 0, 1001, 5000, part(2, file[512:]))
	want(t, w, "0 ACK 1 to 5000", "0 ACK 1 to 5000", "0 ERROR 5 to 5001", "0 ACK 2 to 5000")
	e.tick(5 * second)
	want(t, w, "0 ACK 2 to 5000")
	e.handle(6*second, 0, 1001, 5000, part(3, nil))
	want(t, w, "0 ACK 3 to 5000")
	if r := e.res; r.Served != 1 || r.Duplicates != 1 || r.Strays != 2 || r.Retries != 1 || r.Bytes != 1024 {
		t.Errorf("%+v", r)
	}
	if verified != "m0 198.18.0.0 true" {
		t.Errorf("verified: %s", verified)
	}
}

func TestBlockNumbersRollOver(t *testing.T) {
	e, w := testEngine(t, nil)
	w.mute = true
	e.tick(0)
	full := data(0, 512)
	for i := 1; i <= 70000; i++ {
		binary.BigEndian.PutUint16(full[2:], uint16(i))
		e.handle(int64(i), 0, 1001, 5000, full)
	}
	last := 70001
	e.handle(70001, 0, 1001, 5000, data(uint16(last&0xffff), 7))
	if r := e.res; r.Served != 1 || r.Bytes != 70000*512+7 || r.Duplicates != 0 || r.Strays != 0 {
		t.Errorf("%+v", r)
	}
}

func TestOptions(t *testing.T) {
	e, w := testEngine(t, func(c *Config) { c.BlkSize, c.TSize = 1448, true })
	e.tick(0)
	want(t, w, "0:1001 RRQ m0 octet blksize 1448 tsize 0 ")
	oack := []byte("\x00\x06BLKSIZE\x001000\x00tsize\x001500\x00")
	e.handle(1, 0, 1001, 5000, oack)
	e.handle(2, 0, 1001, 5000, oack)
	e.handle(3, 0, 1001, 5000, data(1, 1000))
	e.handle(4, 0, 1001, 5000, data(2, 500))
	want(t, w, "0 ACK 0 to 5000", "0 ACK 0 to 5000", "0 ACK 1 to 5000", "0 ACK 2 to 5000")
	if r := e.res; r.Served != 1 || r.Wrong != 0 || r.Duplicates != 1 {
		t.Errorf("%+v", r)
	}
}

func TestOptionsIgnoredByTheServer(t *testing.T) {
	e, _ := testEngine(t, func(c *Config) { c.BlkSize = 1448 })
	e.tick(0)
	e.handle(1, 0, 1001, 5000, data(1, 512))
	e.handle(2, 0, 1001, 5000, data(2, 0))
	if e.res.Served != 1 || e.res.Bytes != 512 {
		t.Errorf("%+v", e.res)
	}
}

func TestWrongFiles(t *testing.T) {
	for name, c := range map[string]struct {
		change  func(*Config)
		packets [][]byte
	}{
		"too short":      {func(c *Config) { c.Expect = make([]byte, 401) }, [][]byte{data(1, 400)}},
		"too long":       {func(c *Config) { c.Expect = make([]byte, 399) }, [][]byte{data(1, 400)}},
		"other bytes":    {func(c *Config) { c.Expect = bytes.Repeat([]byte{1}, 400) }, [][]byte{data(1, 400)}},
		"verifier":       {func(c *Config) { c.Verify = func([]byte, netip.Addr, []byte) error { return errors.New("no") } }, [][]byte{data(1, 4)}},
		"over the block": {nil, [][]byte{data(1, 513)}},
		"tsize":          {func(c *Config) { c.TSize = true }, [][]byte{[]byte("\x00\x06tsize\x009\x00"), data(1, 8)}},
	} {
		t.Run(name, func(t *testing.T) {
			e, _ := testEngine(t, c.change)
			e.tick(0)
			for _, p := range c.packets {
				e.handle(1, 0, 1001, 5000, p)
			}
			if r := e.res; r.Wrong != 1 || r.Served != 0 || len(r.Examples) == 0 {
				t.Errorf("%+v", r)
			}
		})
	}
}

func TestRefusalIsFollowedByAFreshStart(t *testing.T) {
	e, w := testEngine(t, nil)
	e.tick(0)
	e.handle(1, 0, 1001, 69, []byte("\x00\x05\x00\x01File not found\x00"))
	e.tick(3 * second)
	want(t, w, "0:1001 RRQ m0 octet ")
	e.tick(5 * second)
	want(t, w, "0:1002 RRQ m0 octet ")
	e.handle(5*second, 0, 1002, 5000, data(1, 3))
	r := e.result(6 * second)
	if r.Served != 1 || r.ServedFirst != 0 || r.Errors["1 File not found"] != 1 || r.FailedDownloads != 1 {
		t.Errorf("%+v", r)
	}
}

func TestGarbageIsCountedAndHarmless(t *testing.T) {
	e, w := testEngine(t, func(c *Config) { c.BlkSize = 1000 })
	e.tick(0)
	w.take()
	for _, p := range [][]byte{
		nil,
		{0},
		{0, 3, 0},
		{0, 9, 0, 0},
		{0, 0, 0, 0},
		data(0, 5), data(2, 5),
		[]byte("\x00\x06blksize"), []byte("\x00\x06blksize\x00x\x00"), []byte("\x00\x06blksize\x001001\x00"),
		[]byte("\x00\x06tsize\x001\x00"), []byte("\x00\x06blksize\x0099999999999999999999\x00"),
	} {
		e.handle(1, 0, 1001, 5000, p)
	}
	e.handle(1, 1, 1101, 5000, data(1, 5))  // never asked
	e.handle(1, 0, 1002, 5000, data(1, 5))  // another port
	e.handle(1, -1, 1001, 5000, data(1, 5)) // no such modem
	e.handle(1, 2, 1001, 5000, data(1, 5))
	want(t, w)
	if e.res.Strays != 16 || e.res.Served != 0 {
		t.Errorf("%+v", e.res)
	}
	e.handle(2, 0, 1001, 5000, data(1, 5))
	if e.res.Served != 1 {
		t.Error("the download did not survive the garbage")
	}
}

func TestOpenLoopCountsFromTheIntendedTime(t *testing.T) {
	e, w := testEngine(t, func(c *Config) { c.Window, c.Rate, c.Count, c.Modems = 0, 1000, 10, 10 })
	// The generator sleeps for the first 9 ms: ten downloads are due, and the first is 9 ms late already.
	e.tick(9e6)
	if n := len(w.take()); n != 10 {
		t.Fatalf("%d requests, want 10", n)
	}
	for i := range 10 {
		e.handle(10e6, i, uint16(1001+100*i), 5000, data(1, 1))
	}
	r := e.result(10e6)
	if r.Latency.Max < 9990 || r.Latency.Max > 10010 || r.Latency.P50 < 4990 || r.Latency.P50 > 6010 {
		t.Errorf("latency %+v, want up to 10 ms and half of it in the middle", r.Latency)
	}
}

func TestOpenLoopThatWasHeldUpCatchesUp(t *testing.T) {
	e, _ := testEngine(t, func(c *Config) { c.Window, c.Rate, c.Count, c.Duration, c.Modems = 0, 100, 0, time.Second, 100 })
	for e.tick(2*second) > 0 {
	}
	if e.res.Offered != 100 || e.more(2*second) {
		t.Errorf("%d downloads begun, want 100", e.res.Offered)
	}
}

func TestStormBringsEveryModemOnceInTime(t *testing.T) {
	e, w := testEngine(t, func(c *Config) {
		c.Window, c.Count, c.Within, c.Modems = 0, 0, time.Second, 1000
	})
	half := 0
	seen := map[string]int{}
	for now := int64(0); now <= second; now += second / 100 {
		for e.tick(now) > 0 {
		}
		for _, line := range w.take() {
			seen[line]++
		}
		if now == second/2 {
			half = len(seen)
		}
	}
	if len(seen) != 1000 || half < 495 || half > 505 {
		t.Errorf("%d modems asked, %d of them in the first half", len(seen), half)
	}
}

func TestNothingIsAllocatedPerPacket(t *testing.T) {
	block, full, refusal := data(1, 400), data(1, 512), []byte("\x00\x05\x00\x01no\x00")
	for name, f := range map[string]func(e *engine, port uint16){
		"one block": func(e *engine, port uint16) { e.handle(e.now, 0, port, 5000, block) },
		"two blocks": func(e *engine, port uint16) {
			e.handle(e.now, 0, port, 5000, full)
			e.handle(e.now, 0, port, 5000, data2)
		},
		"duplicate": func(e *engine, port uint16) {
			e.handle(e.now, 0, port, 5000, block)
			e.handle(e.now, 0, port, 5000, block)
		},
		"refusal": func(e *engine, port uint16) { e.handle(e.now, 0, port, 5000, refusal) },
		"timeout": func(e *engine, port uint16) {
			e.tick(e.now + 5*second)
			e.handle(e.now, 0, port, 5000, block)
		},
	} {
		t.Run(name, func(t *testing.T) {
			e, w := testEngine(t, func(c *Config) {
				c.Count, c.Duration, c.Modems, c.Restarts = 0, 10*time.Hour, 1, 0
				c.Verify = func([]byte, netip.Addr, []byte) error { return nil }
			})
			w.mute = true
			e.tick(0)
			once := func() {
				f(e, e.modems[0].port)
				e.tick(e.now + 1000)
			}
			once()
			if n := testing.AllocsPerRun(1000, once); n != 0 {
				t.Errorf("%v allocations", n)
			}
			if e.res.Offered < 1000 {
				t.Errorf("only %d downloads", e.res.Offered)
			}
		})
	}
}

var data2 = data(2, 100)
