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

// A plan is how packets are to come in. Each step that fails when it is carried out leads to a lesser plan.
type plan struct {
	Ports []arrival // interfaces that the XDP program is to run on; none: sockets alone
	// spread: the program hands packets to the processor of their worker, as the devices have fewer receive queues than
	// there are workers. Of use without AF_XDP.
	spread bool
	Why    string
}

// An arrival is an interface that requests come in by.
type arrival struct {
	Name   string
	Master string // the bond or team that it is a member of; empty: none
	zone   uint32 // index of the interface that has the addresses: its master, or itself
	Mode   bpf.Mode
	Xsk    bool // the program hands packets to AF_XDP sockets, not only filters them
}

// facts are what a plan depends on.
type facts struct {
	Ports   []portFacts
	Err     error // why there are none, or not all that are configured
	workers int
	missing []string // capabilities that AF_XDP takes and the server does not have
}

// portFacts are what is known of an interface where requests arrive.
type portFacts struct {
	arrival
	Xdp    bpf.Choice
	queues int // that it receives by
}

// Decide is the one place where the transport is chosen. The error, which comes only if XDP is asked for, says what is
// missing for it.
func Decide(want config.Transport, f facts) (plan, error) {
	if want == config.Socket {
		return plan{Why: "socket, as configured"}, nil
	}
	p := plan{spread: f.spread()}
	var reasons []error
	if f.Err != nil {
		reasons = append(reasons, f.Err)
	}
	var whys []string
	for _, port := range f.Ports {
		reason := port.Xdp.Err
		if reason == nil && len(f.missing) > 0 {
			reason = &bpf.CapabilityError{Missing: f.missing}
		}
		if reason == nil && want == config.Auto && port.Xdp.Mode != bpf.Native {
			// A packet has paid for most of its way when a generic program sees it.
			reason = fmt.Errorf("sockets bear more than %s", port.Xdp.Why)
		}
		if reason != nil {
			reasons = append(reasons, f.of(port, reason))
			continue
		}
		a := port.arrival
		a.Mode, a.Xsk = port.Xdp.Mode, true
		p.Ports = append(p.Ports, a)
		whys = append(whys, f.of(port, errors.New(port.Xdp.Why)).Error())
	}
	for _, r := range reasons {
		whys = append(whys, strings.ReplaceAll(r.Error(), "\n", "; "))
	}
	slices.Sort(whys)
	p.Why = strings.Join(slices.Compact(whys), "; ")
	if want == config.XDP && len(reasons) > 0 {
		return plan{}, fmt.Errorf("transport xdp: %w", errors.Join(reasons...))
	}
	p.spread = p.spread && len(p.Ports) > 0
	return p, nil
}

// of says of which interface a reason is, if there are several.
func (f *facts) of(port portFacts, reason error) error {
	if len(f.Ports) == 1 {
		return reason
	}
	return fmt.Errorf("%s: %w", port.Name, reason)
}

func (f *facts) spread() bool {
	queues := 0
	for _, p := range f.Ports {
		queues = max(queues, p.queues)
	}
	return f.workers > 1 && queues < f.workers
}

// LookAround finds out what [Decide] needs to know. listen are the addresses where requests are taken.
func LookAround(cfg *config.Config, listen []netip.AddrPort, workers int) facts {
	f := facts{workers: workers}
	if cfg.Transport == config.Socket {
		return f
	}
	h, err := newHost()
	if err != nil {
		f.Err = err
		return f
	}
	var arrivals []arrival
	if arrivals, f.Err = h.arrivals(cfg.Interfaces, listen); len(arrivals) == 0 {
		return f
	}
	if f.missing, err = privilege.Missing("CAP_NET_RAW"); err != nil {
		f.Err = errors.Join(f.Err, err)
		return f
	}
	for _, a := range arrivals {
		port := portFacts{arrival: a, Xdp: bpf.Probe(a.Name)}
		if port.queues, err = xsk.Queues(a.Name); err != nil && port.Xdp.Err == nil {
			port.Xdp.Err = err
		}
		var lacks *bpf.CapabilityError
		if errors.As(port.Xdp.Err, &lacks) { // all that is missing at once
			port.Xdp.Err = &bpf.CapabilityError{Missing: append(slices.Clone(lacks.Missing), f.missing...)}
		}
		f.Ports = append(f.Ports, port)
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
