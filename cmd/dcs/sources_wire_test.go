package main

import (
	"bufio"
	be "encoding/binary"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"dcs/bench/afpacket"
	"dcs/bench/netlab"
	"dcs/testdata"
)

// requestFrame is an RRQ as it comes over the wire, by RFC 791, 8200 and 768.
func requestFrame(from, to netip.AddrPort, options []byte, name string) []byte {
	udp := make([]byte, 8)
	be.BigEndian.PutUint16(udp, from.Port())
	be.BigEndian.PutUint16(udp[2:], to.Port())
	udp = fmt.Appendf(udp, "\x00\x01%s\x00octet\x00", name)
	be.BigEndian.PutUint16(udp[4:], uint16(len(udp)))
	etherType, ip := uint16(unix.ETH_P_IP), make([]byte, 20)
	if from.Addr().Is4() {
		ip = append(ip, options...)
		ip[0], ip[8], ip[9] = 0x40|byte(len(ip)/4), 64, unix.IPPROTO_UDP
		be.BigEndian.PutUint16(ip[2:], uint16(len(ip)+len(udp)))
		copy(ip[12:], from.Addr().AsSlice())
		copy(ip[16:], to.Addr().AsSlice())
		be.BigEndian.PutUint16(ip[10:], internetSum(ip))
	} else {
		etherType, ip = unix.ETH_P_IPV6, make([]byte, 40)
		ip[0], ip[6], ip[7] = 0x60, unix.IPPROTO_UDP, 64
		be.BigEndian.PutUint16(ip[4:], uint16(len(udp)))
		copy(ip[8:], from.Addr().AsSlice())
		copy(ip[24:], to.Addr().AsSlice())
	}
	pseudo := append(from.Addr().AsSlice(), to.Addr().AsSlice()...)
	pseudo = append(pseudo, 0, unix.IPPROTO_UDP, byte(len(udp)>>8), byte(len(udp)))
	be.BigEndian.PutUint16(udp[6:], internetSum(append(pseudo, udp...)))
	f := append(append([]byte{}, netlab.ServerMAC...), netlab.GatewayMAC...)
	f = be.BigEndian.AppendUint16(f, etherType)
	return append(append(f, ip...), udp...)
}

// internetSum is the checksum of RFC 1071.
func internetSum(b []byte) uint16 {
	var sum uint32
	for ; len(b) > 1; b = b[2:] {
		sum += uint32(be.BigEndian.Uint16(b))
	}
	if len(b) > 0 {
		sum += uint32(b[0]) << 8
	}
	for sum>>16 != 0 {
		sum = sum&0xffff + sum>>16
	}
	return ^uint16(sum)
}

// tableHost gives the lab's server the addresses of testdata/sources.csv, and the ways back to everybody.
func tableHost() error {
	link, err := netlink.LinkByName(netlab.Device)
	if err != nil {
		return err
	}
	for _, text := range []string{"10.1.0.1/16", "192.0.2.129/25", "fd00:1::1/64"} {
		a, err := netlink.ParseAddr(text)
		if err != nil {
			return err
		}
		if a.IP.To4() == nil {
			a.Flags = unix.IFA_F_NODAD
		}
		if err := netlink.AddrAdd(link, a); err != nil {
			return fmt.Errorf("%s: %w", text, err)
		}
	}
	for _, on := range []string{"10.1.0.2", "fd00:1::2", "fe80::1"} {
		n := &netlink.Neigh{LinkIndex: link.Attrs().Index, State: netlink.NUD_PERMANENT, IP: net.ParseIP(on), HardwareAddr: netlab.GatewayMAC}
		if err := netlink.NeighSet(n); err != nil {
			return fmt.Errorf("%s: %w", on, err)
		}
	}
	for _, via := range []netip.Addr{netlab.LoadAddr4, netlab.LoadAddr6} {
		bits := 8 * len(via.AsSlice())
		r := &netlink.Route{LinkIndex: link.Attrs().Index, Dst: &net.IPNet{IP: make(net.IP, bits/8), Mask: net.CIDRMask(0, bits)}, Gw: via.AsSlice()}
		if err := netlink.RouteReplace(r); err != nil {
			return fmt.Errorf("route via %v: %w", via, err)
		}
	}
	return nil
}

