package udp

import (
	"errors"
	"fmt"
	"net/netip"

	"golang.org/x/sys/unix"

	"dcs/fastpath/frame"
)

const (
	// maxTIDs bounds the transfer ports of a worker and address family. Each takes about 2,500 octets of kernel memory.
	maxTIDs = 4096
	// leastBuffer is the receive buffer of a socket that is one of many, in octets.
	leastBuffer = 256 << 10
)

// errPorts is the cause if too few ports between TIDMin and TIDMax are free.
var errPorts = fmt.Errorf("too few free ports: %w", unix.EADDRINUSE)

// An opener opens the sockets of all workers, one worker after the other.
type opener struct {
	Config
	workers  int
	listen   []netip.AddrPort // with the ports that the kernel picked for the first worker
	warnings []string
}

func (o *opener) worker(i int) (*Transport, error) {
	t := &Transport{errors: newErrorHeaders(), key: o.Key, marking: o.Marking, tick: o.Tick, wake: -1, ident: frame.Ident(i) << 12}
	if err := o.open(t, i); err != nil {
		_ = t.Close()
		return nil, err
	}
	return t, nil
}

func (o *opener) open(t *Transport, i int) (err error) {
	kept := o.listen[:0]
	for _, a := range o.listen {
		s, err := o.listener(i, a)
		if err != nil {
			if i == 0 && len(o.listen) > 1 && a.Addr() == netip.IPv6Unspecified() && errors.Is(err, unix.EAFNOSUPPORT) {
				o.warn(fmt.Sprintf("%v not served: no IPv6 on this host", a))
				continue
			}
			return err
		}
		t.listeners = append(t.listeners, s)
		kept = append(kept, netip.AddrPortFrom(a.Addr(), s.local.Port()))
	}
	o.listen = kept
	for _, v6 := range [...]bool{false, true} {
		if err := o.transfers(t, i, v6); err != nil {
			return err
		}
	}
	t.segments = !o.NoSegments && t.listeners[0].cuts()
	for _, s := range t.listeners {
		if err := o.set(s, o.RcvBuf); err != nil {
			return err
		}
		if s.single {
			if err := s.setErrorQueue(true); err != nil {
				return fmt.Errorf("udp: %v: %w", s.local, err)
			}
		}
	}
	if t.wake, err = unix.Eventfd(0, unix.EFD_NONBLOCK|unix.EFD_CLOEXEC); err != nil {
		return fmt.Errorf("udp: eventfd: %w", err)
	}
	t.arrange()
	return nil
}

// arrange lists the sockets to be read and polled.
func (t *Transport) arrange() {
	t.reading = t.reading[:0]
	for i := range t.families {
		f := &t.families[i]
		if f.gathered {
			t.reading = append(t.reading, f.socks[0])
		} else {
			t.reading = append(t.reading, f.socks...)
		}
	}
	t.tids = len(t.reading)
	t.reading = append(t.reading, t.listeners...)
	t.polls = t.polls[:0]
	for _, s := range t.reading {
		t.polls = append(t.polls, unix.PollFd{Fd: int32(s.fd), Events: unix.POLLIN})
	}
	t.polls = append(t.polls, unix.PollFd{Fd: int32(t.wake), Events: unix.POLLIN})
}

// listener opens worker i's socket for requests to a.
func (o *opener) listener(i int, a netip.AddrPort) (*socket, error) {
	if o.workers == 1 {
		return open(a, requests)
	}
	if i == 0 && a.Port() != 0 {
		// With SO_REUSEPORT a second server would silently get half of the requests.
		alone, err := Reserve(a)
		if err != nil {
			return nil, err
		}
		alone.Close()
	}
	return open(a, requests|shared)
}

// A Reservation is an exclusive hold on an address for requests.
type Reservation struct{ s *socket }

// Reserve binds an address exclusively, as Open does at first. The error wraps EADDRINUSE if the address is in use.
func Reserve(a netip.AddrPort) (*Reservation, error) {
	s, err := open(a, requests)
	if err != nil {
		return nil, err
	}
	return &Reservation{s}, nil
}

// Close releases the address.
func (r *Reservation) Close() { r.s.close() }

