package progress

import (
	"bytes"
	"os"
	"strings"
	"testing"
	"time"

	"dcs/cmd/internal/terminal/terminaltest"
)

func TestNumbers(t *testing.T) {
	for _, tt := range []struct{ got, want string }{
		{Count(0), "0"},
		{Count(999), "999"},
		{Count(1000), "1,000"},
		{Count(10000000), "10,000,000"},
		{Count(-1), "-1"},
		{Count(-123456), "-123,456"},
		{Rate(0), "0"},
		{Rate(0.25), "0.25"},
		{Rate(9.996), "10.0"},
		{Rate(99.96), "100"},
		{Rate(999.4), "999"},
		{Rate(999.6), "1.00k"},
		{Rate(12345), "12.3k"},
		{Rate(4.2e6), "4.20M"},
		{Rate(2.5e10), "25.0G"},
		{round(1234 * time.Millisecond).String(), "1.2s"},
		{round(61400 * time.Millisecond).String(), "1m1s"},
		{round(2*time.Hour + 29*time.Second).String(), "2h0m0s"},
	} {
		if tt.got != tt.want {
			t.Errorf("got %q, want %q", tt.got, tt.want)
		}
	}
}

func TestLine(t *testing.T) {
	var m meter
	for _, tt := range []struct {
		at          time.Duration
		done, total int64
		want        string
	}{
		{time.Second, 0, 4000, "  0 %  0 of 4,000 devices, 0/s, 1s"},
		{2 * time.Second, 1000, 4000, " 25 %  1,000 of 4,000 devices, 500/s, 6s left"},
		{4 * time.Second, 4000, 4000, "100 %  4,000 of 4,000 devices, 1.00k/s, 4s"},
		{5 * time.Second, 5000, 0, "5,000 devices, 1.00k/s, 5s"},
	} {
		if got := m.line(tt.at, tt.done, tt.total, "devices", ""); got != tt.want {
			t.Errorf("got  %q\nwant %q", got, tt.want)
		}
	}
	if got := m.line(5*time.Second, 5000, 0, "devices", "step"); !strings.HasSuffix(got, ", step") {
		t.Errorf("no note in %q", got)
	}
}

// The rate forgets what is long past.
func TestRateIsOfLate(t *testing.T) {
	var m meter
	done := int64(0)
	rate := 0.0
	for i := range 100 {
		done += 10
		if i >= 50 {
			done += 90
		}
		rate = m.rate(time.Duration(i+1)*time.Second, done)
	}
	if rate != 100 {
		t.Errorf("rate %v, want 100", rate)
	}
}

func TestSilent(t *testing.T) {
	var buf bytes.Buffer
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	for _, b := range []*Bar{New(&buf, "things", 1), New(w, "things", 1)} {
		if b != nil {
			t.Fatal("a bar that nobody sees")
		}
		b.Add(1)
		b.Set(1)
		b.Total(1)
		b.Note("x")
		b.Line("x")
		b.Print("x")
		b.Close()
	}
	w.Close()
	if n, _ := r.Read(make([]byte, 1)); n != 0 || buf.Len() != 0 {
		t.Error("something was written")
	}
}

func TestTerminal(t *testing.T) {
	term := terminaltest.New(t, 30, 5)
	b := New(term.Program, "things", 100)
	b.Set(50)
	b.Note(strings.Repeat("x", 100))
	await(t, term, "the line, cut to one row", func(lines []string) bool {
		return strings.HasPrefix(lines[0], " 50 %  50 of 100 things, ") && lines[1] == ""
	})
	b.Print("a message")
	await(t, term, "a message above the line", func(lines []string) bool {
		return lines[0] == "a message" && strings.HasPrefix(lines[1], " 50 %")
	})
	b.Line("a step")
	await(t, term, "a line of its own", func(lines []string) bool { return lines[1] == "a step" })
	b.Set(100)
	b.Close()
	b.Close()
	await(t, term, "the message alone", func(lines []string) bool { return lines[0] == "a message" && strings.Join(lines[1:], "") == "" })
	b.Print("late")
	await(t, term, "a message after the end", func(lines []string) bool { return lines[1] == "late" })
}

func await(t *testing.T, term *terminaltest.Terminal, what string, ok func(lines []string) bool) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !ok(term.Lines()); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("missing: %s; the screen is\n%s", what, term)
		}
	}
}
