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
	// reattachEvery is the time between two attempts to attach a program that was lost. It leaves time to look at the
	// interface without it.
	reattachEvery = 5 * time.Second
	// proveEvery is how often it is looked whether what is steered arrives.
	proveEvery = 250 * time.Millisecond
)

// Run keeps the programs attached until ctx ends: it attaches those again that were detached, and follows the interfaces. Where
// there is no program, requests arrive at the sockets, which all workers serve beside their AF_XDP sockets.
func (st *Steering) Run(ctx context.Context) {
	var all sync.WaitGroup
	defer all.Wait()
	all.Go(func() { st.tellDrops(ctx) })
	all.Go(func() { Every(ctx, proveEvery, st.prove) })
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
	t := time.NewTicker(LookEvery)
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
			st.lose(p, now, err)
		default:
		}
		if l, there := h.byIndex(p.Index); there {
			st.state(p, l)
			if p.Attached && p.Master != "" && l.Attrs().MasterIndex != int(p.zone) {
				st.leave(p)
				continue
			}
		} else if st.Rings != nil {
			st.Rings.Follow(p.Index, 0, true)
		}
		if !p.Attached && !now.Before(p.retry) {
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
func (st *Steering) lose(p *Steered, now time.Time, err error) {
	if !p.Attached {
		return
	}
	p.Attached, p.retry = false, now.Add(reattachEvery)
	st.losses++
	st.log.Warn("XDP is lost, sockets take all requests", "interface", p.Name, "err", err, "retry", reattachEvery)
}

// state notes what has become of an interface that is there.
func (st *Steering) state(p *Steered, l netlink.Link) {
	a := l.Attrs()
	if a.Name != p.Name {
		st.log.Info("the interface has another name", "interface", a.Name, "before", p.Name)
		p.Name = a.Name
	}
	const up = net.FlagUp | net.FlagRunning
	if down := a.Flags&up != up; down != p.down {
		if p.down = down; down {
			st.log.Warn("the interface is down", "interface", p.Name)
		} else {
			st.log.Info("the interface is up", "interface", p.Name)
		}
	}
	idle := waits(l)
	if p.Attached {
		if err := p.program.SetStandby(idle); err != nil {
			st.log.Error("bond standby not set", "interface", p.Name, "err", err)
		}
	}
	if st.Rings != nil {
		st.Rings.Follow(p.Index, a.MTU, idle || p.down || !p.Attached || !p.Xsk)
	}
}

// again attaches a program that was lost.
func (st *Steering) again(h *host, p *Steered, now time.Time) {
	p.retry = now.Add(reattachEvery)
	before := p.Index
	l, there := h.byName(p.Name)
	if !there { // one that had another name may have been made anew under its first
		if l, there = h.byName(p.first); there {
			p.Name = p.first
		}
	}
	err := p.program.Detach() // what is left of it
	// A packet that was sent to a socket of an interface that is gone would be lost. New ones take a privilege that has
	// been given up.
	if fresh := there && l.Attrs().Index != before; err == nil && fresh {
		if err = st.leaveRings(p); err == nil && p.Xsk {
			p.Xsk = false
			st.log.Warn("interface was re-created: AF_XDP is off until restart; XDP still filters", "interface", p.Name)
		}
	}
	if err == nil {
		err = st.attach(p)
	}
	if err == nil {
		err = st.useRings(p)
	}
	if err == nil {
		st.log.Info("XDP is back", "interface", p.Name, "mode", p.Mode)
		return
	}
	if why := err.Error(); why != p.told {
		st.log.Warn("XDP cannot be attached again yet", "interface", p.Name, "err", err)
		p.told = why
	}
}

// leave takes the program off an interface that is no member of its bond any more.
func (st *Steering) leave(p *Steered) {
	st.log.Info("a member has left", "interface", p.Name, "bond", p.Master)
	if err := errors.Join(st.leaveRings(p), p.program.Detach()); err != nil {
		st.log.Error("XDP cannot be taken off", "interface", p.Name, "err", err)
	}
	if st.Rings != nil {
		st.Rings.Follow(p.Index, 0, true)
	}
	st.ports = slices.DeleteFunc(st.ports, func(q *Steered) bool { return q == p })
}

// join attaches a program to an interface that has become a member of a bond. One that was a member when the server started gets its
// AF_XDP sockets back. A new one has none: what they take has been given up.
func (st *Steering) join(h *host, a arrival, now time.Time) {
	if slices.ContainsFunc(st.ports, func(p *Steered) bool { return p.Name == a.Name }) {
		return
	}
	for _, program := range st.Steer.Programs() {
		if slices.ContainsFunc(st.ports, func(p *Steered) bool { return p.program == program }) {
			continue
		}
		p := &Steered{arrival: a, first: a.Name, program: program, retry: now.Add(reattachEvery)}
		st.ports = append(st.ports, p)
		if l, there := h.byName(a.Name); there {
			p.Index = l.Attrs().Index
		}
		p.Xsk = st.Rings != nil && len(st.Rings.Sockets(p.Index)) > 0
		err := st.attach(p)
		if err == nil {
			err = st.useRings(p)
		}
		if err != nil {
			p.told = err.Error()
			st.log.Warn("sockets take the requests of a new member", "interface", a.Name, "bond", a.Master, "err", err)
			return
		}
		st.log.Info("a member has joined", "interface", a.Name, "bond", a.Master, "af_xdp", p.Xsk)
		return
	}
}
