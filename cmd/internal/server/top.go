package server

import (
	"net/http"
	"slices"
	"sync"
	"time"

	"dcs/bpf"
	"dcs/cmd/internal/admin"
	"dcs/cmd/internal/adminapi"
	"dcs/cmd/internal/assemble"
	"dcs/cmd/internal/version"
	"dcs/fastpath"
	"dcs/fastpath/transfer"
	"dcs/render/device"
)

// faultRing keeps the last faults.
type faultRing struct {
	mu   sync.Mutex
	list [32]adminapi.TopFault
	n    int
}

func (r *faultRing) add(o *device.Outcome) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.list[r.n%len(r.list)] = adminapi.TopFault{
		Time: time.Now(), Name: string(o.Name), Client: o.Client.String(), Reason: o.Reason, Error: o.Err.Error(),
	}
	r.n++
}

func (r *faultRing) latest() []adminapi.TopFault {
	r.mu.Lock()
	defer r.mu.Unlock()
	out := make([]adminapi.TopFault, 0, len(r.list))
	for i := r.n - 1; i >= max(r.n-len(r.list), 0); i-- {
		out = append(out, r.list[i%len(r.list)])
	}
	return out
}

// registerTop has dcs top see the server.
func (s *server) registerTop() {
	started := time.Now()
	s.admin.Handle("GET "+adminapi.TopPath, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		st := s.topState()
		st.Started = started
		admin.WriteJSON(w, st)
	}))
}

func (s *server) topState() *adminapi.Top {
	in := s.in
	st := &adminapi.Top{
		Time: time.Now(), Version: version.String(), State: s.unready(), Transport: string(in.Kind), Mode: in.Mode().String(), Why: in.Why,
		Requests: map[string]uint64{}, Secret: s.secretState().Generation, Failures: s.faults.latest(), Sources: []adminapi.TopSource{},
	}
	if st.State == "" {
		st.State = "serving"
	}
	for _, a := range in.Addrs {
		st.Listen = append(st.Listen, a.String())
	}
	var all fastpath.Stats
	for _, w := range s.front.Stats() {
		all.Add(&w)
		st.Workers = append(st.Workers, adminapi.TopWorker{
			Received: w.Events[fastpath.Received], Sent: w.Events[fastpath.Sent], Running: w.Active, Drops: w.Drops,
		})
	}
	requestFates(&all, func(n uint64, f fate) { st.Requests[f.result] += n })
	t := &all.Transfers
	st.Finished, st.GaveUp = t[transfer.Finished], t[transfer.GaveUp]
	st.Retransmissions = t[transfer.TimedOut] + t[transfer.PathResent] + t[transfer.WindowResent] + t[transfer.RepeatedRequest]
	st.Wait, st.Render, st.Answer = slices.Clone(all.Wait.N[:]), slices.Clone(all.Render.N[:]), slices.Clone(all.Answer.N[:])
	if in.Steering != nil {
		st.Interface = in.Steering.Names()
		if stats, err := in.Steering.Steer.Stats(); err == nil {
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
			src := adminapi.TopSource{Name: d.Name, Up: d.Up, Loading: d.Loading, Devices: d.Devices, Loaded: d.Loaded}
			if d.Err != nil {
				src.Error = d.Err.Error()
			}
			if d.Held != nil {
				src.Held = assemble.HeldError(d.Name, d.Held)
			}
			st.Sources = append(st.Sources, src)
		}
	}
	return st
}
