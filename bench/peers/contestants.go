package main

import (
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"dcs/bench/netlab"
	"dcs/bench/rig"
	"dcs/bench/storm"
)

// contestant is a server with its best settings for one CPU.
type contestant struct {
	name    string
	version string
	cmd     *exec.Cmd
	port    uint16
	file    string // name or template
	verify  storm.Verifier
	expect  []byte
	windows []int // candidates; the best is found before the first round
	xdp     bool  // over AF_XDP
	tx      bool  // answers by XDP_TX

	lab    *netlab.Lab
	runs   uint64
	window int
	rounds []sample
	alone  []sample   // rounds with one modem alone
	open   [][]sample // rounds at each of openRates; xdp only
}

const (
	staticName = "modem.bin"
	limitXDP   = "limit, AF_XDP"
	limitTX    = "limit, XDP_TX"
	ours       = "dcs"
	before     = "before"
)

// servers returns the contestants. dir is for their files.
func servers(dir string, opt options) ([]*contestant, error) {
	body := make([]byte, opt.size)
	for i := range body {
		body[i] = byte(i) // the same as limit's answer
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
	wide, narrow := wideWindows(opt), []int{4, 16, 64}

	list := []*contestant{{
		name: "limit", version: "this tree", port: 1069, windows: wide,
		cmd: exec.Command(limit, "-listen", at(1069), "-size", fmt.Sprint(opt.size)),
	}}
	if opt.xdp {
		busy := fmt.Sprintf("-busy-poll=%v", opt.busy)
		list = append(list, &contestant{
			name: limitXDP, version: "this tree", port: 1074, windows: wide, xdp: true,
			cmd: exec.Command(limit, "-transport", "xdp", "-interface", netlab.Device, busy, "-listen", at(1074), "-size", fmt.Sprint(opt.size)),
		}, &contestant{
			name: limitTX, version: "this tree", port: 1075, windows: wide, xdp: true, tx: true,
			cmd: exec.Command(limit, "-transport", "tx", "-interface", netlab.Device, "-listen", at(1075), "-size", fmt.Sprint(opt.size)),
			// A request as long as its answer: a veth has no room behind a packet. The answer is the name.
			file: strings.Repeat("x", max(1, opt.size-5)),
		})
	}
	secret := filepath.Join(dir, "secret")
	if err := os.WriteFile(secret, []byte("a secret of the benchmark"), 0o600); err != nil {
		return nil, err
	}
	for i, version := range []struct{ name, path string }{{ours, opt.dcs}, {before, opt.before}} {
		if version.path == "" {
			continue
		}
		more, err := versionOf(version.name, version.path, opt, uint16(1080+10*i), at, root, secret)
		if err != nil {
			return nil, err
		}
		list = append(list, more...)
	}
	if opt.peers {
		debs, err := unpack(opt.debs)
		if err != nil {
			return nil, err
		}
		list = append(list,
			&contestant{
				name: "dnsmasq", version: debs.versions["dnsmasq-base"], port: 69, windows: wide,
				cmd: debs.command("dnsmasq-base", "usr/sbin/dnsmasq", rig.DnsmasqArgs(root)...),
			},
			// One process per request; it chroots to its directory, and writes no log.
			&contestant{
				name: "tftpd-hpa", version: debs.versions["tftpd-hpa"], port: 1072, windows: narrow,
				cmd: debs.command("tftpd-hpa", "usr/sbin/in.tftpd", "-L", "-a", at(1072), "-u", "root", "-s", root),
			},
			// One thread per request; the default of 100 threads is less than a window may request at once.
			&contestant{
				name: "atftpd", version: debs.versions["atftpd"], port: 1073, windows: narrow,
				cmd: debs.command("atftpd", "usr/sbin/atftpd", "--daemon", "--no-fork", "--bind-address", addr,
					"--port", "1073", "--user", "root", "--group", "root", "--maxthread", "1000", "--no-multicast",
					"--verbose=0", "--logfile", "/dev/null", root),
			})
	}
	for _, c := range list {
		if c.verify == nil && !c.tx {
			c.file, c.expect = staticName, body
		}
		c.cmd.Stderr = os.Stderr
	}
	return list, nil
}

// wideWindows are for servers that handle many downloads at once: with less than 128 they and the load wait for one
// another.
func wideWindows(opt options) []int {
	if opt.window > 0 {
		return []int{opt.window}
	}
	return []int{128, 256, 512}
}

// versionOf returns the contestants for one dcs binary, on ports from first.
func versionOf(name, path string, opt options, first uint16, at func(uint16) string, static, secret string) ([]*contestant, error) {
	bin, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	version, err := exec.Command(bin, "version").Output()
	if err != nil {
		return nil, fmt.Errorf("%s version: %w", path, err)
	}
	library, err := filepath.Abs(opt.library)
	if err != nil {
		return nil, err
	}
	contestantOf := func(kind string, args ...string) *contestant {
		c := &contestant{name: name + ", " + kind, version: line(version), port: first, windows: wideWindows(opt)}
		args = append([]string{"serve", "--listen", at(first), "--workers", "1"}, args...)
		c.cmd = exec.Command(bin, append(args, opt.dcsArgs...)...)
		first++
		return c
	}
	rendered := []string{"--library", library, "--secret-file", secret}
	list := []*contestant{
		contestantOf("rendered", append(rendered, "--transport", "socket")...),
		contestantOf("static", "--transport", "socket", "--static", static),
	}
	list[0].file, list[0].verify = opt.name, verifier(unixNow)
	if opt.xdp {
		c := contestantOf("AF_XDP, rendered", append(rendered, "--transport", "xdp", "--interface", netlab.Device)...)
		c.file, c.verify, c.xdp = opt.name, verifier(unixNow), true
		list = append(list, c)
	}
	return list, nil
}
