package main

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// A client is a modem that waits for each packet and counts its retries.
type client struct {
	conn    *net.UDPConn
	server  netip.AddrPort
	retries int
}

// patience is how long a modem waits for an answer before it repeats its packet. The machine is slow.
const patience = 4 * time.Second

// newClients opens the sockets of clients in cli.
func newClients(n int, server netip.AddrPort) (all []*client, err error) {
	done := make(chan error, 1)
	go func() {
		runtime.LockOSThread() // never unlocked: the thread ends with this goroutine
		done <- func() error {
			ns, err := os.Open("/run/netns/cli")
			if err != nil {
				return err
			}
			defer ns.Close()
			if err := unix.Setns(int(ns.Fd()), unix.CLONE_NEWNET); err != nil {
				return err
			}
			for range n {
				conn, err := net.ListenUDP("udp", nil)
				if err != nil {
					return err
				}
				all = append(all, &client{conn: conn, server: server})
			}
			return nil
		}()
	}()
	err = <-done
	return all, err
}

// load fetches the static file (RFC 1350, RFC 2348). Each block is counted.
func (c *client) load(want []byte, blocks *atomic.Int64) error {
	defer c.conn.Close()
	const size = 1428
	send, to := fmt.Appendf(nil, "\x00\x01%s\x00octet\x00blksize\x00%d\x00", staticFile, size), c.server
	next := uint16(0) // the next block; 0: the OACK
	var got []byte
	buf := make([]byte, 2048)
	for tries := 0; ; {
		if _, err := c.conn.WriteToUDPAddrPort(send, to); err != nil {
			return err
		}
		answer, err := c.answer(buf, next, &to)
		switch {
		case errors.Is(err, os.ErrDeadlineExceeded) && tries < 4:
			tries++
			c.retries++
			continue
		case err != nil:
			return fmt.Errorf("block %d: %w", next, err)
		}
		tries = 0
		blocks.Add(1)
		send = binary.BigEndian.AppendUint16([]byte{0, 4}, next)
		if next > 0 {
			got = append(got, answer...)
		}
		if next++; next > 1 && len(answer) < size {
			break
		}
	}
	if _, err := c.conn.WriteToUDPAddrPort(send, to); err != nil {
		return err
	}
	if !slices.Equal(got, want) {
		return fmt.Errorf("wrong content: %d octets, want %d", len(got), len(want))
	}
	return nil
}

// answer waits for a block, or the OACK, and returns its payload.
func (c *client) answer(buf []byte, block uint16, from *netip.AddrPort) ([]byte, error) {
	if err := c.conn.SetReadDeadline(time.Now().Add(patience)); err != nil {
		return nil, err
	}
	for {
		n, peer, err := c.conn.ReadFromUDPAddrPort(buf)
		if err != nil {
			return nil, err
		}
		b := buf[:n]
		at := netip.AddrPortFrom(peer.Addr().Unmap(), peer.Port())
		if n < 4 || at.Addr() != from.Addr() || block > 0 && at != *from {
			continue
		}
		switch op := binary.BigEndian.Uint16(b); {
		case op == 5:
			return nil, fmt.Errorf("ERROR %d: %s", binary.BigEndian.Uint16(b[2:]), b[4:])
		case op == 6 && block == 0:
			*from = at
			return nil, nil
		case op == 3 && block > 0 && binary.BigEndian.Uint16(b[2:]) == block:
			return b[4:], nil
		}
	}
}

// loadAll makes clients fetch the static file at once, calls then once a part of the blocks has arrived, and returns
// the most retries that one of them needed.
func loadAll(n int, server netip.AddrPort, part float64, then func() error) (retries int, err error) {
	clients, err := newClients(n, server)
	if err != nil {
		return 0, err
	}
	want := image()
	total := n * (2 + len(want)/1428)
	var blocks atomic.Int64
	var all sync.WaitGroup
	errs := make([]error, n)
	for i, c := range clients {
		all.Go(func() { errs[i] = c.load(want, &blocks) })
	}
	ended := make(chan struct{})
	go func() { all.Wait(); close(ended) }()
	for over := false; !over && float64(blocks.Load()) < part*float64(total); {
		select {
		case <-ended:
			over = true
		case <-time.After(time.Millisecond):
		}
	}
	if then != nil {
		if err = then(); err == nil && int(blocks.Load()) >= total {
			err = errors.New("all files were complete before")
		}
	}
	<-ended
	for _, c := range clients {
		retries = max(retries, c.retries)
	}
	return retries, errors.Join(append(errs, err)...)
}
