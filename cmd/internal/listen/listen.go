// Package listen opens addresses that are not available yet: no interface has them, or another process still uses them.
package listen

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"os"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// TCP listens on address, host:port. The address need not be on an interface yet: connections arrive as
// soon as it is.
func TCP(address string) (net.Listener, error) {
	return MarkedTCP(address, 0)
}

// MarkedTCP is [TCP] with a DSCP, 0 to 63, on the packets of the connections.
func MarkedTCP(address string, dscp uint8) (net.Listener, error) {
	control := func(network, address string, c syscall.RawConn) error {
		if err := Freebind(network, address, c); err != nil || dscp == 0 {
			return err
		}
		return mark(network, c, int(dscp)<<2)
	}
	cfg := net.ListenConfig{Control: control}
	network := "tcp"
	if a, err := netip.ParseAddrPort(address); err == nil && a.Addr().Is4() {
		network = "tcp4" // 0.0.0.0 is IPv4 only, as in listen
	}
	return cfg.Listen(context.Background(), network, address)
}

// mark sets the TOS and the traffic class of a socket's packets. An IPv6 socket may have IPv4 connections, too.
func mark(network string, c syscall.RawConn, tos int) error {
	var err error
	set := func(fd uintptr) {
		err = os.NewSyscallError("setsockopt IP_TOS", unix.SetsockoptInt(int(fd), unix.IPPROTO_IP, unix.IP_TOS, tos))
		if err == nil && network == "tcp6" {
			err = os.NewSyscallError("setsockopt IPV6_TCLASS", unix.SetsockoptInt(int(fd), unix.IPPROTO_IPV6, unix.IPV6_TCLASS, tos))
		}
	}
	if err := c.Control(set); err != nil {
		return err
	}
	return err
}

// Freebind is a Control function of [net.ListenConfig]. It allows binding to an address that no interface has (IP_FREEBIND, ip(7)).
func Freebind(network, _ string, c syscall.RawConn) error {
	var err error
	set := func(fd uintptr) {
		switch network {
		case "tcp4", "udp4":
			err = unix.SetsockoptInt(int(fd), unix.IPPROTO_IP, unix.IP_FREEBIND, 1)
		case "tcp6", "udp6":
			err = unix.SetsockoptInt(int(fd), unix.IPPROTO_IPV6, unix.IPV6_FREEBIND, 1)
		}
	}
	if err := c.Control(set); err != nil {
		return err
	}
	return err
}

// temporary is an error that may go away by itself.
type temporary struct{ error }

func (e temporary) Unwrap() error { return e.error }

// Temporary marks err as one that may go away by itself, so that [Open] retries. EADDRINUSE and EADDRNOTAVAIL need no mark.
func Temporary(err error) error { return temporary{err} }

func isTemporary(err error) bool {
	return errors.As(err, &temporary{}) || errors.Is(err, unix.EADDRINUSE) || errors.Is(err, unix.EADDRNOTAVAIL)
}

// RetryEvery is the time between two attempts to open an address.
const RetryEvery = time.Second

// Open opens an address. After a temporary error the Listener retries in Accept; any other error is returned.
func Open(network, address string, open func() (net.Listener, error)) (*Listener, error) {
	l := &Listener{at: place{network, address}, open: open, every: RetryEvery, done: make(chan struct{})}
	ln, err := open()
	if err != nil && !isTemporary(err) {
		return nil, err
	}
	l.ln, l.err = ln, err
	return l, nil
}

// A Listener is a [net.Listener] that may not have its address yet.
type Listener struct {
	// Tried, if set before the first Accept, is called with the result of each attempt of Accept to open the address.
	Tried func(error)

	at    place
	open  func() (net.Listener, error)
	every time.Duration
	done  chan struct{}
	once  sync.Once

	mu     sync.Mutex
	ln     net.Listener // nil: there is no address yet
	err    error        // of the last attempt
	closed bool
}

// place is the [net.Addr] of an address that is not open.
type place struct{ network, address string }

func (p place) Network() string { return p.network }
func (p place) String() string  { return p.address }

// Err returns why the address is not open; nil: it is.
func (l *Listener) Err() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.err
}

// Accept implements [net.Listener]. It waits until there is an address.
func (l *Listener) Accept() (net.Conn, error) {
	ln, err := l.await()
	if err != nil {
		return nil, err
	}
	return ln.Accept()
}

func (l *Listener) await() (net.Listener, error) {
	l.mu.Lock()
	ln := l.ln
	l.mu.Unlock()
	if ln != nil {
		return ln, nil
	}
	t := time.NewTicker(l.every)
	defer t.Stop()
	for {
		select {
		case <-l.done:
			return nil, net.ErrClosed
		case <-t.C:
		}
		ln, err := l.try()
		if l.Tried != nil && !errors.Is(err, net.ErrClosed) {
			l.Tried(err)
		}
		if ln != nil || errors.Is(err, net.ErrClosed) {
			return ln, err
		}
	}
}

// try attempts to open the address. It never gives up, as the cause of an error may go away.
func (l *Listener) try() (net.Listener, error) {
	ln, err := l.open()
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		if ln != nil {
			ln.Close()
		}
		return nil, net.ErrClosed
	}
	l.ln, l.err = ln, err
	return ln, err
}

// Close implements [net.Listener].
func (l *Listener) Close() error {
	l.once.Do(func() { close(l.done) })
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closed = true
	if l.ln == nil {
		return nil
	}
	return l.ln.Close()
}

// Addr implements [net.Listener]: the requested address until it is open.
func (l *Listener) Addr() net.Addr {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.ln == nil {
		return l.at
	}
	return l.ln.Addr()
}
