package server

import (
	"cmp"
	"runtime"
	"strconv"
	"time"

	"dcs/bpf"
	"dcs/cmd/internal/admin"
	"dcs/cmd/internal/metrics"
	"dcs/cmd/internal/version"
	"dcs/render"
	"dcs/render/skeleton"
)

// metricSources returns everything that reads the server's counters.
func (s *server) metricSources() []metrics.Source {
	return []metrics.Source{s.readServer, s.readWorkers, s.readEngine, s.readDevices, s.readTransport}
}

func (s *server) readWorkers(w *metrics.Values) { readWorkers(w, s.front.Stats(), s.in.Strays()) }
func (s *server) readEngine(w *metrics.Values)  { readEngine(w, s.engine.Stats()) }

func (s *server) readServer(w *metrics.Values) {
	w.Value(metrics.BuildInfo, 1, version.String(), runtime.Version())
	w.Flag(metrics.Ready, s.unready() == "")
	s.addresses.read(w)

	l := s.library
	l.mu.Lock()
	w.Count(metrics.LibraryReloads, l.loads, "ok")
	w.Count(metrics.LibraryReloads, l.failures, "failed")
	w.Flag(metrics.LibraryLastReloadSuccessful, l.failed.IsZero())
	w.Value(metrics.LibraryLoadErrors, float64(len(l.errs)))
	w.Value(metrics.LibraryLoadedTimestamp, unixSeconds(l.loaded))
	l.mu.Unlock()

	snap := s.engine.Library()
	w.Value(metrics.LibraryTemplates, float64(len(snap.Templates())))
	w.Value(metrics.LibraryStaticFiles, float64(snap.StaticFiles()))
	w.Value(metrics.LibraryStaticRefused, float64(s.static.refused.Load()))
	w.Value(metrics.LibraryStaticUnreadable, float64(len(snap.Unreadable())))
	w.Value(metrics.LibraryWithheld, float64(snap.Broken()))
	w.Value(metrics.LibraryWarnings, float64(len(snap.Warnings))+float64(min(s.static.hiding.Load(), 1)))
	w.Count(metrics.SecretGeneration, s.secretState().Generation)
	for why, n := range s.admin.Refused() {
		w.Count(metrics.AdminRefused, n, admin.Refusal(why).String())
	}
	w.Count(metrics.LogLinesHeld, s.logs.Queue().Suppressed())
	if boot := s.web.boot; boot != nil {
		for code, n := range boot.Requests() {
			w.Count(metrics.HTTPRequests, n, strconv.Itoa(code))
		}
		w.Value(metrics.HTTPConnections, float64(boot.Connections()))
		cut, turned := boot.Cut()
		w.Count(metrics.HTTPConnectionsLost, cut, "cut")
		w.Count(metrics.HTTPConnectionsLost, turned, "turned_away")
	}
}

func unixSeconds(t time.Time) float64 {
	if t.IsZero() {
		return 0
	}
	return float64(t.UnixMilli()) / 1e3
}

func readEngine(w *metrics.Values, st render.Stats) {
	for kind, n := range st.Files {
		w.Count(metrics.Files, n, kindNames[kind])
	}
	w.Count(metrics.Files, st.Static, "static")
	w.Count(metrics.Faults, st.Unknown, render.UnknownName)
	w.Count(metrics.Faults, st.Asking, "asking_source")
	readIdentity(w, &st)
	for reason, n := range st.Faults {
		if reason > 0 { // the first is none
			w.Count(metrics.Faults, n, skeleton.Reason(reason).String())
		}
	}
	w.Value(metrics.LearnedNames, float64(st.Learned))
	w.Value(metrics.LearnedBytes, float64(st.Octets))
	w.Count(metrics.LearnedHits, st.Hits)
	w.Count(metrics.LearnedMisses, st.Misses)
	w.Count(metrics.LearnedEvictions, st.Evicted)
}

var kindNames = [skeleton.NumKinds]string{
	skeleton.ModemFile: "modem", skeleton.MTAFile: "mta", skeleton.PortalFile: "cablehome", skeleton.PlainFile: "plain",
}

