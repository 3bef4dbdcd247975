package main

import (
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

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
	program, err := dnsmasq()
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
	// No log, and no DNS; the default of 50 transfers would leave modems hanging.
	err = add(peer, program, 69, "--keep-in-foreground", "--conf-file=/dev/null", "--user=root", "--pid-file=", "--port=0",
		"--enable-tftp", "--tftp-root="+dir, "--tftp-max=65535", "--listen-address="+netlab.ServerAddr4.String(), "--bind-interfaces",
		"--log-facility=/dev/null", "--quiet-tftp")
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

// used returns the CPU time that the server's process and the kernel thread that receives for it have taken. Unlike the
// time for which the CPU was busy it has nothing of other processes.
func (s *server) used() (time.Duration, error) {
	pids, err := s.lab.Server.Pollers(netlab.Device)
	if err != nil {
		return 0, err
	}
	var all time.Duration
	for _, pid := range append(pids, s.cmd.Process.Pid) {
		tasks, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/schedstat", pid))
		if err != nil {
			return 0, err
		}
		for _, t := range tasks {
			b, err := os.ReadFile(t)
			if err != nil {
				continue // the thread has ended
			}
			run, _, _ := strings.Cut(string(b), " ")
			ns, err := strconv.ParseInt(run, 10, 64)
			if err != nil {
				return 0, fmt.Errorf("%s: %w", t, err)
			}
			all += time.Duration(ns)
		}
	}
	return all, nil
}
