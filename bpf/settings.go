package bpf

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"net/netip"

	"github.com/cilium/ebpf"
)

// setListen changes Config's Listen and Transfers.
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

// setPorts sets the transfer ports and their families in the kernel.
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

// place updates the map of places to listen and local. Unchanged entries are not written.
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

// packRate returns a rate in the form of limit.h.
func packRate(perSecond float64, burst int) (uint64, error) {
	if perSecond == 0 {
		return 0, nil
	}
	interval := math.Round(1e9 / perSecond)
	if !(interval >= 1 && interval <= math.MaxUint32) {
		return 0, fmt.Errorf("rate of %v per second out of range, %.2f to 1e9", perSecond, 1e9/math.MaxUint32)
	}
	const most = 1 << 20 // so that the time to fill a bucket fits into 52 bits
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
	// The kernel returns once no program uses the old list any more, so that it can be emptied.
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
// cpus[Worker(source, len(cpus))]. Without cpus, packets stay on the processor that received them. They also do with a
// program in generic mode: on the way to another processor such packets lose the offset of their IP header (Linux 6.18
// counts each as InHdrErrors), and receive packet steering (rps_cpus) does the same there.
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
		// The kernel starts a thread there with a queue of this size.
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
