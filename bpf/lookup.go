package bpf

import (
	"errors"
	"fmt"
	"net/netip"
	"os"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/features"
	"github.com/cilium/ebpf/link"
)

//go:generate go tool bpf2go -target bpfel -type tid_port -cflags "-O2 -mcpu=v3 -Wall -Wextra -Werror -idirafter /usr/include/x86_64-linux-gnu -idirafter /usr/include/aarch64-linux-gnu" lookup lookup.bpf.c

// A LookupWorker is a worker's transfer ports of one address family.
type LookupWorker struct {
	Ports   []uint16 // in the order for picking one by a client's hash
	Receive int      // descriptor of the socket for packets at their sender's own port
	Discard int      // descriptor of the socket for all others, which is not read
}

// LookupConfig configures a [Lookup].
type LookupConfig struct {
	Key [2]uint64      // key of the hash that picks a client's port
	V4  []LookupWorker // the workers in order; none: IPv4 is not handled
	V6  []LookupWorker // the same for IPv6
	At4 netip.Addr     // address that the ports are bound to; a wildcard stands for any
	At6 netip.Addr
}

// A Lookup directs packets of running transfers to one socket of each worker.
type Lookup struct {
	objs lookupObjects
	link *link.NetNsLink
}

// NewLookup directs packets in the network namespace of the calling thread (sk_lookup, Linux 5.9). The error is a
// *CapabilityError if the process lacks capabilities.
func NewLookup(cfg LookupConfig) (*Lookup, error) {
	if err := need(capBPF, capNetAdmin); err != nil {
		return nil, fmt.Errorf("bpf: lookup: %w", err)
	}
	l := new(Lookup)
	if err := l.load(cfg); err != nil {
		return nil, errors.Join(fmt.Errorf("bpf: lookup: %w", err), l.Close())
	}
	return l, nil
}

func (l *Lookup) load(cfg LookupConfig) error {
	spec, err := loadLookup()
	if err != nil {
		return err
	}
	spec.Maps[lookupMapSockets].MaxEntries = uint32(4 * max(len(cfg.V4), len(cfg.V6), 1))
	own := [2]steerAddress{}
	for i, a := range [...]netip.Addr{cfg.At4, cfg.At6} {
		if a.IsValid() && !a.IsUnspecified() {
			own[i] = addressOf(a)
		}
	}
	err = errors.Join(spec.Variables[lookupVarKey0].Set(cfg.Key[0]), spec.Variables[lookupVarKey1].Set(cfg.Key[1]), spec.Variables[lookupVarOwn].Set(own))
	if err != nil {
		return err
	}
	if err := spec.LoadAndAssign(&l.objs, nil); err != nil {
		return err
	}
	for f, workers := range [...][]LookupWorker{cfg.V4, cfg.V6} {
		for i, w := range workers {
			for n, fd := range [...]int{w.Receive, w.Discard} {
				if err := l.objs.Sockets.Put(uint32(4*i+2*f+n), uint64(fd)); err != nil {
					return fmt.Errorf("socket of worker %d: %w", i, err)
				}
			}
			for n, port := range w.Ports {
				p := lookupTidPort{Worker: uint16(i), Index: uint16(n), Count: uint16(len(w.Ports))}
				if err := l.objs.Ports.Put(uint32(f)<<16|uint32(port), p); err != nil {
					return fmt.Errorf("port %d: %w", port, err)
				}
			}
		}
	}
	ns, err := os.Open("/proc/thread-self/ns/net")
	if err != nil {
		return err
	}
	defer ns.Close()
	l.link, err = link.AttachNetNs(int(ns.Fd()), l.objs.Gather)
	return err
}

// LookupSupported reports whether the kernel supports programs that choose a packet's socket (Linux 5.9) and this
// process may load one.
func LookupSupported() bool { return features.HaveProgramType(ebpf.SkLookup) == nil }

// Strays returns how many packets arrived at another port than their sender's and were discarded. It makes no system
// call.
func (l *Lookup) Strays() (n uint64, err error) {
	if err := l.objs.Strays.Get(&n); err != nil {
		return 0, fmt.Errorf("bpf: lookup: strays: %w", err)
	}
	return n, nil
}

// Close returns packets to the sockets at their ports.
func (l *Lookup) Close() error {
	var err error
	if l.link != nil {
		err = l.link.Close()
	}
	return errors.Join(err, l.objs.Close())
}
