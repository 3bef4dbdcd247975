package main

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"slices"
	"time"

	"github.com/vishvananda/netlink"
)

const (
	// reattachEvery is the time between two attempts to attach a program that was lost. It leaves time to look at the
	// interface without it.
	reattachEvery = 5 * time.Second
	// proveEvery is how often it is looked whether what is steered arrives.
	proveEvery = 250 * time.Millisecond
)

// keep looks after the programs until the context ends: it attaches those again that were lost, and follows the interfaces. Where
// there is no program, requests arrive at the sockets, which all workers serve beside their AF_XDP sockets.
func (st *steering) keep(ctx context.Context) {
	go st.tellDrops(ctx)
	go every(ctx, proveEvery, st.prove)
	followLinks(ctx, st.log, func() {
		if err := st.follow(time.Now()); err != nil {
			st.log.Debug("interfaces unknown", "err", err)
		}
	})
}

// followLinks calls f whenever the kernel tells of a change of an interface, and every second, as it may have told in vain, until the
// context ends.
func followLinks(ctx context.Context, log *slog.Logger, f func()) {
	changes := make(chan netlink.LinkUpdate, 64)
	if err := netlink.LinkSubscribe(changes, ctx.Done()); err != nil {
		log.Debug("no notice of changed interfaces", "err", err)
		changes = nil
	}
	t := time.NewTicker(lookEvery)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
		case _, ok := <-changes:
			if !ok { // the kernel had more to tell than there was room for, or the context ends
				changes = nil
			}
			for len(changes) > 0 {
				<-changes
			}
		}
		f()
	}
}

// follow looks at the interfaces.
func (st *steering) follow(now time.Time) error {
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
			st.lose(p, now, err)
		default:
		}
		if l, there := h.byIndex(p.index); there {
			st.state(p, l)
			if p.attached && p.master != "" && l.Attrs().MasterIndex != int(p.zone) {
				st.leave(p)
				continue
			}
		} else if st.rings != nil {
			st.rings.Follow(p.index, 0, true)
		}
		if !p.attached && !now.Before(p.retry) {
			st.again(&h, p, now)
		}
	}
	for _, name := range st.masters {
		if master, there := h.byName(name); there {
			for _, a := range h.membersOf(master) {
				st.join(&h, a, now)
			}
		}
	}
	return nil
}

// lose notes that a program runs no more.
func (st *steering) lose(p *steered, now time.Time, err error) {
	if !p.attached {
		return
	}
	p.attached, p.retry = false, now.Add(reattachEvery)
	st.losses++
	st.log.Warn("XDP is lost, sockets take all requests", "interface", p.name, "err", err, "retry", reattachEvery)
}

// state notes what has become of an interface that is there.
func (st *steering) state(p *steered, l netlink.Link) {
	a := l.Attrs()
	if a.Name != p.name {
		st.log.Info("the interface has another name", "interface", a.Name, "before", p.name)
		p.name = a.Name
	}
	const up = net.FlagUp | net.FlagRunning
	if down := a.Flags&up != up; down != p.down {
		if p.down = down; down {
			st.log.Warn("the interface is down", "interface", p.name)
		} else {
			st.log.Info("the interface is up", "interface", p.name)
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

// again attaches a program that was lost.
func (st *steering) again(h *host, p *steered, now time.Time) {
	p.retry = now.Add(reattachEvery)
	before := p.index
	l, there := h.byName(p.name)
	if !there { // one that had another name may have been made anew under its first
		if l, there = h.byName(p.first); there {
			p.name = p.first
		}
	}
	err := p.program.Detach() // what is left of it
	// A packet that was sent to a socket of an interface that is gone would be lost. New ones take a privilege that has
	// been given up.
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
		st.log.Info("XDP is back", "interface", p.name, "mode", p.mode)
		return
	}
	if why := err.Error(); why != p.told {
		st.log.Warn("XDP cannot be attached again yet", "interface", p.name, "err", err)
		p.told = why
	}
}

// leave takes the program off an interface that is no member of its bond any more.
func (st *steering) leave(p *steered) {
	st.log.Info("a member has left", "interface", p.name, "bond", p.master)
	if err := errors.Join(st.leaveRings(p), p.program.Detach()); err != nil {
		st.log.Error("XDP cannot be taken off", "interface", p.name, "err", err)
	}
	if st.rings != nil {
		st.rings.Follow(p.index, 0, true)
	}
	st.ports = slices.DeleteFunc(st.ports, func(q *steered) bool { return q == p })
}

// join attaches a program to an interface that has become a member of a bond. One that was a member when the server started gets its
// AF_XDP sockets back. A new one has none: what they take has been given up.
func (st *steering) join(h *host, a arrival, now time.Time) {
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
			p.told = err.Error()
			st.log.Warn("sockets take the requests of a new member", "interface", a.name, "bond", a.master, "err", err)
			return
		}
		st.log.Info("a member has joined", "interface", a.name, "bond", a.master, "af_xdp", p.xsk)
		return
	}
}
