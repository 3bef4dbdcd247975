package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"dcs/cmd/internal/cli"
	"dcs/cmd/internal/terminal"
	"dcs/fastpath/tftp"
)

func getCommand(e cli.Env) *cobra.Command {
	g := fetch{}
	var out string
	var decode bool
	cmd := &cobra.Command{
		Use:   "get HOST[:PORT] NAME",
		Short: "Fetch a file over TFTP",
		Long:  `Fetch a file over TFTP, as a modem does. Without -o it is written to standard output.`,
		Example: `  dcs get 192.0.2.1 gold.cm --decode
  dcs get [::1]:6969 firmware.bin -o firmware.bin --blksize 1428 --windowsize 16`,
		Args: cli.Arguments(2, 2),
		RunE: func(cmd *cobra.Command, args []string) error {
			switch {
			case g.blksize < tftp.MinBlksize || g.blksize > tftp.MaxBlksize:
				return cli.Usagef("--blksize %d: want %d to %d", g.blksize, tftp.MinBlksize, tftp.MaxBlksize)
			case g.windowsize < 1 || g.windowsize > 65535:
				return cli.Usagef("--windowsize %d: want 1 to 65535", g.windowsize)
			case g.timeout < time.Millisecond:
				return cli.Usagef("--timeout %v: want 1ms or more", g.timeout)
			case g.tries < 1:
				return cli.Usagef("--tries %d: want 1 or more", g.tries)
			case decode && out != "":
				return cli.Usagef("--decode prints text and -o FILE writes the boot file unchanged; give only one of them")
			case args[1] == "" || len(args[1]) > tftp.MaxName || strings.ContainsRune(args[1], 0):
				return cli.Usagef("%q is not a file name: want 1 to %d characters", args[1], tftp.MaxName)
			}
			var err error
			if g.server, err = serverAddress(cmd.Context(), args[0]); err != nil {
				return err
			}
			g.name = args[1]
			file, err := g.run()
			if err != nil {
				return fmt.Errorf("%s from %s: %w", terminal.Clean(g.name), g.server, err)
			}
			if !decode {
				return emit(e, out, file)
			}
			return showFile(e.Stdout, terminal.Clean(g.name), file, decodeOptions{})
		},
	}
	f := cmd.Flags()
	f.StringVarP(&out, "output", "o", "", "write to this `file`; - is standard output")
	f.BoolVar(&decode, "decode", false, "print the boot file as text")
	f.IntVar(&g.blksize, "blksize", tftp.DefaultBlksize, "request blocks of `N` octets")
	f.IntVar(&g.windowsize, "windowsize", 1, "request `N` blocks per acknowledgement")
	f.DurationVar(&g.timeout, "timeout", time.Second, "retry after this `time` without an answer")
	f.IntVar(&g.tries, "tries", 5, "give up after `N` attempts")
	return cmd
}

// serverAddress resolves HOST[:PORT]; the port defaults to 69.
func serverAddress(ctx context.Context, s string) (netip.AddrPort, error) {
	const tftpPort = 69
	if a, err := netip.ParseAddr(strings.TrimSuffix(strings.TrimPrefix(s, "["), "]")); err == nil {
		return netip.AddrPortFrom(a, tftpPort), nil
	}
	if a, err := netip.ParseAddrPort(s); err == nil {
		return a, nil
	}
	host, port := s, tftpPort
	if h, p, err := net.SplitHostPort(s); err == nil {
		host = h
		if port, err = net.DefaultResolver.LookupPort(ctx, "udp", p); err != nil || port == 0 {
			return netip.AddrPort{}, cli.Usagef("%s: %s is not a UDP port", s, p)
		}
	} else if strings.ContainsAny(s, ":[]") {
		return netip.AddrPort{}, cli.Usagef("%s is not a host with a port such as 192.0.2.1:69 or [2001:db8::1]:69", s)
	}
	addrs, err := net.DefaultResolver.LookupNetIP(ctx, "ip", host)
	if err != nil {
		return netip.AddrPort{}, err
	}
	return netip.AddrPortFrom(addrs[0].Unmap(), uint16(port)), nil
}

// fetch is one transfer, from the client's side.
type fetch struct {
	server     netip.AddrPort
	name       string
	blksize    int
	windowsize int
	timeout    time.Duration
	tries      int
}

// maxFile is the maximum size of a fetched file in octets, as it is held in memory.
const maxFile = 1 << 30

