// Package bpf loads the programs that steer a server's packets in the kernel: an XDP program that filters and distributes them, and
// programs that choose among sockets which share a port.
//
// The oldest kernel tested is Linux 6.1 ("make test-kernels"), which accounts BPF memory to the control group, so that RLIMIT_MEMLOCK
// does not matter. Interfaces, addresses and sockets are those of the calling thread's network namespace.
package bpf

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"net/netip"
	"sync"
	"time"

	"github.com/cilium/ebpf"
)

//go:generate go tool bpf2go -target bpfel -type verdict -type drop -type captured -cflags "-O2 -mcpu=v3 -Wall -Wextra -Werror -idirafter /usr/include/x86_64-linux-gnu -idirafter /usr/include/aarch64-linux-gnu" steer steer.bpf.c
//go:generate go tool bpf2go -target bpfel -cflags "-O2 -mcpu=v3 -Wall -Wextra -Werror -idirafter /usr/include/x86_64-linux-gnu -idirafter /usr/include/aarch64-linux-gnu" reuseport reuseport.bpf.c

// Config configures a Steer. Listen is required; other zero fields take their defaults.
type Config struct {
	// Listen are the addresses and ports to accept requests on. A wildcard stands for every address of its family that the host
	// has, except loopback addresses; changes are followed while attached. Packets to other addresses and ports are passed to the
	// kernel.
	Listen []netip.AddrPort
	// Transfers are the ports that transfers answer from, at the addresses of Listen. Packets to others are left to the
	// kernel, unless they go to a port of Listen.
	Transfers []Port
	// Sources is the number of sources whose rate is remembered, default 262,144, rounded up to a power of two. Each takes 16
	// octets.
	Sources int
	// Samples is how many dropped packets per second are shown by Drops, for each verdict and processor; default 10,
	// negative: none.
	Samples int
	// Poll is the time between two looks at an interface and at the host's addresses, default 1 s.
	Poll time.Duration
	// Interfaces is how many interfaces packets can be steered from at once, default 1, at most 64.
	Interfaces int
}

// Families of a port, as steer.bpf.c has them.
const (
	transfersV4 = 1
	transfersV6 = 2
)

// Port is a UDP port of one address family.
type Port struct {
	Number uint16
	V6     bool
}

// Steer is the XDP programs, one for each interface, and what they have in common, loaded. Its methods and those of its Programs may be
// called from any goroutine.
type Steer struct {
	poll     time.Duration
	objs     shared
	programs []*Program

	mu      sync.Mutex
	spare   int // which of the two tries for the ACL is not in force
	workers int // that SetWorkers has set, whether they are in use or not
	listen  []netip.AddrPort
	local   []netip.Addr // what a wildcard stands for
	placed  map[steerPlace]bool
	ports   map[uint16]uint8 // of transfers, as the programs have them
	own     map[steerAddress]bool
	hints   [64]uint64 // of own
	exempt  map[steerAclKey]bool
	sets    uint32 // of sources' buckets
	cpus    int    // that there may be
	closed  bool

	capture  *Capture // that runs
	captures uint32   // that were begun
}

// shared is what all programs have in common: every map and setting but those of ofInterface.
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

// maps are those of shared, by their names.
func (s *shared) maps() map[string]*ebpf.Map {
	return map[string]*ebpf.Map{
		".bss": s.Bss, ".data": s.Data, "acl": s.Acl, "acl_even": s.AclEven, "acl_odd": s.AclOdd, "cpus": s.Cpus, "drops": s.Drops,
		"exempt": s.Exempt, "own": s.Own, "places": s.Places, "sieves": s.Sieves, "sources": s.Sources, "transfers": s.Transfers,
		"captures": s.Captures, "capturing": s.Capturing,
	}
}

// MaxInterfaces is the largest Config.Interfaces.
const MaxInterfaces = 64

