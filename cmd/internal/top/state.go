package top

import "time"

// Path is where the admin API serves a [State].
const Path = "/api/top"

// State is the server at one moment. Counters count from its start.
type State struct {
	Time      time.Time `json:"time"`
	Started   time.Time `json:"started"`
	Version   string    `json:"version"`
	State     string    `json:"state"` // serving, or why it is not
	Listen    []string  `json:"listen"`
	Transport string    `json:"transport"`
	Mode      string    `json:"mode"` // of the XDP program
	Interface string    `json:"interface"`
	Why       string    `json:"why"` // this transport and mode

	Requests        map[string]uint64 `json:"requests"` // by result, as in the metric dcs_requests_total
	Finished        uint64            `json:"finished"`
	GaveUp          uint64            `json:"gave_up"`
	Retransmissions uint64            `json:"retransmissions"` // as in the metric dcs_retransmissions_total
	Wait            []uint64          `json:"wait"`            // histograms with the bounds of fastpath.Bound
	Render          []uint64          `json:"render"`
	Answer          []uint64          `json:"answer"`
	Workers         []Worker          `json:"workers"`
	XDP             map[string]uint64 `json:"xdp,omitempty"` // packets by verdict

	Templates     int       `json:"templates"`
	Static        int       `json:"static"`
	LoadErrors    int       `json:"load_errors"`
	Loaded        time.Time `json:"loaded"`
	Learned       int       `json:"learned"`
	LearnedHits   uint64    `json:"learned_hits"`
	LearnedMisses uint64    `json:"learned_misses"`
	Secret        uint64    `json:"secret_generation"`
	Sources       []Source  `json:"sources"`
	Failures      []Failure `json:"failures"` // the last ones logged, the latest first
}

// Worker is what one worker has counted.
type Worker struct {
	Received uint64 `json:"received"`
	Sent     uint64 `json:"sent"`
	Running  uint64 `json:"running"`
	Drops    uint64 `json:"drops"`
}

// Source is the state of a source of devices.
type Source struct {
	Name    string    `json:"name"`
	Up      bool      `json:"up"`
	Loading int       `json:"loading"` // devices loaded so far; -1: no load is running
	Devices int       `json:"devices"`
	Loaded  time.Time `json:"loaded"`
	Error   string    `json:"error,omitempty"`
	Held    string    `json:"held,omitempty"` // why the last load is held back
}

// Failure is a request that got no file, or whose file did not arrive.
type Failure struct {
	Time   time.Time `json:"time"`
	Name   string    `json:"name"`
	Client string    `json:"client"`
	Reason string    `json:"reason"`
	Error  string    `json:"error"`
}
