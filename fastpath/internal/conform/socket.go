package conform

import (
	"encoding/binary"
	"net"
	"net/netip"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// A Socket is a client with a kernel UDP socket.
type Socket struct {
	c       *net.UDPConn
	buf     []byte
	control []byte
	v6      bool
	tos     uint8
}

// NewSocket returns a client that uses c and closes it when the test ends.
func NewSocket(t testing.TB, c *net.UDPConn) *Socket {
	t.Helper()
	t.Cleanup(func() { _ = c.Close() })
	_ = c.SetReadBuffer(4 << 20)
	at := c.LocalAddr().(*net.UDPAddr).AddrPort().Addr().Unmap()
	s := &Socket{c: c, buf: make([]byte, 1<<16), control: make([]byte, 128), v6: at.Is6()}
	if err := s.set(unix.IPV6_RECVTCLASS, unix.IP_RECVTOS, 1); err != nil {
		t.Fatal(err)
	}
	return s
}

func (s *Socket) set(v6, v4, value int) error {
	conn, err := s.c.SyscallConn()
	if err != nil {
		return err
	}
	set := func(fd uintptr) {
		if s.v6 {
			err = unix.SetsockoptInt(int(fd), unix.IPPROTO_IPV6, v6, value)
		} else {
			err = unix.SetsockoptInt(int(fd), unix.IPPROTO_IP, v4, value)
		}
	}
	if e := conn.Control(set); e != nil {
		return e
	}
	return err
}

// Send implements [Client].
func (s *Socket) Send(to netip.AddrPort, data []byte) error {
	_, err := s.c.WriteToUDPAddrPort(data, to)
	return err
}

// Recv implements [Client].
func (s *Socket) Recv(wait time.Duration) ([]byte, netip.AddrPort) {
	_ = s.c.SetReadDeadline(time.Now().Add(wait))
	n, controls, _, from, err := s.c.ReadMsgUDPAddrPort(s.buf, s.control)
	if err != nil {
		return nil, netip.AddrPort{}
	}
	s.tos = tosOf(s.control[:controls])
	return s.buf[:n], netip.AddrPortFrom(from.Addr().Unmap(), from.Port())
}

// tosOf returns the TOS or traffic class of a packet; 0 if the kernel did not report it.
func tosOf(control []byte) uint8 {
	messages, err := syscall.ParseSocketControlMessage(control)
	if err != nil {
		return 0
	}
	for _, m := range messages {
		switch {
		case m.Header.Level == unix.IPPROTO_IP && m.Header.Type == unix.IP_TOS:
			return m.Data[0]
		case m.Header.Level == unix.IPPROTO_IPV6 && m.Header.Type == unix.IPV6_TCLASS:
			return uint8(binary.NativeEndian.Uint32(m.Data))
		}
	}
	return 0
}

// Leave implements [Leaver].
func (s *Socket) Leave() { _ = s.c.Close() }

// Mark implements [MarkedClient].
func (s *Socket) Mark(tos uint8) error { return s.set(unix.IPV6_TCLASS, unix.IP_TOS, int(tos)) }

// TOS implements [MarkedClient].
func (s *Socket) TOS() uint8 { return s.tos }
