package storm

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// schema is the version of the JSON result. Adding fields keeps it; changing or removing them increases it.
const schema = 1

// Result is the result of a load.
type Result struct {
	Schema   int       `json:"schema"`
	Target   string    `json:"target"`
	Started  time.Time `json:"started"`
	Scenario string    `json:"scenario,omitempty"` // title of the scenario
	Via      string    `json:"via"`                // how packets were sent, and why not by AF_XDP

	Offered         int `json:"offered"`          // downloads begun
	Served          int `json:"served"`           // ended with the right file
	ServedFirst     int `json:"served_first"`     // of those, without a failed download before
	Wrong           int `json:"wrong"`            // ended with a wrong file
	Failed          int `json:"failed"`           // given up after all restarts
	Unfinished      int `json:"unfinished"`       // running at the end
	FailedDownloads int `json:"failed_downloads"` // each was followed by a restart or by giving up
	FailedTwice     int `json:"failed_twice"`     // modems that needed a third try or gave up at the second
	Retries         int `json:"retries"`          // requests and acknowledgements repeated after a timeout
	Duplicates      int `json:"duplicates"`       // blocks received again
	Strays          int `json:"strays"`           // packets that belong to no download

	Flood        int `json:"flood"`         // requests of flooding groups
	FloodAnswers int `json:"flood_answers"` // packets received by flooding groups

	Errors     map[string]int `json:"errors,omitempty"`     // by code and text
	Mismatches []Mismatch     `json:"mismatches,omitempty"` // the first wrong files and why
	Keys       map[string]int `json:"keys,omitempty"`       // correct files by the secret that signed them
	Examples   []string       `json:"-"`                    // Mismatches as text

	Rate       float64 `json:"rate"`          // files served per second while downloads were begun
	Elapsed    float64 `json:"elapsed_s"`     // whole run, seconds
	LastServed float64 `json:"last_served_s"` // from the first request to the last file, seconds
	Bytes      int64   `json:"bytes"`         // of files, received in order

	Latency      Latency   `json:"latency_us"`
	Distribution []Bracket `json:"distribution"`

	Groups   []GroupResult `json:"groups,omitempty"` // if there is more than one
	Interval float64       `json:"interval_s"`       // of the timeline, seconds
	Timeline []Sample      `json:"timeline"`
	Events   []Mark        `json:"events,omitempty"`
	Verdicts []Verdict     `json:"verdicts,omitempty"` // for the limits given, see Limits.Judge

	PacketsSent     uint64 `json:"packets_sent"`
	PacketsUnsent   uint64 `json:"packets_unsent"`   // refused by the device
	PacketsReceived uint64 `json:"packets_received"` // for the modems or not
	PacketsLost     uint64 `json:"packets_lost"`     // by the generator itself: its buffer was full
	PacketsDamaged  uint64 `json:"packets_damaged"`  // wrong checksum
	PacketsForeign  uint64 `json:"packets_foreign"`  // not from the server to a modem

	// Busy is the part of the time in which the generator had work, 0 to 1. Near 1, the generator itself was the
	// bottleneck. What the kernel does for it in threads and interrupts of its own, such as receiving, does not count.
	Busy float64 `json:"busy"`
}

// Bound reports whether the generator was the bottleneck.
func (r *Result) Bound() bool { return r.Busy >= 0.97 }

// Latency is in microseconds, from the moment a download should have begun to its last block.
type Latency struct {
	P50  float64 `json:"p50"`
	P90  float64 `json:"p90"`
	P99  float64 `json:"p99"`
	P999 float64 `json:"p99.9"`
	Mean float64 `json:"mean"`
	Max  float64 `json:"max"`
}

// Bracket says that Count downloads, Percent of them, took at most Micros microseconds.
type Bracket struct {
	Percent float64 `json:"percent"`
	Count   int64   `json:"count"`
	Micros  float64 `json:"us"`
}

// GroupResult is the result of one group; its fields are those of Result.
type GroupResult struct {
	Name         string  `json:"name"`
	Modems       int     `json:"modems"`
	Offered      int     `json:"offered"`
	Served       int     `json:"served"`
	Wrong        int     `json:"wrong"`
	Failed       int     `json:"failed"`
	Unfinished   int     `json:"unfinished"`
	Retries      int     `json:"retries"`
	Flood        int     `json:"flood"`
	FloodAnswers int     `json:"flood_answers"`
	LastServed   float64 `json:"last_served_s"`
	Latency      Latency `json:"latency_us"`
}

// Mismatch is a wrong file.
type Mismatch struct {
	At      float64 `json:"t_s"`
	Modem   int     `json:"modem"`
	Address string  `json:"address"`
	File    string  `json:"file"`
	Bytes   int     `json:"bytes"`
	Reason  string  `json:"reason"`
}

// String returns the mismatch without its time.
func (m *Mismatch) String() string {
	return fmt.Sprintf("%s: %s, %d bytes: %s", m.Address, m.File, m.Bytes, m.Reason)
}

// Mark is an event that has taken place.
type Mark struct {
	At   float64 `json:"t_s"`
	Name string  `json:"name"`
	Note string  `json:"note"`
}

// Progress is the state of a running load.
type Progress struct {
	Elapsed                                          time.Duration
	Offered, Served, Wrong, Failed, Waiting, Retries int
	Flood, Expected                                  int // Expected: number of downloads in total; 0: unknown
	P50, P99, P999                                   time.Duration
}

