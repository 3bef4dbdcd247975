package main

import (
	"bytes"
	"errors"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"dcs/bench/require"
	"dcs/fastpath/tftp"
)

// tftpServer is a TFTP server that does what each test tells it to: script gets the request
// and then talks through its own port.
func tftpServer(t *testing.T, script func(c *conversation)) string {
	t.Helper()
	door, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		buf := make([]byte, 1024)
		n, peer, err := door.ReadFromUDPAddrPort(buf)
		if err != nil {
			return
		}
		c := &conversation{t: t, door: door, peer: peer}
		if err := tftp.ParseRequest(buf[:n], &c.request); err != nil {
			t.Errorf("request: %v", err)
			return
		}
		if c.conn, err = net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)}); err != nil {
			t.Error(err)
			return
		}
		defer c.conn.Close()
		script(c)
	}()
	t.Cleanup(func() {
		door.Close()
		<-ended
	})
	return door.LocalAddr().String()
}

type conversation struct {
	t          *testing.T
	door, conn *net.UDPConn
	peer       netip.AddrPort
	request    tftp.Request
}

func (c *conversation) send(b []byte) {
	if _, err := c.conn.WriteToUDPAddrPort(b, c.peer); err != nil {
		c.t.Error(err)
	}
}

func (c *conversation) data(block uint16, body string) {
	c.send(tftp.AppendDATA(nil, block, []byte(body)))
}

// ack waits for the acknowledgement of a block.
func (c *conversation) ack(want uint16) {
	buf := make([]byte, 1024)
	if err := c.conn.SetReadDeadline(time.Now().Add(30 * time.Second)); err != nil {
		c.t.Error(err)
	}
	n, err := c.conn.Read(buf)
	if err != nil {
		c.t.Error(err)
		return
	}
	if got, err := tftp.ParseACK(buf[:n]); err != nil || got != want {
		c.t.Errorf("got % x, want ACK %d", buf[:n], want)
	}
}

// silence wants nothing to come within a moment.
func (c *conversation) silence() {
	buf := make([]byte, 1024)
	if err := c.conn.SetReadDeadline(time.Now().Add(30 * time.Millisecond)); err != nil {
		c.t.Error(err)
	}
	if n, err := c.conn.Read(buf); !errors.Is(err, os.ErrDeadlineExceeded) {
		c.t.Errorf("got % x, %v; want silence", buf[:n], err)
	}
}

func (c *conversation) oack(o tftp.Options) { c.send(tftp.AppendOACK(nil, &o)) }

