package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"slices"
	"time"

	"dcs/bench/afpacket"
	"dcs/bench/netlab"
	"dcs/fastpath/frame"
	"dcs/fastpath/packet"
	"dcs/fastpath/tftp"
)

// The attacker has modems of his own, and learns from the answers to them what he cannot see of others. own4 and own6
// are their addresses.
var (
	own4 = netip.MustParsePrefix("198.18.240.0/20")
	own6 = netip.MustParsePrefix("fd00:198:18:0:f0::/80")
)

// tids returns the ports from which such requests are answered. It runs in the load's host.
func tids(ctx context.Context, request []byte, v6 bool) ([]uint16, error) {
	const (
		batch    = 32
		enough   = 768              // answers in a row without a new port
		longest  = 10 * time.Second // time for all of it
		patience = 200 * time.Millisecond
	)
	own, server := own4, netlab.ServerAddr4
	if v6 {
		own, server = own6, netlab.ServerAddr6
	}
	s, err := openSpoofer(7)
	if err != nil {
		return nil, err
	}
	defer s.close()
	ears, err := afpacket.Open(netlab.Device, afpacket.Config{Slots: 1024})
	if err != nil {
		return nil, err
	}
	defer ears.Close()
	seen := map[uint16]bool{}
	silent := time.Now().Add(longest)
	for since := 0; since < enough && time.Now().Before(silent) && ctx.Err() == nil; {
		for range batch {
			s.send(s.client(own), 69, request)
		}
		s.sock.Flush()
		answers := 0
		for wait := time.Now().Add(patience); answers < batch && time.Now().Before(wait); {
			b, _, ok := ears.Next()
			var p packet.Packet
			if !ok {
				ears.Wait(10 * time.Millisecond)
				continue
			}
			if frame.Parse(b, &p) != frame.Datagram || !own.Contains(p.Local.Addr()) || p.Peer.Addr() != server {
				continue
			}
			answers++
			since++
			if port := p.Peer.Port(); !seen[port] {
				seen[port], since = true, 0
			}
			// A client that has what it wanted leaves.
			s.send(p.Local, p.Peer.Port(), tftp.AppendERROR(nil, tftp.CodeUndefined, "enough"))
		}
		s.sock.Flush()
	}
	if len(seen) == 0 {
		return nil, errors.New("attacker's own requests are not answered")
	}
	ports := make([]uint16, 0, len(seen))
	for p := range seen {
		ports = append(ports, p)
	}
	slices.Sort(ports)
	return ports, nil
}

// acks returns the blocks that a client of the server acknowledges, in order, when it sends that request and loses
// nothing: the first windows of a file. It runs in the load's host.
func acks(request []byte, windows int, v6 bool) ([]uint16, error) {
	const (
		patience = 5 * time.Second        // for the first packet of a window
		gap      = 150 * time.Millisecond // after the last one
		again    = time.Second            // interval of requests that brought nothing
		tries    = 10
	)
	load, server := netlab.LoadAddr4, netlab.ServerAddr4
	if v6 {
		load, server = netlab.LoadAddr6, netlab.ServerAddr6
	}
	c, err := listenLow(load)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	_ = c.SetReadBuffer(8 << 20) // as large as permitted
	to := netip.AddrPortFrom(server, 69)
	if _, err := c.WriteToUDPAddrPort(request, to); err != nil {
		return nil, err
	}
	var all []uint16
	last := uint16(0)
	news := false
	b := make([]byte, 1<<16)
	asked := 1
	for wait := again; len(all) < windows; {
		if err := c.SetReadDeadline(time.Now().Add(wait)); err != nil {
			return nil, err
		}
		n, from, err := c.ReadFromUDPAddrPort(b)
		switch {
		case err == nil:
			to, wait = from, gap
			if block, _, err := tftp.ParseDATA(b[:n]); err == nil && int16(block-last) > 0 {
				last, news = block, true
			} else if tftp.Opcode(b[:n]) == tftp.OpOACK {
				news = true
			} else if tftp.Opcode(b[:n]) == tftp.OpERROR {
				return nil, fmt.Errorf("attacker's own request refused: %q", b[4:n])
			}
		case errors.Is(err, os.ErrDeadlineExceeded) && !news && len(all) == 0 && asked < tries:
			asked++
			if _, err := c.WriteToUDPAddrPort(request, netip.AddrPortFrom(server, 69)); err != nil {
				return nil, err
			}
		case errors.Is(err, os.ErrDeadlineExceeded) && news:
			all = append(all, last)
			news, wait = false, patience
			if _, err := c.WriteToUDPAddrPort(tftp.AppendACK(nil, last), to); err != nil {
				return nil, err
			}
		case errors.Is(err, os.ErrDeadlineExceeded) && len(all) > 0 && wait == patience:
			return all, nil // the file is complete
		case errors.Is(err, os.ErrDeadlineExceeded) && len(all) > 0:
			wait = patience // what has arrived is known already
		default:
			return nil, fmt.Errorf("attacker's own request: %w", err)
		}
	}
	_, err = c.WriteToUDPAddrPort(tftp.AppendERROR(nil, tftp.CodeUndefined, "enough"), to)
	return all, err
}

// listenLow opens a port of one of the load's addresses below the ports for which blind ERRORs are sent.
func listenLow(load netip.Addr) (c *net.UDPConn, err error) {
	for port := uint16(20000); port < 20100; port++ {
		c, err = net.ListenUDP("udp", net.UDPAddrFromAddrPort(netip.AddrPortFrom(load, port)))
		if err == nil {
			return c, nil
		}
	}
	return nil, err
}
