package storm

import (
	"encoding/binary"
	"encoding/json"
	"net/netip"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"dcs/render/mic"
)

// full is a result with something in every field.
func full() *Result {
	r := &Result{
		Schema: schema, Target: "198.19.0.1:69", Started: time.Date(2026, 11, 24, 8, 0, 0, 0, time.UTC), Scenario: "A <title>",
		Offered: 1000, Served: 990, Wrong: 4, Failed: 6, Rate: 100, Elapsed: 10, LastServed: 9.5, Interval: 1,
		Errors: map[string]int{"1 <File> not found": 3}, Keys: map[string]int{"old": 5},
		Mismatches: []Mismatch{{1.5, 7, "198.18.0.7", "x.bin", 400, "TLV 19 5 s in the future"}},
		Events:     []Mark{{2, "rotate", "the rotation begins"}},
		Groups:     []GroupResult{{Name: "plant", Modems: 1000}},
		Latency:    Latency{P50: 100, P90: 200, P99: 1000, P999: 5000, Mean: 120, Max: 9000},
	}
	for i := range 10 {
		r.Timeline = append(r.Timeline, Sample{At: float64(i + 1), Offered: 100, Served: 99, Failed: 1, Retries: i, Waiting: 5, P50: 100, P99: 900, P999: 5000})
		r.Distribution = append(r.Distribution, Bracket{Percent: float64(10 * (i + 1)), Count: int64(100 * (i + 1)), Micros: float64(100 * (i + 1))})
	}
	Limits{MaxFailed: 0, P999: time.Millisecond, Last: time.Minute}.Judge(r)
	return r
}

