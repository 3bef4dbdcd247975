package console

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"dcs/cmd/internal/admin"
	"dcs/cmd/internal/metrics"
	"dcs/render/device"
	"dcs/render/lint/reason"
	"dcs/render/lint/report"
)

var start = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// fake is a server that does as it is told.
type fake struct {
	mu       sync.Mutex
	counters counters
	events   []Event
	held     uint64
	library  Library
	reload   error
	forced   bool // the last reload of the library
	limits   Limits
	refuse   error
	devices  []DevicesReload // what was asked for
}

func (f *fake) Facts() Facts {
	return Facts{Version: "v1.2.3", Host: "headend-7", Started: start, Transport: "socket", Why: "no driver for it", Listen: []string{"192.0.2.1:69"}}
}

func (f *fake) Metrics() *metrics.Values {
	f.mu.Lock()
	defer f.mu.Unlock()
	c := f.counters
	return metrics.Read(func(v *metrics.Values) {
		v.Count(metrics.Workers, uint64(len(c.Workers)))
		for i, w := range c.Workers {
			v.Count(metrics.ReadRequests, w.Requests, strconv.Itoa(i))
			v.Count(metrics.TransfersRunning, w.Active, strconv.Itoa(i))
		}
		v.Count(metrics.Files, c.Served, "modem")
		v.Count(metrics.Requests, c.Failed, "error", "not_found")
		v.Count(metrics.LearnedHits, c.Hits)
		v.Count(metrics.LearnedMisses, c.Misses)
		for _, r := range c.Reasons {
			v.Count(metrics.Faults, r.Count, r.Name)
		}
	})
}

func (f *fake) Outcomes(each func(Event)) uint64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, e := range f.events {
		each(e)
	}
	held := f.held
	f.events, f.held = nil, 0
	return held
}

func (f *fake) Explain(_ context.Context, q Question) (*Explanation, error) {
	switch q.Name {
	case "":
		return nil, fmt.Errorf("%w: no file name", ErrQuestion)
	case "broken":
		return nil, errors.New("out of order")
	case "text":
		return &Explanation{Name: q.Name, File: q.Name, Text: "hostname <a7>\n", Body: []byte("hostname <a7>\n"), Size: 14, Device: &Device{MAC: device.MAC{10, 1, 2, 3, 4, 5}, IP: netip.AddrFrom4([4]byte{10, 1, 2, 3})}}, nil
	case "none":
		return &Explanation{Name: q.Name, File: q.Name, Reason: "unknown_name", Error: "nothing has this name", Device: &Device{}}, nil
	}
	// 24 { 1 0001 6 07 } 3 01, and the end.
	body := []byte{24, 7, 1, 2, 0, 1, 6, 1, 7, 3, 1, 1, 255, 0, 0, 0}
	var d *reason.Diagnosis
	if q.Says != "" {
		d = &reason.Diagnosis{Word: reason.Word{Text: q.Says}, Causes: []reason.Cause{{Evidence: []reason.Evidence{{Where: "gold.dcs:3:5", Text: "<b>", Rule: "cl-flow"}}}}}
	}
	return &Explanation{
		Diagnosis: d,
		Name:      q.Name, File: "../gold.cm", IP: q.IP, Body: body, Size: len(body), MICs: []MIC{{"CM MIC", "INVALID", ""}},
		Tree: []TLV{
			{Path: "24", Name: "UsServiceFlow", Offset: 0, Length: 9, Head: 2, Group: true},
			{Path: "24.1", Depth: 1, Name: "UsServiceFlowRef", Offset: 2, Length: 4, Head: 2, Value: "1"},
			{Path: "24.6", Depth: 1, Name: "QosParamSetType", Offset: 6, Length: 3, Head: 2, Value: "<b>7</b>"},
			{Path: "3", Name: "NetworkAccess", Offset: 9, Length: 3, Head: 2, Value: "1"},
			{Path: "255", Name: "EndOfData", Offset: 12, Length: 1, Head: 1},
		},
	}, nil
}

func (f *fake) Library() Library {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.library
}

func (f *fake) Check(_ context.Context, template string, notes bool) (*Check, error) {
	switch template {
	case "none":
		return nil, fmt.Errorf("%w: no template is at none", ErrQuestion)
	case "slow":
		return &Check{Running: true, Judged: 7, Templates: 1000}, nil
	}
	offset := 9
	c := &Check{Judged: 1, Templates: 1, At: start, Errors: 1, Warnings: 1, Findings: []Finding{
		{report.Finding{Rule: "rate-zero", Severity: "error", Spot: report.Spot{File: "<u>.dcs", Line: 3, Column: 5, Text: "<u>", Included: []report.Spot{{File: "<u>", Line: 1}}}, Remedy: "<u>", Related: []report.Spot{{File: "<u>", Text: "<u>"}}}, "when $a is <u>"},
		{report.Finding{Rule: "max-cpe", Severity: "warning", Spot: report.Spot{File: "x.cm", Offset: &offset}, Recalled: true}, ""},
	}}
	if notes {
		c.Notes = 1
		c.Findings = append(c.Findings, Finding{Finding: report.Finding{Rule: "size-tftp", Severity: "note", Spot: report.Spot{File: "x.cm"}}})
	}
	return c, nil
}

func (f *fake) Reload(_ context.Context, force bool) error {
	f.forced = force
	return f.reload
}

func (f *fake) Devices() []Source {
	return []Source{
		{Name: "sql", Loading: -1, Error: "connection refused", Loaded: start},
		{Name: "csv <a>", Loading: -1, Held: "too many are lost", Loaded: start},
	}
}

func (f *fake) ReloadDevices(source string, force bool) error {
	if source == "none" {
		return fmt.Errorf("%w: no source of devices is called none", ErrQuestion)
	}
	f.devices = append(f.devices, DevicesReload{source, force})
	return nil
}

func (f *fake) Limits() *Limits { return &f.limits }

func (f *fake) SetLimits(l Limits) error {
	if f.refuse == nil {
		f.limits = l
	}
	return f.refuse
}

// open serves f, and returns where.
func open(t *testing.T, f *fake) (*Console, string) {
	t.Helper()
	return openWith(t, f, slog.New(slog.DiscardHandler), writeToken(t))
}

// openWith serves f with a log and a file with a token, if there is one.
func openWith(t *testing.T, f *fake, log *slog.Logger, tokenFile string) (*Console, string) {
	t.Helper()
	s, err := admin.New(admin.Config{Addresses: []string{"127.0.0.1:0"}, TokenFile: tokenFile}, log)
	if err != nil {
		t.Fatal(err)
	}
	c := New(s, f, func() time.Time { return start.Add(time.Hour) })
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { s.Run(ctx); close(ended) }()
	t.Cleanup(func() {
		cancel()
		<-ended
	})
	return c, strings.TrimSuffix(s.Listeners()[0].URL(), "/")
}

const token = "correct-horse-battery-staple"

func writeToken(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(path, []byte(token), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// operator brings the token.
var operator = &http.Client{Transport: bearer{}}

type bearer struct{}

func (bearer) RoundTrip(r *http.Request) (*http.Response, error) {
	r.Header.Set("Authorization", "Bearer "+token)
	return http.DefaultTransport.RoundTrip(r)
}

func get(t *testing.T, url string) (int, string) {
	t.Helper()
	resp, err := operator.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(body)
}
