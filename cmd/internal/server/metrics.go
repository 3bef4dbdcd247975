package server

import (
	"cmp"
	"net/http"
	"runtime"
	"strconv"
	"sync/atomic"
	"time"

	"dcs/bpf"
	"dcs/cmd/internal/admin"
	"dcs/cmd/internal/ingress"
	"dcs/cmd/internal/metrics"
	"dcs/cmd/internal/version"
	"dcs/fastpath"
	"dcs/fastpath/transfer"
	"dcs/render"
	"dcs/render/skeleton"
)

// health tells whether requests are taken.
type health struct{ phase atomic.Int32 }

// The phases, and what they are called where they are not serving.
const (
	starting int32 = iota
	serving
	draining
)

// state returns why the server takes no requests; empty: it does.
func (h *health) state() string { return [...]string{"starting", "", "draining"}[h.phase.Load()] }

// unready returns why no request is answered; empty: requests are.
func (s *server) unready() string {
	if why := s.health.state(); why != "" {
		return why
	}
	if !s.addresses.served() {
		return "no interface has an address of listen"
	}
	if s.engine.Library().Empty() {
		return "nothing to serve: no template and no static file"
	}
	return ""
}

// openMetrics makes the metrics of a server.
func (s *server) openMetrics() *metrics.Set {
	set := metrics.NewSet(metrics.Table())
	set.Collect(s.collectServer)
	set.Collect(func(w *metrics.Writer) { collectWorkers(w, s.front.Stats(), s.in.Strays()) })
	set.Collect(func(w *metrics.Writer) { collectEngine(w, s.engine.Stats()) })
	set.Collect(s.collectDevices)
	set.Collect(s.collectTransport)
	set.Collect(metrics.CollectProcess)
	return set
}

// handleHealth registers what tells whether the process lives, and whether it takes requests.
func (s *server) handleHealth(handle func(pattern string, h http.Handler)) {
	handle("GET /healthz", http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Cache-Control", "no-store")
		_, _ = w.Write([]byte("ok\n"))
	}))
	handle("GET /readyz", http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Cache-Control", "no-store")
		if why := s.unready(); why != "" {
			http.Error(w, why, http.StatusServiceUnavailable)
			return
		}
		_, _ = w.Write([]byte("ready\n"))
	}))
}

func (s *server) collectServer(w *metrics.Writer) {
	w.Value("dcs_build_info", 1, version.String(), runtime.Version())
	w.Flag("dcs_ready", s.unready() == "")
	s.addresses.collect(w)

	l := s.library
	l.mu.Lock()
	w.Count("dcs_library_reloads_total", l.loads, "ok")
	w.Count("dcs_library_reloads_total", l.failures, "failed")
	w.Flag("dcs_library_last_reload_successful", l.failed.IsZero())
	w.Value("dcs_library_load_errors", float64(len(l.errs)))
	w.Value("dcs_library_loaded_timestamp_seconds", unixSeconds(l.loaded))
	l.mu.Unlock()

	snap := s.engine.Library()
	w.Value("dcs_library_templates", float64(len(snap.Templates())))
	w.Value("dcs_library_static_files", float64(snap.StaticFiles()))
	w.Value("dcs_library_static_refused", float64(s.static.refused.Load()))
	w.Value("dcs_library_static_unreadable", float64(len(snap.Unreadable())))
	w.Value("dcs_library_withheld", float64(snap.Broken()))
	w.Value("dcs_library_warnings", float64(len(snap.Warnings)))
	w.Count("dcs_secret_generation", s.secretState().Generation)
	for why, n := range s.admin.Refused() {
		w.Count("dcs_admin_refused_total", n, admin.Refusal(why).String())
	}
	w.Count("dcs_log_lines_held_total", s.logs.Queue().Held())
	if boot := s.web.boot; boot != nil {
		for code, n := range boot.Requests() {
			w.Count("dcs_http_requests_total", n, strconv.Itoa(code))
		}
		w.Value("dcs_http_connections", float64(boot.Connections()))
		cut, turned := boot.Cut()
		w.Count("dcs_http_connections_lost_total", cut, "cut")
		w.Count("dcs_http_connections_lost_total", turned, "turned_away")
	}
}

