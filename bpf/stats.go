package bpf

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"net/netip"
	"unsafe"

	"github.com/cilium/ebpf/ringbuf"
)

// A Verdict is the result of the program for a packet.
type Verdict uint8

// Verdicts, in the order in which they are checked within pass, steer and drop.
const (
	PassOther    = Verdict(steerVerdictPASS_OTHER)    // not for us: another protocol, port, address or host
	PassFragment = Verdict(steerVerdictPASS_FRAGMENT) // a fragment: the kernel reassembles it
	PassSocket   = Verdict(steerVerdictPASS_SOCKET)   // ours, left to the kernel's sockets
	SteerXSK     = Verdict(steerVerdictSTEER_XSK)     // ours, to the AF_XDP socket of its queue
	SteerCPU     = Verdict(steerVerdictSTEER_CPU)     // ours, to the processor of its worker
	DropLength   = Verdict(steerVerdictDROP_LENGTH)   // lengths of frame, IP and UDP are inconsistent
	DropChecksum = Verdict(steerVerdictDROP_CHECKSUM) // wrong checksum of the IPv4 header
	DropSource   = Verdict(steerVerdictDROP_SOURCE)   // an impossible source address or port
	DropTFTP     = Verdict(steerVerdictDROP_TFTP)     // no opcode of TFTP, or too short for its opcode
	DropACL      = Verdict(steerVerdictDROP_ACL)      // the source is not allowed
	DropRate     = Verdict(steerVerdictDROP_RATE)     // the source is over its rate
	NumVerdicts  = Verdict(steerVerdictVERDICTS)      // number of verdicts
)

var verdictNames = [NumVerdicts]string{
	PassOther: "pass_other", PassFragment: "pass_fragment", PassSocket: "pass_socket", SteerXSK: "steer_xsk", SteerCPU: "steer_cpu",
	DropLength: "drop_length", DropChecksum: "drop_checksum", DropSource: "drop_source", DropTFTP: "drop_tftp",
	DropACL: "drop_acl", DropRate: "drop_rate",
}

// String returns the verdict's name in metrics.
func (v Verdict) String() string {
	if v >= NumVerdicts {
		return "unknown"
	}
	return verdictNames[v]
}

// A Count is the number of packets with a verdict, and their octets including link-layer headers.
type Count struct {
	Packets, Octets uint64
}

// Stats holds the packets that interfaces have received since Load, by verdict.
type Stats [NumVerdicts]Count

// Stats returns the sum over all programs.
func (s *Steer) Stats() (Stats, error) {
	var all Stats
	for _, p := range s.programs {
		st, err := p.Stats()
		if err != nil {
			return all, err
		}
		for v := range all {
			all[v].Packets += st[v].Packets
			all[v].Octets += st[v].Octets
		}
	}
	return all, nil
}

// Stats returns the sum over all processors.
func (p *Program) Stats() (Stats, error) {
	var all Stats
	var each []steerTally
	for v := range all {
		if err := p.objs.Tallies.Lookup(uint32(v), &each); err != nil {
			return all, fmt.Errorf("bpf: read counters: %w", err)
		}
		for _, t := range each {
			all[v].Packets += t.Packets
			all[v].Octets += t.Octets
		}
	}
	return all, nil
}

// A Drop is a sample of a dropped packet.
type Drop struct {
	Verdict Verdict
	Time    int64 // CLOCK_MONOTONIC, ns
	Source  netip.AddrPort
	Target  netip.AddrPort
	Length  int    // octets of UDP payload, according to its header
	Payload []byte // its first octets, at most 64
}

// Drops yields samples of dropped packets until ctx is done, or an error if no more can be read. With several readers,
// each sample goes to one of them.
func (s *Steer) Drops(ctx context.Context) iter.Seq2[Drop, error] {
	return func(yield func(Drop, error) bool) {
		r, err := ringbuf.NewReader(s.objs.Drops)
		if err != nil {
			yield(Drop{}, fmt.Errorf("bpf: read samples: %w", err))
			return
		}
		defer r.Close()
		// The reader wakes up, returns what is there, and then reports the flush.
		defer context.AfterFunc(ctx, func() { _ = r.Flush() })()
		var rec ringbuf.Record
		for {
			err := r.ReadInto(&rec)
			if errors.Is(err, ringbuf.ErrFlushed) {
				return
			}
			if err != nil {
				yield(Drop{}, fmt.Errorf("bpf: read samples: %w", err))
				return
			}
			if d, ok := parseDrop(rec.RawSample); ok && !yield(d, nil) {
				return
			}
		}
	}
}

func parseDrop(b []byte) (Drop, bool) {
	var raw steerDrop
	if len(b) < int(unsafe.Sizeof(raw)) {
		return Drop{}, false
	}
	copy(unsafe.Slice((*byte)(unsafe.Pointer(&raw)), unsafe.Sizeof(raw)), b)
	return Drop{
		Verdict: Verdict(raw.Verdict),
		Time:    int64(raw.Time),
		Source:  netip.AddrPortFrom(raw.Source.addr(), raw.SourcePort),
		Target:  netip.AddrPortFrom(raw.Target.addr(), raw.TargetPort),
		Length:  int(raw.Length),
		Payload: append([]byte(nil), raw.Payload[:min(int(raw.Shown), len(raw.Payload))]...),
	}, true
}
