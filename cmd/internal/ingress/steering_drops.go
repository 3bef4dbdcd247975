package ingress

import (
	"context"
	"time"

	"dcs/bpf"
)

// dropsEvery is the shortest time between two log lines about dropped packets of one verdict.
const dropsEvery = 10 * time.Second

// logDrops logs samples of the packets that the programs drop.
func (st *Steering) logDrops(ctx context.Context) {
	var logged [bpf.NumVerdicts]time.Time
	var counted [bpf.NumVerdicts]uint64
	for d, err := range st.steer.Drops(ctx) {
		if err != nil {
			st.log.Error("dropped packets not logged", "err", err)
			return
		}
		now := time.Now()
		if d.Verdict >= bpf.NumVerdicts || now.Sub(logged[d.Verdict]) < dropsEvery {
			continue
		}
		logged[d.Verdict] = now
		args := []any{"verdict", d.Verdict, "source", d.Source, "target", d.Target, "octets", d.Length, "payload", string(d.Payload[:min(len(d.Payload), 40)])}
		if stats, err := st.steer.Stats(); err == nil {
			n := stats[d.Verdict].Packets
			args = append(args, "packets", n-counted[d.Verdict])
			counted[d.Verdict] = n
		}
		st.log.Warn("dropped", args...)
	}
}