func unixSeconds(t time.Time) float64 {
	if t.IsZero() {
		return 0
	}
	return float64(t.UnixMilli()) / 1e3
}

// A fate is what became of a request: the labels result and reason.
type fate struct{ result, reason string }

// fates of requests that the worker tells, by what it counts.
func fates() map[fastpath.Event]fate {
	m := map[fastpath.Event]fate{
		fastpath.NotFound: {"error", "not_found"}, fastpath.Denied: {"error", "denied"}, fastpath.RenderFailed: {"error", "render_failed"},
		fastpath.WriteRequest: {"error", "write_request"},
		fastpath.Stale:        {"dropped", "stale"}, fastpath.Refused: {"dropped", "stopping"}, fastpath.Limited: {"dropped", "rate_limited"}, fastpath.NotYet: {"dropped", "not_yet"},
	}
	for ev := fastpath.TooLong; ev < fastpath.OptionBad; ev++ {
		m[ev] = fate{"malformed", ev.String()}
	}
	return m
}

// requestFates tells how many requests met each fate.
func requestFates(all *fastpath.Stats, tell func(n uint64, f fate)) {
	t := &all.Transfers
	tell(t[transfer.Started], fate{"file", ""})
	tell(t[transfer.Once], fate{"file", "sent_once"})
	tell(t[transfer.RepeatedRequest], fate{"repeated", ""})
	tell(t[transfer.LateRequest], fate{"dropped", "late"})
	tell(t[transfer.TableFull], fate{"dropped", "table_full"})
	tell(t[transfer.MemoryFull], fate{"dropped", "memory_full"})
	by := fates()
	for ev := range fastpath.NumEvents {
		if f, ok := by[ev]; ok {
			tell(all.Events[ev], f)
		}
	}
}

// ignored are packets that are no requests, or that nobody may send.
func ignored() []fastpath.Event {
	return []fastpath.Event{fastpath.UnknownOpcode, fastpath.UnexpectedOpcode, fastpath.Multicast, fastpath.Spoofed, fastpath.NotAllowed, fastpath.WrongTID, fastpath.Truncated, fastpath.Short}
}