// transfers opens worker i's transfer ports of one address family.
func (o *opener) transfers(t *Transport, i int, v6 bool) error {
	var at netip.Addr
	for _, l := range t.listeners {
		if l.v6 != v6 {
			continue
		}
		if o.SinglePort {
			l.single = true
			continue
		}
		switch a := l.local.Addr().WithZone(l.zone); {
		case !at.IsValid():
			at = a
		case at != a && v6:
			at = netip.IPv6Unspecified()
		case at != a:
			at = netip.IPv4Unspecified()
		}
	}
	if !at.IsValid() {
		return nil
	}
	f := t.family(v6)
	f.at = map[uint16]*socket{}
	if err := o.ports(f, i, at); err != nil {
		return err
	}
	for n, s := range f.socks {
		size := max(o.RcvBuf/len(f.socks), min(o.RcvBuf, leastBuffer))
		if n == 0 {
			size = o.RcvBuf // it may receive for all of them
		}
		if err := errors.Join(o.set(s, size), s.setErrorQueue(true)); err != nil {
			return err
		}
	}
	if !o.Raw {
		return nil
	}
	raw, err := openRaw(at)
	if err != nil {
		o.warn(fmt.Sprintf("raw socket: %v; sending from one socket per port, which is slower", err))
		return nil
	}
	f.raw = raw
	return o.set(raw, rawBuffer)
}

// ports opens worker i's ports at an address.
func (o *opener) ports(f *family, i int, at netip.Addr) error {
	add := func(port int) error {
		s, err := open(netip.AddrPortFrom(at, uint16(port)), transfers)
		if err == nil {
			f.ports = append(f.ports, s.local.Port())
			f.socks = append(f.socks, s)
			port := s.local.Port()
			f.at[port] = s
			f.own[port/64] |= 1 << (port % 64)
		}
		return err
	}
	if o.TIDMax > 0 {
		for port := int(o.TIDMin) + i; port <= int(o.TIDMax) && len(f.ports) < maxTIDs; port += o.workers {
			if err := add(port); err != nil && !errors.Is(err, unix.EADDRINUSE) {
				return err
			}
		}
		if len(f.ports) == 0 {
			return fmt.Errorf("udp: transfer ports %d-%d: %d workers, %w", o.TIDMin, o.TIDMax, o.workers, errPorts)
		}
		return nil
	}
	for range o.TIDs {
		if err := add(0); err != nil {
			if len(f.ports) == 0 {
				return err
			}
			o.warn(fmt.Sprintf("%d transfer ports per worker instead of %d: %v", len(f.ports), o.TIDs, err))
			return nil
		}
	}
	return nil
}

// warn records limits that the kernel did not grant, each once.
func (o *opener) warn(what string) {
	for _, w := range o.warnings {
		if w == what {
			return
		}
	}
	o.warnings = append(o.warnings, what)
}

// set sets the buffers and the DSCP of a socket.
func (o *opener) set(s *socket, receive int) error {
	if err := o.buffers(s, receive); err != nil {
		return err
	}
	return s.setDSCP(o.Marking)
}

func (o *opener) buffers(s *socket, receive int) error {
	for _, b := range [...]struct {
		name, limit        string
		force, plain, want int
	}{
		{"receive", "net.core.rmem_max", unix.SO_RCVBUFFORCE, unix.SO_RCVBUF, receive},
		{"send", "net.core.wmem_max", unix.SO_SNDBUFFORCE, unix.SO_SNDBUF, o.SndBuf},
	} {
		got, err := s.buffer(b.force, b.plain, b.want)
		if err != nil {
			return fmt.Errorf("udp: %s buffer of %v: %w", b.name, s.local, err)
		}
		if got < b.want && (b.want == o.RcvBuf || b.want == o.SndBuf) {
			o.warn(fmt.Sprintf("%s buffer: %d octets instead of %d; raise %s or grant CAP_NET_ADMIN", b.name, got, b.want, b.limit))
		}
	}
	return nil
}

func (f *family) close() {
	for _, s := range f.socks {
		s.close()
	}
	if f.raw != nil {
		f.raw.close()
	}
}
