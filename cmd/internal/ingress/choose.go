package ingress

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"dcs/bpf"
	"dcs/cmd/internal/config"
	"dcs/cmd/internal/privilege"
	"dcs/fastpath/xsk"
)

// A Plan says how packets are to come in. A step that fails when it is carried out leads to a lesser plan.
type Plan struct {
	ports []arrival // interfaces for the XDP program; none: sockets only
	// spread has the program hand packets to the CPU of their worker, as the devices have fewer receive queues than there are
	// workers. It matters without AF_XDP only.
	spread bool
	why    string
}

// Interfaces returns how many interfaces are to have an XDP program; 0: sockets only.
func (p *Plan) Interfaces() int { return len(p.ports) }

// An arrival is an interface that requests arrive on.
type arrival struct {
	name   string
	master string // bond or team that it is a member of; empty: none
	zone   uint32 // index of the interface that has the addresses: its master or itself
	mode   bpf.Mode
	xsk    bool // the program hands packets to AF_XDP sockets, beyond filtering them
}

// Facts are what the choice of a transport depends on.
type Facts struct {
	ports   []portFacts
	err     error
	workers int
	missing []string // capabilities that AF_XDP needs and the process lacks
}

// portFacts are the facts of one interface.
type portFacts struct {
	arrival
	xdp    bpf.Choice
	queues int // receive queues
}

// Err returns why no interface was found, or why configured ones cannot be used; nil if all were found.
func (f *Facts) Err() error { return f.err }

// Busy returns an error for each interface that another XDP program holds.
func (f *Facts) Busy() (errs []error) {
	for i := range f.ports {
		var busy *bpf.BusyError
		if err := f.ports[i].xdp.Err; errors.As(err, &busy) {
			errs = append(errs, err)
		}
	}
	return errs
}

// Release counts interfaces as free whose XDP program, by its ID, belongs to a running server.
func (f *Facts) Release(ours func(program uint32) bool) {
	for i := range f.ports {
		var busy *bpf.BusyError
		if port := &f.ports[i]; errors.As(port.xdp.Err, &busy) && ours(busy.Program) {
			port.xdp = bpf.Choice{Mode: bpf.Native, Why: "held by the running server"}
		}
	}
}

// Decide is the one place where the transport is chosen. It fails only if want is XDP, and says what is missing for it.
func Decide(want config.Transport, f Facts) (Plan, error) {
	if want == config.Socket {
		return Plan{why: "socket, as configured"}, nil
	}
	p := Plan{spread: f.spread()}
	var reasons []error
	if f.err != nil {
		reasons = append(reasons, f.err)
	}
	var whys []string
	for _, port := range f.ports {
		reason := port.xdp.Err
		if reason == nil && len(f.missing) > 0 {
			reason = &bpf.CapabilityError{Missing: f.missing}
		}
		if reason == nil && want == config.Auto && port.xdp.Mode != bpf.Native {
			// A generic program runs after most of a packet's cost has been paid.
			reason = fmt.Errorf("sockets are faster than %s", port.xdp.Why)
		}
		if reason != nil {
			reasons = append(reasons, f.of(port, reason))
			continue
		}
		a := port.arrival
		a.mode, a.xsk = port.xdp.Mode, true
		p.ports = append(p.ports, a)
		whys = append(whys, f.of(port, errors.New(port.xdp.Why)).Error())
	}
	for _, r := range reasons {
		whys = append(whys, strings.ReplaceAll(r.Error(), "\n", "; "))
	}
	slices.Sort(whys)
	p.why = strings.Join(slices.Compact(whys), "; ")
	if want == config.XDP && len(reasons) > 0 {
		return Plan{}, fmt.Errorf("transport xdp: %w", errors.Join(reasons...))
	}
	p.spread = p.spread && len(p.ports) > 0
	return p, nil
}

// of names the interface in a reason if there are several.
func (f *Facts) of(port portFacts, reason error) error {
	if len(f.ports) == 1 {
		return reason
	}
	return fmt.Errorf("%s: %w", port.name, reason)
}

func (f *Facts) spread() bool {
	queues := 0
	for _, p := range f.ports {
		queues = max(queues, p.queues)
	}
	return f.workers > 1 && queues < f.workers
}

// Inspect collects what [Decide] needs. listen are the addresses where requests are taken.
func Inspect(cfg *config.Config, listen []netip.AddrPort, workers int) Facts {
	f := Facts{workers: workers}
	if cfg.Transport == config.Socket {
		return f
	}
	h, err := newHost()
	if err != nil {
		f.err = err
		return f
	}
	var arrivals []arrival
	if arrivals, f.err = h.arrivals(cfg.Interfaces, listen); len(arrivals) == 0 {
		return f
	}
	if f.missing, err = privilege.Missing("CAP_NET_RAW"); err != nil {
		f.err = errors.Join(f.err, err)
		return f
	}
	for _, a := range arrivals {
		port := portFacts{arrival: a, xdp: bpf.Probe(a.name)}
		if port.queues, err = xsk.Queues(a.name); err != nil && port.xdp.Err == nil {
			port.xdp.Err = err
		}
		var lacks *bpf.CapabilityError
		if errors.As(port.xdp.Err, &lacks) { // all that is missing at once
			port.xdp.Err = &bpf.CapabilityError{Missing: append(slices.Clone(lacks.Missing), f.missing...)}
		}
		f.ports = append(f.ports, port)
	}
	return f
}

// processors returns the CPUs that the process may use. Workers get them in turn.
func processors() ([]int, error) {
	var allowed unix.CPUSet
	if err := unix.SchedGetaffinity(0, &allowed); err != nil {
		return nil, os.NewSyscallError("sched_getaffinity", err)
	}
	var cpus []int
	for cpu := 0; len(cpus) < allowed.Count(); cpu++ {
		if allowed.IsSet(cpu) {
			cpus = append(cpus, cpu)
		}
	}
	return cpus, nil
}
