package render

import (
	"slices"
	"strings"
	"sync"
	"testing"

	"dcs/render/device"
)

func outcomes(e *Engine) (list []device.Outcome, dropped uint64) {
	dropped = e.Outcomes(func(o *device.Outcome) {
		list = append(list, *o)
		last := &list[len(list)-1]
		last.Name, last.Value = slices.Clone(o.Name), slices.Clone(o.Value)
	})
	return list, dropped
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
	got, dropped := outcomes(e)
	if len(got) != len(batch) || dropped != 0 {
		t.Fatalf("%d outcomes, %d dropped", len(got), dropped)
	}
	for i, want := range []struct {
		reason, value, mac string
		truncated          bool
	}{
		{reason: ""},
		{reason: "unknown_name"},
		{reason: "unknown_name", mac: "02:00:00:00:00:01"},
		{reason: "rejected"},
		{reason: "out_of_range", value: "9999999999000", mac: "02:00:00:00:00:02"},
		{reason: "unknown_name", truncated: true},
	} {
		o := got[i]
		name := string(batch[i].Name)
		if want.truncated {
			name = name[:journalName]
		}
		if o.Reason != want.reason || ReasonOf(o.Err) != want.reason || string(o.Value) != want.value || o.MAC.String() != want.mac ||
			string(o.Name) != name || o.Truncated != want.truncated || o.Time != now || o.Client != batch[i].Client || o.Size != len(batch[i].Body) {
			t.Errorf("%d: %+v", i, o)
		}
	}
	if got, dropped := outcomes(e); len(got) != 0 || dropped != 0 {
		t.Errorf("told twice: %v, %d dropped", got, dropped)
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
	got, dropped := outcomes(e)
	served := 0
	for _, o := range got {
		if o.Err == nil {
			served++
		}
	}
	if len(got) != 8 || served != 4 || dropped != 6 {
		t.Errorf("%d outcomes, %d of them served, %d dropped; want 8, 4, 6", len(got), served, dropped)
	}

	e = journaled(t, 1024)
	w = e.Worker()
	for range 300 {
		w.RenderBatch(now, []Request{request("static")})
	}
	w.RenderBatch(now+1e9, []Request{request("static")})
	if got, dropped := outcomes(e); len(got) != ServedPerSecond+1 || dropped != 0 {
		t.Errorf("%d outcomes of served requests, %d dropped", len(got), dropped)
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
	var told, dropped uint64
	last := int64(0)
	read := func() {
		dropped += e.Outcomes(func(o *device.Outcome) {
			if o.Time <= last || string(o.Name) != "none" {
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
	if told+dropped != n {
		t.Errorf("%d told, %d dropped, of %d", told, dropped, n)
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
