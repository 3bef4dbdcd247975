package ingress

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

// Steering is the XDP programs on their interfaces, and what keeps them there.
type Steering struct {
	log     *slog.Logger
	Steer   *bpf.Steer
	masters []string   // bonds and teams whose members have programs
	Rings   *xsk.Group // nil: there are no AF_XDP sockets
	strict  bool       // the transport is XDP: a generic program is better than none

	mu     sync.Mutex // guards what follows, and what is in ports
	ports  []*Steered
	losses uint64 // how often a program was lost
	falls  uint64 // how often an interface was left to the sockets, as what was steered arrived nowhere
}

// Steered is an interface with a program, or one that had it.
type Steered struct {
	arrival
	program  *bpf.Program
	Index    int    // of the interface when the program was attached last
	first    string // the name that it had when the server started, or joined
	Attached bool
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
func (o *opener) newSteering(in *Ingress, cpus []int) (*Steering, error) {
	st := &Steering{log: o.log, strict: o.cfg.Transport == config.XDP}
	interfaces := len(in.plan.Ports)
	for _, a := range in.plan.Ports {
		if a.Master != "" && !slices.Contains(st.masters, a.Master) {
			st.masters = append(st.masters, a.Master)
			interfaces += spareInterfaces
		}
	}
	if n := len(in.plan.Ports); n > bpf.MaxInterfaces {
		return nil, fmt.Errorf("%d interfaces where requests arrive, at most %d can have XDP: the key interface chooses", n, bpf.MaxInterfaces)
	}
	var err error
	st.Steer, err = bpf.Load(bpf.Config{Listen: in.Addrs, Transfers: in.ports(), Interfaces: interfaces})
	if err != nil {
		return nil, err
	}
	if in.spread {
		err = st.Steer.SetWorkers(cpus)
	}
	if err == nil {
		err = o.limits.bind(st.Steer)
	}
	var refused []error
	for i, a := range in.plan.Ports {
		if err != nil {
			break
		}
		p := &Steered{arrival: a, first: a.Name, program: st.Steer.Programs()[i]}
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
		return nil, errors.Join(err, st.Steer.Close())
	}
	for _, e := range refused {
		in.Why += "; " + e.Error()
	}
	return st, nil
}

// attach attaches the program of an interface.
func (st *Steering) attach(p *Steered) error {
	mode := p.Mode
	if st.strict {
		mode = bpf.Auto
	}
	l, err := netlink.LinkByName(p.Name)
	if err != nil {
		return fmt.Errorf("interface %s: %w", p.Name, err)
	}
	choice, err := p.program.Attach(p.Name, mode)
	if err != nil {
		return err
	}
	p.Attached, p.choice, p.Mode, p.Index, p.told = true, choice, choice.Mode, l.Attrs().Index, ""
	p.proof = proof{}
	return p.program.SetStandby(waits(l))
}

// tagsError is why packets of an interface cannot be steered past the kernel: nobody knows the VLAN of such a frame any more, in which
// it must be answered.
func (p *Steered) tagsError() error {
	if !p.choice.HidesTags {
		return nil
	}
	return fmt.Errorf("%s takes the tags of VLANs off, and does not leave them on: sockets take its requests", p.Name)
}

// useRings has a program hand packets to the AF_XDP sockets of its interface, as far as it has any.
func (st *Steering) useRings(p *Steered) error {
	if st.Rings == nil || !p.Xsk {
		return nil
	}
	for queue, fd := range st.Rings.Sockets(p.Index) {
		if err := p.program.SetXSK(queue, fd); err != nil {
			return err
		}
	}
	return nil
}

// leaveRings has a program leave to the kernel what it handed to AF_XDP sockets.
func (st *Steering) leaveRings(p *Steered) error {
	if st.Rings == nil {
		return nil
	}
	for queue := range st.Rings.Sockets(p.Index) {
		if err := p.program.ClearXSK(queue); err != nil {
			return err
		}
	}
	return nil
}

// Each calls f with a copy of what is known of each interface.
func (st *Steering) Each(f func(p Steered)) {
	st.mu.Lock()
	defer st.mu.Unlock()
	for _, p := range st.ports {
		f(*p)
	}
}

// Losses returns how often a program was detached by others, and how often an interface fell back to the sockets.
func (st *Steering) Losses() (losses, falls uint64) {
	st.mu.Lock()
	defer st.mu.Unlock()
	return st.losses, st.falls
}

// Names are those of the interfaces, with commas.
func (st *Steering) Names() string {
	var names []string
	st.Each(func(p Steered) { names = append(names, p.Name) })
	return strings.Join(names, ",")
}

// close detaches the programs and gives them back.
func (st *Steering) close() error { return st.Steer.Close() }
