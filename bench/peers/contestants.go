package main

import (
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"

	"dcs/bench/netlab"
	"dcs/bench/storm"
)

// contestant is one server with the settings that suit it best on one CPU.
type contestant struct {
	name    string
	version string
	cmd     *exec.Cmd
	port    uint16
	file    string // name or template
	verify  storm.Verifier
	expect  []byte
	windows []int // the best of them is found before the first round
	xdp     bool  // holds its interface, so it gets a lab of its own

	lab    *netlab.Lab
	runs   uint64
	window int
	rounds []sample
	open   [][]sample // rounds of each of openRates; xdp only
}

const (
	staticName = "modem.bin"
	limitXDP   = "limit, AF_XDP"
	dcsXDP     = "dcs, AF_XDP, rendered"
)

// servers makes the list. dir is scratch.
func servers(dir string, opt options) ([]*contestant, error) {
	body := make([]byte, opt.size)
	for i := range body {
		body[i] = byte(i) // as the limit answers
	}
	root := filepath.Join(dir, "static")
	if err := os.MkdirAll(root, 0o755); err != nil {
		return nil, err
	}
	if err := os.WriteFile(filepath.Join(root, staticName), body, 0o644); err != nil {
		return nil, err
	}
	limit := filepath.Join(dir, "limit")
	if out, err := exec.Command("go", "build", "-o", limit, "dcs/bench/limit").CombinedOutput(); err != nil {
		return nil, fmt.Errorf("build the limit: %w: %s", err, out)
	}
	addr := netlab.ServerAddr4.String()
	at := func(port uint16) string { return netip.AddrPortFrom(netlab.ServerAddr4, port).String() }
	wide, narrow := []int{64, 128, 256, 512}, []int{4, 16, 64}

	list := []*contestant{{
		name: "limit", version: "this tree", port: 1069, windows: wide,
		cmd: exec.Command(limit, "-listen", at(1069), "-size", fmt.Sprint(opt.size)),
	}}
	if opt.xdp {
		busy := fmt.Sprintf("-busy-poll=%v", opt.busy)
		list = append(list, &contestant{
			name: limitXDP, version: "this tree", port: 1074, windows: wide, xdp: true,
			cmd: exec.Command(limit, "-transport", "xdp", "-interface", netlab.Device, busy, "-listen", at(1074), "-size", fmt.Sprint(opt.size)),
		})
	}
	if opt.dcs != "" {
		bin, err := filepath.Abs(opt.dcs)
		if err != nil {
			return nil, err
		}
		version, _ := exec.Command(bin, "version").Output()
		secret := filepath.Join(dir, "secret")
		if err := os.WriteFile(secret, []byte("a secret of the benchmark"), 0o600); err != nil {
			return nil, err
		}
		library, err := filepath.Abs(opt.library)
		if err != nil {
			return nil, err
		}
		serve := func(port uint16, args ...string) *exec.Cmd {
			args = append([]string{"serve", "--listen", at(port), "--workers", "1"}, args...)
			return exec.Command(bin, append(args, opt.dcsArgs...)...)
		}
		list = append(list,
			&contestant{
				name: "dcs, rendered", version: line(version), port: 1070, windows: wide,
				cmd:  serve(1070, "--transport", "socket", "--library", library, "--secret-file", secret),
				file: opt.name, verify: verifier(unixNow),
			},
			&contestant{
				name: "dcs, static", version: line(version), port: 1071, windows: wide,
				cmd: serve(1071, "--transport", "socket", "--static", root),
			})
		if opt.xdp {
			list = append(list, &contestant{
				name: dcsXDP, version: line(version), port: 1075, windows: wide, xdp: true,
				cmd: serve(1075, "--library", library, "--secret-file", secret, "--transport", "xdp",
					"--interface", netlab.Device),
				file: opt.name, verify: verifier(unixNow),
			})
		}
	}
	if opt.peers {
		debs, err := unpack(opt.debs)
		if err != nil {
			return nil, err
		}
		list = append(list,
			// No log; the default of 50 transfers would leave modems hanging; DNS off. Without --tftp-no-blocksize it
			// answers options, but none are asked for. It has no port to choose.
			&contestant{
				name: "dnsmasq", version: debs.versions["dnsmasq-base"], port: 69, windows: wide,
				cmd: debs.command("dnsmasq-base", "usr/sbin/dnsmasq", "--keep-in-foreground", "--conf-file=/dev/null",
					"--user=root", "--pid-file=", "--port=0", "--enable-tftp", "--tftp-root="+root, "--tftp-max=65535",
					"--listen-address="+addr, "--bind-interfaces", "--log-facility=/dev/null", "--quiet-tftp"),
			},
			// A process for each request; from a directory that it has changed its root to, and without a log.
			&contestant{
				name: "tftpd-hpa", version: debs.versions["tftpd-hpa"], port: 1072, windows: narrow,
				cmd: debs.command("tftpd-hpa", "usr/sbin/in.tftpd", "-L", "-a", at(1072), "-u", "root", "-s", root),
			},
			// A thread for each request; the default of 100 threads is below what a window may ask for at once.
			&contestant{
				name: "atftpd", version: debs.versions["atftpd"], port: 1073, windows: narrow,
				cmd: debs.command("atftpd", "usr/sbin/atftpd", "--daemon", "--no-fork", "--bind-address", addr,
					"--port", "1073", "--user", "root", "--group", "root", "--maxthread", "1000", "--no-multicast",
					"--verbose=0", "--logfile", "/dev/null", root),
			})
	}
	for _, c := range list {
		if c.verify == nil {
			c.file, c.expect = staticName, body
		}
		c.cmd.Stderr = os.Stderr
	}
	return list, nil
}