// run fetches the file.
func (g *fetch) run() ([]byte, error) {
	// The socket is not connected: the answer comes from another port than the request was sent to.
	network := "udp4"
	if g.server.Addr().Is6() {
		network = "udp6"
	}
	conn, err := net.ListenUDP(network, nil)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	if err := reportICMP(conn, g.server.Addr().Is6()); err != nil {
		return nil, err
	}

	t := download{fetch: g, conn: conn, peer: g.server, blksize: tftp.DefaultBlksize, windowsize: 1, tsize: -1, next: 1}
	asked := tftp.Options{Has: tftp.Tsize}
	if g.blksize != tftp.DefaultBlksize {
		asked.Has |= tftp.Blksize
		asked.Blksize = g.blksize
	}
	if g.windowsize != 1 {
		asked.Has |= tftp.Windowsize
		asked.Windowsize = g.windowsize
	}
	t.asked = asked.Has
	if err := t.send(tftp.AppendRequest(nil, g.name, "octet", &asked)); err != nil {
		return nil, err
	}
	var unreachable syscall.Errno // the last ICMP error, 0: none; a later request may get through
	buf := make([]byte, tftp.DataHeader+tftp.MaxBlksize+1)
	for tries := 1; !t.finished; {
		if err := conn.SetReadDeadline(time.Now().Add(g.timeout)); err != nil {
			return nil, err
		}
		n, from, err := conn.ReadFromUDPAddrPort(buf)
		if errors.Is(err, os.ErrDeadlineExceeded) {
			if tries == g.tries {
				return nil, t.silence(tries, unreachable)
			}
			tries++
			t.gap = false
			if err := t.resend(); err != nil {
				return nil, err
			}
			continue
		}
		if errors.Is(err, syscall.ECONNREFUSED) {
			if t.second {
				continue // it may be the second transfer's port
			}
			return nil, t.refused()
		}
		// A firewall that rejects IPv6 is reported as EACCES.
		if errors.Is(err, syscall.EHOSTUNREACH) || errors.Is(err, syscall.ENETUNREACH) || errors.Is(err, syscall.EACCES) {
			errors.As(err, &unreachable)
			continue
		}
		if err != nil {
			return nil, err
		}
		before := t.next
		if err := t.receive(buf[:n], netip.AddrPortFrom(from.Addr().Unmap(), from.Port())); err != nil {
			return nil, err
		}
		if t.next != before {
			tries = 1
		}
	}
	if t.tsize >= 0 && t.tsize != int64(len(t.body)) {
		return nil, fmt.Errorf("the server promised %d octets and sent %d", t.tsize, len(t.body))
	}
	return t.body, nil
}

// reportICMP makes calls on an unconnected socket return ICMP errors (ip(7), IP_RECVERR).
func reportICMP(conn *net.UDPConn, v6 bool) error {
	raw, err := conn.SyscallConn()
	if err != nil {
		return err
	}
	level, option := unix.IPPROTO_IP, unix.IP_RECVERR
	if v6 {
		level, option = unix.IPPROTO_IPV6, unix.IPV6_RECVERR
	}
	var failure error
	err = raw.Control(func(fd uintptr) { failure = unix.SetsockoptInt(int(fd), level, option, 1) })
	return errors.Join(err, failure)
}

// download is the state of a fetch that has begun.
type download struct {
	*fetch
	conn     *net.UDPConn
	peer     netip.AddrPort // once answered, with the transfer's port
	answered bool
	second   bool // a second transfer was answered with an ERROR, which may bring ICMP errors
	finished bool
	last     []byte   // the last packet sent, for retransmission
	asked    tftp.Set // options of our request

	blksize    int
	windowsize int
	tsize      int64 // -1: unknown

	body  []byte
	next  uint16 // number of the next block
	since int    // blocks since the last acknowledgement
	gap   bool   // a block was missing and has been requested again
}

func (t *download) send(packet []byte) error {
	t.last = packet
	return t.resend()
}

func (t *download) resend() error {
	_, err := t.conn.WriteToUDPAddrPort(t.last, t.peer)
	return err
}

func (t *download) acknowledge() error {
	t.since = 0
	return t.send(tftp.AppendACK(nil, t.next-1))
}

