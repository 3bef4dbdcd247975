package bpf

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"os"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"
)

// Worker returns which of n workers the programs choose for packets from a source, 0 to n-1. The choice depends on the
// address alone.
func Worker(source netip.Addr, n int) int {
	b := source.As16()
	var h uint32
	i := 0
	if source.Unmap().Is4() {
		i = 12
	}
	for ; i < len(b); i += 4 {
		h = mix(h ^ binary.BigEndian.Uint32(b[i:]))
	}
	return int(uint64(h) * uint64(n) >> 32)
}

// mix is the finalizer of MurmurHash3.
func mix(h uint32) uint32 {
	h ^= h >> 16
	h *= 0x85ebca6b
	h ^= h >> 13
	h *= 0xc2b2ae35
	return h ^ h>>16
}

// A Reuseport chooses among sockets that share an address and port.
type Reuseport struct {
	objs reuseportObjects
}

// NewReuseport directs requests at an address and port to the socket of their source's worker. The sockets are given by
// their file descriptors in the order of the workers, and are bound to the same address and port with SO_REUSEPORT. It
// needs no XDP. While one of the sockets is closed, and after Close, the kernel chooses by itself. The error is a
// *CapabilityError if the process lacks capabilities.
func NewReuseport(fds []int) (*Reuseport, error) {
	if len(fds) == 0 {
		return nil, errors.New("bpf: reuseport: no sockets")
	}
	if err := need(capBPF, capNetAdmin); err != nil {
		return nil, fmt.Errorf("bpf: reuseport: %w", err)
	}
	r := new(Reuseport)
	if err := r.load(fds); err != nil {
		return nil, errors.Join(fmt.Errorf("bpf: reuseport: %w", err), r.Close())
	}
	return r, nil
}

func (r *Reuseport) load(fds []int) error {
	spec, err := loadReuseport()
	if err != nil {
		return err
	}
	spec.Maps[reuseportMapSockets].MaxEntries = uint32(len(fds))
	if err := spec.Variables[reuseportVarWorkers].Set(uint32(len(fds))); err != nil {
		return err
	}
	if err := spec.LoadAndAssign(&r.objs, nil); err != nil {
		return err
	}
	for i, fd := range fds {
		if err := r.objs.Sockets.Put(uint32(i), uint64(fd)); err != nil {
			return fmt.Errorf("socket %d: %w", i, err)
		}
	}
	// Attached to one socket, the program applies to all.
	err = unix.SetsockoptInt(fds[0], unix.SOL_SOCKET, unix.SO_ATTACH_REUSEPORT_EBPF, r.objs.Choose.FD())
	return os.NewSyscallError("setsockopt SO_ATTACH_REUSEPORT_EBPF", err)
}

// Close returns the choice to the kernel.
func (r *Reuseport) Close() error {
	if r.objs.Sockets == nil {
		return nil
	}
	var errs []error
	// The program stays attached as long as the sockets exist; if it makes no choice, the kernel does.
	for i := range r.objs.Sockets.MaxEntries() {
		if err := r.objs.Sockets.Delete(i); err != nil && !errors.Is(err, ebpf.ErrKeyNotExist) {
			errs = append(errs, fmt.Errorf("bpf: reuseport: %w", err))
		}
	}
	errs = append(errs, r.objs.Close())
	r.objs = reuseportObjects{}
	return errors.Join(errs...)
}
