package main

import (
	"fmt"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"dcs/bench/netlab"
)

// labModem is a TFTP client that does what it is told, block by block.
type labModem struct {
	t    *testing.T
	c    *net.UDPConn
	to   netip.AddrPort
	next uint16 // block
}

// labModems gives the lab's load so many addresses of both families, with a client at each.
func labModems(t *testing.T, lab *netlab.Lab, n int) (all []*labModem) {
	t.Helper()
	if err := lab.Load.Do(func() error {
		l, err := netlink.LinkByName(netlab.Device)
		if err != nil {
			return err
		}
		for i := range n {
			for _, host := range []struct {
				addr   string
				server netip.Addr
			}{{fmt.Sprintf("198.19.0.%d/24", 10+i), netlab.ServerAddr4}, {fmt.Sprintf("fd00:198:19::%x/64", 16+i), netlab.ServerAddr6}} {
				a, err := netlink.ParseAddr(host.addr)
				if err != nil {
					return err
				}
				a.Flags = unix.IFA_F_NODAD
				if err := netlink.AddrAdd(l, a); err != nil {
					return err
				}
				c, err := net.ListenUDP("udp", &net.UDPAddr{IP: a.IP})
				if err != nil {
					return err
				}
				t.Cleanup(func() { _ = c.Close() })
				all = append(all, &labModem{t: t, c: c, to: netip.AddrPortFrom(host.server, 69)})
			}
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	return all
}

func (m *labModem) send(b []byte) {
	m.t.Helper()
	if _, err := m.c.WriteToUDPAddrPort(b, m.to); err != nil {
		m.t.Error(err)
	}
}

// read waits until a packet comes that begins so. Others are repetitions.
func (m *labModem) read(begin string) bool {
	m.t.Helper()
	_ = m.c.SetReadDeadline(time.Now().Add(20 * time.Second))
	buf := make([]byte, 4096)
	for {
		n, from, err := m.c.ReadFromUDPAddrPort(buf)
		if err != nil {
			m.t.Errorf("%v: no %q: %v", m.c.LocalAddr(), begin, err)
			return false
		}
		if n > 1 && buf[1] == 5 {
			m.t.Errorf("%v: %q", m.c.LocalAddr(), buf[:n])
			return false
		}
		if strings.HasPrefix(string(buf[:n]), begin) {
			m.to = from
			return true
		}
	}
}

// block acknowledges the last block, and waits for the next.
func (m *labModem) block() bool {
	m.t.Helper()
	m.send([]byte{0, 4, byte(m.next >> 8), byte(m.next)})
	m.next++
	return m.read(string([]byte{0, 3, byte(m.next >> 8), byte(m.next)}))
}
