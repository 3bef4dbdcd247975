// Package progress shows the progress of long work on a terminal: share, rate, time left. On other outputs it shows nothing.
package progress

import (
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"
	"golang.org/x/term"
)

// A Bar is a line of a terminal that is updated in place. Its methods may be called concurrently, and on a nil Bar, which shows
// nothing.
type Bar struct {
	w     io.Writer
	what  string
	begun time.Time
	lines *mpb.Progress
	line  *mpb.Bar

	done, total atomic.Int64

	mu    sync.Mutex
	note  string
	free  bool // note is the whole line
	meter meter
}

// refresh is the time between two updates of the line.
const refresh = 200 * time.Millisecond

// New shows a bar for work on total things, called what ("devices"); 0 is an unknown total. It returns nil if w is not a terminal.
// [Bar.Close] removes the bar.
func New(w io.Writer, what string, total int64) *Bar {
	f, ok := w.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) {
		return nil
	}
	b := &Bar{w: w, what: what, begun: time.Now()}
	b.total.Store(total)
	b.lines = mpb.New(mpb.WithOutput(w), mpb.WithRefreshRate(refresh))
	// The library's own total stays unknown, as the library would remove the line when it is reached.
	b.line = b.lines.New(0, mpb.NopStyle(), mpb.PrependDecorators(decor.Any(b.text)))
	shown.Store(b)
	return b
}

// shown is the bar on the terminal; a process has one at most.
var shown atomic.Pointer[Bar]

// Above returns a writer to w for whole lines, such as those of a log. While a bar is shown, it writes them above the bar, where
// updates do not erase them.
func Above(w io.Writer) io.Writer { return above{w} }

type above struct{ w io.Writer }

func (a above) Write(p []byte) (int, error) {
	if b := shown.Load(); b != nil {
		if n, err := b.lines.Write(p); err == nil {
			return n, nil
		}
	}
	return a.w.Write(p)
}

// Add adds n to the number of things done.
func (b *Bar) Add(n int64) {
	if b != nil {
		b.done.Add(n)
	}
}

// Set sets the number of things done.
func (b *Bar) Set(done int64) {
	if b != nil {
		b.done.Store(done)
	}
}

// Total sets the total, once it is known.
func (b *Bar) Total(n int64) {
	if b != nil {
		b.total.Store(n)
	}
}

// Note shows text after the figures, such as the current step. It must be one line.
func (b *Bar) Note(text string) { b.set(text, false) }

// Line shows text instead of figures. It must be one line.
func (b *Bar) Line(text string) { b.set(text, true) }

func (b *Bar) set(text string, free bool) {
	if b == nil {
		return
	}
	b.mu.Lock()
	b.note, b.free = text, free
	b.mu.Unlock()
}

// Print writes a line above the bar.
func (b *Bar) Print(text string) {
	if b == nil {
		return
	}
	if _, err := fmt.Fprintln(b.lines, text); err != nil { // after Close
		fmt.Fprintln(b.w, text)
	}
}

// Close removes the line. Only the first call has an effect.
func (b *Bar) Close() {
	if b == nil {
		return
	}
	b.line.Abort(true)
	b.lines.Wait()
	shown.CompareAndSwap(b, nil)
}

// text returns what the line shows now.
func (b *Bar) text(decor.Statistics) string {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.free {
		return b.note
	}
	return b.meter.line(time.Since(b.begun), b.done.Load(), b.total.Load(), b.what, b.note)
}

// A meter computes a rate from how much was done at recent moments.
type meter struct {
	past [32]moment // a ring
	n    int
}

type moment struct {
	at   time.Duration
	done int64
}

// rate returns the number of things done per second, over recent moments only, as the rate of work varies.
func (m *meter) rate(at time.Duration, done int64) float64 {
	var from moment // the beginning
	if m.n >= len(m.past) {
		from = m.past[m.n%len(m.past)]
	}
	m.past[m.n%len(m.past)] = moment{at, done}
	m.n++
	if at <= from.at || done <= from.done {
		return 0
	}
	return float64(done-from.done) / (at - from.at).Seconds()
}

func (m *meter) line(at time.Duration, done, total int64, what, note string) string {
	rate := m.rate(at, done)
	var s strings.Builder
	if total > 0 {
		fmt.Fprintf(&s, "%3d %%  %s of %s %s", min(100*done/total, 100), Count(done), Count(total), what)
	} else {
		fmt.Fprintf(&s, "%s %s", Count(done), what)
	}
	fmt.Fprintf(&s, ", %s/s", Rate(rate))
	if total > 0 && rate > 0 && done < total {
		left := time.Duration(float64(total-done) / rate * float64(time.Second))
		fmt.Fprintf(&s, ", %s left", round(left))
	} else {
		fmt.Fprintf(&s, ", %s", round(at))
	}
	if note != "" {
		s.WriteString(", ")
		s.WriteString(note)
	}
	return s.String()
}

func round(d time.Duration) time.Duration {
	switch {
	case d < 10*time.Second:
		return d.Round(100 * time.Millisecond)
	case d < 10*time.Minute:
		return d.Round(time.Second)
	}
	return d.Round(time.Minute)
}

// Count formats a number with commas between thousands.
func Count(n int64) string {
	s := strconv.FormatInt(n, 10)
	first := len(s) % 3
	if first == 0 || s[:first] == "-" {
		first += 3
	}
	out := s[:min(first, len(s))]
	for i := first; i < len(s); i += 3 {
		out += "," + s[i:i+3]
	}
	return out
}

// Rate formats a number with three digits, and the suffix k, M or G if it is large.
func Rate(r float64) string {
	for _, unit := range []struct {
		value float64
		name  string
	}{{1e9, "G"}, {1e6, "M"}, {1e3, "k"}} {
		if r >= 0.9995*unit.value {
			return digits(r/unit.value) + unit.name
		}
	}
	return digits(r)
}

func digits(r float64) string {
	switch {
	case r >= 99.95:
		return strconv.FormatFloat(r, 'f', 0, 64)
	case r >= 9.995:
		return strconv.FormatFloat(r, 'f', 1, 64)
	case r == 0:
		return "0"
	}
	return strconv.FormatFloat(r, 'f', 2, 64)
}
