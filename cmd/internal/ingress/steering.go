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

// Steering is the XDP programs on their interfaces. [Steering.Run] keeps them attached.
type Steering struct {
	log     *slog.Logger
	steer   *bpf.Steer
	masters []string   // bonds and teams whose members have programs
	rings   *xsk.Group // nil: there are no AF_XDP sockets
	strict  bool       // the transport is XDP: a generic program is accepted

	mu        sync.Mutex // guards the fields below and what ports point to
	ports     []*steered
	detached  uint64 // how often somebody else detached a program
	fallbacks uint64 // how often an interface was left to the sockets, as steered packets were not delivered
}

// steered is an interface with a program, or one that has lost it.
type steered struct {
	arrival
	program  *bpf.Program
	index    int    // of the interface when the program was last attached
	first    string // name when the server started or the interface joined its bond
	attached bool
	choice   bpf.Choice
	retry    time.Time // of the next attempt to attach
	reported string    // last error of an attempt, logged once
	down     bool
	delivery delivery
}

// An Interface is an interface with an XDP program, or one that has lost it.
type Interface struct {
	Name     string
	Index    int    // when the program was last attached
	Master   string // bond or team that it is a member of; empty: none
	Mode     bpf.Mode
	Attached bool
	XSK      bool // the program hands packets to AF_XDP sockets
}

// spareInterfaces is how many members a bond may gain while the server runs.
const spareInterfaces = 8

// newSteering loads and configures the programs, and attaches them to the interfaces of the plan. If the transport is XDP, all
// have to be attached; otherwise an interface that refuses its program is left out, and the plan says why.
func (o *opener) newSteering(in *Ingress, cpus []int) (*Steering, error) {
	st := &Steering{log: o.log, strict: o.cfg.Transport == config.XDP}
	interfaces := len(in.plan.ports)
	for _, a := range in.plan.ports {
		if a.master != "" && !slices.Contains(st.masters, a.master) {
			st.masters = append(st.masters, a.master)
			interfaces += spareInterfaces
		}
	}
	if n := len(in.plan.ports); n > bpf.MaxInterfaces {
		return nil, fmt.Errorf("%d interfaces where requests arrive, at most %d can have XDP; choose with the key interface", n, bpf.MaxInterfaces)
	}
	var err error
	st.steer, err = bpf.Load(bpf.Config{Listen: in.addrs, Transfers: in.tidPorts(), Interfaces: interfaces})
	if err != nil {
		return nil, err
	}
	if in.plan.spread {
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
		in.plan.why += "; " + e.Error()
	}
	return st, nil
}

// attach attaches the program of p.
func (st *Steering) attach(p *steered) error {
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
	p.attached, p.choice, p.mode, p.index, p.reported = true, choice, choice.Mode, l.Attrs().Index, ""
	p.delivery = delivery{}
	return p.program.SetStandby(waits(l))
}

// tagsError returns why packets of an interface cannot be steered past the kernel: its driver strips VLAN tags, and answers
// have to go to the VLAN that the request came from.
func (p *steered) tagsError() error {
	if !p.choice.HidesTags {
		return nil
	}
	return fmt.Errorf("%s strips VLAN tags and this cannot be turned off; sockets take its requests", p.name)
}

// useRings has a program hand packets to the AF_XDP sockets of its interface, if there are any.
func (st *Steering) useRings(p *steered) error {
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

// leaveRings has a program pass on to the kernel what it handed to AF_XDP sockets.
func (st *Steering) leaveRings(p *steered) error {
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

// Interfaces returns the state of each interface.
func (st *Steering) Interfaces() []Interface {
	st.mu.Lock()
	defer st.mu.Unlock()
	all := make([]Interface, len(st.ports))
	for i, p := range st.ports {
		all[i] = Interface{Name: p.name, Index: p.index, Master: p.master, Mode: p.mode, Attached: p.attached, XSK: p.xsk}
	}
	return all
}

// Losses returns how often somebody else detached a program, and how often an interface fell back to the sockets.
func (st *Steering) Losses() (detached, fallbacks uint64) {
	st.mu.Lock()
	defer st.mu.Unlock()
	return st.detached, st.fallbacks
}

// Names returns the names of the interfaces, separated by commas.
func (st *Steering) Names() string {
	var names []string
	for _, p := range st.Interfaces() {
		names = append(names, p.Name)
	}
	return strings.Join(names, ",")
}

// Stats returns packets and octets by verdict.
func (st *Steering) Stats() (bpf.Stats, error) { return st.steer.Stats() }

// Capture begins to copy frames that the programs take.
func (st *Steering) Capture(f bpf.CaptureFilter) (*bpf.Capture, error) { return st.steer.Capture(f) }

// Tap begins to copy frames that the workers send by AF_XDP; nil: there are no AF_XDP sockets.
func (st *Steering) Tap(cfg xsk.TapConfig) (*xsk.Tap, error) {
	if st.rings == nil {
		return nil, nil
	}
	return st.rings.Tap(cfg)
}

// close detaches the programs and closes them.
func (st *Steering) close() error { return st.steer.Close() }
