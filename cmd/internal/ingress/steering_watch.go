package ingress

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"slices"
	"sync"
	"time"

	"github.com/vishvananda/netlink"
)

const (
	// reattachEvery is the time between two attempts to re-attach a program. It leaves an operator time to look at the
	// interface without it.
	reattachEvery = 5 * time.Second
	// deliveryEvery is the time between two checks that steered packets arrive.
	deliveryEvery = 250 * time.Millisecond
)

// Run keeps the programs attached until ctx ends: it re-attaches programs that were detached, and follows the interfaces. On an
// interface without a program, requests arrive at the sockets, which all workers serve beside their AF_XDP sockets.
func (st *Steering) Run(ctx context.Context) {
	var all sync.WaitGroup
	defer all.Wait()
	all.Go(func() { st.logDrops(ctx) })
	all.Go(func() { Every(ctx, deliveryEvery, st.checkDelivery) })
	followLinks(ctx, st.log, func() {
		if err := st.follow(time.Now()); err != nil {
			st.log.Debug("interfaces unknown", "err", err)
		}
	})
}

// followLinks calls f whenever the kernel announces a change of an interface, and every second in case an announcement was
// dropped, until ctx ends.
func followLinks(ctx context.Context, log *slog.Logger, f func()) {
	changes := make(chan netlink.LinkUpdate, 64)
	if err := netlink.LinkSubscribe(changes, ctx.Done()); err != nil {
		log.Debug("interface changes not announced", "err", err)
		changes = nil
	}
	t := time.NewTicker(PollInterval)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
		case _, ok := <-changes:
			if !ok { // the socket's buffer overflowed, or the context ends
				changes = nil
			}
			for len(changes) > 0 {
				<-changes
			}
		}
		f()
	}
}

// follow compares the interfaces with the programs' state.
func (st *Steering) follow(now time.Time) error {
	links, err := netlink.LinkList()
	if err != nil {
		return err
	}
	h := host{links: links}
	st.mu.Lock()
	defer st.mu.Unlock()
	for _, p := range slices.Clone(st.ports) {
		select {
		case err := <-p.program.Lost():
			st.noteDetached(p, now, err)
		default:
		}
		if l, there := h.byIndex(p.index); there {
			st.noteState(p, l)
			if p.attached && p.master != "" && l.Attrs().MasterIndex != int(p.zone) {
				st.removeMember(p)
				continue
			}
		} else if st.rings != nil {
			st.rings.Follow(p.index, 0, true)
		}
		if !p.attached && !now.Before(p.retry) {
			st.reattach(&h, p, now)
		}
	}
	for _, name := range st.masters {
		if master, there := h.byName(name); there {
			for _, a := range h.membersOf(master) {
				st.addMember(&h, a, now)
			}
		}
	}
	return nil
}

// noteDetached records that somebody else has detached a program.
func (st *Steering) noteDetached(p *steered, now time.Time, err error) {
	if !p.attached {
		return
	}
	p.attached, p.retry = false, now.Add(reattachEvery)
	st.detached++
	st.log.Warn("XDP program detached, sockets take all requests", "interface", p.name, "err", err, "retry", reattachEvery)
}

// noteState records name, link and bond state of an interface.
func (st *Steering) noteState(p *steered, l netlink.Link) {
	a := l.Attrs()
	if a.Name != p.name {
		st.log.Info("interface renamed", "interface", a.Name, "before", p.name)
		p.name = a.Name
	}
	const up = net.FlagUp | net.FlagRunning
	if down := a.Flags&up != up; down != p.down {
		if p.down = down; down {
			st.log.Warn("interface down", "interface", p.name)
		} else {
			st.log.Info("interface up", "interface", p.name)
		}
	}
	idle := waits(l)
	if p.attached {
		if err := p.program.SetStandby(idle); err != nil {
			st.log.Error("bond standby not set", "interface", p.name, "err", err)
		}
	}
	if st.rings != nil {
		st.rings.Follow(p.index, a.MTU, idle || p.down || !p.attached || !p.xsk)
	}
}

// reattach attaches the program of p again.
func (st *Steering) reattach(h *host, p *steered, now time.Time) {
	p.retry = now.Add(reattachEvery)
	before := p.index
	l, there := h.byName(p.name)
	if !there { // a renamed interface may have been re-created under its first name
		if l, there = h.byName(p.first); there {
			p.name = p.first
		}
	}
	err := p.program.Detach() // whatever is left of it
	// A packet for a socket of an interface that is gone would be lost, and new sockets need a privilege that was dropped.
	if fresh := there && l.Attrs().Index != before; err == nil && fresh {
		if err = st.leaveRings(p); err == nil && p.xsk {
			p.xsk = false
			st.log.Warn("interface was re-created: AF_XDP is off until restart; XDP still filters", "interface", p.name)
		}
	}
	if err == nil {
		err = st.attach(p)
	}
	if err == nil {
		err = st.useRings(p)
	}
	if err == nil {
		st.log.Info("XDP program re-attached", "interface", p.name, "mode", p.mode)
		return
	}
	if why := err.Error(); why != p.reported {
		st.log.Warn("XDP program cannot be re-attached yet", "interface", p.name, "err", err)
		p.reported = why
	}
}

// removeMember detaches the program of an interface that has left its bond.
func (st *Steering) removeMember(p *steered) {
	st.log.Info("a member has left", "interface", p.name, "bond", p.master)
	if err := errors.Join(st.leaveRings(p), p.program.Detach()); err != nil {
		st.log.Error("XDP program cannot be detached", "interface", p.name, "err", err)
	}
	if st.rings != nil {
		st.rings.Follow(p.index, 0, true)
	}
	st.ports = slices.DeleteFunc(st.ports, func(q *steered) bool { return q == p })
}

// addMember attaches a program to an interface that has joined a bond. A member from the server's start gets its AF_XDP sockets
// back; a new one has none, as the privileges for them have been dropped.
func (st *Steering) addMember(h *host, a arrival, now time.Time) {
	if slices.ContainsFunc(st.ports, func(p *steered) bool { return p.name == a.name }) {
		return
	}
	for _, program := range st.steer.Programs() {
		if slices.ContainsFunc(st.ports, func(p *steered) bool { return p.program == program }) {
			continue
		}
		p := &steered{arrival: a, first: a.name, program: program, retry: now.Add(reattachEvery)}
		st.ports = append(st.ports, p)
		if l, there := h.byName(a.name); there {
			p.index = l.Attrs().Index
		}
		p.xsk = st.rings != nil && len(st.rings.Sockets(p.index)) > 0
		err := st.attach(p)
		if err == nil {
			err = st.useRings(p)
		}
		if err != nil {
			p.reported = err.Error()
			st.log.Warn("a member has joined, sockets take its requests", "interface", a.name, "bond", a.master, "err", err)
			return
		}
		st.log.Info("a member has joined", "interface", a.name, "bond", a.master, "af_xdp", p.xsk)
		return
	}
}