// Load loads the program, without a rate, an ACL or workers to spread packets over. The error is a
// *CapabilityError if the process may not.
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
			// Of a *ebpf.VerifierError this is the last line, which says what the kernel lacks.
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

// Programs returns the programs, as many as Config has Interfaces.
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

// setListen changes what Config has as Listen and Transfers.
func (s *Steer) setListen(listen []netip.AddrPort, transfers []Port) error {
	ports := make(map[uint16]uint8)
	for _, p := range transfers {
		if p.Number == 0 {
			return errors.New("bpf: transfer port 0")
		}
		family := uint8(transfersV4)
		if p.V6 {
			family = transfersV6
		}
		ports[p.Number] |= family
	}
	for _, a := range listen {
		if !a.IsValid() || a.Port() == 0 {
			return fmt.Errorf("bpf: listen address %v: address and port required", a)
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	before := s.listen
	s.listen = append([]netip.AddrPort(nil), listen...)
	if err := s.place(); err != nil {
		s.listen = before
		return err
	}
	if err := s.setPorts(ports); err != nil {
		return fmt.Errorf("bpf: set the transfer ports: %w", err)
	}
	return nil
}

// setPorts has the program know the ports of transfers, by number the families.
func (s *Steer) setPorts(ports map[uint16]uint8) error {
	for p := range s.ports {
		if ports[p] == 0 {
			if err := s.objs.Transfers.Put(uint32(p), uint8(0)); err != nil {
				return err
			}
			delete(s.ports, p)
		}
	}
	for p, families := range ports {
		if s.ports[p] != families {
			if err := s.objs.Transfers.Put(uint32(p), families); err != nil {
				return err
			}
			s.ports[p] = families
		}
	}
	return nil
}

// place makes the map of places what listen and local say. What stays is not touched.
func (s *Steer) place() error {
	want := make(map[steerPlace]bool)
	add := func(a netip.Addr, port uint16) {
		want[steerPlace{Address: addressOf(a), Port: port}] = true
		want[steerPlace{Address: addressOf(a), Transfers: 1}] = true
	}
	for _, l := range s.listen {
		if !l.Addr().IsUnspecified() {
			add(l.Addr(), l.Port())
			continue
		}
		for _, a := range s.local {
			if a.Is4() == l.Addr().Is4() {
				add(a, l.Port())
			}
		}
	}
	if n := int(s.objs.Places.MaxEntries()); len(want) > n {
		return fmt.Errorf("bpf: %d addresses and ports to listen on, at most %d", len(want), n)
	}
	for p := range s.placed {
		if !want[p] {
			if err := s.objs.Places.Delete(p); err != nil && !errors.Is(err, ebpf.ErrKeyNotExist) {
				return fmt.Errorf("bpf: remove a listen address: %w", err)
			}
			delete(s.placed, p)
		}
	}
	for p := range want {
		if !s.placed[p] {
			if err := s.objs.Places.Put(p, uint8(1)); err != nil {
				return fmt.Errorf("bpf: add a listen address: %w", err)
			}
			s.placed[p] = true
		}
	}
	return nil
}

// packRate returns a rate as limit.h has it.
func packRate(perSecond float64, burst int) (uint64, error) {
	if perSecond == 0 {
		return 0, nil
	}
	interval := math.Round(1e9 / perSecond)
	if !(interval >= 1 && interval <= math.MaxUint32) {
		return 0, fmt.Errorf("rate of %v per second out of range, %.2f to 1e9", perSecond, 1e9/math.MaxUint32)
	}
	const most = 1 << 20 // of which the time to fill them is no more than 52 bits long
	if burst < 1 || burst > most {
		return 0, fmt.Errorf("burst of %d out of range, 1 to %d", burst, most)
	}
	return uint64(burst)<<32 | uint64(interval), nil
}

// SetACL drops packets of sources outside the prefixes; without prefixes all are allowed. Families are independent: a list of IPv4
// prefixes alone excludes all of IPv6. The list is replaced atomically; on an error the previous one is kept.
func (s *Steer) SetACL(allow []netip.Prefix) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.setACL(allow); err != nil {
		return fmt.Errorf("bpf: set the ACL: %w", err)
	}
	return nil
}

func (s *Steer) setACL(allow []netip.Prefix) error {
	const slot = uint32(0)
	if len(allow) == 0 {
		if err := s.objs.Acl.Delete(slot); err != nil && !errors.Is(err, ebpf.ErrKeyNotExist) {
			return err
		}
		return nil
	}
	list := [...]*ebpf.Map{s.objs.AclEven, s.objs.AclOdd}[s.spare]
	var stale []steerAclKey
	var key steerAclKey
	var value uint8
	it := list.Iterate()
	for it.Next(&key, &value) {
		stale = append(stale, key)
	}
	if err := it.Err(); err != nil {
		return err
	}
	for _, k := range stale {
		if err := list.Delete(k); err != nil && !errors.Is(err, ebpf.ErrKeyNotExist) {
			return err
		}
	}
	for _, p := range allow {
		key, err := aclKey(p)
		if err != nil {
			return err
		}
		if err := list.Put(key, uint8(1)); err != nil {
			return fmt.Errorf("%v: %w", p, err)
		}
	}
	// The kernel returns from this when no program uses the list before any more, so that it may be emptied.
	if err := s.objs.Acl.Put(slot, list); err != nil {
		return err
	}
	s.spare = 1 - s.spare
	return nil
}

func aclKey(p netip.Prefix) (steerAclKey, error) {
	if !p.IsValid() {
		return steerAclKey{}, fmt.Errorf("%v is not a prefix", p)
	}
	a := p.Addr()
	key := steerAclKey{Prefix: 32 + uint32(p.Bits()), Family: 6}
	if a.Is4() {
		key.Family = 4
		a4 := a.As4()
		key.Word[0] = binary.NativeEndian.Uint32(a4[:])
		return key, nil
	}
	if a.Is4In6() {
		return key, fmt.Errorf("%v: IPv4-mapped; write it as an IPv4 prefix", p)
	}
	key.Word = addressOf(a).Word
	return key, nil
}

// SetWorkers spreads the packets of queues without an AF_XDP socket over processors: those of one source go to
// cpus[Worker(source, len(cpus))]. With none, packets stay on the processor that received them. So they do where a
// program is attached in generic mode: on their way to another processor such packets lose the place of their IP header
// (Linux 6.18 counts every one as InHdrErrors), and receive packet steering (rps_cpus) does the same there.
func (s *Steer) SetWorkers(cpus []int) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	table := make([]uint32, s.objs.CpuOf.Size()/4)
	if len(cpus) > len(table) {
		return fmt.Errorf("bpf: %d workers, at most %d", len(cpus), len(table))
	}
	for i, cpu := range cpus {
		if cpu < 0 || cpu >= int(s.objs.Cpus.MaxEntries()) {
			return fmt.Errorf("bpf: processor %d does not exist", cpu)
		}
		// The kernel starts a thread there, which takes frames from a queue of so many.
		if err := s.objs.Cpus.Put(uint32(cpu), steerBpfCpumapVal{Qsize: 2048}); err != nil {
			return fmt.Errorf("bpf: steer to processor %d: %w", cpu, err)
		}
		table[i] = uint32(cpu)
	}
	s.workers = len(cpus)
	var err error
	for _, p := range s.programs {
		err = errors.Join(err, p.objs.Workers.Set(uint32(0)))
	}
	if err == nil {
		err = s.objs.CpuOf.Set(table)
	}
	for _, p := range s.programs {
		if err == nil {
			err = p.spread(p.hook == nil || p.hook.mode != Generic)
		}
	}
	if err != nil {
		return fmt.Errorf("bpf: set the workers: %w", err)
	}
	return nil
}

// addressOf returns an address as abi.h has it.
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
