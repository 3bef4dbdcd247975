package ingress

import "dcs/bpf"

// A proof compares what a program has steered to AF_XDP sockets with what the kernel has taken for them. A driver, or a device
// above it, may lose all of it in silence.
type proof struct {
	steered, taken uint64 // when they were seen to grow both, or at first
	begun          bool
	doubts         int // looks in a row at which only the first had grown
}

// patience is how many looks in a row must see packets steered that arrive nowhere.
const patience = 2

// look takes both counts, the first of which was read before the second, and reports whether what is steered is lost. A packet that
// came between the two readings is in the second alone: what was taken has been steered, whatever the first says.
func (p *proof) look(steered, taken uint64) (lost bool) {
	if !p.begun {
		p.steered, p.taken, p.begun = max(steered, taken), taken, true
		return false
	}
	if taken != p.taken {
		p.steered, p.taken, p.doubts = max(steered, p.steered+(taken-p.taken)), taken, 0
		return false
	}
	if steered <= p.steered {
		p.doubts = 0
		return false
	}
	p.doubts++
	return p.doubts >= patience
}

// prove looks whether what is steered arrives, and leaves the interfaces to the sockets where it does not.
func (st *Steering) prove() {
	if st.Rings == nil {
		return
	}
	st.mu.Lock()
	defer st.mu.Unlock()
	for _, p := range st.ports {
		if !p.Attached || !p.Xsk {
			continue
		}
		stats, err := p.program.Stats()
		if err != nil || !p.proof.look(stats[bpf.SteerXSK].Packets, st.Rings.Taken(p.Index)) {
			continue
		}
		if err := st.leaveRings(p); err != nil {
			st.log.Error("packets that are steered arrive nowhere, and the program goes on", "interface", p.Name, "err", err)
			continue
		}
		p.Xsk = false
		st.Rings.Follow(p.Index, 0, true)
		st.falls++
		st.log.Error("steered packets arrived nowhere: AF_XDP is off on this interface until restart",
			"interface", p.Name, "driver", p.choice.Driver, "mode", p.Mode)
	}
}
