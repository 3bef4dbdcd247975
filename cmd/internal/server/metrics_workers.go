package server

import (
	"slices"
	"strconv"

	"dcs/cmd/internal/metrics"
	"dcs/fastpath"
	"dcs/fastpath/transfer"
)

// outcome is the labels of dcs_requests_total.
type outcome struct{ result, reason string }

// outcomes maps a worker's events to the labels of requests.
var outcomes = func() map[fastpath.Event]outcome {
	m := map[fastpath.Event]outcome{
		fastpath.NotFound: {"error", "not_found"}, fastpath.Denied: {"error", "denied"}, fastpath.RenderFailed: {"error", "render_failed"},
		fastpath.WriteRequest: {"error", "write_request"},
		fastpath.Stale:        {"dropped", "stale"}, fastpath.Refused: {"dropped", "stopping"}, fastpath.Limited: {"dropped", "rate_limited"}, fastpath.NotYet: {"dropped", "not_yet"},
	}
	for ev := fastpath.TooLong; ev < fastpath.OptionBad; ev++ {
		m[ev] = outcome{"malformed", ev.String()}
	}
	return m
}()

// transferOutcomes maps the transfer table's events to the labels of requests.
var transferOutcomes = map[transfer.Event]outcome{
	transfer.Started: {"file", ""}, transfer.Once: {"file", "sent_once"}, transfer.RepeatedRequest: {"repeated", ""},
	transfer.LateRequest: {"dropped", "late"}, transfer.TableFull: {"dropped", "table_full"}, transfer.MemoryFull: {"dropped", "memory_full"},
}

// ignored returns the events of packets that are not requests, or that the sender may not send.
func ignored() []fastpath.Event {
	return []fastpath.Event{fastpath.UnknownOpcode, fastpath.UnexpectedOpcode, fastpath.Multicast, fastpath.Spoofed, fastpath.NotAllowed, fastpath.WrongTID, fastpath.Truncated, fastpath.Short}
}

// readWorkers reads the workers' counters, most of them summed over all workers. strays are packets that the kernel dropped, as
// they came to another client's port.
func readWorkers(w *metrics.Values, each []fastpath.Stats, strays uint64) {
	w.Value(metrics.Workers, float64(len(each)))
	var all fastpath.Stats
	for i := range each {
		st := &each[i]
		all.Add(st)
		worker := strconv.Itoa(i)
		w.Count(metrics.ReadRequests, st.Events[fastpath.ReadRequest], worker)
		w.Count(metrics.PacketsReceived, st.Events[fastpath.Received], worker)
		w.Count(metrics.PacketsSent, st.Events[fastpath.Sent], worker)
		w.Count(metrics.TransfersRunning, st.Active, worker)
		w.Count(metrics.ReceiveDrops, st.Drops, worker)
		w.Count(metrics.SendErrors, st.SendErrors, worker)
	}

	all.Events[fastpath.WrongTID] += strays

	t := &all.Transfers
	for ev, o := range outcomes {
		w.Count(metrics.Requests, all.Events[ev], o.result, o.reason)
	}
	for ev, o := range transferOutcomes {
		w.Count(metrics.Requests, t[ev], o.result, o.reason)
	}
	for _, ev := range ignored() {
		w.Count(metrics.PacketsIgnored, all.Events[ev], ev.String())
	}
	for _, ev := range []transfer.Event{transfer.RepeatedACK, transfer.FutureACK, transfer.LateACK, transfer.StrangerPacket, transfer.StrayError} {
		w.Count(metrics.PacketsIgnored, t[ev], ev.String())
	}
	w.Count(metrics.OptionsInvalid, all.Events[fastpath.OptionBad])

	for _, ev := range []transfer.Event{transfer.Finished, transfer.GaveUp, transfer.Overdue, transfer.Retired, transfer.Evicted, transfer.Probed, transfer.FileCut, transfer.Unreachable, transfer.Restarted} {
		w.Count(metrics.TransfersEnded, t[ev], ev.String())
	}
	for ev := transfer.PeerUndefined; ev < transfer.NumEvents; ev++ {
		w.Count(metrics.TransfersEnded, t[ev], ev.String())
	}
	w.Count(metrics.TransfersUnanswered, t[transfer.GaveUpFirst])
	w.Count(metrics.TransfersUnacknowledged, t[transfer.GaveUpLast])
	w.Count(metrics.BlocksSent, t[transfer.BlockSent])
	w.Count(metrics.Retransmissions, t[transfer.TimedOut], "timeout")
	w.Count(metrics.Retransmissions, t[transfer.WindowResent], "window")
	w.Count(metrics.Retransmissions, t[transfer.RepeatedRequest], "request")
	w.Count(metrics.Retransmissions, t[transfer.PathResent], "path_mtu")

	w.Buckets(metrics.RequestWait, buckets(&all.Wait))
	w.Buckets(metrics.RenderBatch, buckets(&all.Render))
	w.Buckets(metrics.Answer, buckets(&all.Answer))
}

// bounds are the bucket bounds of a worker's histogram, in seconds.
var bounds = func() (bounds [fastpath.Buckets - 1]float64) {
	for i := range bounds {
		bounds[i] = float64(fastpath.Bound(i)) / 1e9
	}
	return bounds
}()

func buckets(h *fastpath.Histogram) metrics.Buckets {
	return metrics.Buckets{Bounds: bounds[:], Counts: slices.Clone(h.N[:]), Sum: float64(h.Sum) / 1e9}
}
