package main

import (
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/vishvananda/netlink"

	"dcs/bpf"
	"dcs/cmd/internal/config"
	"dcs/fastpath/xsk"
)

// steering is the XDP programs on their interfaces, and what keeps them there.
type steering struct {
	log     *slog.Logger
	steer   *bpf.Steer
	masters []string   // bonds and teams whose members have programs
	rings   *xsk.Group // nil: there are no AF_XDP sockets
	strict  bool       // the transport is XDP: a generic program is better than none

	mu     sync.Mutex // guards what follows, and what is in ports
	ports  []*steered
	losses uint64 // how often a program was lost
	falls  uint64 // how often an interface was left to the sockets, as what was steered arrived nowhere
}

// steered is an interface with a program, or one that had it.
type steered struct {
	arrival
	program  *bpf.Program
	index    int    // of the interface when the program was attached last
	first    string // the name that it had when the server started, or joined
	attached bool
	choice   bpf.Choice
	retry    time.Time // when to attach it again
	told     string    // why it could not be attached
	down     bool
	proof    proof
}

// spareInterfaces is how many members more a bond may get while the server runs.
const spareInterfaces = 8

// newSteering loads the programs, sets them, and attaches them to the interfaces of the plan. Those that cannot be had are left out of
// the plan, which says so, unless the transport is XDP.
func (o *opener) newSteering(in *ingress, cpus []int) (*steering, error) {
	st := &steering{log: o.log, strict: o.cfg.Transport == config.XDP}
	interfaces := len(in.plan.ports)
	for _, a := range in.plan.ports {
		if a.master != "" && !slices.Contains(st.masters, a.master) {
			st.masters = append(st.masters, a.master)
			interfaces += spareInterfaces
		}
	}
	if n := len(in.plan.ports); n > bpf.MaxInterfaces {
		return nil, fmt.Errorf("%d interfaces where requests arrive, at most %d can have XDP: the key interface chooses", n, bpf.MaxInterfaces)
	}
	var err error
	st.steer, err = bpf.Load(bpf.Config{Listen: in.addrs, Transfers: in.ports(), Interfaces: interfaces})
	if err != nil {
		return nil, err
	}
	if in.spread {
		err = st.steer.SetWorkers(cpus)
	}
	if err == nil {
		err = o.limits.bind(st.steer)
	}
	var refused []error
	for i, a := range in.plan.ports {
		if err != nil {
			break
		}
		p := &steered{arrival: a, first: a.name, program: st.steer.Programs()[i]}
		if e := st.attach(p); e != nil {
			refused = append(refused, e)
			continue
		}
		st.ports = append(st.ports, p)
	}
	if err == nil && (len(st.ports) == 0 || st.strict) {
		err = errors.Join(refused...)
	}
	if err != nil {
		return nil, errors.Join(err, st.steer.Close())
	}
	for _, e := range refused {
		in.why += "; " + e.Error()
	}
	return st, nil
}

// attach attaches the program of an interface.
func (st *steering) attach(p *steered) error {
	mode := p.mode
	if st.strict {
		mode = bpf.Auto
	}
	l, err := netlink.LinkByName(p.name)
	if err != nil {
		return fmt.Errorf("interface %s: %w", p.name, err)
	}
	choice, err := p.program.Attach(p.name, mode)
	if err != nil {
		return err
	}
	p.attached, p.choice, p.mode, p.index, p.told = true, choice, choice.Mode, l.Attrs().Index, ""
	p.proof = proof{}
	return p.program.SetStandby(waits(l))
}

// tagsError is why packets of an interface cannot be steered past the kernel: nobody knows the VLAN of such a frame any more, in which
// it must be answered.
func (p *steered) tagsError() error {
	if !p.choice.HidesTags {
		return nil
	}
	return fmt.Errorf("%s takes the tags of VLANs off, and does not leave them on: sockets take its requests", p.name)
}

// useRings has a program hand packets to the AF_XDP sockets of its interface, as far as it has any.
func (st *steering) useRings(p *steered) error {
	if st.rings == nil || !p.xsk {
		return nil
	}
	for queue, fd := range st.rings.Sockets(p.index) {
		if err := p.program.SetXSK(queue, fd); err != nil {
			return err
		}
	}
	return nil
}

// leaveRings has a program leave to the kernel what it handed to AF_XDP sockets.
func (st *steering) leaveRings(p *steered) error {
	if st.rings == nil {
		return nil
	}
	for queue := range st.rings.Sockets(p.index) {
		if err := p.program.ClearXSK(queue); err != nil {
			return err
		}
	}
	return nil
}

// each calls f with a copy of what is known of each interface.
func (st *steering) each(f func(p steered)) {
	st.mu.Lock()
	defer st.mu.Unlock()
	for _, p := range st.ports {
		f(*p)
	}
}

// lost returns how often a program was lost, and how often an interface was left to the sockets.
func (st *steering) lost() (losses, falls uint64) {
	st.mu.Lock()
	defer st.mu.Unlock()
	return st.losses, st.falls
}

// names are those of the interfaces, with commas.
func (st *steering) names() string {
	var names []string
	st.each(func(p steered) { names = append(names, p.name) })
	return strings.Join(names, ",")
}

// close detaches the programs and gives them back.
func (st *steering) close() error { return st.steer.Close() }
