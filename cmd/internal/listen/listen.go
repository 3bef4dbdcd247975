// Package listen opens addresses that may not be there yet: those that no interface has, and those that somebody
// else still uses.
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

// TCP listens on address, host:port, whether or not an interface has it: the kernel hands connections over as soon as one has.
func TCP(address string) (net.Listener, error) {
	return MarkedTCP(address, 0)
}

// MarkedTCP is TCP for connections whose packets carry a DSCP, 0 to 63.
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
		network = "tcp4" // 0.0.0.0 stands for IPv4 alone, as in listen
	}
	return cfg.Listen(context.Background(), network, address)
}

// mark sets the TOS of a socket's packets and the traffic class. An IPv6 socket may have IPv4 connections, too.
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

// Freebind is a [net.ListenConfig]'s Control. It lets a socket be bound to an address that no interface has (IP_FREEBIND, ip(7)).
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

// temporary is an error of an address that can be had later.
type temporary struct{ error }

func (e temporary) Unwrap() error { return e.error }

// Temporary marks err as one that may go away by itself: [Open] goes on trying. EADDRINUSE and EADDRNOTAVAIL need no mark.
func Temporary(err error) error { return temporary{err} }

func isTemporary(err error) bool {
	return errors.As(err, &temporary{}) || errors.Is(err, unix.EADDRINUSE) || errors.Is(err, unix.EADDRNOTAVAIL)
}

// RetryEvery is the time between two attempts to open an address.
const RetryEvery = time.Second

// Open opens an address. After a temporary error the Listener goes on trying in Accept; any other is returned.
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
	// Tried, if set before the first Accept, is called after every attempt to open the address in Accept, with its error.
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

// place is an address that is not open.
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

// try opens the address once more. No error is a reason to give up any more: what is in the way may change.
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

// Addr implements [net.Listener]: what was asked for, until it is open.
func (l *Listener) Addr() net.Addr {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.ln == nil {
		return l.at
	}
	return l.ln.Addr()
}
