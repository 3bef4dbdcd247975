package xsk

import (
	"errors"

	"golang.org/x/sys/unix"

	"dcs/fastpath/xsk/ring"
)

// A port is the AF_XDP socket of a transport on one interface. It sends from any frame of the transport.
type port struct {
	sock    *ring.Socket
	dev     *device
	queue   int
	held    []uint64 // frames that the kernel does not have; the last one is the warmest
	depth   depth    // of the fill ring
	tx      []ring.Desc
	sending int  // frames that the kernel is sending
	room    int  // limit of sending
	stuck   bool // the kernel had no room for frames in the transmit ring

	delivered wrapping // packets put into the receive ring; guarded by the transport's statMu
}

// addPort opens the transport's socket on a queue of an interface as its next port.
func (t *Transport) addPort(cfg Config, dev *device, queue int) error {
	rx, tx := shares(cfg.Frames, len(cfg.Interfaces))
	c := ring.Config{Interface: dev.index, Queue: queue, FrameSize: t.group.size, RX: rx, TX: tx, Copy: cfg.Copy, Share: t.owner()}
	c.Frames = rx*len(cfg.Interfaces) + maxSending
	sock, err := ring.Open(c)
	if err != nil {
		return err
	}
	if c.Share == nil {
		t.mem, t.size, t.used = sock.Memory(), t.group.size, 0
		t.free = make([]uint64, 0, maxSending)
		for range maxSending {
			t.free = append(t.free, t.frame())
		}
	}
	p := &port{sock: sock, dev: dev, queue: queue, room: tx, tx: make([]ring.Desc, 0, tx), held: make([]uint64, 0, rx), depth: newDepth(rx)}
	for range rx {
		p.held = append(p.held, t.frame())
	}
	p.refill()
	t.ports = append(t.ports, p)
	t.polls = append(t.polls, unix.PollFd{Fd: int32(sock.FD()), Events: unix.POLLIN})
	return nil
}

// dropPort closes the transport's last port if it has that number.
func (t *Transport) dropPort(number int) error {
	if len(t.ports) != number+1 {
		return nil
	}
	p := t.ports[number]
	t.ports = t.ports[:number]
	if p == nil {
		return nil
	}
	t.polls = t.polls[:len(t.polls)-1]
	return p.sock.Close()
}

// owner returns the socket that owns the transport's memory; nil: none yet.
func (t *Transport) owner() *ring.Socket {
	for _, p := range t.ports {
		if p != nil {
			return p.sock
		}
	}
	return nil
}

// frame returns the address of a frame that has never been used.
func (t *Transport) frame() uint64 {
	t.used++
	return (t.used - 1) * uint64(t.size)
}

// closePorts closes the sockets, the owner of the memory last.
func (t *Transport) closePorts() error {
	var err error
	for i := len(t.ports) - 1; i >= 0; i-- {
		if p := t.ports[i]; p != nil {
			err = errors.Join(err, p.sock.Close())
		}
	}
	return err
}

// review adapts how many frames the kernel has. Drivers without copying take them into rings of their own, whose size is unknown.
func (p *port) review() {
	if !p.sock.ZeroCopy() {
		p.depth.review()
	}
}

// refill gives frames of finished packets to the fill ring, as many as the kernel is to have.
func (p *port) refill() {
	if n := min(p.depth.more(cap(p.held)-len(p.held)), len(p.held)); n > 0 {
		from := len(p.held) - n
		taken := p.sock.Fill(p.held[from:])
		p.held = p.held[:from+copy(p.held[from:], p.held[from+taken:])]
	}
	if p.sock.FillNeedsWakeup() {
		_ = p.sock.Poll()
	}
}