func TestGet(t *testing.T) {
	full := strings.Repeat("x", 512)
	tests := []struct {
		name   string
		args   []string
		script func(c *conversation)
		want   string // the file
		err    string // part of stderr, when it fails
	}{
		{"one block", nil, func(c *conversation) {
			if got := string(c.request.Name); got != "gold.cm" {
				t.Errorf("asked for %q", got)
			}
			if c.request.Has != tftp.Tsize || c.request.NetASCII {
				t.Errorf("asked with %+v", c.request)
			}
			c.data(1, "hello")
			c.ack(1)
		}, "hello", ""},
		{"an empty block ends it", nil, func(c *conversation) {
			c.data(1, full)
			c.ack(1)
			c.data(2, "")
			c.ack(2)
		}, full, ""},
		{"options", []string{"--blksize", "1000", "--windowsize", "2"}, func(c *conversation) {
			if c.request.Blksize != 1000 || c.request.Windowsize != 2 {
				t.Errorf("asked with %+v", c.request.Options)
			}
			c.oack(tftp.Options{Has: tftp.Blksize | tftp.Windowsize | tftp.Tsize, Blksize: 8, Windowsize: 2, Tsize: 17})
			c.ack(0)
			c.data(1, "12345678")
			c.data(2, "abcdefgh")
			c.ack(2)
			c.data(3, "!")
			c.ack(3)
		}, "12345678abcdefgh!", ""},
		{"a gap is asked for once", []string{"--blksize", "8", "--windowsize", "4"}, func(c *conversation) {
			c.oack(tftp.Options{Has: tftp.Blksize | tftp.Windowsize, Blksize: 8, Windowsize: 4})
			c.ack(0)
			c.data(1, "12345678")
			c.data(3, "!")
			c.data(4, "!")
			c.ack(1)
			c.silence()
			c.data(2, "abcdefgh")
			c.data(3, "end")
			c.ack(3)
		}, "12345678abcdefghend", ""},
		{"a repeated block is acknowledged, not stored", nil, func(c *conversation) {
			c.data(1, full)
			c.ack(1)
			c.data(1, full)
			c.ack(1)
			c.data(2, "y")
			c.ack(2)
		}, full + "y", ""},
		{"it asks again", []string{"--timeout", "20ms"}, func(c *conversation) {
			again := make([]byte, 1024)
			if _, _, err := c.door.ReadFromUDPAddrPort(again); err != nil {
				t.Error(err)
			}
			c.data(1, full)
			c.ack(1)
			c.ack(1)
			c.data(2, "")
		}, full, ""},
		{"another port is told off", nil, func(c *conversation) {
			c.data(1, full)
			c.ack(1)
			if _, err := c.door.WriteToUDPAddrPort(tftp.AppendDATA(nil, 2, []byte("evil")), c.peer); err != nil {
				t.Error(err)
			}
			buf := make([]byte, 1024)
			n, _, err := c.door.ReadFromUDPAddrPort(buf)
			if code, _, err2 := tftp.ParseERROR(buf[:n]); err != nil || err2 != nil || code != tftp.CodeUnknownTID {
				t.Errorf("got % x", buf[:n])
			}
			c.data(2, "good")
			c.ack(2)
		}, full + "good", ""},
		{"error", nil, func(c *conversation) {
			c.send(tftp.AppendERROR(nil, tftp.CodeNotFound, "no such file"))
		}, "", "the server answers ERROR 1 (file not found): no such file"},
		{"error that would write to the terminal", nil, func(c *conversation) {
			c.send(tftp.AppendERROR(nil, tftp.CodeNotFound, "no\x1b[2J\r\nsuch\u202e file\x9b"))
		}, "", "the server answers ERROR 1 (file not found): no?[2J??such? file\ufffd\n"},
		{"short of what was promised", nil, func(c *conversation) {
			c.oack(tftp.Options{Has: tftp.Tsize, Tsize: 9})
			c.ack(0)
			c.data(1, "short")
		}, "", "promised 9 octets and sent 5"},
		{"options that were not requested", nil, func(c *conversation) {
			c.oack(tftp.Options{Has: tftp.Blksize, Blksize: 512})
		}, "", "not requested"},
		{"larger blocks than were asked for", []string{"--blksize", "600"}, func(c *conversation) {
			c.oack(tftp.Options{Has: tftp.Blksize, Blksize: 601})
		}, "", "larger blocks"},
		{"a block too long", nil, func(c *conversation) { c.data(1, full+"!") }, "", "block of 513 octets"},
		{"no answer", []string{"--timeout", "1ms", "--tries", "3"}, func(*conversation) {}, "", "no answer to 3 requests"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			out := filepath.Join(t.TempDir(), "out")
			got := dcs("", append([]string{"get", tftpServer(t, tt.script), "gold.cm", "-o", out}, tt.args...)...)
			file, err := os.ReadFile(out)
			switch {
			case tt.err != "" && (got.status != failed || !strings.Contains(got.stderr, tt.err) || !os.IsNotExist(err)):
				t.Errorf("status %d, stderr %q, file %q; want %q", got.status, got.stderr, file, tt.err)
			case tt.err == "" && (got.status != done || got.stderr != "" || !bytes.Equal(file, []byte(tt.want))):
				t.Errorf("status %d, stderr %q, file %q; want %q", got.status, got.stderr, file, tt.want)
			}
		})
	}
}

// More than 65535 blocks: their numbers begin again at 0.
func TestGetRollover(t *testing.T) {
	require.Long(t, "65,540 blocks")
	const blocks = 65540
	at := tftpServer(t, func(c *conversation) {
		c.oack(tftp.Options{Has: tftp.Blksize | tftp.Windowsize, Blksize: 8, Windowsize: 64})
		c.ack(0)
		for b := 1; b <= blocks; b++ {
			body := "12345678"
			if b == blocks {
				body = ""
			}
			c.data(uint16(b), body)
			if b%64 == 0 || b == blocks {
				c.ack(uint16(b))
			}
		}
	})
	got := dcs("", "get", at, "big", "--blksize", "8", "--windowsize", "64", "-o", "-")
	if want := strings.Repeat("12345678", blocks-1); got.status != done || got.stdout != want {
		t.Errorf("status %d, %d octets, stderr %q; want %d octets", got.status, len(got.stdout), got.stderr, len(want))
	}
}

func TestServerAddress(t *testing.T) {
	for _, tt := range []struct{ in, want string }{
		{"192.0.2.1", "192.0.2.1:69"},
		{"192.0.2.1:6969", "192.0.2.1:6969"},
		{"2001:db8::1", "[2001:db8::1]:69"},
		{"[2001:db8::1]", "[2001:db8::1]:69"},
		{"[2001:db8::1]:6969", "[2001:db8::1]:6969"},
		{"fe80::1%lo", "[fe80::1%lo]:69"},
	} {
		got, err := serverAddress(t.Context(), tt.in)
		if err != nil || got.String() != tt.want {
			t.Errorf("%s: %v, %v; want %s", tt.in, got, err, tt.want)
		}
	}
}
