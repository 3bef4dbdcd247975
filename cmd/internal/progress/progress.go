// Package progress shows on a terminal how far long work has come: share, rate, time left. It is silent elsewhere.
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

	"golang.org/x/sys/unix"
)

// A Bar is one line of a terminal that is written over as the work goes on. Its methods may be called
// by any number of goroutines, and on a nil Bar, which shows nothing.
type Bar struct {
	w     io.Writer
	what  string
	width func() int
	begun time.Time

	done, total atomic.Int64

	mu    sync.Mutex
	note  string
	free  bool // note is the whole line
	shown bool
	meter meter
	stop  chan struct{}
	ended sync.WaitGroup
}

// interval is the time between two paintings.
const interval = 200 * time.Millisecond

// New begins a line about work on total things, which are called what ("devices"); 0: nobody knows how many. It
// returns nil if w is not a terminal. The line goes away at [Bar.Close].
func New(w io.Writer, what string, total int64) *Bar {
	f, ok := w.(*os.File)
	if !ok {
		return nil
	}
	width := func() int {
		size, err := unix.IoctlGetWinsize(int(f.Fd()), unix.TIOCGWINSZ)
		if err != nil || size.Col == 0 {
			return 80
		}
		return int(size.Col)
	}
	if _, err := unix.IoctlGetTermios(int(f.Fd()), unix.TCGETS); err != nil {
		return nil
	}
	b := &Bar{w: w, what: what, width: width, begun: time.Now(), stop: make(chan struct{})}
	b.total.Store(total)
	b.ended.Go(b.run)
	return b
}

// Add tells that n more are done.
func (b *Bar) Add(n int64) {
	if b != nil {
		b.done.Add(n)
	}
}

// Set tells how many are done.
func (b *Bar) Set(done int64) {
	if b != nil {
		b.done.Store(done)
	}
}

// Total tells how many there are, once that is known.
func (b *Bar) Total(n int64) {
	if b != nil {
		b.total.Store(n)
	}
}

// Note adds a few words behind the figures: the step, or the machine at hand. They must be one line.
func (b *Bar) Note(text string) { b.write(text, false) }

// Line shows text instead of figures. It must be one line.
func (b *Bar) Line(text string) { b.write(text, true) }

func (b *Bar) write(text string, free bool) {
	if b == nil {
		return
	}
	b.mu.Lock()
	b.note, b.free = text, free
	b.mu.Unlock()
}

// Print writes a message of its own line above the bar.
func (b *Bar) Print(text string) {
	if b == nil {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.clear()
	fmt.Fprintln(b.w, text)
}

// Close takes the line away. Only the first call counts.
func (b *Bar) Close() {
	if b == nil {
		return
	}
	b.mu.Lock()
	select {
	case <-b.stop:
	default:
		close(b.stop)
	}
	b.mu.Unlock()
	b.ended.Wait()
}

func (b *Bar) run() {
	tick := time.NewTicker(interval)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			b.mu.Lock()
			b.paint()
			b.mu.Unlock()
		case <-b.stop:
			b.mu.Lock()
			b.clear()
			b.mu.Unlock()
			return
		}
	}
}

func (b *Bar) paint() {
	line := b.note
	if !b.free {
		line = b.meter.line(time.Since(b.begun), b.done.Load(), b.total.Load(), b.what, b.note)
	}
	// The last column stays empty: a character there makes some terminals begin a new line.
	fmt.Fprintf(b.w, "\r%s\x1b[K", cut(line, b.width()-1))
	b.shown = true
}

func (b *Bar) clear() {
	if b.shown {
		fmt.Fprint(b.w, "\r\x1b[K")
		b.shown = false
	}
}

// cut shortens a line to a number of characters.
func cut(line string, width int) string {
	if r := []rune(line); len(r) > width {
		return string(r[:max(width, 0)])
	}
	return line
}

// A meter knows how far the work was at some moments of the near past.
type meter struct {
	past [32]moment // a ring
	n    int
}

type moment struct {
	at   time.Duration
	done int64
}

// rate returns how many are done in a second: over the last moments alone, as work seldom keeps its pace.
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

// Count writes a number with commas between its thousands.
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

// Rate writes a number with three digits and the suffix k, M or G where it is large.
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
