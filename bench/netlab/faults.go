package netlab

import (
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"runtime"
	"sync/atomic"
	"time"

	"dcs/bench/afpacket"

	"golang.org/x/sys/unix"
)

// Faults configures what the wire does to UDP packets; everything else (ARP, neighbour discovery) is unaffected.
type Faults struct {
	Seed     uint64 // equal seeds and packets give equal faults
	ToServer Rates
	ToLoad   Rates
}

// Rates are probabilities from 0 to 1, drawn independently for each packet.
type Rates struct {
	Drop      float64
	Duplicate float64 // sent twice in a row
	Reorder   float64 // delayed until three later packets have passed, or for 5 ms
	Corrupt   float64 // one bit after the Ethernet header flipped
}

// FaultStats counts UDP packets in both directions.
type FaultStats struct{ ToServer, ToLoad DirectionStats }

// DirectionStats counts the faults of one direction.
type DirectionStats struct{ Packets, Dropped, Duplicated, Reordered, Corrupted uint64 }

const (
	holdFor     = 5 * time.Millisecond
	holdPackets = 3
	delayedMax  = 64
)

// lane is one direction. decide and its callers are independent of sockets and can be tested alone.
type lane struct {
	rates   Rates
	rnd     *rand.PCG
	delayed []delayedFrame
	spare   [][]byte

	packets, dropped, duplicated, reordered, corrupted atomic.Uint64
}

type delayedFrame struct {
	frame    []byte
	left     int   // packets that have yet to overtake it
	deadline int64 // ns
}

func newLane(r Rates, seed, stream uint64, mtu int) *lane {
	l := &lane{rates: r, rnd: rand.NewPCG(seed, stream), delayed: make([]delayedFrame, 0, delayedMax)}
	for range delayedMax {
		l.spare = append(l.spare, make([]byte, 0, mtu+14))
	}
	return l
}

// chance always draws one number, so that the draws of one fault do not depend on the rate of another.
func (l *lane) chance(p float64) bool {
	return float64(l.rnd.Uint64()>>11)/(1<<53) < p
}

// pass calls send with the frame none, one or two times, now or in a later call. It may change the frame and does not
// retain it.
func (l *lane) pass(now int64, frame []byte, send func([]byte)) {
	if !isUDP(frame) {
		send(frame)
		return
	}
	l.packets.Add(1)
	drop, dup := l.chance(l.rates.Drop), l.chance(l.rates.Duplicate)
	late, corrupt := l.chance(l.rates.Reorder), l.chance(l.rates.Corrupt)
	bit := l.rnd.Uint64()
	switch {
	case drop:
		l.dropped.Add(1)
	case late && len(l.delayed) < delayedMax:
		l.reordered.Add(1)
		l.damage(frame, corrupt, bit)
		b := append(l.spare[len(l.spare)-1][:0], frame...)
		l.spare = l.spare[:len(l.spare)-1]
		l.delayed = append(l.delayed, delayedFrame{frame: b, left: holdPackets + 1, deadline: now + int64(holdFor)})
	default:
		l.damage(frame, corrupt, bit)
		send(frame)
		if dup {
			l.duplicated.Add(1)
			send(frame)
		}
	}
	for i := range l.delayed {
		l.delayed[i].left--
	}
	l.release(now, send)
}

func (l *lane) damage(frame []byte, corrupt bool, bit uint64) {
	if !corrupt {
		return
	}
	l.corrupted.Add(1)
	body := frame[14:]
	bit %= uint64(len(body)) * 8
	body[bit/8] ^= 1 << (bit % 8)
}

// release sends the delayed frames that are due.
func (l *lane) release(now int64, send func([]byte)) {
	rest := l.delayed[:0]
	for _, h := range l.delayed {
		if h.left > 0 && now < h.deadline {
			rest = append(rest, h)
			continue
		}
		send(h.frame)
		l.spare = append(l.spare, h.frame)
	}
	l.delayed = rest
}

func (l *lane) stats() DirectionStats {
	return DirectionStats{
		Packets: l.packets.Load(), Dropped: l.dropped.Load(), Duplicated: l.duplicated.Load(),
		Reordered: l.reordered.Load(), Corrupted: l.corrupted.Load(),
	}
}

func isUDP(frame []byte) bool {
	if len(frame) < 14+20 {
		return false
	}
	switch binary.BigEndian.Uint16(frame[12:]) {
	case unix.ETH_P_IP:
		return frame[14+9] == unix.IPPROTO_UDP
	case unix.ETH_P_IPV6:
		return frame[14+6] == unix.IPPROTO_UDP
	}
	return false
}

// shim is a wire in user space: one thread that moves frames between two devices.
type shim struct {
	toServer, toLoad *lane
	load, server     *afpacket.Socket
	quit             atomic.Bool
	done             chan struct{}
}

func startShim(h *Host, cfg Config) (*shim, error) {
	s := &shim{
		toServer: newLane(cfg.Faults.ToServer, cfg.Faults.Seed, 1, cfg.MTU),
		toLoad:   newLane(cfg.Faults.ToLoad, cfg.Faults.Seed, 2, cfg.MTU),
		done:     make(chan struct{}),
	}
	err := h.Do(func() error {
		var err error
		sock := afpacket.Config{MTU: cfg.MTU}
		if s.load, err = afpacket.Open("load", sock); err != nil {
			return err
		}
		s.server, err = afpacket.Open("server", sock)
		return err
	})
	if err != nil {
		s.close()
		return nil, err
	}
	go s.forward(cfg)
	return s, nil
}

func (s *shim) forward(cfg Config) {
	runtime.LockOSThread() // never unlocked: the thread may be pinned
	defer close(s.done)
	if cfg.Threaded {
		// Without pinning it is only slower.
		_ = pin(cfg.FaultCPU)
	}
	toServer, toLoad := sender(s.server), sender(s.load)
	fds := [2]unix.PollFd{{Fd: int32(s.load.FD()), Events: unix.POLLIN}, {Fd: int32(s.server.FD()), Events: unix.POLLIN}}
	wait := unix.NsecToTimespec(int64(time.Millisecond))
	start := time.Now()
	for !s.quit.Load() {
		now := int64(time.Since(start))
		busy := move(now, s.load, s.toServer, toServer)
		s.server.Flush()
		busy = move(now, s.server, s.toLoad, toLoad) || busy
		s.load.Flush()
		if !busy {
			_, _ = unix.Ppoll(fds[:], &wait, nil)
		}
	}
}

func sender(to *afpacket.Socket) func([]byte) {
	return func(f []byte) {
		slot := to.Slot()
		to.Commit(copy(slot[:cap(slot)], f))
	}
}

// move forwards at most a few batches, so that neither direction starves the other.
func move(now int64, from *afpacket.Socket, l *lane, send func([]byte)) bool {
	n := 0
	for ; n < 128; n++ {
		frame, _, ok := from.Next()
		if !ok {
			break
		}
		l.pass(now, frame, send)
	}
	l.release(now, send)
	return n > 0
}

func (s *shim) stats() FaultStats {
	return FaultStats{ToServer: s.toServer.stats(), ToLoad: s.toLoad.stats()}
}

func (s *shim) stop() {
	s.quit.Store(true)
	<-s.done
	s.close()
}

func (s *shim) close() error {
	var errs []error
	for _, sock := range []*afpacket.Socket{s.load, s.server} {
		if sock != nil {
			errs = append(errs, sock.Close())
		}
	}
	return errors.Join(errs...)
}
