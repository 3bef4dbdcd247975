package main

import (
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"

	"dcs/bench/netlab"
	"dcs/bench/rig"
)

// server is a running server with a lab of its own: over AF_XDP it occupies its interface.
type server struct {
	name string
	port uint16
	cmd  *exec.Cmd
	lab  *netlab.Lab
	runs uint64
}

const peer, ours = "dnsmasq", "dcs"

// servers starts the servers, with the files of dir. What it returns must be stopped, even with an error.
func servers(opt *options, dir string) (list []*server, err error) {
	program, err := rig.Dnsmasq()
	if err != nil {
		return nil, err
	}
	add := func(name, program string, port uint16, args ...string) error {
		lab, err := netlab.New(netlab.Config{Threaded: true, ServerCPU: rig.ServerCPU, LoadCPU: rig.LoadCPU})
		if err != nil {
			return err
		}
		s := &server{name: name, port: port, lab: lab, cmd: exec.Command(program, args...)}
		s.cmd.Stderr = os.Stderr
		list = append(list, s)
		return lab.Server.Start(s.cmd, rig.ServerCPU)
	}
	err = add(peer, program, 69, rig.DnsmasqArgs(dir)...)
	for _, v := range []struct{ name, path string }{{ours, opt.dcs}, {"before", opt.before}} {
		if v.path == "" || err != nil {
			continue
		}
		bin, err := filepath.Abs(v.path)
		if err != nil {
			return list, err
		}
		args := []string{"serve", "--log-level", "warn", "--listen", netip.AddrPortFrom(netlab.ServerAddr4, 1069).String(), "--workers", "1", "--static", dir, "--transport"}
		if err := add(v.name, bin, 1069, append(args, "socket")...); err != nil {
			return list, err
		}
		if opt.xdp {
			if err := add(v.name+", AF_XDP", bin, 1069, append(args, "xdp", "--interface", netlab.Device)...); err != nil {
				return list, err
			}
		}
	}
	return list, err
}

func (s *server) stop() error {
	err := s.lab.Close()
	if s.cmd.Process != nil {
		_ = s.cmd.Wait() // killed with the lab
	}
	return err
}
