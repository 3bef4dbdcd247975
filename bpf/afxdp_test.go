package bpf

import (
	"net"
	"net/netip"
	"os"
	"slices"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"

	"dcs/bench/netlab"
)

// xskRing is as much of an AF_XDP socket as it takes to see that frames arrive. The queue is one of a veth: it copies.
type xskRing struct {
	fd       int
	umem     []byte
	rx       []byte
	producer *uint32
	descs    []unix.XDPDesc
}

const xskFrames, xskFrameSize = 64, 2048

func newXSKRing(t *testing.T, lab *netlab.Lab, queue int) *xskRing {
	t.Helper()
	x := new(xskRing)
	set := func(opt int, v unsafe.Pointer, size uintptr) {
		t.Helper()
		if _, _, e := unix.Syscall6(unix.SYS_SETSOCKOPT, uintptr(x.fd), unix.SOL_XDP, uintptr(opt), uintptr(v), size, 0); e != 0 {
			t.Fatal(os.NewSyscallError("setsockopt", e))
		}
	}
	mmap := func(offset int64, size int) []byte {
		t.Helper()
		b, err := unix.Mmap(x.fd, offset, size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED|unix.MAP_POPULATE)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = unix.Munmap(b) })
		return b
	}
	err := lab.Server.Do(func() (err error) {
		x.fd, err = unix.Socket(unix.AF_XDP, unix.SOCK_RAW|unix.SOCK_CLOEXEC, 0)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(x.fd) })
	x.umem, err = unix.Mmap(-1, 0, xskFrames*xskFrameSize, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = unix.Munmap(x.umem) })
	reg := unix.XDPUmemReg{Addr: uint64(uintptr(unsafe.Pointer(&x.umem[0]))), Len: uint64(len(x.umem)), Size: xskFrameSize}
	set(unix.XDP_UMEM_REG, unsafe.Pointer(&reg), unsafe.Sizeof(reg))
	size := uint32(xskFrames)
	for _, ring := range []int{unix.XDP_UMEM_FILL_RING, unix.XDP_UMEM_COMPLETION_RING, unix.XDP_RX_RING} {
		set(ring, unsafe.Pointer(&size), 4)
	}
	var off unix.XDPMmapOffsets
	n := uint32(unsafe.Sizeof(off))
	if _, _, e := unix.Syscall6(unix.SYS_GETSOCKOPT, uintptr(x.fd), unix.SOL_XDP, unix.XDP_MMAP_OFFSETS, uintptr(unsafe.Pointer(&off)), uintptr(unsafe.Pointer(&n)), 0); e != 0 {
		t.Fatal(e)
	}
	fill := mmap(unix.XDP_UMEM_PGOFF_FILL_RING, int(off.Fr.Desc)+8*xskFrames)
	addrs := unsafe.Slice((*uint64)(unsafe.Pointer(&fill[off.Fr.Desc])), xskFrames)
	for i := range addrs {
		addrs[i] = uint64(i * xskFrameSize)
	}
	*(*uint32)(unsafe.Pointer(&fill[off.Fr.Producer])) = xskFrames // the system call of bind orders it before any read
	x.rx = mmap(unix.XDP_PGOFF_RX_RING, int(off.Rx.Desc)+16*xskFrames)
	x.producer = (*uint32)(unsafe.Pointer(&x.rx[off.Rx.Producer]))
	x.descs = unsafe.Slice((*unix.XDPDesc)(unsafe.Pointer(&x.rx[off.Rx.Desc])), xskFrames)
	err = lab.Server.Do(func() error {
		ifi, err := net.InterfaceByName(netlab.Device)
		if err != nil {
			return err
		}
		return unix.Bind(x.fd, &unix.SockaddrXDP{Flags: unix.XDP_COPY, Ifindex: uint32(ifi.Index), QueueID: uint32(queue)})
	})
	if err != nil {
		t.Fatal(err)
	}
	return x
}

func TestSteersToAFXDP(t *testing.T) {
	for _, m := range []Mode{Native, Generic} {
		t.Run(m.String(), func(t *testing.T) {
			lab := netlab.ForTest(t, netlab.Config{})
			s, _ := attached(t, lab, labConfig(), m)
			x := newXSKRing(t, lab, 0)
			if err := s.programs[0].SetXSK(0, x.fd); err != nil {
				t.Fatal(err)
			}
			w := newWire(t, lab)
			sent := []frame{
				{source: modem(1, false), target: lab4, payload: rrq},
				{source: modem(2, true), target: lab6, payload: rrq},
				{source: modem(3, false), target: netip.AddrPortFrom(lab4.Addr(), 40000), payload: ack, pad: 18},
				{source: modem(4, false), target: lab4, payload: rrq, tags: []uint16{0x8100}},
				{source: modem(5, true), target: lab6, payload: rrq, tags: []uint16{0x88a8, 0x8100}},
			}
			for _, f := range sent {
				w.send(f)
				w.send(frame{source: f.source, target: netip.AddrPortFrom(f.target.Addr(), 7), payload: rrq})
			}
			until(t, "all frames have arrived", func() bool {
				_, _ = unix.Poll([]unix.PollFd{{Fd: int32(x.fd), Events: unix.POLLIN}}, 0)
				return *x.producer >= uint32(len(sent))
			})
			for i, f := range sent {
				f.to, f.from = netlab.ServerMAC, netlab.GatewayMAC
				d := x.descs[i]
				if got := x.umem[d.Addr : d.Addr+uint64(d.Len)]; !slices.Equal(got, f.octets()) {
					t.Errorf("frame %d\n got %x\nwant %x", i, got, f.octets())
				}
			}
			if got := s.stats(t)[SteerXSK].Packets; got != uint64(len(sent)) {
				t.Errorf("counted %d, want %d", got, len(sent))
			}
		})
	}
}