// silence returns the error for a server that has not answered.
func (t *download) silence(tries int, unreachable syscall.Errno) error {
	switch {
	case unreachable != 0:
		return fmt.Errorf("no answer to %d requests: %w", tries, unreachable)
	case t.answered:
		return fmt.Errorf("transfer broke off after %d octets: no answer to %d acknowledgements", len(t.body), tries)
	}
	return fmt.Errorf("no answer to %d requests in %v: wrong address, a firewall, or a server that does not answer this client", tries, time.Duration(tries)*t.timeout)
}

// refused returns the error for a port that nobody listens on.
func (t *download) refused() error {
	if t.answered {
		return fmt.Errorf("transfer broke off after %d octets: the server closed its port %d", len(t.body), t.peer.Port())
	}
	return errors.New("port closed: no TFTP server listens there")
}

// refuse sends text as an ERROR, which ends the transfer on the server, and returns it as an error.
func (t *download) refuse(code tftp.Code, text string) error {
	return errors.Join(errors.New(text), t.send(tftp.AppendERROR(nil, code, text)))
}

// receive takes one datagram.
func (t *download) receive(b []byte, from netip.AddrPort) error {
	if from.Addr().WithZone("") != t.server.Addr().WithZone("") {
		return nil
	}
	if t.answered && from.Port() != t.peer.Port() {
		// A second transfer: the server has answered a repeated request (RFC 1350, section 4).
		t.second = true
		_, err := t.conn.WriteToUDPAddrPort(tftp.AppendERROR(nil, tftp.CodeUnknownTID, "unknown transfer"), from)
		return err
	}
	switch tftp.Opcode(b) {
	case tftp.OpERROR:
		code, text, err := tftp.ParseERROR(b)
		if err != nil && !errors.Is(err, tftp.ErrTextUnterminated) {
			return err
		}
		return fmt.Errorf("the server answers ERROR %d (%v): %s", code, code, terminal.Clean(string(text)))
	case tftp.OpOACK:
		var o tftp.Options
		if err := tftp.ParseOACK(b, &o); err != nil {
			return t.refuse(tftp.CodeOption, err.Error())
		}
		t.start(from)
		return t.negotiated(&o)
	case tftp.OpDATA:
		block, body, err := tftp.ParseDATA(b)
		if err != nil {
			return err
		}
		t.start(from)
		return t.data(block, body)
	}
	return nil
}

// start records the port that the server answers from.
func (t *download) start(from netip.AddrPort) {
	t.answered = true
	t.peer = netip.AddrPortFrom(t.peer.Addr(), from.Port())
}

func (t *download) negotiated(o *tftp.Options) error {
	switch {
	case t.next != 1 || t.since > 0:
		return nil // repeated, after data has arrived
	case o.Has&^t.asked != 0:
		return t.refuse(tftp.CodeOption, "the server grants options that were not requested")
	case o.Has&tftp.Blksize != 0 && o.Blksize > t.fetch.blksize:
		return t.refuse(tftp.CodeOption, "the server chose larger blocks than requested")
	case o.Has&tftp.Windowsize != 0 && o.Windowsize > t.fetch.windowsize:
		return t.refuse(tftp.CodeOption, "the server chose a larger window than requested")
	}
	if o.Has&tftp.Blksize != 0 {
		t.blksize = o.Blksize
	}
	if o.Has&tftp.Windowsize != 0 {
		t.windowsize = o.Windowsize
	}
	if o.Has&tftp.Tsize != 0 {
		t.tsize = o.Tsize
	}
	return t.acknowledge()
}

func (t *download) data(block uint16, body []byte) error {
	switch ahead := block - t.next; {
	case ahead == 0xffff:
		return t.acknowledge() // the previous block again: its acknowledgement was lost
	case ahead >= 0x8000:
		return nil // an older block
	case ahead > 0:
		if t.gap {
			return nil
		}
		t.gap = true
		return t.acknowledge() // blocks are missing: request them again, once (RFC 7440, section 4)
	case len(body) > t.blksize:
		return t.refuse(tftp.CodeIllegal, fmt.Sprintf("block of %d octets; %d were negotiated", len(body), t.blksize))
	case len(t.body)+len(body) > maxFile:
		return t.refuse(tftp.CodeDiskFull, "the file is longer than 1 GiB")
	}
	t.body = append(t.body, body...)
	t.next++
	t.since++
	t.gap = false
	t.finished = len(body) < t.blksize
	if t.finished || t.since == t.windowsize {
		return t.acknowledge()
	}
	return nil
}
