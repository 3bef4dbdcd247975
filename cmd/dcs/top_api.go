package main

import (
	"net/http"
	"slices"
	"sync"
	"time"

	"dcs/bpf"
	"dcs/cmd/internal/admin"
	"dcs/cmd/internal/version"
	"dcs/fastpath"
	"dcs/fastpath/transfer"
	"dcs/render"
)

const topPath = "/api/top"

// topState is the server at one moment, as dcs top sees it. Numbers count since the start.
type topState struct {
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
	Retransmissions uint64            `json:"retransmissions"`
	Wait            []uint64          `json:"wait"` // histograms with the bounds of fastpath.Bound
	Render          []uint64          `json:"render"`
	Answer          []uint64          `json:"answer"`
	Workers         []topWorker       `json:"workers"`
	XDP             map[string]uint64 `json:"xdp,omitempty"` // packets by verdict

	Templates     int         `json:"templates"`
	Static        int         `json:"static"`
	LoadErrors    int         `json:"load_errors"`
	Loaded        time.Time   `json:"loaded"`
	Learned       int         `json:"learned"`
	LearnedHits   uint64      `json:"learned_hits"`
	LearnedMisses uint64      `json:"learned_misses"`
	Secret        uint64      `json:"secret_generation"`
	Sources       []topSource `json:"sources"`
	Failures      []topFault  `json:"failures"` // the last ones that the log was told, the latest first
}

type topWorker struct {
	Received uint64 `json:"received"`
	Sent     uint64 `json:"sent"`
	Running  uint64 `json:"running"`
	Drops    uint64 `json:"drops"`
}

type topSource struct {
	Name    string    `json:"name"`
	Up      bool      `json:"up"`
	Loading int       `json:"loading"` // devices so far; -1: nothing is being loaded
	Devices int       `json:"devices"`
	Loaded  time.Time `json:"loaded"`
	Error   string    `json:"error,omitempty"`
	Held    string    `json:"held,omitempty"` // what it has lost and is held back
}

type topFault struct {
	Time   time.Time `json:"time"`
	Name   string    `json:"name"`
	Client string    `json:"client"`
	Reason string    `json:"reason"`
	Error  string    `json:"error"`
}

// faultRing keeps the last faults.
type faultRing struct {
	mu   sync.Mutex
	list [32]topFault
	n    int
}

func (r *faultRing) add(ev *render.Event) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.list[r.n%len(r.list)] = topFault{time.Now(), string(ev.Name), ev.Client.String(), ev.Reason, ev.Err.Error()}
	r.n++
}

func (r *faultRing) latest() []topFault {
	r.mu.Lock()
	defer r.mu.Unlock()
	out := make([]topFault, 0, len(r.list))
	for i := r.n - 1; i >= max(r.n-len(r.list), 0); i-- {
		out = append(out, r.list[i%len(r.list)])
	}
	return out
}

// registerTop has dcs top see the server.
func (s *server) registerTop() {
	started := time.Now()
	s.admin.Handle("GET "+topPath, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		st := s.topState()
		st.Started = started
		admin.WriteJSON(w, st)
	}))
}

func (s *server) topState() *topState {
	in := s.in
	st := &topState{
		Time: time.Now(), Version: version.String(), State: s.unready(), Transport: string(in.kind), Mode: in.mode().String(), Why: in.why,
		Requests: map[string]uint64{}, Secret: s.secretState().Generation, Failures: s.faults.latest(), Sources: []topSource{},
	}
	if st.State == "" {
		st.State = "serving"
	}
	for _, a := range in.addrs {
		st.Listen = append(st.Listen, a.String())
	}
	var all fastpath.Stats
	for _, w := range s.front.Stats() {
		all.Add(&w)
		st.Workers = append(st.Workers, topWorker{w.Events[fastpath.Received], w.Events[fastpath.Sent], w.Active, w.Drops})
	}
	requestFates(&all, func(n uint64, f fate) { st.Requests[f.result] += n })
	t := &all.Transfers
	st.Finished, st.GaveUp = t[transfer.Finished], t[transfer.GaveUp]
	st.Retransmissions = t[transfer.TimedOut] + t[transfer.PathResent] + t[transfer.WindowResent] + t[transfer.RepeatedRequest]
	st.Wait, st.Render, st.Answer = slices.Clone(all.Wait.N[:]), slices.Clone(all.Render.N[:]), slices.Clone(all.Answer.N[:])
	if in.steering != nil {
		st.Interface = in.steering.names()
		if stats, err := in.steering.steer.Stats(); err == nil {
			st.XDP = map[string]uint64{}
			for v, n := range stats {
				st.XDP[bpf.Verdict(v).String()] = n.Packets
			}
		}
	}
	snap, e := s.engine.Library(), s.engine.Stats()
	st.Templates, st.Static = len(snap.Templates()), snap.StaticFiles()
	st.Learned, st.LearnedHits, st.LearnedMisses = e.Learned, e.Hits, e.Misses
	s.library.mu.Lock()
	st.LoadErrors, st.Loaded = len(s.library.errs), s.library.loaded
	s.library.mu.Unlock()
	if s.devices != nil {
		for _, d := range s.devices.State() {
			src := topSource{Name: d.Name, Up: d.Up, Loading: d.Loading, Devices: d.Devices, Loaded: d.Loaded}
			if d.Err != nil {
				src.Error = d.Err.Error()
			}
			if d.Held != nil {
				src.Held = heldError(d.Name, d.Held)
			}
			st.Sources = append(st.Sources, src)
		}
	}
	return st
}
