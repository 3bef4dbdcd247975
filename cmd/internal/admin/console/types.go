// Package console is the admin page, and the calls of the admin API that have the same data as JSON.
package console

import (
	"context"
	"errors"
	"net/netip"
	"time"

	"dcs/cmd/internal/metrics"
	"dcs/render/device"
	"dcs/render/lint/reason"
	"dcs/render/lint/report"
)

// Backend is the server that the console shows.
type Backend interface {
	Facts() Facts
	// Metrics returns at least the counters of workers and engine.
	Metrics() *metrics.Values
	// Outcomes calls each with the events since the last call, and returns how many were dropped.
	Outcomes(each func(Event)) (dropped uint64)
	Explain(ctx context.Context, q Question) (*Explanation, error)
	Library() Library
	// Check returns what the rules of lint find in the files of a template, by its position, or of the whole library if it is "". The error
	// wraps ErrQuestion if there is no such template.
	Check(ctx context.Context, template string, notes bool) (*Check, error)
	Reload(ctx context.Context, force bool) error
	Devices() []Source
	// ReloadDevices begins to reload a source, or all if it is "". With force, any loss of devices is accepted. The error wraps
	// ErrQuestion if there is no such source.
	ReloadDevices(source string, force bool) error
	// Limits returns nil if the server has none.
	Limits() *Limits
	SetLimits(Limits) error
}

// ErrQuestion is wrapped by errors in a request, such as a malformed address.
var ErrQuestion = errors.New("bad question")

// Facts describe the server.
type Facts struct {
	Version      string       `json:"version"`
	Go           string       `json:"go"`
	Host         string       `json:"host"`
	Started      time.Time    `json:"started"`
	Listen       []string     `json:"listen"`
	Transport    string       `json:"transport"`
	Why          string       `json:"transport_why"`
	Capabilities []Capability `json:"capabilities,omitempty"`
}

// Capability is a feature that the kernel, the driver or the process may lack.
type Capability struct {
	Name string `json:"name"`
	Have bool   `json:"have"`
	Note string `json:"note,omitempty"`
}

// Worker has the counters of one worker.
type Worker struct {
	Requests   uint64 `json:"requests"`
	Received   uint64 `json:"received"`
	Sent       uint64 `json:"sent"`
	Active     uint64 `json:"active"`
	Drops      uint64 `json:"drops"`
	SendErrors uint64 `json:"send_errors"`
}

// Reason is a reason for requests without a file, and their number.
type Reason struct {
	Name  string `json:"name"`
	Count uint64 `json:"count"`
}

// State is the server's state. Rates and latencies are those of the last ten seconds.
type State struct {
	Facts
	Now       time.Time `json:"now"`
	Uptime    float64   `json:"uptime_seconds"`
	Rates     Rates     `json:"rates"`
	Totals    Totals    `json:"totals"`
	Latency   Latencies `json:"latency"`
	Active    uint64    `json:"active_transfers"`
	Learned   int       `json:"learned_names"`
	HitRatio  float64   `json:"learned_hit_ratio"`
	Workers   []Worker  `json:"workers"`
	Reasons   []Reason  `json:"reasons"`
	Templates int       `json:"templates"`
	Static    int       `json:"static_files"`
	Loaded    time.Time `json:"library_loaded"`
	Warnings  int       `json:"library_warnings"`
	Errors    int       `json:"library_errors"` // of the last reload
	Devices   []Source  `json:"devices,omitempty"`
	History   []Rates   `json:"history"` // one per second, the newest last
}

// Rates are per second.
type Rates struct {
	Requests float64 `json:"requests"`
	Served   float64 `json:"served"`
	Failed   float64 `json:"failed"`
	Silent   float64 `json:"silent"`
	GaveUp   float64 `json:"gave_up"`
	Resent   float64 `json:"resent"`
	Drops    float64 `json:"drops"`
}

// Totals are since the server's start.
type Totals struct {
	Requests uint64 `json:"requests"`
	Served   uint64 `json:"served"`
	Failed   uint64 `json:"failed"`
	Silent   uint64 `json:"silent"`
	Repeated uint64 `json:"repeated"` // while the transfer was running: answered again, or ignored once it was well under way
	Finished uint64 `json:"finished"`
	GaveUp   uint64 `json:"gave_up"`
	Resent   uint64 `json:"resent"`
	Drops    uint64 `json:"drops"`
}

