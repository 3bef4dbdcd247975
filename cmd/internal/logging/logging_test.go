package logging

import (
	"bytes"
	"encoding/json"
	"errors"
	"log/slog"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"dcs/render/device"
)

func newLog(t *testing.T, cfg Config) (*Log, *bytes.Buffer) {
	t.Helper()
	var out bytes.Buffer
	l, err := New(&out, cfg)
	if err != nil {
		t.Fatal(err)
	}
	return l, &out
}

func TestLevel(t *testing.T) {
	l, out := newLog(t, Config{JSON: true, Level: slog.LevelWarn})
	l.Info("one")
	l.SetLevel(slog.LevelDebug)
	l.Debug("two", "n", 2)
	l.Close()
	var got struct {
		Msg string
		N   int
	}
	if err := json.Unmarshal(out.Bytes(), &got); err != nil || got.Msg != "two" || got.N != 2 {
		t.Errorf("%v: %s", err, out)
	}
}

// Lines about what an operator changes are handed to the handler, whatever the level (package admin).
func TestHandleBelowLevel(t *testing.T) {
	l, out := newLog(t, Config{Level: slog.LevelError})
	l.Info("chatter")
	if err := l.Handler().Handle(t.Context(), slog.NewRecord(time.Now(), slog.LevelInfo, "admin change", 0)); err != nil {
		t.Error(err)
	}
	l.Close()
	if strings.Count(out.String(), "\n") != 1 || !strings.Contains(out.String(), "admin change") {
		t.Errorf("%s", out)
	}
}

// A flood of one kind is suppressed and counted, and hides no other.
func TestQueue(t *testing.T) {
	var out bytes.Buffer
	var mu sync.Mutex
	now := time.Unix(1e9, 0)
	q := NewQueue(slog.NewTextHandler(&out, nil), func() time.Time {
		mu.Lock()
		defer mu.Unlock()
		return now
	})
	for range 100 {
		q.Send("flood", slog.LevelWarn, 2, "no file", "reason", "flood")
	}
	q.Send("rare", slog.LevelWarn, 0, "no file", "reason", "rare")
	for range 20 {
		q.Send("", slog.LevelInfo, 0, "request")
	}
	if err := q.write(slog.DiscardHandler, slog.Record{}); err != nil { // when all lines before are written
		t.Error(err)
	}
	mu.Lock()
	now = now.Add(time.Second)
	mu.Unlock()
	q.Send("flood", slog.LevelWarn, 0, "no file", "reason", "flood")
	q.Close()
	text := out.String()
	if n := strings.Count(text, "reason=flood"); n < 11 || n > 12 { // the tick may have reported the held ones
		t.Errorf("%d lines of the flood", n)
	}
	if strings.Count(text, "reason=rare") != 1 || strings.Count(text, "msg=request") != 20 {
		t.Error("others are missing")
	}
	reported := 0
	for line := range strings.Lines(text) {
		if _, n, ok := strings.Cut(strings.TrimSpace(line), "suppressed="); ok {
			held, err := strconv.Atoi(n)
			if err != nil {
				t.Error(err)
			}
			reported += held
		}
	}
	if reported != 290 || q.Suppressed() != 290 {
		t.Errorf("held: %d reported, %d counted; want 290\n%s", reported, q.Suppressed(), text)
	}
}

// A sender never waits, however slow the log is.
func TestQueueOfSlowLog(t *testing.T) {
	slow := &gate{open: make(chan struct{})}
	q := NewQueue(slog.NewTextHandler(slow, nil), time.Now)
	for range 3 * queued {
		q.Send("", slog.LevelInfo, 0, "request")
	}
	close(slow.open)
	q.Close()
	lost := int(q.Suppressed())
	if n := strings.Count(slow.out.String(), "msg=request"); lost == 0 || n+lost != 3*queued || !strings.Contains(slow.out.String(), "log lines dropped") {
		t.Errorf("%d written, %d lost, of %d", n, lost, 3*queued)
	}
}

type gate struct {
	open chan struct{}
	out  bytes.Buffer
}

func (g *gate) Write(b []byte) (int, error) {
	<-g.open
	return g.out.Write(b)
}