func (s *server) readDevices(w *metrics.Values) {
	if s.devices == nil {
		return
	}
	for _, st := range s.devices.State() {
		w.Flag(metrics.DeviceSourceUp, st.Up, st.Name)
		w.Flag(metrics.DeviceSourceLoading, st.Loading >= 0, st.Name)
		w.Flag(metrics.DeviceSourceHeld, st.HeldBack != nil, st.Name)
		w.Value(metrics.DeviceChangesHeld, float64(st.ChangesHeldBack), st.Name)
		w.Value(metrics.Devices, float64(st.Devices), st.Name)
		w.Value(metrics.DevicesDuplicate, float64(st.Duplicates), st.Name)
		w.Count(metrics.DeviceChanges, uint64(max(st.Changes, 0)), st.Name)
		w.Count(metrics.DeviceAsked, uint64(max(st.Asked, 0)), st.Name)
		w.Count(metrics.DeviceFound, uint64(max(st.Found, 0)), st.Name)
		if !st.Loaded.IsZero() {
			w.Value(metrics.DeviceSnapshotTimestamp, unixSeconds(st.Loaded), st.Name)
			age := time.Since(st.Loaded).Seconds()
			w.Value(metrics.DeviceSnapshotAge, max(age, 0), st.Name)
			w.Value(metrics.DeviceSnapshotAhead, max(-age, 0), st.Name)
		}
		w.Flag(metrics.DeviceSnapshotDamaged, st.Damaged, st.Name)
	}
	w.Flag(metrics.DeviceChangesDurable, s.devices.Durable() == nil)
	q := s.devices.Questions()
	w.Value(metrics.DeviceQuestionsWaiting, float64(q.Waiting))
	w.Value(metrics.DeviceQuestionsWait, q.Waited.Seconds())
	w.Count(metrics.DeviceQuestions, uint64(max(q.Asked, 0)))
	w.Count(metrics.DeviceQuestionsDropped, uint64(max(q.Dropped, 0)))
}

func (s *server) readTransport(w *metrics.Values) {
	in, why := s.in, s.in.Why()
	attached, native, rings, detached, fallbacks := false, false, false, uint64(0), uint64(0)
	queues := in.QueueStats()
	if st := in.Steering(); st != nil {
		for _, p := range st.Interfaces() {
			w.Value(metrics.TransportInfo, 1, string(in.Kind()), p.Mode.String(), p.Name, why)
			w.Flag(metrics.XDPInterfaceAttached, p.Attached, p.Name, p.Master)
			w.Flag(metrics.XDPInterfaceAFXDP, p.Attached && p.XSK, p.Name, p.Master)
			attached = attached || p.Attached
			native = native || p.Attached && p.Mode == bpf.Native
			rings = rings || p.XSK && len(queues) > 0
		}
		detached, fallbacks = st.Losses()
		if stats, err := st.Stats(); err == nil {
			for v, n := range stats {
				w.Count(metrics.XDPPackets, n.Packets, bpf.Verdict(v).String())
				w.Count(metrics.XDPBytes, n.Octets, bpf.Verdict(v).String())
			}
		}
	} else {
		w.Value(metrics.TransportInfo, 1, string(in.Kind()), bpf.Off.String(), "", why)
	}
	w.Flag(metrics.Capability, attached, "xdp", cmp.Or(why, "in use"))
	w.Flag(metrics.Capability, native, "xdp_native", why)
	w.Flag(metrics.Capability, rings, "af_xdp", why)
	w.Flag(metrics.Capability, in.ChoosesByBPF(), "reuseport_bpf", "")
	w.Flag(metrics.Capability, in.GathersTIDs(), "sk_lookup", "")
	s.process.readSandbox(w)
	written, lost, running := s.captures.Totals()
	w.Flag(metrics.CaptureRunning, running)
	w.Count(metrics.CapturePackets, written, "written")
	w.Count(metrics.CapturePackets, lost, "lost")
	w.Count(metrics.XDPLost, detached)
	w.Count(metrics.XDPFallbacks, fallbacks)
	for q := range queues {
		st, queue := &queues[q], strconv.Itoa(q)
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
			w.Count(metrics.XSKPackets, v.n, queue, v.what)
		}
	}
}
