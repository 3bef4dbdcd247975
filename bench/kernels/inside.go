package main

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"time"
)

// inside runs the job in the machine.
func inside(text string) error {
	var j job
	if err := json.Unmarshal([]byte(text), &j); err != nil {
		return err
	}
	err := modprobe(j.Modules, "veth", "bonding", "team", "team_mode_roundrobin", "8021q", "vrf", "dummy")
	if err != nil {
		return err
	}
	for _, d := range devices() {
		if !chosen(d.name, j.Only) {
			continue
		}
		if err := d.cells(&j); err != nil {
			return fmt.Errorf("%s: %w", d.name, err)
		}
	}
	for _, p := range pulls() {
		if chosen(pulled+" "+p.name, j.Only) {
			c := p.try(&j)
			tell(line{Cell: &c})
		}
	}
	if j.withTests() {
		tell(line{Tests: goTests(j.Tests)})
	}
	return nil
}

func modprobe(root string, names ...string) error {
	_, err := output(exec.Command("modprobe", append([]string{"-d", root, "-a"}, names...)...))
	return err
}

// goTests runs the tests of package bpf.
func goTests(bin string) *tests {
	begin := time.Now()
	cmd := exec.Command(bin)
	cmd.Env = append(os.Environ(), "DCS_REQUIRE_ROOT=1")
	cmd.Dir = os.TempDir()
	out, err := cmd.CombinedOutput()
	t := &tests{Seconds: time.Since(begin).Seconds()}
	if err != nil {
		fmt.Printf("%s\n", out)
		t.Failed, t.Detail = true, err.Error()
		if failed := regexp.MustCompile(`(?m)^--- FAIL: (\w+)`).FindAllSubmatch(out, -1); failed != nil {
			t.Detail = ""
			for _, f := range failed {
				t.Detail += string(f[1]) + " "
			}
		}
	}
	return t
}

// transports are the columns of the table; pulled replaces them where a member is pulled.
var transports = []string{"socket", "xdp", "auto"}

const pulled = "member pulled"

// cells runs a device with every transport and reports the outcomes.
func (d *device) cells(j *job) error {
	if err := d.make(); err != nil {
		return err
	}
	for _, t := range transports {
		c := cell{Device: d.name, Transport: t}
		begin := time.Now()
		c.Outcome, c.Detail = d.serve(j, t)
		c.Seconds = time.Since(begin).Seconds()
		tell(line{Cell: &c})
	}
	return unmake()
}

// make builds the hosts and waits until they reach one another.
func (d *device) make() error {
	err := ip("", "netns add srv", "netns add cli",
		"link add v0 netns srv type veth peer w0 netns cli", "link add v1 netns srv type veth peer w1 netns cli")
	if err != nil {
		return err
	}
	for host, cmds := range map[string][]string{"srv": d.srv, "cli": d.cli} {
		if err := ip(host, append([]string{"link set lo up", "link set " + map[string]string{"srv": "v", "cli": "w"}[host] + "0 up"}, cmds...)...); err != nil {
			return err
		}
	}
	settings := map[string][]string{
		// An answer from another device than expected does not count: it may have lost its tag.
		"cli": {"net/ipv4/conf/all/rp_filter=1"},
	}
	if d.tagged {
		for _, name := range append([]string{"w0", "w1"}, d.below...) {
			settings["cli"] = append(settings["cli"], "net/ipv6/conf/"+name+"/disable_ipv6=1")
		}
	}
	if d.l3mdev {
		settings["srv"] = []string{"net/ipv4/udp_l3mdev_accept=1"}
	}
	for host, all := range settings {
		for _, setting := range all {
			key, value, _ := strings.Cut(setting, "=")
			if _, err := output(in(host, "sh", "-c", "echo "+value+" >/proc/sys/"+key)); err != nil {
				return err
			}
		}
	}
	if d.tagged && !d.beside {
		for _, wire := range []string{"w0", "w1"} {
			if _, err := output(in("cli", "ethtool", "-K", wire, "txvlan", "off", "tx-vlan-stag-hw-insert", "off")); err != nil {
				return err
			}
		}
	}
	for _, target := range d.targets() {
		var err error
		for end := time.Now().Add(20 * time.Second); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
			if _, err = output(in("cli", "busybox", "ping", "-c", "1", "-W", "1", target)); err == nil {
				break
			}
		}
		if err != nil {
			return fmt.Errorf("hosts do not reach one another: %w", err)
		}
	}
	return nil
}

// targets returns the addresses that modems ask.
func (d *device) targets() []string {
	if d.anycast {
		return []string{anycast, anycast6}
	}
	return []string{srv4, srv6}
}

func unmake() error {
	return ip("", "netns del srv", "netns del cli")
}

// ip runs commands of ip in a host; empty: in the machine itself.
func ip(host string, cmds ...string) error {
	var batch []string
	flush := func() error {
		args := []string{"-batch", "-"}
		if host != "" {
			args = append([]string{"-n", host}, args...)
		}
		cmd := exec.Command("ip", args...)
		cmd.Stdin = strings.NewReader(strings.Join(batch, "\n") + "\n")
		_, err := output(cmd)
		if err != nil {
			err = fmt.Errorf("%w of\n%s", err, strings.Join(batch, "\n"))
		}
		batch = nil
		return err
	}
	for _, c := range cmds {
		if c != teamMode {
			batch = append(batch, c)
			continue
		}
		err := flush()
		if err == nil {
			_, err = output(in(host, "teamnl", "team0", "setoption", "mode", "roundrobin"))
		}
		if err != nil {
			return err
		}
	}
	return flush()
}

// in returns a command that runs in a host.
func in(host, name string, args ...string) *exec.Cmd {
	return exec.Command("ip", append([]string{"netns", "exec", host, name}, args...)...)
}