// Values in JSON are what people read, not what Go's encoder makes of the types.
func TestJSONValues(t *testing.T) {
	l, out := newLog(t, Config{JSON: true, Level: slog.LevelInfo})
	for _, tt := range []struct {
		value any
		want  string
	}{
		{9 * time.Millisecond, `"9ms"`},
		{time.Time{}, `"0001-01-01T00:00:00Z"`},
		{netip.MustParseAddr("fd00::1"), `"fd00::1"`},
		{netip.MustParsePrefix("10.0.0.0/8"), `"10.0.0.0/8"`},
		{[]netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}, `["10.0.0.0/8"]`},
		{&net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 69}, `"127.0.0.1:69"`},
		{net.HardwareAddr{10, 1, 2, 3, 4, 5}, `"0a:01:02:03:04:05"`},
		{[]net.Addr{&net.UDPAddr{Port: 69}}, `[":69"]`},
		{errors.New("a cause"), `"a cause"`},
		{[]error{errors.New("a cause")}, `["a cause"]`},
		{syscall.SIGTERM, `"terminated"`},
		{[]time.Duration{time.Second}, `["1s"]`},
		{[]string{"a"}, `["a"]`},
		{[]byte("name"), `"name"`},
		{struct{ a int }{1}, `"{a:1}"`},
		{struct{ B error }{errors.New("x")}, `"{B:x}"`},
		{7, "7"},
		{true, "true"},
		{nil, "null"},
	} {
		out.Reset()
		l.Info("x", "v", tt.value)
		var got struct{ V json.RawMessage }
		if err := json.Unmarshal(out.Bytes(), &got); err != nil || string(got.V) != tt.want {
			t.Errorf("%T: %s, want %s; %v", tt.value, got.V, tt.want, err)
		}
	}
	l.Close()
}

// Lines are written in the order in which they are logged, by logger or queue, and also after the queue has ended.
func TestOrder(t *testing.T) {
	l, out := newLog(t, Config{JSON: true, Level: slog.LevelInfo})
	const n = 500
	with := l.With("with", true)
	for i := range n {
		switch {
		case i == n-10:
			l.Close()
			fallthrough
		case i%3 == 0, i > n-10:
			with.Info("direct", "n", i)
		default:
			l.Queue().Send("", slog.LevelInfo, 0, "queued", "n", i)
		}
	}
	var before time.Time
	i := 0
	for line := range strings.Lines(out.String()) {
		var got struct {
			Time time.Time
			Msg  string
			N    int
			With bool
		}
		if err := json.Unmarshal([]byte(line), &got); err != nil || got.N != i || got.Time.Before(before) || got.With != (got.Msg == "direct") {
			t.Fatalf("line %d is %s, %v", i, line, err)
		}
		before = got.Time
		i++
	}
	if i != n {
		t.Errorf("%d lines", i)
	}
}

// No line is lost when the queue ends while others log.
func TestLogWhileClosing(t *testing.T) {
	l, out := newLog(t, Config{Level: slog.LevelInfo})
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for range 100 {
				l.Info("direct")
			}
		})
	}
	l.Close()
	all.Wait()
	if n := strings.Count(out.String(), "msg=direct"); n != 800 {
		t.Errorf("%d lines of 800", n)
	}
}

func TestWants(t *testing.T) {
	mac, none := device.MAC{0x0a, 1, 2, 3, 4, 5}, device.MAC{}
	for _, tt := range []struct {
		rules  Rules
		ip     string
		mac    device.MAC
		of10   int // of ten requests
		active bool
	}{
		{Rules{}, "10.0.0.1", mac, 0, false},
		{Rules{OneOf: 1}, "10.0.0.1", none, 10, true},
		{Rules{OneOf: 5}, "10.0.0.1", none, 2, true},
		{Rules{Devices: []string{"0A-01-02-03-04-05"}}, "10.0.0.1", mac, 10, true},
		{Rules{Devices: []string{"0a01.0203.0405"}}, "10.0.0.1", mac, 10, true},
		{Rules{Devices: []string{"0a0102030405"}}, "10.0.0.1", none, 0, true},
		{Rules{Devices: []string{"0a0102030406"}}, "10.0.0.1", mac, 0, true},
		{Rules{Devices: []string{"10.0.0.1"}}, "::ffff:10.0.0.1", none, 10, true},
		{Rules{Devices: []string{"10.0.0.0/8"}}, "10.0.0.1", none, 10, true},
		{Rules{Devices: []string{"fd00::/8", "10.0.0.2"}}, "10.0.0.1", none, 0, true},
		{Rules{Devices: []string{"fd00::/8", "10.0.0.2"}}, "fd01::1", none, 10, true},
	} {
		l, _ := newLog(t, Config{Rules: tt.rules})
		defer l.Close()
		n := 0
		for range 10 {
			if l.Wants(netip.MustParseAddr(tt.ip), tt.mac) {
				n++
			}
		}
		if n != tt.of10 || l.Requests() != tt.active {
			t.Errorf("%v, %s: %d of 10, active %v", tt.rules, tt.ip, n, l.Requests())
		}
		if n := testing.AllocsPerRun(100, func() { l.Wants(netip.MustParseAddr("10.0.0.1"), tt.mac) }); n != 0 {
			t.Errorf("%v: %v allocations", tt.rules, n)
		}
	}
	l, _ := newLog(t, Config{})
	defer l.Close()
	for _, bad := range []string{"", "x", "0a:01", "10.0.0.0/33", "0a:01:02:03:04:0g", "0a01:0203:0405", "::ffff:10.0.0.0/104"} {
		if err := l.SetRules(Rules{Devices: []string{bad}}); err == nil {
			t.Errorf("%q is a device", bad)
		}
	}
	if err := l.SetRules(Rules{OneOf: -1}); err == nil {
		t.Error("one of -1")
	}
}
