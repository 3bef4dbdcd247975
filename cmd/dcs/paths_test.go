package main

import (
	"fmt"
	"net"
	"net/netip"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/vishvananda/netlink"

	"dcs/bench/netlab"
	"dcs/bench/require"
)

// labEnds are the server's and the load's addresses of both families.
var labEnds = [][2]netip.Addr{{netlab.ServerAddr4, netlab.LoadAddr4}, {netlab.ServerAddr6, netlab.LoadAddr6}}

// labSocket returns a socket of a host, whose reads fail after 20 s.
func labSocket(t *testing.T, h *netlab.Host, at netip.Addr) *net.UDPConn {
	t.Helper()
	var c *net.UDPConn
	err := h.Do(func() (err error) {
		c, err = net.ListenUDP("udp", net.UDPAddrFromAddrPort(netip.AddrPortFrom(at, 0)))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	_ = c.SetDeadline(time.Now().Add(20 * time.Second))
	return c
}

// told sends a packet, and returns what comes back.
func told(t *testing.T, c *net.UDPConn, to netip.AddrPort, packet string) (string, netip.AddrPort) {
	t.Helper()
	if _, err := c.WriteToUDPAddrPort([]byte(packet), to); err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 1<<16)
	n, from, err := c.ReadFromUDPAddrPort(buf)
	if err != nil {
		t.Fatal(err)
	}
	return string(buf[:n]), from
}

func setMTU(t *testing.T, lab *netlab.Lab, mtu int) {
	t.Helper()
	labLink(t, lab, netlab.Device, func(l netlink.Link) error { return netlink.LinkSetMTU(l, mtu) })
}

// Each transport serves clients behind a link of 1,280 octets, whatever their blocks; ends the transfers of clients that have gone; and
// grants what the interface's MTU leaves, when it has changed too.
func TestPaths(t *testing.T) {
	t.Parallel()
	require.Program(t, "curl")
	for _, transport := range []string{"socket", "xdp"} {
		t.Run(transport, func(t *testing.T) {
			t.Parallel()
			lab := netlab.ForTest(t, netlab.Config{})
			tagsOnFrames(t, lab)
			far, err := lab.Far(1280)
			if err != nil {
				t.Fatal(err)
			}
			addr := netlab.ServerAddr4.String() + ":9100"
			body := string(firmware(40_000))
			p := labServe(t, lab, "--transport", transport, "--static", static(t, map[string]string{"x": body}), "--metrics", addr)

			behind := &netlab.Lab{Server: lab.Server, Load: far}
			for _, ends := range labEnds {
				for _, blksize := range []string{"512", "1232", "1428", "1468"} {
					if got, err := labFetch(t, behind, ends[0].String(), "x", "--blksize", blksize); err != nil || got != body {
						t.Errorf("blocks of %s from %v: %d octets, %v", blksize, ends[0], len(got), err)
					}
				}
			}
			for _, ends := range labEnds {
				gone(t, lab, ends)
			}
			eventually(t, "transfers of clients that have gone end", func() bool {
				m := samples(t, labMetrics(t, lab, addr))
				return m[`dcs_transfers_ended_total{result="unreachable"}`] == 4 && sum(m, "dcs_transfers_running") == 0
			})
			if m := samples(t, labMetrics(t, lab, addr)); m[`dcs_transfers_ended_total{result="gave_up"}`] != 0 || sum(m, "dcs_send_errors_total") != 0 {
				t.Errorf("%v gave up, %v send errors", m[`dcs_transfers_ended_total{result="gave_up"}`], sum(m, "dcs_send_errors_total"))
			}
			if n := p.count("file not delivered"); n != 0 {
				t.Errorf("%d files were not taken", n)
			}
			for _, mtu := range []int{1500, 1400, 1500} {
				setMTU(t, lab, mtu)
				for i, ends := range labEnds {
					want := fmt.Sprintf("\x00\x06blksize\x00%d\x00", mtu-[]int{32, 52}[i])
					eventually(t, fmt.Sprintf("MTU %d is followed over %v", mtu, ends[0]), func() bool {
						oack, _ := told(t, labSocket(t, lab.Load, ends[1]), netip.AddrPortFrom(ends[0], 69), "\x00\x01x\x00octet\x00blksize\x0065464\x00")
						return oack == want
					})
				}
			}
			narrowed(t, lab, labEnds[0], body)
			if err := p.stop(syscall.SIGTERM); err != nil {
				t.Error(err)
			}
		})
	}
}

// gone has two clients go: one that wanted to know the size only, and one in the middle of a file.
func gone(t *testing.T, lab *netlab.Lab, ends [2]netip.Addr) {
	t.Helper()
	for _, options := range []string{"tsize\x000\x00", ""} {
		c := labSocket(t, lab.Load, ends[1])
		_, tid := told(t, c, netip.AddrPortFrom(ends[0], 69), "\x00\x01x\x00octet\x00"+options)
		if options == "" {
			told(t, c, tid, "\x00\x04\x00\x01")
		}
		_ = c.Close()
	}
}

// narrowed has a client fetch a file whose blocks are longer than what the interface takes since they were granted.
func narrowed(t *testing.T, lab *netlab.Lab, ends [2]netip.Addr, body string) {
	t.Helper()
	c := labSocket(t, lab.Load, ends[1])
	_, tid := told(t, c, netip.AddrPortFrom(ends[0], 69), "\x00\x01x\x00octet\x00blksize\x001468\x00")
	setMTU(t, lab, 1300)
	got := ""
	for n := 0; ; {
		block, _ := told(t, c, tid, "\x00\x04"+string([]byte{byte(n >> 8), byte(n)}))
		if want := "\x00\x03" + string([]byte{byte((n + 1) >> 8), byte(n + 1)}); !strings.HasPrefix(block, want) {
			t.Fatalf("%.20q, want block %d", block, n+1)
		}
		n++
		if got += block[4:]; len(block) < 4+1468 {
			break
		}
	}
	if got != body {
		t.Errorf("%d octets, want %d", len(got), len(body))
	}
}
