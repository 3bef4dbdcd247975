package ingress

import (
	"context"
	"time"

	"dcs/bpf"
)

// dropsEvery is how often at most the log shows a packet that was dropped, for each reason.
const dropsEvery = 10 * time.Second

// tellDrops shows the operator some of what the programs drop.
func (st *Steering) tellDrops(ctx context.Context) {
	var told [bpf.NumVerdicts]time.Time
	var counted [bpf.NumVerdicts]uint64
	for d, err := range st.Steer.Drops(ctx) {
		if err != nil {
			st.log.Error("no dropped packets will be shown", "err", err)
			return
		}
		now := time.Now()
		if d.Verdict >= bpf.NumVerdicts || now.Sub(told[d.Verdict]) < dropsEvery {
			continue
		}
		told[d.Verdict] = now
		args := []any{"verdict", d.Verdict, "source", d.Source, "target", d.Target, "octets", d.Length, "payload", string(d.Payload[:min(len(d.Payload), 40)])}
		if stats, err := st.Steer.Stats(); err == nil {
			n := stats[d.Verdict].Packets
			args = append(args, "packets", n-counted[d.Verdict])
			counted[d.Verdict] = n
		}
		st.log.Warn("dropped", args...)
	}
}
