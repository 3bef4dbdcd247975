package adminapi

import (
	"time"

	"dcs/cmd/internal/metrics"
)

// TopPath is the admin API's call for a [Top].
const TopPath = "/api/top"

// Top is the server at one moment, as dcs top shows it. Counters count from the server's start.
type Top struct {
	Time      time.Time `json:"time"`
	Started   time.Time `json:"started"`
	Version   string    `json:"version"`
	State     string    `json:"state"` // serving, starting or draining
	Listen    []string  `json:"listen"`
	Transport string    `json:"transport"`
	Mode      string    `json:"mode"` // of the XDP program
	Interface string    `json:"interface"`
	Why       string    `json:"why"`

	Requests        map[string]uint64 `json:"requests"` // by result, as in the metric dcs_requests_total
	Finished        uint64            `json:"finished"`
	GaveUp          uint64            `json:"gave_up"`
	Retransmissions uint64            `json:"retransmissions"` // as in the metric dcs_retransmissions_total
	Wait            metrics.Buckets   `json:"wait"`            // as in dcs_request_wait_seconds, dcs_render_batch_seconds, dcs_answer_seconds
	Render          metrics.Buckets   `json:"render"`
	Answer          metrics.Buckets   `json:"answer"`
	Workers         []TopWorker       `json:"workers"`
	XDP             map[string]uint64 `json:"xdp,omitempty"` // packets by verdict

	Templates     int         `json:"templates"`
	Static        int         `json:"static"`
	LoadErrors    int         `json:"load_errors"`
	Loaded        time.Time   `json:"loaded"`
	Learned       int         `json:"learned"`
	LearnedHits   uint64      `json:"learned_hits"`
	LearnedMisses uint64      `json:"learned_misses"`
	Secret        uint64      `json:"secret_generation"`
	Sources       []TopSource `json:"sources"`
	Failures      []TopFault  `json:"failures"` // the last ones logged, the latest first
}

// TopWorker is what one worker has counted.
type TopWorker struct {
	Received uint64 `json:"received"`
	Sent     uint64 `json:"sent"`
	Running  uint64 `json:"running"`
	Drops    uint64 `json:"drops"`
}

// TopSource is the state of a source of devices: the part of a store.State that dcs top shows, as the API's JSON has it.
type TopSource struct {
	Name    string    `json:"name"`
	Up      bool      `json:"up"`
	Loading int       `json:"loading"` // devices loaded so far; -1: no load is running
	Devices int       `json:"devices"`
	Loaded  time.Time `json:"loaded"`
	Error   string    `json:"error,omitempty"`
	Held    string    `json:"held,omitempty"` // why the last load is held back
}

// TopFault is a request that got no file, or whose file did not arrive: a device.Outcome as the API's JSON has it.
type TopFault struct {
	Time   time.Time `json:"time"`
	Name   string    `json:"name"`
	Client string    `json:"client"`
	Reason string    `json:"reason"`
	Error  string    `json:"error"`
}
