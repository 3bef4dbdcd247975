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

// A Verdict is what became of a packet.
type Verdict uint8

// The verdicts, in the order in which they are looked for within pass, steer and drop.
const (
	PassOther    = Verdict(steerVerdictPASS_OTHER)    // not for us: another protocol, port, address or host
	PassFragment = Verdict(steerVerdictPASS_FRAGMENT) // a fragment: the kernel puts it together
	PassSocket   = Verdict(steerVerdictPASS_SOCKET)   // ours, left to the kernel's sockets
	SteerXSK     = Verdict(steerVerdictSTEER_XSK)     // ours, to the AF_XDP socket of its queue
	SteerCPU     = Verdict(steerVerdictSTEER_CPU)     // ours, to the processor of its worker
	DropLength   = Verdict(steerVerdictDROP_LENGTH)   // lengths of frame, IP and UDP contradict one another
	DropChecksum = Verdict(steerVerdictDROP_CHECKSUM) // checksum of the IPv4 header
	DropSource   = Verdict(steerVerdictDROP_SOURCE)   // an address or port that nobody can have
	DropTFTP     = Verdict(steerVerdictDROP_TFTP)     // no opcode of TFTP, or too short for its opcode
	DropACL      = Verdict(steerVerdictDROP_ACL)      // the source may not ask here
	DropRate     = Verdict(steerVerdictDROP_RATE)     // the source asks too often
	NumVerdicts  = Verdict(steerVerdictVERDICTS)      // how many there are
)

var verdictNames = [NumVerdicts]string{
	PassOther: "pass_other", PassFragment: "pass_fragment", PassSocket: "pass_socket", SteerXSK: "steer_xsk", SteerCPU: "steer_cpu",
	DropLength: "drop_length", DropChecksum: "drop_checksum", DropSource: "drop_source", DropTFTP: "drop_tftp",
	DropACL: "drop_acl", DropRate: "drop_rate",
}

// String returns the verdict's name as it stands in metrics.
func (v Verdict) String() string {
	if v >= NumVerdicts {
		return "unknown"
	}
	return verdictNames[v]
}

// A Count is how many packets got a verdict, and their octets, link-layer headers among them.
type Count struct {
	Packets, Octets uint64
}

// Stats are the packets that interfaces have received since Load, by verdict.
type Stats [NumVerdicts]Count

// Stats adds up what the programs have counted.
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

// Stats adds up what the processors have counted.
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

// A Drop is a sample of what was dropped.
type Drop struct {
	Verdict Verdict
	Time    int64 // CLOCK_MONOTONIC, ns
	Source  netip.AddrPort
	Target  netip.AddrPort
	Length  int    // octets of UDP payload, as its header has them
	Payload []byte // the first 64 of them at most
}

// Drops yields samples of dropped packets until the context ends, or with an error if no more can be read. A packet is
// sampled by one reader alone.
func (s *Steer) Drops(ctx context.Context) iter.Seq2[Drop, error] {
	return func(yield func(Drop, error) bool) {
		r, err := ringbuf.NewReader(s.objs.Drops)
		if err != nil {
			yield(Drop{}, fmt.Errorf("bpf: read samples: %w", err))
			return
		}
		defer r.Close()
		// The reader wakes, returns what there is, and then says that it was flushed.
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
