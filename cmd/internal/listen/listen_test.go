package listen

import (
	"errors"
	"io"
	"net"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/sys/unix"
)

// 198.18.0.0/15 and fd00::/8: no interface of a machine that runs tests has these.
func TestTCPOfNoInterface(t *testing.T) {
	for _, address := range []string{"198.18.255.254:0", "[fd00:198:18:ff::1]:0"} {
		if _, err := net.Listen("tcp", address); !errors.Is(err, syscall.EADDRNOTAVAIL) {
			t.Logf("%s without IP_FREEBIND: %v", address, err) // as with net.ipv4.ip_nonlocal_bind, or without IPv6
		}
		ln, err := TCP(address)
		if errors.Is(err, syscall.EAFNOSUPPORT) {
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", address, err)
			continue
		}
		ln.Close()
	}
	ln, err := TCP("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	if _, err := TCP(ln.Addr().String()); !errors.Is(err, syscall.EADDRINUSE) {
		t.Errorf("a second time: %v", err)
	}
}

// The IPv4 wildcard is for IPv4 alone, no host at all for both.
func TestWildcards(t *testing.T) {
	for address, network := range map[string]string{"0.0.0.0:0": "0.0.0.0", ":0": "::"} {
		ln, err := TCP(address)
		if err != nil {
			t.Fatal(err)
		}
		defer ln.Close()
		if host, _, _ := net.SplitHostPort(ln.Addr().String()); host != network {
			t.Errorf("%s listens at %s", address, host)
		}
	}
}

// Connections have the DSCP of their listener, over both families.
func TestMarkedTCP(t *testing.T) {
	for _, tt := range []struct{ listen, dial string }{
		{"127.0.0.1:0", "127.0.0.1"}, {"[::1]:0", "::1"}, {":0", "127.0.0.1"}, {":0", "::1"},
	} {
		for _, dscp := range []uint8{0, 10, 46, 63} {
			ln, err := MarkedTCP(tt.listen, dscp)
			if errors.Is(err, unix.EAFNOSUPPORT) || errors.Is(err, unix.EADDRNOTAVAIL) {
				t.Logf("%s: %v", tt.listen, err) // no IPv6
				continue
			}
			if err != nil {
				t.Fatal(err)
			}
			defer ln.Close()
			_, port, _ := net.SplitHostPort(ln.Addr().String())
			c, err := net.Dial("tcp", net.JoinHostPort(tt.dial, port))
			if err != nil && tt.dial == "::1" {
				t.Log(err) // likewise
				continue
			}
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			conn, err := ln.Accept()
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			level, opt := unix.IPPROTO_IP, unix.IP_TOS
			if tt.dial == "::1" {
				level, opt = unix.IPPROTO_IPV6, unix.IPV6_TCLASS
			}
			raw, err := conn.(*net.TCPConn).SyscallConn()
			if err != nil {
				t.Fatal(err)
			}
			got := 0
			if e := raw.Control(func(fd uintptr) { got, err = unix.GetsockoptInt(int(fd), level, opt) }); e != nil || err != nil {
				t.Fatal(e, err)
			}
			if got>>2 != int(dscp) {
				t.Errorf("%s from %s: TOS %#x, want DSCP %d", tt.listen, tt.dial, got, dscp)
			}
		}
	}
}

type fake struct {
	net.Listener
	closed bool
}

func (f *fake) Accept() (net.Conn, error) { return nil, errors.New("accepting") }
func (f *fake) Close() error              { f.closed = true; return nil }
func (f *fake) Addr() net.Addr            { return place{"tcp", "127.0.0.1:1"} }

func TestOpen(t *testing.T) {
	permanent := errors.New("permission denied")
	if l, err := Open("tcp", "a:1", func() (net.Listener, error) { return nil, permanent }); l != nil || !errors.Is(err, permanent) {
		t.Errorf("an error that stays: %v, %v", l, err)
	}
	for _, first := range []error{syscall.EADDRINUSE, syscall.EADDRNOTAVAIL, Temporary(io.ErrNoProgress)} {
		synctest.Test(t, func(t *testing.T) {
			f := &fake{}
			answers := []error{first, first, permanent, nil}
			l, err := Open("tcp", "a:1", func() (net.Listener, error) {
				err := answers[0]
				answers = answers[1:]
				if err != nil {
					return nil, err
				}
				return f, nil
			})
			if err != nil {
				t.Fatal(err)
			}
			if l.Addr().String() != "a:1" || l.Addr().Network() != "tcp" || !errors.Is(l.Err(), first) {
				t.Errorf("%v, %v", l.Addr(), l.Err())
			}
			var tried []error
			l.Tried = func(err error) { tried = append(tried, err) }
			begun := time.Now()
			if _, err := l.Accept(); err == nil || err.Error() != "accepting" {
				t.Errorf("it does not accept: %v", err)
			}
			if took := time.Since(begun); took != 3*RetryEvery {
				t.Errorf("it took %v", took)
			}
			if len(tried) != 3 || !errors.Is(tried[0], first) || !errors.Is(tried[1], permanent) || tried[2] != nil {
				t.Errorf("tried %v", tried)
			}
			if l.Addr().String() != "127.0.0.1:1" || l.Err() != nil {
				t.Errorf("%v, %v", l.Addr(), l.Err())
			}
			if err := l.Close(); err != nil || !f.closed {
				t.Errorf("close: %v, closed %v", err, f.closed)
			}
		})
	}
}

// Close ends an Accept that has no address yet.
func TestCloseWhileBusy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, err := Open("tcp", "a:1", func() (net.Listener, error) { return nil, syscall.EADDRINUSE })
		if err != nil {
			t.Fatal(err)
		}
		ended := make(chan error, 1)
		go func() {
			_, err := l.Accept()
			ended <- err
		}()
		time.Sleep(10 * RetryEvery) // of the synctest bubble
		if err := errors.Join(l.Close(), l.Close()); err != nil {
			t.Error(err)
		}
		if err := <-ended; !errors.Is(err, net.ErrClosed) {
			t.Errorf("it ended with %v", err)
		}
	})
}
