package udp

import (
	"errors"
	"fmt"
	"net/netip"
)

// Gather makes all packets of running transfers of an address family arrive at one socket. A kernel program (sk_lookup)
// directs those at their client's own port to the first of Sockets, and all others at Ports to the second, which
// discards them. It must be called after the program is attached and before the first Recv.
func (t *Transport) Gather(v6 bool) error {
	f := t.family(v6)
	if len(f.socks) < 2 {
		return errors.New("udp: gather: a range of ports required")
	}
	for _, s := range f.socks[1:] {
		if err := errors.Join(s.discardAll(), s.setErrorQueue(false)); err != nil {
			return fmt.Errorf("udp: %v: %w", s.local, err)
		}
	}
	f.gathered = true
	t.arrange()
	return nil
}

// Sockets returns the descriptors of the sockets at Ports, and the address they are bound to.
func (t *Transport) Sockets(v6 bool) (fds []int, at netip.Addr) {
	for _, s := range t.family(v6).socks {
		fds, at = append(fds, s.fd), s.local.Addr()
	}
	return fds, at
}
