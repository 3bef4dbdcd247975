package main

import (
	"fmt"
	"net/netip"
	"time"
)

// A pull is a bond of which one member goes down while modems load files.
type pull struct {
	name, options string
	host, member  string // what is set down
}

// pulls returns the ways in which a member goes: at the other end, as a cable that is pulled, and at the server's, by its operator.
func pulls() []pull {
	return []pull{
		{"bond active-backup", activeBackup, "cli", "w0"},
		{"bond balance-xor", balanceXor, "srv", "v0"},
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

func (p *pull) loads(j *job) (told string, err error) {
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
	for _, state := range []string{"down", "up"} {
		retries, err := loadAll(modems, netip.MustParseAddrPort(srv4+":69"), 0.25, func() error {
			return ip(p.host, "link set "+p.member+" "+state)
		})
		if err == nil && retries > most {
			err = fmt.Errorf("a modem needed %d retries", retries)
		}
		if err != nil {
			return "", fmt.Errorf("%s goes %s: %w", p.member, state, err)
		}
		told += fmt.Sprintf(", %s goes %s: %d", p.member, state, retries)
	}
	m, err := s.metrics()
	if err != nil {
		return "", err
	}
	if n := m.sum("dcs_xsk_packets_total", `what="received"`); n < modems*71 {
		return "", fmt.Errorf("%.0f packets came by AF_XDP", n)
	}
	return "most retries of a modem" + told, nil
}
