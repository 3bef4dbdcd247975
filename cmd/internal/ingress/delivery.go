package ingress

import "dcs/bpf"

// A delivery compares what a program has steered to AF_XDP sockets with what the kernel has put into them. A driver, or a device
// above it, may silently drop everything in between.
type delivery struct {
	steered, taken uint64 // when both last grew, or at first
	begun          bool
	doubts         int // consecutive updates at which only steered had grown
}

// maxDoubts is how many consecutive updates must find packets steered and none delivered.
const maxDoubts = 2

// update takes both counters, of which steered was read first, and reports whether steered packets get lost. A packet that came
// between the two readings is counted in taken only: what was taken has been steered, whatever steered says.
func (p *delivery) update(steered, taken uint64) (lost bool) {
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
	return p.doubts >= maxDoubts
}

// checkDelivery leaves an interface to the sockets if packets steered to its AF_XDP sockets do not arrive.
func (st *Steering) checkDelivery() {
	if st.rings == nil {
		return
	}
	st.mu.Lock()
	defer st.mu.Unlock()
	for _, p := range st.ports {
		if !p.attached || !p.xsk {
			continue
		}
		stats, err := p.program.Stats()
		if err != nil || !p.delivery.update(stats[bpf.SteerXSK].Packets, st.rings.Taken(p.index)) {
			continue
		}
		if err := st.leaveRings(p); err != nil {
			st.log.Error("steered packets not delivered, steering cannot be turned off", "interface", p.name, "err", err)
			continue
		}
		p.xsk = false
		st.rings.Follow(p.index, 0, true)
		st.fallbacks++
		st.log.Error("steered packets not delivered: AF_XDP is off on this interface until restart",
			"interface", p.name, "driver", p.choice.Driver, "mode", p.mode)
	}
}