// counter reads a server's metrics over one connection.
type counter struct {
	t *testing.T
	c net.Conn
	r *bufio.Reader
}

func newCounter(t *testing.T, lab *netlab.Lab, addr string) *counter {
	t.Helper()
	c := &counter{t: t}
	if err := lab.Load.Do(func() (err error) {
		c.c, err = net.DialTimeout("tcp", addr, time.Minute)
		return err
	}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.c.Close() })
	c.r = bufio.NewReader(c.c)
	return c
}

func (c *counter) read() map[string]float64 {
	c.t.Helper()
	_ = c.c.SetDeadline(time.Now().Add(time.Minute))
	if _, err := io.WriteString(c.c, "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
		c.t.Fatal(err)
	}
	res, err := http.ReadResponse(c.r, nil)
	if err != nil {
		c.t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		c.t.Fatal(err)
	}
	return samples(c.t, string(text))
}

// What the wire brings is answered as testdata/sources.csv says, by AF_XDP and by sockets: before these the kernel drops what
// the server itself does not see.
func TestSourcesOverTheWire(t *testing.T) {
	t.Parallel()
	for _, transport := range []string{"xdp", "socket"} {
		t.Run(transport, func(t *testing.T) {
			lab := netlab.ForTest(t, netlab.Config{})
			if err := lab.Server.Do(tableHost); err != nil {
				t.Fatal(err)
			}
			// As systemd and the distributions have it.
			if err := lab.Server.WriteFile("/proc/sys/net/ipv4/conf/all/accept_source_route", "0"); err != nil {
				t.Fatal(err)
			}
			metrics := netlab.ServerAddr4.String() + ":9100"
			labServe(t, lab, "--transport", transport, "--workers", "1", "--static", static(t, map[string]string{"x": "text"}), "--metrics", metrics)
			c := newCounter(t, lab, metrics)
			var wire *afpacket.Socket
			if err := lab.Load.Do(func() (err error) {
				wire, err = afpacket.Open(netlab.Device, afpacket.Config{Slots: 64})
				return err
			}); err != nil {
				t.Fatal(err)
			}
			defer wire.Close()
			send := func(frame []byte) {
				slot := wire.Slot()
				wire.Commit(copy(slot[:cap(slot)], frame))
			}
			const files, missing = `dcs_requests_total{reason="",result="file"}`, `dcs_requests_total{reason="not_found",result="error"}`
			before := c.read()
			for i, row := range testdata.Sources(t, "") {
				if !row.Wire {
					continue
				}
				from := row.From
				if from.Port() == 2070 { // a port of its own for each, or some would be the same request again
					from = netip.AddrPortFrom(from.Addr(), uint16(20_000+i))
				}
				send(requestFrame(from, row.To, row.Options, "x"))
				// What comes behind it, and has been counted, tells that it has been looked at.
				behind := requestFrame(netip.AddrPortFrom(netip.MustParseAddr("10.32.9.9"), uint16(3000+i)), netip.MustParseAddrPort("10.1.0.1:69"), nil, "none")
				if from.Addr().Is6() {
					behind = requestFrame(netip.AddrPortFrom(netip.MustParseAddr("fd00:32::9:9"), uint16(3000+i)), netip.MustParseAddrPort("[fd00:1::1]:69"), nil, "none")
				}
				send(behind)
				wire.Flush()
				var now map[string]float64
				eventually(t, row.Name+": the request behind it is counted", func() bool {
					now = c.read()
					return now[missing] > before[missing]
				})
				if answered := now[files] > before[files]; answered == row.Silence {
					t.Errorf("%s: answered %v", row.Name, answered)
				}
				before = now
			}
		})
	}
}
