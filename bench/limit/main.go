// Command limit is the baseline of the benchmarks: it answers every read request with the same DATA block, ignores
// everything else, keeps no state and renders nothing. Its rate is the limit of sockets or, with -transport xdp, of
// AF_XDP's rings or, with -transport tx, of XDP itself.
//
// On sockets it receives and sends with recvmmsg and sendmmsg on one socket; the source address of a request is the
// destination of its answer, in the same memory. ACKs are received like requests, as a TFTP server must do.
package main

import (
	"flag"
	"fmt"
	"net/netip"
	"os"
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"
)

const opRRQ, opDATA = 1, 3 // RFC 1350, section 5

type mmsghdr struct {
	hdr unix.Msghdr
	n   uint32
	_   [4]byte
}

func main() {
	listen := flag.String("listen", "127.0.0.1:6969", "`address:port` to answer from")
	size := flag.Int("size", 400, "`bytes` of the block")
	batch := flag.Int("batch", 256, "`messages` per system call")
	other := flag.Bool("other-port", false, "answer from another port than the request port")
	transport := flag.String("transport", "socket", "`socket`, xdp or tx")
	iface := flag.String("interface", "", "`device` of -transport xdp and tx")
	busy := flag.Bool("busy-poll", false, "busy-poll the device with -transport xdp")
	flag.Parse()
	fmt.Fprintln(os.Stderr, "limit:", run(*transport, *listen, *iface, *size, *batch, *other, *busy))
	os.Exit(1)
}

// run returns only on an error.
func run(transport, listen, iface string, size, batch int, other, busy bool) error {
	addr, err := netip.ParseAddrPort(listen)
	if err != nil {
		return err
	}
	if size < 0 || size > 512 || batch < 1 || batch > 1024 {
		return fmt.Errorf("size %d, batch %d: size must be 0 to 512, batch 1 to 1024", size, batch)
	}
	runtime.LockOSThread()
	switch transport {
	case "socket":
		return serve(addr, size, batch, other)
	case "xdp":
		return serveXDP(addr, iface, size, batch, busy)
	case "tx":
		return serveTX(addr, iface, size)
	}
	return fmt.Errorf("transport %q: must be socket, xdp or tx", transport)
}

// serve answers over sockets.
func serve(addr netip.AddrPort, size, batch int, other bool) error {
	in, err := open(addr)
	if err != nil {
		return err
	}
	out := in
	if other {
		// Its ACKs are never read: they fill the buffer and are dropped.
		if out, err = open(netip.AddrPortFrom(addr.Addr(), 0)); err != nil {
			return err
		}
	}
	fmt.Println("ready")
	return respond(in, out, size, batch)
}

func open(addr netip.AddrPort) (int, error) {
	family := unix.AF_INET6
	var sa unix.Sockaddr = &unix.SockaddrInet6{Port: int(addr.Port()), Addr: addr.Addr().As16()}
	if addr.Addr().Is4() {
		family = unix.AF_INET
		sa = &unix.SockaddrInet4{Port: int(addr.Port()), Addr: addr.Addr().As4()}
	}
	fd, err := unix.Socket(family, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return -1, err
	}
	for _, opt := range []int{unix.SO_RCVBUFFORCE, unix.SO_SNDBUFFORCE} {
		if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, opt, 32<<20); err != nil {
			fmt.Fprintln(os.Stderr, "limit: small buffers:", err)
		}
	}
	// With DF packets need no identification, whose choice costs a tenth of an answer. The default, by which the kernel may
	// still clear DF, chooses one each time.
	level, opt, probe := unix.IPPROTO_IP, unix.IP_MTU_DISCOVER, unix.IP_PMTUDISC_PROBE
	if family == unix.AF_INET6 {
		level, opt, probe = unix.IPPROTO_IPV6, unix.IPV6_MTU_DISCOVER, unix.IPV6_PMTUDISC_PROBE
	}
	if err := unix.SetsockoptInt(fd, level, opt, probe); err != nil {
		return -1, err
	}
	return fd, unix.Bind(fd, sa)
}

// respond returns only on an error. Its system calls are raw, as no other goroutine needs the processor.
func respond(in, out, size, batch int) error {
	const room = 128 // how much of a request is read; the kernel truncates the rest
	block := newBlock(size).octets
	question := make([]byte, room*batch)
	from := make([]unix.RawSockaddrInet6, batch)
	asked, answer := make([]unix.Iovec, batch), unix.Iovec{Base: &block[0]}
	answer.SetLen(len(block))
	recv, send := make([]mmsghdr, batch), make([]mmsghdr, batch)
	for i := range batch {
		asked[i].Base = &question[i*room]
		asked[i].SetLen(room)
		recv[i].hdr = unix.Msghdr{Name: (*byte)(unsafe.Pointer(&from[i])), Iov: &asked[i], Iovlen: 1}
		send[i].hdr = unix.Msghdr{Iov: &answer, Iovlen: 1}
	}
	for {
		for i := range batch {
			recv[i].hdr.Namelen = unix.SizeofSockaddrInet6
		}
		n, _, errno := unix.RawSyscall6(unix.SYS_RECVMMSG, uintptr(in), uintptr(unsafe.Pointer(&recv[0])), uintptr(batch), unix.MSG_WAITFORONE, 0, 0)
		if errno == unix.EINTR {
			continue
		}
		if errno != 0 {
			return fmt.Errorf("recvmmsg: %w", errno)
		}
		answers := 0
		for i := range int(n) {
			if recv[i].n >= 4 && question[i*room+1] == opRRQ {
				send[answers].hdr.Name, send[answers].hdr.Namelen = recv[i].hdr.Name, recv[i].hdr.Namelen
				answers++
			}
		}
		for first := 0; first < answers; {
			n, _, errno := unix.RawSyscall6(unix.SYS_SENDMMSG, uintptr(out), uintptr(unsafe.Pointer(&send[first])), uintptr(answers-first), 0, 0, 0)
			if errno == 0 {
				first += int(n)
			} else if errno != unix.EINTR {
				first++ // that modem is gone
			}
		}
	}
}
