// Package bpf loads the programs that steer a server's packets in the kernel: an XDP program that filters and
// distributes them, and programs that choose among sockets that share a port.
//
// The oldest kernel tested is Linux 6.1 ("make test-kernels"), which accounts BPF memory to the control group, so that
// RLIMIT_MEMLOCK does not matter. Interfaces, addresses and sockets are those of the calling thread's network
// namespace.
package bpf

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"sync"
	"time"

	"github.com/cilium/ebpf"
)

//go:generate go tool bpf2go -target bpfel -type verdict -type drop -type captured -cflags "-O2 -mcpu=v3 -Wall -Wextra -Werror -idirafter /usr/include/x86_64-linux-gnu -idirafter /usr/include/aarch64-linux-gnu" steer steer.bpf.c
//go:generate go tool bpf2go -target bpfel -cflags "-O2 -mcpu=v3 -Wall -Wextra -Werror -idirafter /usr/include/x86_64-linux-gnu -idirafter /usr/include/aarch64-linux-gnu" reuseport reuseport.bpf.c

// Config configures a Steer. Listen is required; other zero fields take their defaults.
type Config struct {
	// Listen holds the addresses and ports to accept requests on. A wildcard stands for every address of its family
	// that the host has, except loopback addresses; changes are followed while attached. Packets to other addresses and
	// ports are passed to the kernel.
	Listen []netip.AddrPort
	// Transfers holds the ports that transfers answer from, at the addresses of Listen. Packets to other ports are
	// passed to the kernel, unless they are for a port of Listen.
	Transfers []Port
	// Sources is the number of sources whose rate is remembered, 16 octets each; default 262,144, rounded up to a power
	// of two.
	Sources int
	// Samples is how many dropped packets per second Drops yields for each verdict and processor; default 10, negative:
	// none.
	Samples int
	// Poll is the interval at which an interface and the host's addresses are checked; default 1 s.
	Poll time.Duration
	// Interfaces is the number of interfaces that can be attached at once; default 1, at most 64.
	Interfaces int
}

// Address families of a port, as in steer.bpf.c.
const (
	transfersV4 = 1
	transfersV6 = 2
)

// Port is a UDP port of one address family.
type Port struct {
	Number uint16
	V6     bool
}

// Steer is the loaded XDP programs, one for each interface, and what they share. Its methods and those of its Programs
// may be called from any goroutine.
type Steer struct {
	poll     time.Duration
	objs     shared
	programs []*Program

	mu      sync.Mutex
	spare   int // which of the two ACL tries is not in use
	workers int // as set by SetWorkers, whether or not they are in use
	listen  []netip.AddrPort
	local   []netip.Addr // addresses that a wildcard stands for
	placed  map[steerPlace]bool
	ports   map[uint16]uint8 // transfer ports with their families, as in the kernel
	own     map[steerAddress]bool
	hints   [64]uint64 // of own
	exempt  map[steerAclKey]bool
	sets    uint32 // number of bucket sets
	cpus    int    // number of possible processors
	closed  bool

	capture  *Capture // the running capture
	captures uint32   // number of captures started
}

// shared holds what all programs share: every map and setting except those in ofInterface.
type shared struct {
	Bss     *ebpf.Map `ebpf:".bss"`
	Data    *ebpf.Map `ebpf:".data"`
	Acl     *ebpf.Map `ebpf:"acl"`
	AclEven *ebpf.Map `ebpf:"acl_even"`
	AclOdd  *ebpf.Map `ebpf:"acl_odd"`
	Cpus    *ebpf.Map `ebpf:"cpus"`
	Drops   *ebpf.Map `ebpf:"drops"`
	Exempt  *ebpf.Map `ebpf:"exempt"`
	Own     *ebpf.Map `ebpf:"own"`
	Places  *ebpf.Map `ebpf:"places"`
	Sieves  *ebpf.Map `ebpf:"sieves"`
	Sources *ebpf.Map `ebpf:"sources"`

	Captures  *ebpf.Map `ebpf:"captures"`
	Capturing *ebpf.Map `ebpf:"capturing"`
	Transfers *ebpf.Map `ebpf:"transfers"`

	CpuOf        *ebpf.Variable `ebpf:"cpu_of"`
	OwnHints     *ebpf.Variable `ebpf:"own_hints"`
	SampleRate   *ebpf.Variable `ebpf:"sample_rate"`
	SieveShare   *ebpf.Variable `ebpf:"sieve_share"`
	SourceKeys   *ebpf.Variable `ebpf:"source_keys"`
	SourceMaskV4 *ebpf.Variable `ebpf:"source_mask_v4"`
	SourceMaskV6 *ebpf.Variable `ebpf:"source_mask_v6"`
	SourceRate   *ebpf.Variable `ebpf:"source_rate"`
	SourceSets   *ebpf.Variable `ebpf:"source_sets"`

	SieveInterval *ebpf.Variable `ebpf:"sieve_interval"`

	CaptureMac    *ebpf.Variable `ebpf:"capture_mac"`
	CaptureMask   *ebpf.Variable `ebpf:"capture_mask"`
	CaptureNumber *ebpf.Variable `ebpf:"capture_number"`
	CaptureSnap   *ebpf.Variable `ebpf:"capture_snap"`
	CaptureSource *ebpf.Variable `ebpf:"capture_source"`
	CaptureV6     *ebpf.Variable `ebpf:"capture_v6"`
}

