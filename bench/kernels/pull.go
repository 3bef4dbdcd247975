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
	m, err := s.metrics()
	if err != nil {
		return "", err
	}
	// Of each file there are a request, and an ACK of the OACK and of each of 71 blocks. Some may come when a member has just joined.
	least := float64(len(p.steps) * modems * 70)
	n, fallbacks := m.sum("dcs_xsk_packets_total", `what="received"`), m.sum("dcs_xdp_fallbacks_total", "")
	if n < least || fallbacks != 0 {
		return "", fmt.Errorf("%.0f packets came by AF_XDP, of %.0f at least; it was left %.0f times", n, least, fallbacks)
	}
	return "most retries of a modem" + detail, nil
}