// collectWorkers tells what the workers have counted, of most things all together, and how many packets the kernel has kept from
// them because they came to a port of another client's.
func collectWorkers(w *metrics.Writer, each []fastpath.Stats, strays uint64) {
	w.Value("dcs_workers", float64(len(each)))
	var all fastpath.Stats
	for i := range each {
		st := &each[i]
		all.Add(st)
		worker := strconv.Itoa(i)
		w.Count("dcs_packets_received_total", st.Events[fastpath.Received], worker)
		w.Count("dcs_packets_sent_total", st.Events[fastpath.Sent], worker)
		w.Count("dcs_transfers_running", st.Active, worker)
		w.Count("dcs_receive_drops_total", st.Drops, worker)
		w.Count("dcs_send_errors_total", st.SendErrors, worker)
	}

	all.Events[fastpath.WrongTID] += strays

	t := &all.Transfers
	requestFates(&all, func(n uint64, f fate) { w.Count("dcs_requests_total", n, f.result, f.reason) })
	for _, ev := range ignored() {
		w.Count("dcs_packets_ignored_total", all.Events[ev], ev.String())
	}
	for _, ev := range []transfer.Event{transfer.RepeatedACK, transfer.FutureACK, transfer.LateACK, transfer.StrangerPacket, transfer.StrayError} {
		w.Count("dcs_packets_ignored_total", t[ev], ev.String())
	}
	w.Count("dcs_options_invalid_total", all.Events[fastpath.OptionBad])

	for _, ev := range []transfer.Event{transfer.Finished, transfer.GaveUp, transfer.Overdue, transfer.Retired, transfer.Evicted, transfer.Probed, transfer.FileCut, transfer.Unreachable, transfer.Restarted} {
		w.Count("dcs_transfers_ended_total", t[ev], ev.String())
	}
	for ev := transfer.PeerUndefined; ev < transfer.NumEvents; ev++ {
		w.Count("dcs_transfers_ended_total", t[ev], ev.String())
	}
	w.Count("dcs_transfers_unanswered_total", t[transfer.GaveUpFirst])
	w.Count("dcs_transfers_unacknowledged_total", t[transfer.GaveUpLast])
	w.Count("dcs_blocks_sent_total", t[transfer.BlockSent])
	w.Count("dcs_retransmissions_total", t[transfer.TimedOut], "timeout")
	w.Count("dcs_retransmissions_total", t[transfer.WindowResent], "window")
	w.Count("dcs_retransmissions_total", t[transfer.RepeatedRequest], "request")
	w.Count("dcs_retransmissions_total", t[transfer.PathResent], "path_mtu")

	for _, h := range []struct {
		name string
		h    *fastpath.Histogram
	}{{"dcs_request_wait_seconds", &all.Wait}, {"dcs_render_batch_seconds", &all.Render}, {"dcs_answer_seconds", &all.Answer}} {
		bounds, counts := octaves(h.h)
		w.Buckets(h.name, bounds, counts, float64(h.h.Sum)/1e9)
	}
}

// octaves puts the four buckets of each octave together, which is fine enough for a graph. The first octave
// ends at 2,048 ns; beyond the last bound, 8.6 s, no modem waits any more.
func octaves(h *fastpath.Histogram) (bounds []float64, counts []uint64) {
	const last = 23
	for i, n := range h.N {
		octave := min(i/4, last)
		if octave == len(counts) {
			counts = append(counts, 0)
			if octave < last {
				bounds = append(bounds, float64(fastpath.Bound(4*octave+3))/1e9)
			}
		}
		counts[octave] += n
	}
	return bounds, counts
}

func collectEngine(w *metrics.Writer, st render.Stats) {
	for kind, n := range st.Files {
		w.Count("dcs_files_total", n, kindNames[kind])
	}
	w.Count("dcs_files_total", st.Static, "static")
	w.Count("dcs_faults_total", st.Unknown, render.UnknownName)
	w.Count("dcs_faults_total", st.Asking, "asking_source")
	collectIdentity(w, &st)
	for reason, n := range st.Faults {
		if reason > 0 { // the first is none
			w.Count("dcs_faults_total", n, skeleton.Reason(reason).String())
		}
	}
	w.Value("dcs_learned_names", float64(st.Learned))
	w.Value("dcs_learned_bytes", float64(st.Octets))
	w.Count("dcs_learned_hits_total", st.Hits)
	w.Count("dcs_learned_misses_total", st.Misses)
	w.Count("dcs_learned_evictions_total", st.Evicted)
}

var kindNames = [skeleton.NumKinds]string{
	skeleton.ModemFile: "modem", skeleton.MTAFile: "mta", skeleton.PortalFile: "cablehome", skeleton.PlainFile: "plain",
}

