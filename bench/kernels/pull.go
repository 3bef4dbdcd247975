package main

import (
	"fmt"
	"net/netip"
	"time"
)

// A pull is a bond of which one member goes and comes while modems load files.
type pull struct {
	name, options string
	host          string // whose member it is
	steps         []step
}

// A step is what becomes of the member, and the commands of ip for it.
type step struct {
	name string
	cmds []string
	says string // a line of the server's log then; empty: any
}

// pulls returns the ways in which a member goes: at the other end, as a cable that is pulled, and at the server's, by its operator.
func pulls() []pull {
	down := func(name string) step {
		return step{name: name + " goes down", cmds: []string{"link set " + name + " down"}}
	}
	up := func(name string) step {
		return step{name: name + " goes up", cmds: []string{"link set " + name + " up"}}
	}
	leaves := step{"v0 leaves the bond", []string{"link set v0 down", "link set v0 nomaster"}, `msg="a member has left" interface=v0`}
	joins := step{"v0 joins it", []string{"link set v0 master bond0", "link set v0 up"}, `msg="a member has joined" interface=v0 bond=bond0 af_xdp=true`}
	return []pull{
		{"bond active-backup", activeBackup, "cli", []step{down("w0"), up("w0")}},
		{"bond balance-xor", balanceXor, "srv", []step{down("v0"), up("v0"), leaves, joins}},
	}
}

// most is how many retries of its own a modem may need when a member is pulled.
const most = 1

// try pulls the member while 50 modems load files over AF_XDP, and plugs it in again while as many load theirs.
func (p *pull) try(j *job) cell {
	c := cell{Device: p.name, Transport: pulled}
	begin := time.Now()
	d := device{name: p.name}
	d.srv, d.cli = both(bond(p.options), named("bond0"))
	err := d.make()
	if err == nil {
		c.Detail, err = p.loads(j)
	}
	if err != nil {
		c.Detail = err.Error()
	} else {
		c.Outcome = byXDP
	}
	c.Seconds = time.Since(begin).Seconds()
	if err := unmake(); err != nil && c.Outcome != failed {
		c.Outcome, c.Detail = failed, err.Error()
	}
	return c
}

func (p *pull) loads(j *job) (detail string, err error) {
	s, err := start(j, "--transport", "auto")
	if err != nil {
		return "", err
	}
	defer func() {
		if err != nil {
			fmt.Printf("%s, %s: %v; the server's log:\n%s\n", p.name, pulled, err, s.log())
			s.showCounts()
			show()
		}
		if stopped := s.stop(); err == nil {
			err = stopped
		}
	}()
	const modems = 50
	for _, step := range p.steps {
		retries, err := loadAll(modems, netip.MustParseAddrPort(srv4+":69"), 0.25, func() error { return ip(p.host, step.cmds...) })
		if err == nil && retries > most {
			err = fmt.Errorf("a modem needed %d retries", retries)
		}
		if err == nil {
			err = s.says(step.says)
		}
		if err != nil {
			return "", fmt.Errorf("%s: %w", step.name, err)
		}
		detail += fmt.Sprintf(", %s: %d", step.name, retries)
	}
	return "most retries of a modem" + detail, p.undisturbed(s, modems)
}

// received returns how many packets have come by AF_XDP, and fails if the server has left it.
func (s *server) received() (float64, error) {
	m, err := s.metrics()
	if err != nil {
		return 0, err
	}
	n := m.sum("dcs_xsk_packets_total", `what="received"`)
	if fallbacks := m.sum("dcs_xdp_fallbacks_total", ""); fallbacks != 0 {
		return n, fmt.Errorf("the server left AF_XDP %.0f times", fallbacks)
	}
	return n, nil
}

// undisturbed loads the file once more when no member comes or goes. Packets may take the sockets for as long as a member is joining, which
// depends on the machine; of these, every one must come by AF_XDP, and so must most of those before.
func (p *pull) undisturbed(s *server, modems int) error {
	// Of each file there are a request, and an ACK of the OACK and of each of 71 blocks.
	load := float64(modems * 73)
	before, err := s.received()
	if err != nil {
		return err
	}
	if least := load * float64(len(p.steps)) / 2; before < least {
		return fmt.Errorf("%.0f packets came by AF_XDP while members came and went, of %.0f at least", before, least)
	}
	if _, err := loadAll(modems, netip.MustParseAddrPort(srv4+":69"), 0, nil); err != nil {
		return fmt.Errorf("afterwards: %w", err)
	}
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(100 * time.Millisecond) { // the last ACK may still be on its way
		after, err := s.received()
		switch {
		case err != nil || after-before >= load:
			return err
		case time.Now().After(deadline):
			return fmt.Errorf("afterwards: %.0f packets came by AF_XDP, of %.0f", after-before, load)
		}
	}
}
