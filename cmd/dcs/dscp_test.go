package main

import (
	"net"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// The key dscp arrives at the sockets. What every kind of answer carries, over each transport, is tested where they are made.
func TestDSCP(t *testing.T) {
	t.Parallel()
	dir := static(t, map[string]string{"x": "text"})
	for _, tt := range []struct {
		dscp        string
		asked, want byte
	}{
		{"", 0xb8, 0},
		{"af41", 0, 34 << 2},
		{"mirror", 46<<2 | 1, 46 << 2},
	} {
		t.Run(tt.dscp, func(t *testing.T) {
			t.Parallel()
			p := serve(t, "--static", dir, "--dscp", tt.dscp)
			server, err := net.ResolveUDPAddr("udp4", "127.0.0.1:"+p.port)
			if err != nil {
				t.Fatal(err)
			}
			c, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			raw, err := c.SyscallConn()
			if err != nil {
				t.Fatal(err)
			}
			var errs [2]error
			err = raw.Control(func(fd uintptr) {
				errs[0] = unix.SetsockoptInt(int(fd), unix.IPPROTO_IP, unix.IP_TOS, int(tt.asked))
				errs[1] = unix.SetsockoptInt(int(fd), unix.IPPROTO_IP, unix.IP_RECVTOS, 1)
			})
			if err != nil || errs != [2]error{} {
				t.Fatal(err, errs)
			}
			if _, err := c.WriteTo([]byte("\x00\x01x\x00octet\x00"), server); err != nil {
				t.Fatal(err)
			}
			buf, control := make([]byte, 1024), make([]byte, 128)
			_ = c.SetReadDeadline(time.Now().Add(30 * time.Second))
			n, oob, _, _, err := c.ReadMsgUDP(buf, control)
			if err != nil || string(buf[:n]) != "\x00\x03\x00\x01text" {
				t.Fatalf("%q, %v", buf[:n], err)
			}
			messages, err := syscall.ParseSocketControlMessage(control[:oob])
			if err != nil || len(messages) != 1 || messages[0].Data[0] != tt.want {
				t.Errorf("TOS %v, %v; want %#x", messages, err, tt.want)
			}
		})
	}
}
