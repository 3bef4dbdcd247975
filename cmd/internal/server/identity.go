package server

import (
	"log/slog"
	"net/netip"

	"dcs/cmd/internal/metrics"
	"dcs/fastpath"
	"dcs/render"
	"dcs/render/device"
)

// isProxy reports whether an address may say for which modem a request is.
func isProxy(proxies []netip.Prefix, addr netip.Addr) bool {
	addr = addr.Unmap()
	for _, p := range proxies {
		if p.Contains(addr) {
			return true
		}
	}
	return false
}

// identify sets the modem's addresses that a proxy states. Those that anybody else states are only a claim.
func identify(proxies []netip.Prefix, from *fastpath.Request, to *render.Request) {
	if !isProxy(proxies, from.Client) {
		to.Claim = from.MAC
		return
	}
	to.MAC = from.MAC
	if to.Relayed = !from.NetAddr.IsValid(); !to.Relayed {
		to.Client = from.NetAddr
	}
}

// mismatch logs a request that contradicts what is known about devices. Workers call it; they must not wait for the log.
func (s *events) mismatch(ev *render.IdentityEvent) {
	args := []any{
		"name", string(ev.Name), "client", ev.Client, "mac", ev.MAC.String(),
		"reason", ev.Mismatch.String(), "refused", ev.Refused,
	}
	if !ev.Other.IsZero() {
		args = append(args, "other_mac", ev.Other.String())
	}
	if ev.Addr.IsValid() {
		args = append(args, "address", ev.Addr)
	}
	if ev.Refused {
		s.faults.add(&device.Outcome{Requester: ev.Requester, Err: ev.Mismatch, Reason: ev.Mismatch.String()})
	}
	s.logs.Queue().Send(ev.Mismatch.String(), slog.LevelWarn, ev.Suppressed, ev.Mismatch.Error(), args...)
}

// readIdentity reads the counters of requests that contradict what is known about devices.
func readIdentity(w *metrics.Values, st *render.Stats) {
	for m := render.OthersAddress; m < render.NumMismatches; m++ {
		w.Count(metrics.IdentityMismatches, st.Logged[m], m.String(), "logged")
		w.Count(metrics.IdentityMismatches, st.Refused[m], m.String(), "refused")
		if m != render.TwoCMTS {
			w.Count(metrics.Faults, st.Refused[m], m.String())
		}
	}
}