// maps returns the maps of shared by name.
func (s *shared) maps() map[string]*ebpf.Map {
	return map[string]*ebpf.Map{
		".bss": s.Bss, ".data": s.Data, "acl": s.Acl, "acl_even": s.AclEven, "acl_odd": s.AclOdd, "cpus": s.Cpus, "drops": s.Drops,
		"exempt": s.Exempt, "own": s.Own, "places": s.Places, "sieves": s.Sieves, "sources": s.Sources, "transfers": s.Transfers,
		"captures": s.Captures, "capturing": s.Capturing,
	}
}

// MaxInterfaces is the largest Config.Interfaces.
const MaxInterfaces = 64

// Load loads the programs, without a rate, an ACL or workers. The error is a *CapabilityError if the process lacks
// capabilities.
func Load(cfg Config) (*Steer, error) {
	if err := need(needed...); err != nil {
		return nil, fmt.Errorf("bpf: load: %w", err)
	}
	if cfg.Sources <= 0 {
		cfg.Sources = 1 << 18
	}
	if cfg.Samples == 0 {
		cfg.Samples = 10
	}
	if cfg.Poll <= 0 {
		cfg.Poll = time.Second
	}
	cfg.Interfaces = min(max(cfg.Interfaces, 1), MaxInterfaces)
	s := &Steer{poll: cfg.Poll, placed: make(map[steerPlace]bool), ports: make(map[uint16]uint8), own: make(map[steerAddress]bool)}
	if err := s.load(cfg); err != nil {
		return nil, errors.Join(fmt.Errorf("bpf: load: %w", err), s.Close())
	}
	return s, nil
}

func (s *Steer) load(cfg Config) error {
	spec, err := loadSteer()
	if err != nil {
		return err
	}
	cpus, err := ebpf.PossibleCPU()
	if err != nil {
		return err
	}
	s.cpus = cpus
	spec.Maps[steerMapCpus].MaxEntries = uint32(cpus)
	sets := sourceSets(cfg.Sources)
	spec.Maps[steerMapSources].MaxEntries = sets
	if err := spec.LoadAndAssign(&s.objs, nil); err != nil {
		return err
	}
	for range cfg.Interfaces {
		p := &Program{steer: s, lost: make(chan error, 1), vlans: map[steerTags]bool{}, tagged: map[steerAddress]bool{}}
		if err := spec.LoadAndAssign(&p.objs, &ebpf.CollectionOptions{MapReplacements: s.objs.maps()}); err != nil {
			// The last line of an *ebpf.VerifierError names what the kernel lacks.
			return err
		}
		s.programs = append(s.programs, p)
	}
	if err := s.seedSources(sets); err != nil {
		return err
	}
	if cfg.Samples > 0 {
		const inARow = 8
		rate, err := packRate(float64(cfg.Samples), inARow)
		if err != nil {
			return err
		}
		if err := s.objs.SampleRate.Set(rate); err != nil {
			return err
		}
	}
	return s.setListen(cfg.Listen, cfg.Transfers)
}

// Programs returns the programs, one for each of Config.Interfaces.
func (s *Steer) Programs() []*Program { return s.programs }

// Close detaches the programs and releases their resources.
func (s *Steer) Close() error {
	var errs []error
	for _, p := range s.programs {
		errs = append(errs, p.Detach())
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.closed {
		s.closed = true
		for _, p := range s.programs {
			errs = append(errs, p.objs.close())
		}
		for _, m := range s.objs.maps() {
			errs = append(errs, m.Close())
		}
	}
	return errors.Join(errs...)
}

// addressOf returns an address in the form of abi.h.
func addressOf(a netip.Addr) steerAddress {
	b := a.As16()
	var w steerAddress
	for i := range w.Word {
		w.Word[i] = binary.NativeEndian.Uint32(b[4*i:])
	}
	return w
}

func (w steerAddress) addr() netip.Addr {
	var b [16]byte
	for i, v := range w.Word {
		binary.NativeEndian.PutUint32(b[4*i:], v)
	}
	return netip.AddrFrom16(b).Unmap()
}