// The page holds everything that it shows.
func TestHTMLIsSelfContained(t *testing.T) {
	for name, r := range map[string]*Result{"full": full(), "empty": {}} {
		var b strings.Builder
		if err := r.HTML(&b); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		page := b.String()
		for _, link := range []string{"http:", "https:", "//cdn", "<script", "<link", "src=", "@import", "url("} {
			if strings.Contains(page, link) {
				t.Errorf("%s: the page has %s", name, link)
			}
		}
		if n := strings.Count(page, "<svg "); n != 4 {
			t.Errorf("%s: %d plots", name, n)
		}
		for _, bad := range []string{"NaN", "Inf", "%!", "<title>A <title>", "<File>"} {
			if strings.Contains(page, bad) {
				t.Errorf("%s: the page has %s", name, bad)
			}
		}
	}
	var b strings.Builder
	if err := full().HTML(&b); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"A &lt;title&gt;", "198.19.0.1:69", "990", "MISSED", "rotate", "TLV 19 5 s in the future", "prefers-color-scheme: dark"} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("the page lacks %s", want)
		}
	}
	if path := os.Getenv("DCS_STORM_PAGE"); path != "" {
		if err := os.WriteFile(path, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// TestSchema holds the JSON's fields: others read them. One that goes or changes needs another schema number.
func TestSchema(t *testing.T) {
	want := strings.Fields(`
		schema target started scenario? offered served served_first wrong failed unfinished failed_downloads failed_twice
		retries duplicates strays flood flood_answers errors? mismatches? keys? rate elapsed_s last_served_s bytes latency_us
		distribution groups? interval_s timeline events? verdicts? packets_sent packets_unsent packets_received packets_lost
		packets_damaged packets_foreign busy via
		latency_us.p50 latency_us.p90 latency_us.p99 latency_us.p99.9 latency_us.mean latency_us.max
		timeline.t_s timeline.offered timeline.served timeline.failed timeline.retries timeline.flood timeline.waiting
		timeline.p50_us timeline.p99_us timeline.p99.9_us
		mismatches.t_s mismatches.modem mismatches.address mismatches.file mismatches.bytes mismatches.reason
		events.t_s events.name events.note
		verdicts.what verdicts.limit verdicts.measured verdicts.ok
		distribution.percent distribution.count distribution.us
		groups.name groups.modems groups.offered groups.served groups.wrong groups.failed groups.unfinished groups.retries
		groups.flood groups.flood_answers groups.last_served_s groups.latency_us`)
	var got []string
	fields := func(prefix string, of reflect.Type) {
		for i := range of.NumField() {
			tag, opt, _ := strings.Cut(of.Field(i).Tag.Get("json"), ",")
			if tag != "-" {
				got = append(got, prefix+tag+map[string]string{"omitempty": "?"}[opt])
			}
		}
	}
	fields("", reflect.TypeFor[Result]())
	fields("latency_us.", reflect.TypeFor[Latency]())
	fields("timeline.", reflect.TypeFor[Sample]())
	fields("mismatches.", reflect.TypeFor[Mismatch]())
	fields("events.", reflect.TypeFor[Mark]())
	fields("verdicts.", reflect.TypeFor[Verdict]())
	fields("distribution.", reflect.TypeFor[Bracket]())
	fields("groups.", reflect.TypeFor[GroupResult]())
	slices.Sort(want)
	slices.Sort(got)
	if !slices.Equal(got, want) {
		t.Errorf("fields %q\nwant   %q", got, want)
	}
	b, err := json.Marshal(full())
	if err != nil || !regexp.MustCompile(`^\{"schema":1,"target":"198\.19\.0\.1:69","started":"2026-11-24T08:00:00Z"`).Match(b) {
		t.Errorf("%s, %v", b, err)
	}
}

// A result says that the generator was the bottleneck, from 97 % of its time on.
func TestBound(t *testing.T) {
	for busy, want := range map[float64]bool{0.5: false, 0.96: false, 0.97: true, 1: true} {
		var b strings.Builder
		if err := (&Result{Busy: busy, Via: "AF_XDP"}).Text(&b); err != nil {
			t.Fatal(err)
		}
		if got := strings.Contains(b.String(), "the generator was the bottleneck"); got != want || !strings.Contains(b.String(), "by AF_XDP\n") {
			t.Errorf("%g: %s", busy, b.String())
		}
	}
}

func TestLimits(t *testing.T) {
	r := &Result{Served: 10, Failed: 1, Wrong: 1, Unfinished: 1, Rate: 50, LastServed: 2, Latency: Latency{P50: 1000, P99: 2000, P999: 3000}}
	for _, tt := range []struct {
		what string
		l    Limits
		kept bool
	}{
		{"none", NoLimits(), true},
		{"failed", Limits{MaxFailed: 3}, true},
		{"failed too often", Limits{MaxFailed: 2}, false},
		{"p50", Limits{MaxFailed: -1, P50: time.Millisecond}, true},
		{"p50 too slow", Limits{MaxFailed: -1, P50: time.Millisecond - 1}, false},
		{"p99 too slow", Limits{MaxFailed: -1, P99: time.Millisecond}, false},
		{"p99.9", Limits{MaxFailed: -1, P999: 3 * time.Millisecond}, true},
		{"last", Limits{MaxFailed: -1, Last: 2 * time.Second}, true},
		{"last too late", Limits{MaxFailed: -1, Last: time.Second}, false},
		{"rate", Limits{MaxFailed: -1, MinRate: 50}, true},
		{"rate too low", Limits{MaxFailed: -1, MinRate: 51}, false},
	} {
		if kept := tt.l.Judge(r); kept != tt.kept {
			t.Errorf("%s: %v", tt.what, r.Verdicts)
		}
	}
	if (Limits{MaxFailed: -1, P999: time.Hour}).Judge(&Result{}) {
		t.Error("a percentile of no files is kept")
	}
}

func TestChecker(t *testing.T) {
	const at = int64(1700000000) // e8fe6f80 after 1900
	old, young := mic.NewSecret([]byte("old")), mic.NewSecret([]byte("young"))
	modem := netip.MustParseAddr("198.18.0.9")
	file := func(off int64, addr netip.Addr, s *mic.Secret) []byte {
		b := []byte{3, 1, 1, 19, 4}
		b = binary.BigEndian.AppendUint32(b, uint32(at+off+since1900))
		b = append(append(b, 20, 4), addr.AsSlice()...)
		b, err := mic.Sign(b, s)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	good := file(0, modem, old)
	flip := func(i int) []byte {
		b := slices.Clone(good)
		b[i] ^= 1
		return b
	}
	keys := []Key{{Label: "old", Secret: old}, {Label: "young", Secret: young}}
	only := func(prefix string) []Key {
		return []Key{{Label: "old", Secret: old}, {Label: "own", Prefix: netip.MustParsePrefix(prefix), Secret: young}}
	}
	for _, tt := range []struct {
		what string
		body []byte
		cfg  Config
		want string // of the error; empty: none
	}{
		{"right", good, Config{Check: CheckAll, Keys: keys}, ""},
		{"the other secret", file(0, modem, young), Config{Check: CheckAll, Keys: keys}, ""},
		{"no secret of ours", file(0, modem, mic.NewSecret(nil)), Config{Check: CheckAll, Keys: keys}, "under none of the secrets"},
		{"structure does not ask for the secret", file(0, modem, mic.NewSecret(nil)), Config{Check: CheckStructure, Keys: keys}, ""},
		{"the prefix's secret", file(0, modem, young), Config{Check: CheckAll, Keys: only("198.18.0.0/24")}, ""},
		{"the general secret where a prefix has its own", good, Config{Check: CheckAll, Keys: only("198.18.0.0/24")}, "under none of the secrets"},
		{"another's prefix", good, Config{Check: CheckAll, Keys: only("198.18.1.0/24")}, ""},
		{"nobody's secret", good, Config{Check: CheckAll, Keys: only("198.18.1.0/24")[1:]}, "no secret for 198.18.0.9"},
		{"another modem's", file(0, modem.Next(), old), Config{Check: CheckStructure}, "TLV 20 is c6 12 00 0a, requested by 198.18.0.9"},
		{"a second early", file(-1, modem, old), Config{Check: CheckStructure, Skew: time.Second}, ""},
		{"too old", file(-2, modem, old), Config{Check: CheckStructure, Skew: time.Second}, "TLV 19 2 s before the request"},
		{"rendered at the request, received later", file(0, modem, old), Config{Check: CheckStructure}, ""},
		{"of the future", file(6, modem, old), Config{Check: CheckStructure, Skew: time.Second}, "TLV 19 3 s in the future"},
		{"CM MIC", flip(2), Config{Check: CheckStructure}, "wrong CM MIC"},
		{"CM MIC, secret given", flip(2), Config{Check: CheckAll, Keys: keys}, "wrong CM MIC"},
		{"cut off", good[:20], Config{Check: CheckStructure}, "not a modem's file"},
		{"no MIC", good[:15], Config{Check: CheckStructure}, "missing CM MIC"},
		{"no end", good[:15+18+18], Config{Check: CheckStructure}, "no end-of-data marker"},
		{"empty", nil, Config{Check: CheckStructure}, "missing CM MIC"},
		{"text", []byte("hello, world\n"), Config{Check: CheckStructure}, "not a modem's file"},
		{"an MTA's", []byte{254, 1, 1, 254, 1, 255}, Config{Check: CheckAll, Keys: keys}, ""},
	} {
		c := newChecker(&tt.cfg)
		err := c.examine(modem, tt.body, at*1e9, (at+3)*1e9)
		if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want %q", tt.what, err, tt.want)
		}
	}
	c := newChecker(&Config{Check: CheckAll, Keys: keys})
	for _, b := range [][]byte{good, good, file(0, modem, young)} {
		if err := c.examine(modem, b, at*1e9, at*1e9); err != nil {
			t.Error(err)
		}
	}
	if got := c.signed(); got["old"] != 2 || got["young"] != 1 {
		t.Errorf("signed: %v", got)
	}
}
