package cmts

import (
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"testing"

	sim "dcs/bench/cmts"
	"dcs/render/secret"
)

// BenchmarkFleet adds a secret to 100 CMTSes over SSH and 100 over SNMP, 16 at a time. An op is the whole fleet.
func BenchmarkFleet(b *testing.B) {
	const each, atOnce = 100, 16
	dir := b.TempDir()
	write := func(name, text string) string {
		name = filepath.Join(dir, name)
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			b.Fatal(err)
		}
		return name
	}
	password, comm := write("password", loginPassword), write("community", community)
	hosts := ""
	var fleet []CMTS
	for i := range each {
		c := sim.New(sim.Config{Name: fmt.Sprintf("ssh-%d", i), Make: sim.Cisco, Interfaces: []string{"Cable5/0/0"}, User: "dcs", Password: loginPassword})
		s, err := c.ServeSSH("127.0.0.1:0")
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() { _ = s.Close() })
		hosts += s.KnownHosts() + "\n"
		fleet = append(fleet, CMTS{Name: c.Name(), Address: s.Addr, Driver: "cisco", Interfaces: []string{"Cable5/0/0"}, User: "dcs", PasswordFile: password})
		c = sim.New(sim.Config{Name: fmt.Sprintf("snmp-%d", i), Make: sim.C3, Interfaces: []string{"3"}})
		a, err := c.ServeSNMP("127.0.0.1:0", community)
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() { _ = a.Close() })
		fleet = append(fleet, CMTS{Name: c.Name(), Address: a.Addr, Driver: "arris-c3", Interfaces: []string{"3"}, SNMP: SNMP{CommunityFile: comm}})
	}
	opt := Options{KnownHosts: write("known_hosts", hosts), Log: slog.New(slog.DiscardHandler)}
	for b.Loop() {
		var wg sync.WaitGroup
		turn := make(chan struct{}, atOnce)
		for _, cfg := range fleet {
			wg.Go(func() {
				turn <- struct{}{}
				defer func() { <-turn }()
				d, err := Open(cfg, opt)
				if err == nil {
					err = d.Add(b.Context(), secret.New(newSecret))
				}
				if err != nil {
					b.Error(err)
				}
			})
		}
		wg.Wait()
	}
}
