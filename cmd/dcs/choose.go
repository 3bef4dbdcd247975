package main

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

// A plan is how packets are to come in. Each step that fails when it is carried out leads to a lesser plan.
type plan struct {
	ports []arrival // interfaces that the XDP program is to run on; none: sockets alone
	// spread: the program hands packets to the processor of their worker, as the devices have fewer receive queues than
	// there are workers. Of use without AF_XDP.
	spread bool
	why    string
}

// An arrival is an interface that requests come in by.
type arrival struct {
	name   string
	master string // the bond or team that it is a member of; empty: none
	zone   uint32 // index of the interface that has the addresses: its master, or itself
	mode   bpf.Mode
	xsk    bool // the program hands packets to AF_XDP sockets, not only filters them
}

// facts are what a plan depends on.
type facts struct {
	ports   []portFacts
	err     error // why there are none, or not all that are configured
	workers int
	missing []string // capabilities that AF_XDP takes and the server does not have
}

// portFacts are what is known of an interface where requests arrive.
type portFacts struct {
	arrival
	xdp    bpf.Choice
	queues int // that it receives by
}

// decide is the one place where the transport is chosen. The error, which comes only if XDP is asked for, says what is
// missing for it.
func decide(want config.Transport, f facts) (plan, error) {
	if want == config.Socket {
		return plan{why: "socket, as configured"}, nil
	}
	p := plan{spread: f.spread()}
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
			// A packet has paid for most of its way when a generic program sees it.
			reason = fmt.Errorf("sockets bear more than %s", port.xdp.Why)
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
		return plan{}, fmt.Errorf("transport xdp: %w", errors.Join(reasons...))
	}
	p.spread = p.spread && len(p.ports) > 0
	return p, nil
}

// of says of which interface a reason is, if there are several.
func (f *facts) of(port portFacts, reason error) error {
	if len(f.ports) == 1 {
		return reason
	}
	return fmt.Errorf("%s: %w", port.name, reason)
}

func (f *facts) spread() bool {
	queues := 0
	for _, p := range f.ports {
		queues = max(queues, p.queues)
	}
	return f.workers > 1 && queues < f.workers
}

// lookAround finds out what decide needs to know. listen are the addresses where requests are taken.
func lookAround(cfg *config.Config, listen []netip.AddrPort, workers int) facts {
	f := facts{workers: workers}
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

// processors returns those that the process may use, which its workers get in turn.
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
