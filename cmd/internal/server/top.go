package server

import (
	"cmp"
	"net/http"
	"strconv"
	"sync"
	"time"

	"dcs/cmd/internal/admin"
	"dcs/cmd/internal/adminapi"
	"dcs/cmd/internal/assemble"
	"dcs/cmd/internal/metrics"
	"dcs/cmd/internal/version"
	"dcs/render/device"
)

// faultRing stores the latest faults.
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

// registerTop registers the call of dcs top.
func (s *server) registerTop() {
	started := time.Now()
	s.admin.Handle("GET "+adminapi.TopPath, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		st := s.topState()
		st.Started = started
		admin.WriteJSON(w, st)
	}))
}

func (s *server) topState() *adminapi.Top {
	in, v := s.in, metrics.Read(s.metricSources()...)
	s.library.mu.Lock()
	loaded := s.library.loaded
	s.library.mu.Unlock()
	st := &adminapi.Top{
		Time: time.Now(), Version: version.String(), State: cmp.Or(s.unready(), "serving"),
		Transport: string(in.Kind()), Mode: in.Mode().String(), Why: in.Why(),

		Requests: v.By(metrics.Requests, "result"), Finished: v.Total(metrics.TransfersEnded, "finished"), GaveUp: v.Total(metrics.TransfersEnded, "gave_up"),
		Retransmissions: v.Total(metrics.Retransmissions),
		Wait:            v.Histogram(metrics.RequestWait), Render: v.Histogram(metrics.RenderBatch), Answer: v.Histogram(metrics.Answer),

		Templates: int(v.Total(metrics.LibraryTemplates)), Static: int(v.Total(metrics.LibraryStaticFiles)),
		LoadErrors: int(v.Total(metrics.LibraryLoadErrors)), Loaded: loaded,
		Learned: int(v.Total(metrics.LearnedNames)), LearnedHits: v.Total(metrics.LearnedHits), LearnedMisses: v.Total(metrics.LearnedMisses),
		Secret: v.Total(metrics.SecretGeneration), Sources: s.topSources(), Failures: s.faults.latest(),
	}
	for _, a := range in.Addrs() {
		st.Listen = append(st.Listen, a.String())
	}
	for i := range v.Total(metrics.Workers) {
		worker := strconv.FormatUint(i, 10)
		st.Workers = append(st.Workers, adminapi.TopWorker{
			Received: v.Total(metrics.PacketsReceived, worker), Sent: v.Total(metrics.PacketsSent, worker),
			Running: v.Total(metrics.TransfersRunning, worker), Drops: v.Total(metrics.ReceiveDrops, worker),
		})
	}
	if in.Steering() != nil {
		st.Interface, st.XDP = in.Steering().Names(), v.By(metrics.XDPPackets, "verdict")
	}
	return st
}

func (s *server) topSources() []adminapi.TopSource {
	sources := []adminapi.TopSource{}
	if s.devices == nil {
		return sources
	}
	for _, d := range s.devices.State() {
		src := adminapi.TopSource{Name: d.Name, Up: d.Up, Loading: d.Loading, Devices: d.Devices, Loaded: d.Loaded}
		if d.Err != nil {
			src.Error = d.Err.Error()
		}
		if d.HeldBack != nil {
			src.Held = assemble.HeldError(d.Name, d.HeldBack)
		}
		sources = append(sources, src)
	}
	return sources
}
