package ingress

import (
	"net/netip"

	"dcs/cmd/internal/config"
	"dcs/fastpath"
	"dcs/fastpath/xsk"
)

// Transports returns the transport of each worker.
func (in *Ingress) Transports() []fastpath.Transport { return in.transports }

// CPUs returns the CPUs that the process may use, which its workers get in turn.
func (in *Ingress) CPUs() []int { return in.cpus }

// Addrs returns the addresses that requests arrive at, with the ports that the kernel chose where none is configured.
func (in *Ingress) Addrs() []netip.AddrPort { return in.addrs }

// Limits returns the ACL and the rate limit.
func (in *Ingress) Limits() *Limits { return in.limits }

// Blksizes returns the largest blocks that clients are granted now; they follow the interfaces' MTUs.
func (in *Ingress) Blksizes() *fastpath.Blksizes { return &in.blksizes }

// MaxBlksize returns the largest block that packets have room for, octets.
func (in *Ingress) MaxBlksize() int { return in.maxBlksize }

// Kind returns the transport in use: XDP if there are AF_XDP sockets, else Socket.
func (in *Ingress) Kind() config.Transport { return in.kind }

// Why explains the choice of the transport.
func (in *Ingress) Why() string { return in.plan.why }

// Steering returns the XDP programs; nil: there are none.
func (in *Ingress) Steering() *Steering { return in.steering }

// ChoosesByBPF reports whether a program chooses the worker of a packet that no XDP program has seen.
func (in *Ingress) ChoosesByBPF() bool { return len(in.choosers) > 0 }

// GathersTIDs reports whether the kernel delivers all packets of running transfers to one socket of each worker.
func (in *Ingress) GathersTIDs() bool { return in.lookup != nil }

// QueueStats returns the counters of each AF_XDP worker; none without AF_XDP.
func (in *Ingress) QueueStats() []xsk.Stats {
	if in.rings == nil {
		return nil
	}
	all := make([]xsk.Stats, len(in.rings.Transports))
	for i, t := range in.rings.Transports {
		all[i] = t.Stats()
	}
	return all
}