// Text writes the result for people.
func (r *Result) Text(w io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, "offered %d, served %d, wrong %d, failed %d, unfinished %d in %.3f s\n",
		r.Offered, r.Served, r.Wrong, r.Failed, r.Unfinished, r.Elapsed)
	fmt.Fprintf(&b, "rate %.0f files/s; the last modem was served after %.3f s\n", r.Rate, r.LastServed)
	fmt.Fprintf(&b, "latency p50 %s, p90 %s, p99 %s, p99.9 %s, max %s\n",
		micros(r.Latency.P50), micros(r.Latency.P90), micros(r.Latency.P99), micros(r.Latency.P999), micros(r.Latency.Max))
	fmt.Fprintf(&b, "retries %d, failed downloads %d (twice by the same modem: %d), duplicate blocks %d, strays %d\n",
		r.Retries, r.FailedDownloads, r.FailedTwice, r.Duplicates, r.Strays)
	fmt.Fprintf(&b, "packets sent %d, received %d, damaged %d, lost by the generator %d; generator busy %.0f %%, by %s\n",
		r.PacketsSent, r.PacketsReceived, r.PacketsDamaged, r.PacketsLost+r.PacketsUnsent, 100*r.Busy, r.Via)
	if r.Bound() {
		b.WriteString("the generator was the bottleneck: the server may serve more\n")
	}
	if r.Flood > 0 {
		fmt.Fprintf(&b, "flood: %d requests, %d packets in answer\n", r.Flood, r.FloodAnswers)
	}
	for i := range r.Groups {
		g := &r.Groups[i]
		if g.Flood > 0 {
			fmt.Fprintf(&b, "group %s: %d requests, %d packets in answer\n", g.Name, g.Flood, g.FloodAnswers)
			continue
		}
		fmt.Fprintf(&b, "group %s: offered %d, served %d, wrong %d, failed %d, unfinished %d, retries %d; last served after %.3f s; p50 %s, p99 %s, p99.9 %s\n",
			g.Name, g.Offered, g.Served, g.Wrong, g.Failed, g.Unfinished, g.Retries, g.LastServed,
			micros(g.Latency.P50), micros(g.Latency.P99), micros(g.Latency.P999))
	}
	for _, k := range slices.Sorted(maps.Keys(r.Errors)) {
		fmt.Fprintf(&b, "error %s: %d\n", k, r.Errors[k])
	}
	for _, k := range slices.Sorted(maps.Keys(r.Keys)) {
		fmt.Fprintf(&b, "signed with %s: %d files\n", k, r.Keys[k])
	}
	for _, m := range r.Events {
		fmt.Fprintf(&b, "at %.1f s: %s\n", m.At, m.Note)
	}
	for _, x := range r.Examples {
		fmt.Fprintf(&b, "wrong: %s\n", x)
	}
	for _, v := range r.Verdicts {
		fmt.Fprintf(&b, "%s\n", v)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func micros(us float64) time.Duration {
	d := time.Duration(us * 1e3)
	switch {
	case d < time.Millisecond:
		return d.Round(100 * time.Nanosecond)
	case d < time.Second:
		return d.Round(10 * time.Microsecond)
	}
	return d.Round(time.Millisecond)
}

// result returns the final Result.
func (e *engine) result(now int64) *Result {
	r := e.res
	r.Unfinished = e.under
	if len(e.errors) > 0 {
		r.Errors = map[string]int{}
		for text, n := range e.errors {
			r.Errors[strings.ToValidUTF8(text, "?")] += *n
		}
	}
	r.Elapsed = seconds(now)
	e.line.close(now, e)
	r.Timeline, r.Interval = e.line.samples, seconds(e.line.interval)
	if e.check != nil {
		r.Keys = e.check.signed()
	}
	if r.Served > 0 {
		r.LastServed = seconds(e.lastTime - e.firstTime)
	}
	end := e.period
	for k := range e.groups {
		g := &e.groups[k]
		if g.Duration > 0 && g.Count == 0 && g.Flood == 0 {
			end = max(end, int64(g.After+g.Duration))
		}
		if g.latency != nil {
			g.res.Latency = latencyOf(g.latency)
			if g.res.Served > 0 {
				g.res.LastServed = seconds(g.last - g.first1)
			}
			r.Groups = append(r.Groups, g.res)
		}
	}
	end = min(end, now)
	if took := seconds(end - e.firstTime); took > 0 && e.inPeriod > 0 {
		r.Rate = float64(e.inPeriod) / took
	}
	r.Latency = latencyOf(e.latency)
	for _, b := range e.latency.CumulativeDistribution() {
		r.Distribution = append(r.Distribution, Bracket{Percent: b.Quantile, Count: b.Count, Micros: float64(b.ValueAt) / 1e3})
	}
	r.Distribution = slices.Clip(r.Distribution)
	st := e.link.stats()
	r.PacketsSent, r.PacketsUnsent, r.PacketsReceived = st.sent, st.unsent, st.received
	r.PacketsLost, r.PacketsDamaged, r.PacketsForeign = st.lost, st.damaged, st.foreign
	return r
}

func latencyOf(h *hdrhistogram.Histogram) Latency {
	q := func(p float64) float64 { return float64(h.ValueAtPercentile(p)) / 1e3 }
	return Latency{P50: q(50), P90: q(90), P99: q(99), P999: q(99.9), Mean: h.Mean() / 1e3, Max: float64(h.Max()) / 1e3}
}

func seconds(ns int64) float64 { return float64(ns) / 1e9 }