// Latencies are in seconds; zero where nothing was measured.
type Latencies struct {
	Answer Quantiles `json:"answer"` // from a request's arrival in the kernel until its answer was sent
	Render Quantiles `json:"render"` // rendering the whole batch of a request
}

// Quantiles are in seconds.
type Quantiles struct {
	P50 float64 `json:"p50"`
	P90 float64 `json:"p90"`
	P99 float64 `json:"p99"`
}

// Event is the outcome of one request: a [device.Outcome] that outlives the request, and whose JSON is the API's.
type Event struct {
	ID     uint64     `json:"id"`
	Time   time.Time  `json:"time"`
	Name   string     `json:"name"`
	Client netip.Addr `json:"client"`
	MAC    device.MAC `json:"mac,omitzero"`
	Served bool       `json:"served"`
	Size   int        `json:"size,omitempty"`
	Reason string     `json:"reason,omitempty"`
	Text   string     `json:"text,omitempty"` // the reason in words
	Value  string     `json:"value,omitempty"`
}

// Events is the result of a search.
type Events struct {
	Events []Event `json:"events"` // the newest first
	Kept   int     `json:"kept"`   // number of events that were searched
	Held   uint64  `json:"held"`   // failures since the start that were dropped, as they came too fast
	More   bool    `json:"more"`   // there are older matches
}

// Question asks how a request would be answered.
type Question struct {
	Name, IP, MAC string
	Says          string // what the CMTS or the modem says; empty: nothing
}

// Explanation says how a request is answered, and why. It repeats fields of render.Explanation because its JSON is the API's, with
// positions, matches and errors as text.
type Explanation struct {
	Name     string     `json:"name"`
	File     string     `json:"file"` // the name without a device
	IP       string     `json:"ip,omitempty"`
	MAC      device.MAC `json:"mac,omitzero"`
	Static   string     `json:"static,omitempty"`
	Resigned bool       `json:"resigned,omitempty"` // the static file is served with new MICs
	Matches  []Match    `json:"matches,omitempty"`  // with Static, those that it hides
	Captures []Capture  `json:"captures,omitempty"`
	Values   []Value    `json:"values,omitempty"`
	Slots    []Slot     `json:"slots,omitempty"`
	Device   *Device    `json:"device,omitempty"`
	MICs     []MIC      `json:"mics,omitempty"`
	Notes    []string   `json:"notes,omitempty"`
	Tree     []TLV      `json:"tlvs,omitempty"`
	Text     string     `json:"text,omitempty"` // contents of a text file
	Body     []byte     `json:"body,omitempty"` // base64
	Size     int        `json:"size"`
	Reason   string     `json:"reason,omitempty"` // why there is no file
	Error    string     `json:"error,omitempty"`
	// Diagnosis is what keeps the modem from coming online, if it was asked for.
	Diagnosis *reason.Diagnosis `json:"diagnosis,omitempty"`
}

// Match is a template that matches the name; the first one makes the file.
type Match struct {
	Pos  string `json:"pos"` // file:line:column
	Kind string `json:"kind"`
	Name string `json:"name"` // or its pattern
	Why  string `json:"why"`
}

// Capture is what a group of the pattern has matched.
type Capture struct {
	Number int    `json:"number"`
	Name   string `json:"name,omitempty"`
	Value  string `json:"value"`
}

// Value is a variable that was read: a skeleton.Use whose position is text in the API's JSON.
type Value struct {
	Name  string `json:"name"`
	Value string `json:"value"`
	From  string `json:"from"`
	Pos   string `json:"pos"`
}

// Slot is a part of the file that depends on the request: a skeleton.Slot with the names of the API's JSON.
type Slot struct {
	Offset int    `json:"offset"`
	Width  int    `json:"width,omitempty"` // 0: it varies
	What   string `json:"what"`
	Pos    string `json:"pos"`
}

// Device is what is known about the modem.
type Device struct {
	MAC    device.MAC `json:"mac,omitzero"`
	IP     netip.Addr `json:"ip,omitzero"`
	Known  []string   `json:"known_by"`
	Values []Value    `json:"values"`
}

