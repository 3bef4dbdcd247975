package render

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"sync"
	"testing"

	"dcs/render/skeleton"
)

func outcomes(e *Engine) (list []Outcome, held uint64) {
	held = e.Outcomes(func(o Outcome) { list = append(list, o) })
	return list, held
}

// journaled returns an engine whose workers keep n outcomes each.
func journaled(t testing.TB, n int) *Engine {
	e := newEngine(t, librarySource)
	e.cfg.Journal = n
	return e
}

func TestOutcomes(t *testing.T) {
	e := journaled(t, 16)
	w := e.Worker()
	long := strings.Repeat("n", 200)
	batch := []Request{
		request("static"), request("none"), request("/none@020000000001"), request("isrrip8bw2.bin"), request("device@020000000002"), request(long),
	}
	w.RenderBatch(now, batch)
	got, held := outcomes(e)
	if len(got) != len(batch) || held != 0 {
		t.Fatalf("%d outcomes, %d held", len(got), held)
	}
	reason := func(o Outcome) string {
		var f *skeleton.Fault
		switch {
		case o.Err == nil:
			return "served"
		case errors.As(o.Err, &f):
			return f.Reason.String()
		case errors.Is(o.Err, fs.ErrNotExist):
			return "not found"
		}
		return o.Err.Error()
	}
	for i, want := range []struct {
		reason, value, mac string
		cut                bool
	}{
		{reason: "served"},
		{reason: "not found"},
		{reason: "not found", mac: "020000000001"},
		{reason: "rejected"},
		{reason: "out_of_range", value: "9999999999000", mac: "020000000002"},
		{reason: "not found", cut: true},
	} {
		o := got[i]
		mac := ""
		if o.HasMAC {
			mac = fmt.Sprintf("%x", o.MAC)
		}
		name := string(batch[i].Name)
		if want.cut {
			name = name[:journalName]
		}
		if reason(o) != want.reason || o.Value != want.value || mac != want.mac || o.Name != name || o.Cut != want.cut ||
			o.Time != now || o.Client != batch[i].Client || o.Size != len(batch[i].Body) {
			t.Errorf("%d: %s, %+v", i, reason(o), o)
		}
	}
	if got, held := outcomes(e); len(got) != 0 || held != 0 {
		t.Errorf("told twice: %v, %d held", got, held)
	}
}

// What does not fit is counted; served requests leave failures half of the room, and are so many a second at most.
func TestOutcomesBounded(t *testing.T) {
	e := journaled(t, 8)
	w := e.Worker()
	for range 10 {
		w.RenderBatch(now, []Request{request("static")})
	}
	for range 10 {
		w.RenderBatch(now, []Request{request("none")})
	}
	got, held := outcomes(e)
	served := 0
	for _, o := range got {
		if o.Err == nil {
			served++
		}
	}
	if len(got) != 8 || served != 4 || held != 6 {
		t.Errorf("%d outcomes, %d of them served, %d held; want 8, 4, 6", len(got), served, held)
	}

	e = journaled(t, 1024)
	w = e.Worker()
	for range 300 {
		w.RenderBatch(now, []Request{request("static")})
	}
	w.RenderBatch(now+1e9, []Request{request("static")})
	if got, held := outcomes(e); len(got) != ServedPerSecond+1 || held != 0 {
		t.Errorf("%d outcomes of served requests, %d held", len(got), held)
	}
}

func TestJournalNoAllocs(t *testing.T) {
	e := journaled(t, 64)
	w := e.Worker()
	batch := []Request{request("static"), request("none"), request("device@020000000002"), request("varwidth@020000000002"), request("isrrip8bw2.bin")}
	w.RenderBatch(now, batch)
	for _, full := range []bool{false, true} {
		if n := testing.AllocsPerRun(1000, func() {
			w.RenderBatch(now, batch)
			if !full {
				w.journal.read.Store(w.journal.head.Load())
			}
		}); n != 0 {
			t.Errorf("full: %v: %v allocations", full, n)
		}
	}
}

// One writes while another reads: nothing is lost uncounted, nothing is told twice or out of order.
func TestOutcomesConcurrent(t *testing.T) {
	e := journaled(t, 32)
	w := e.Worker()
	const n = 20000
	var wg sync.WaitGroup
	done := make(chan struct{})
	wg.Go(func() {
		defer close(done)
		for i := range n {
			w.RenderBatch(now+int64(i), []Request{request("none")})
		}
	})
	var told, held uint64
	last := int64(0)
	read := func() {
		held += e.Outcomes(func(o Outcome) {
			if o.Time <= last || o.Name != "none" {
				t.Errorf("%q at %d after %d", o.Name, o.Time, last)
			}
			last = o.Time
			told++
		})
	}
	for running := true; running; {
		select {
		case <-done:
			running = false
		default:
		}
		read()
	}
	wg.Wait()
	if told+held != n {
		t.Errorf("%d told, %d held, of %d", told, held, n)
	}
}

func BenchmarkJournal(b *testing.B) {
	for _, tt := range []struct {
		what, name string
		journal    int
		full       bool
	}{
		{"off, failure", "none", 0, false},
		{"failure", "none", 1024, false},
		{"full, failure", "none", 1024, true},
		{"off, served", "static", 0, false},
		{"served", "static", 1024, false},
	} {
		b.Run(tt.what, func(b *testing.B) {
			e := journaled(b, tt.journal)
			w := e.Worker()
			batch := make([]Request, 16)
			for i := range batch {
				batch[i] = request(tt.name)
			}
			for b.Loop() {
				w.RenderBatch(now, batch)
				if w.journal != nil && !tt.full {
					w.journal.read.Store(w.journal.head.Load())
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*16), "ns/request")
		})
	}
}
