// Package console is what an operator sees of a running server: the JSON of the admin API, and pages made from the same.
package console

import (
	"context"
	"errors"
	"net/netip"
	"time"

	"dcs/cmd/internal/metrics"
)

// Backend is the server that is shown.
type Backend interface {
	Facts() Facts
	// Metrics returns at least what workers and engine have counted.
	Metrics() *metrics.Values
	// Outcomes hands on what has happened since the last call, and returns how much was left out.
	Outcomes(each func(Event)) (held uint64)
	Explain(ctx context.Context, q Question) (*Explanation, error)
	Library() Library
	Reload(ctx context.Context, force bool) error
	Devices() []Source
	// ReloadDevices has a source loaded anew, or all if it is "", and does not wait. With force it may have lost as many
	// devices as it likes. The error wraps ErrQuestion if there is no such source.
	ReloadDevices(source string, force bool) error
	// Limits returns nil where there are none in this build.
	Limits() *Limits
	SetLimits(Limits) error
}

// ErrQuestion is wrapped by errors that are the asker's: an address that is none.
var ErrQuestion = errors.New("bad question")

// Facts are what does not count up.
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

// Capability is something that the kernel, the driver or the process may lack.
type Capability struct {
	Name string `json:"name"`
	Have bool   `json:"have"`
	Note string `json:"note,omitempty"`
}

// Worker is one worker's part.
type Worker struct {
	Requests   uint64 `json:"requests"`
	Received   uint64 `json:"received"`
	Sent       uint64 `json:"sent"`
	Active     uint64 `json:"active"`
	Drops      uint64 `json:"drops"`
	SendErrors uint64 `json:"send_errors"`
}

// Reason is why requests got no file, and how many.
type Reason struct {
	Name  string `json:"name"`
	Count uint64 `json:"count"`
}

// State is how the server does. Rates and latencies are those of the last ten seconds.
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
	History   []Rates   `json:"history"` // one a second, the newest last
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
	Answer Quantiles `json:"answer"` // from a request's arrival at the kernel until its answer was sent
	Render Quantiles `json:"render"` // of its batch
}

// Quantiles are in seconds.
type Quantiles struct {
	P50 float64 `json:"p50"`
	P90 float64 `json:"p90"`
	P99 float64 `json:"p99"`
}

// Event is how one request ended.
type Event struct {
	ID     uint64     `json:"id"`
	Time   time.Time  `json:"time"`
	Name   string     `json:"name"`
	Client netip.Addr `json:"client"`
	MAC    string     `json:"mac,omitempty"`
	Served bool       `json:"served"`
	Size   int        `json:"size,omitempty"`
	Reason string     `json:"reason,omitempty"`
	Text   string     `json:"text,omitempty"` // the reason in words
	Value  string     `json:"value,omitempty"`
}

// Events are an answer to a search.
type Events struct {
	Events []Event `json:"events"` // the newest first
	Kept   int     `json:"kept"`   // how many were searched
	Held   uint64  `json:"held"`   // failures since the start that were too many to be kept
	More   bool    `json:"more"`   // there are older ones that fit
}

// Question asks how a request would be answered.
type Question struct {
	Name, IP, MAC string
}

// Explanation is how a request is answered, and why.
type Explanation struct {
	Name     string    `json:"name"`
	File     string    `json:"file"` // the name without a device
	IP       string    `json:"ip,omitempty"`
	MAC      string    `json:"mac,omitempty"`
	Static   string    `json:"static,omitempty"`
	Resigned bool      `json:"resigned,omitempty"` // the static file is served with new MICs
	Matches  []Match   `json:"matches,omitempty"`  // beside Static those that it hides
	Captures []Capture `json:"captures,omitempty"`
	Values   []Value   `json:"values,omitempty"`
	Slots    []Slot    `json:"slots,omitempty"`
	Device   *Device   `json:"device,omitempty"`
	MICs     []MIC     `json:"mics,omitempty"`
	Notes    []string  `json:"notes,omitempty"`
	Tree     []TLV     `json:"tlvs,omitempty"`
	Text     string    `json:"text,omitempty"` // of a file that is no TLVs
	Body     []byte    `json:"body,omitempty"` // base64
	Size     int       `json:"size"`
	Reason   string    `json:"reason,omitempty"` // why there is no file
	Error    string    `json:"error,omitempty"`
}

// Match is a template that fits the name; the first makes the file.
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

// Value is a variable that was read.
type Value struct {
	Name  string `json:"name"`
	Value string `json:"value"`
	From  string `json:"from"`
	Pos   string `json:"pos"`
}

// Slot is a place that each request fills anew.
type Slot struct {
	Offset int    `json:"offset"`
	Width  int    `json:"width,omitempty"` // 0: it varies
	What   string `json:"what"`
	Pos    string `json:"pos"`
}

// Device is what is known of the modem.
type Device struct {
	MAC    string   `json:"mac,omitempty"`
	IP     string   `json:"ip,omitempty"`
	Known  []string `json:"known_by"`
	Values []Value  `json:"values"`
}

// MIC is the verdict on an integrity value.
type MIC struct {
	Name    string `json:"name"`
	Verdict string `json:"verdict"` // valid, INVALID, unchecked or absent
	Note    string `json:"note,omitempty"`
}

// TLV is one of the file's, in the order of the file; a group comes before what it holds.
type TLV struct {
	Path   string `json:"path"` // of codes, such as 24.8
	Depth  int    `json:"depth"`
	Name   string `json:"name,omitempty"`
	Offset int    `json:"offset"`
	Length int    `json:"length"` // of type, length and value
	Head   int    `json:"head"`   // of these, type and length
	Value  string `json:"value,omitempty"`
	Note   string `json:"note,omitempty"`
	Group  bool   `json:"group,omitempty"`
}

// Library is what is served from.
type Library struct {
	Loaded    time.Time  `json:"loaded"`
	Templates []Template `json:"templates"`
	Static    int        `json:"static_files"`
	Warnings  []Message  `json:"warnings"`
	Failed    time.Time  `json:"failed,omitzero"`     // when the last reload failed; zero: it did not
	Errors    []Message  `json:"errors"`              // of that
	HeldBack  bool       `json:"held_back,omitempty"` // it failed for the names that were lost: a reload with force accepts that
	Withheld  int        `json:"withheld"`            // templates that give no file for their errors; their names get errors
}

// Template is one entry of the library.
type Template struct {
	Kind     string   `json:"kind"`
	Names    []string `json:"names,omitempty"`
	Pattern  string   `json:"pattern,omitempty"`
	Priority int      `json:"priority,omitempty"`
	Pos      string   `json:"pos"`
}

// Message is about a place in a source.
type Message struct {
	Pos  string `json:"pos,omitempty"`
	Text string `json:"text"`
}

// Source is a source of devices.
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
	Held        string    `json:"held,omitempty"` // what it has lost and is held back until a reload with force
	HeldChanges int       `json:"held_changes"`   // changes that are held back, in whole or in part
}

// LibraryReload is what POST /api/reload asks for.
type LibraryReload struct {
	Force bool `json:"force,omitempty"` // however many names the library has lost
}

// DevicesReload is what POST /api/devices/reload asks for.
type DevicesReload struct {
	Source string `json:"source"` // empty: all
	Force  bool   `json:"force"`  // whatever it has lost
}

// Limits say who may ask, and how often.
type Limits struct {
	Allow []string // prefixes; empty: everybody
	Rate  float64  // requests a second of one source; 0: no limit
	Burst int      // of them in a row
}