func (s *server) collectDevices(w *metrics.Writer) {
	if s.devices == nil {
		return
	}
	for _, st := range s.devices.State() {
		w.Flag("dcs_device_source_up", st.Up, st.Name)
		w.Flag("dcs_device_source_loading", st.Loading >= 0, st.Name)
		w.Flag("dcs_device_source_held", st.Held != nil, st.Name)
		w.Value("dcs_device_changes_held", float64(st.HeldBack), st.Name)
		w.Value("dcs_devices", float64(st.Devices), st.Name)
		w.Value("dcs_devices_duplicate", float64(st.Duplicates), st.Name)
		w.Count("dcs_device_changes_total", uint64(max(st.Changes, 0)), st.Name)
		w.Count("dcs_device_asked_total", uint64(max(st.Asked, 0)), st.Name)
		w.Count("dcs_device_found_total", uint64(max(st.Found, 0)), st.Name)
		if !st.Loaded.IsZero() {
			w.Value("dcs_device_snapshot_timestamp_seconds", unixSeconds(st.Loaded), st.Name)
			age := time.Since(st.Loaded).Seconds()
			w.Value("dcs_device_snapshot_age_seconds", max(age, 0), st.Name)
			w.Value("dcs_device_snapshot_ahead_seconds", max(-age, 0), st.Name)
		}
		w.Flag("dcs_device_snapshot_damaged", st.Damaged, st.Name)
	}
	w.Flag("dcs_device_changes_durable", s.devices.Durable() == nil)
	q := s.devices.Questions()
	w.Value("dcs_device_questions_waiting", float64(q.Waiting))
	w.Value("dcs_device_questions_wait_seconds_total", q.Waited.Seconds())
	w.Count("dcs_device_questions_total", uint64(max(q.Asked, 0)))
	w.Count("dcs_device_questions_dropped_total", uint64(max(q.Dropped, 0)))
}

func (s *server) collectTransport(w *metrics.Writer) {
	in := s.in
	attached, native, rings, losses, falls := false, false, false, uint64(0), uint64(0)
	if st := in.Steering; st != nil {
		st.Each(func(p ingress.Steered) {
			w.Value("dcs_transport_info", 1, string(in.Kind), p.Mode.String(), p.Name, in.Why)
			w.Flag("dcs_xdp_interface_attached", p.Attached, p.Name, p.Master)
			w.Flag("dcs_xdp_interface_af_xdp", p.Attached && p.Xsk, p.Name, p.Master)
			attached = attached || p.Attached
			native = native || p.Attached && p.Mode == bpf.Native
			rings = rings || p.Xsk && in.Rings != nil
		})
		losses, falls = st.Lost()
		if stats, err := st.Steer.Stats(); err == nil {
			for v, n := range stats {
				w.Count("dcs_xdp_packets_total", n.Packets, bpf.Verdict(v).String())
				w.Count("dcs_xdp_bytes_total", n.Octets, bpf.Verdict(v).String())
			}
		}
	} else {
		w.Value("dcs_transport_info", 1, string(in.Kind), bpf.Off.String(), "", in.Why)
	}
	w.Flag("dcs_capability", attached, "xdp", cmp.Or(in.Why, "in use"))
	w.Flag("dcs_capability", native, "xdp_native", in.Why)
	w.Flag("dcs_capability", rings, "af_xdp", in.Why)
	w.Flag("dcs_capability", len(in.Choosers) > 0, "reuseport_bpf", "")
	w.Flag("dcs_capability", in.Lookup != nil, "sk_lookup", "")
	s.process.collectSandbox(w)
	written, lost, running := s.captures.Totals()
	w.Flag("dcs_capture_running", running)
	w.Count("dcs_capture_packets_total", written, "written")
	w.Count("dcs_capture_packets_total", lost, "lost")
	w.Count("dcs_xdp_lost_total", losses)
	w.Count("dcs_xdp_fallbacks_total", falls)
	if in.Rings == nil {
		return
	}
	for q, r := range in.Rings.Transports {
		st, queue := r.Stats(), strconv.Itoa(q)
		for _, v := range []struct {
			what string
			n    uint64
		}{
			{"received", st.Received},
			{"sent", st.Sent},
			{"malformed", st.Malformed},
			{"strange", st.Strange},
			{"handed_over", st.HandedOver},
			{"hand_lost", st.HandLost},
			{"ring_full", st.Lost},
		} {
			w.Count("dcs_xsk_packets_total", v.n, queue, v.what)
		}
	}
}