// MIC is the verdict on an integrity value: a describe.Mark without the digests, which the API's JSON does not have.
type MIC struct {
	Name    string `json:"name"`
	Verdict string `json:"verdict"` // valid, INVALID, unchecked or absent
	Note    string `json:"note,omitempty"`
}

// TLV is a TLV of the file, in the order of the file; a group comes before its members.
type TLV struct {
	Path   string `json:"path"` // of codes, such as 24.8
	Depth  int    `json:"depth"`
	Name   string `json:"name,omitempty"`
	Offset int    `json:"offset"`
	Length int    `json:"length"` // of type, length and value
	Head   int    `json:"head"`   // of type and length
	Value  string `json:"value,omitempty"`
	Note   string `json:"note,omitempty"`
	Group  bool   `json:"group,omitempty"`
}

// Library describes the library that is served.
type Library struct {
	Loaded    time.Time  `json:"loaded"`
	Templates []Template `json:"templates"`
	Static    int        `json:"static_files"`
	Warnings  []Message  `json:"warnings"`
	Failed    time.Time  `json:"failed,omitzero"`     // when the last reload failed; zero: it succeeded
	Errors    []Message  `json:"errors"`              // of the last reload
	HeldBack  bool       `json:"held_back,omitempty"` // it failed as too many names were lost; a reload with force accepts that
	Withheld  int        `json:"withheld"`            // templates with errors; their names get errors instead of files
}

// Template is one entry of the library.
type Template struct {
	Kind     string   `json:"kind"`
	Names    []string `json:"names,omitempty"`
	Pattern  string   `json:"pattern,omitempty"`
	Priority int      `json:"priority,omitempty"`
	Pos      string   `json:"pos"`
}

// Check is what the rules of lint find.
type Check struct {
	Running   bool      `json:"running,omitempty"` // judging goes on; ask again
	Judged    int       `json:"judged"`            // templates so far
	Templates int       `json:"templates"`         // to be judged
	At        time.Time `json:"at,omitzero"`       // when the findings were made; zero: there are none yet
	Took      float64   `json:"seconds,omitempty"` // of judging
	Errors    int       `json:"errors"`            // all, also those that are left out
	Warnings  int       `json:"warnings"`
	Notes     int       `json:"notes"`
	Findings  []Finding `json:"findings"`           // errors first, then by position
	LeftOut   int       `json:"left_out,omitempty"` // findings beyond the first 10,000
}

// Finding is a finding of lint.
type Finding struct {
	report.Finding
	Arms string `json:"-"` // When, for people
}

// Message is about a place in a source.
type Message struct {
	Pos  string `json:"pos,omitempty"`
	Text string `json:"text"`
}

// Source is the state of a source of devices: a store.State as the API's JSON has it, with the errors as text.
type Source struct {
	Name        string    `json:"name"`
	Up          bool      `json:"up"`
	Loading     int       `json:"loading"` // devices so far; -1: not loading
	Loaded      time.Time `json:"loaded,omitzero"`
	Age         float64   `json:"age_seconds"`
	Devices     int       `json:"devices"`
	Duplicates  int       `json:"duplicates"`
	SharedIPs   int       `json:"shared_ips"`
	Rejected    int       `json:"rejected"`
	RejectedWhy []string  `json:"rejected_why,omitempty"` // of the first few
	Changes     int64     `json:"changes"`
	Asked       int64     `json:"asked"`
	Found       int64     `json:"found"`
	Error       string    `json:"error,omitempty"`
	Held        string    `json:"held,omitempty"` // what is held back until a reload with force
	HeldChanges int       `json:"held_changes"`   // changes that are held back, in whole or in part
}

// LibraryReload is the body of POST /api/reload.
type LibraryReload struct {
	Force bool `json:"force,omitempty"` // accept any loss of names
}

// DevicesReload is the body of POST /api/devices/reload.
type DevicesReload struct {
	Source string `json:"source"` // empty: all
	Force  bool   `json:"force"`  // accept any loss of devices
}

// Limits are the ACL and the rate limit.
type Limits struct {
	Allow []string // prefixes; empty: everybody
	Rate  float64  // requests per second of one source; 0: no limit
	Burst int      // requests in a row before the rate applies
}
