package main

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"dcs/bench/netlab"
	"dcs/bench/require"
	"dcs/cmd/internal/check"
	"dcs/cmd/internal/config"
)

// Whatever keeps the server from its start, or from an address, check says before; whatever does not, it lets pass. Nothing of it stays.
func TestCheckHost(t *testing.T) {
	t.Parallel()
	require.Long(t, "a host of its own")
	lab := netlab.ForTest(t, netlab.Config{})
	require.Program(t, "setpriv")
	err := lab.Server.Do(func() error {
		dev, err := netlink.LinkByName(netlab.Device)
		if err != nil {
			return err
		}
		return netlink.LinkAdd(&netlink.Vlan{LinkAttrs: netlink.LinkAttrs{Name: "vlan5", ParentIndex: dev.Attrs().Index}, VlanId: 5})
	})
	vlans := err == nil
	if !vlans && !errors.Is(err, unix.EOPNOTSUPP) { // the kernel has none
		t.Fatal(err)
	}
	dir := static(t, map[string]string{"x": "text"})
	run := t.TempDir()
	chmod(t, 0o755, filepath.Dir(dir), dir, filepath.Dir(run), run, filepath.Dir(binary(t)))
	chmod(t, 0o644, filepath.Join(dir, "x"))
	configs := t.TempDir()
	chmod(t, 0o755, configs)
	socket := filepath.Join(run, "other.sock")
	// Another server, which has all that there is to have once.
	other := labServe(t, lab, "--static", dir, "--interface", netlab.Device, "--transport", "xdp", "--listen", "198.19.0.1:70",
		"--http", "198.19.0.1:8080", "--metrics", "198.19.0.1:9100", "--admin", "unix:"+socket, "--tid-ports", "31000-31001")
	pid := fmt.Sprintf("dcs (pid %d)", other.cmd.Process.Pid)

	nobody := []string{"setpriv", "--reuid=65531", "--regid=65532", "--clear-groups"}
	for _, tt := range []struct {
		name   string
		keys   string   // of the configuration, with commas between
		as     []string // what runs it
		starts bool
		want   string // what check says; and the start, if it fails. "!" before it: check fails, though the server starts.
	}{
		{name: "free", keys: "transport: socket", starts: true},
		{name: "free, auto", keys: "", starts: true},
		{name: "other ports", keys: "transport: socket, listen: 198.19.0.1:71, tid_ports: 31100-31199", starts: true},
		{name: "no such interface", keys: "transport: xdp, interface: none0", want: "transport xdp: interface none0 does not exist"},
		{name: "no such interface, auto", keys: "interface: none0", starts: true, want: "!interface: interface none0 does not exist"},
		{name: "no such interface, which does not matter", keys: "transport: socket, interface: none0", starts: true},
		{name: "VLAN", keys: "transport: xdp, interface: vlan5", want: "vlan5 is a VLAN; name its parent interface, " + netlab.Device},
		{name: "VLAN, auto", keys: "interface: vlan5", starts: true, want: "!interface: vlan5 is a VLAN"},
		{name: "XDP on loopback", keys: "transport: xdp, listen: 127.0.0.1:69", want: "transport xdp: only the loopback interface has addresses of listen"},
		{name: "auto on loopback", keys: "listen: 127.0.0.1:69", starts: true},
		{name: "XDP without capabilities", keys: "transport: xdp, listen: 198.19.0.1:6969", as: nobody, want: "missing CAP_BPF, CAP_PERFMON, CAP_NET_ADMIN, CAP_NET_RAW"},
		{name: "XDP of another", keys: "transport: xdp, interface: " + netlab.Device, want: "holds " + netlab.Device},
		{name: "port in use", keys: "transport: socket, listen: 198.19.0.1:70", want: "198.19.0.1:70"},
		{name: "port in use elsewhere", keys: "transport: socket, listen: 127.0.0.1:70", starts: true},
		{name: "port in use, all addresses", keys: "transport: socket, listen: 0.0.0.0:70", want: "0.0.0.0:70"},
		{name: "port without the capability", keys: "transport: socket", as: nobody, want: "permission denied"},
		{name: "fewer ports than workers", keys: "transport: socket, tid_ports: 31200", want: "transfer ports 31200-31200: 1 for 2 workers"},
		{name: "ports of transfers in use", keys: "transport: socket, tid_ports: 31000-31001", want: "too few free ports"},
		{name: "HTTP port in use", keys: "transport: socket, http: 198.19.0.1:8080", starts: true, want: "!http: 198.19.0.1:8080: in use by " + pid},
		{name: "HTTP port in use, all addresses", keys: "transport: socket, http: :8080", starts: true, want: "!http: [::]:8080: in use by " + pid},
		{name: "metrics port in use", keys: "transport: socket, metrics: 198.19.0.1:9100", starts: true, want: "!metrics: 198.19.0.1:9100: in use by " + pid},
		{name: "admin port in use", keys: "transport: socket, admin: 127.0.0.1:8080, http: 127.0.0.1:8080", starts: true, want: "!in use by the key"},
		{name: "admin socket in use", keys: "transport: socket, admin: unix:" + socket, starts: true, want: "!admin: unix:" + socket + ": in use by " + pid},
		{name: "admin socket where it cannot be", keys: "transport: socket, listen: 198.19.0.1:6969, admin: unix:" + run + "/own.sock", as: nobody, want: "permission denied"},
		{name: "an address that is not there", keys: "transport: socket, listen: 198.19.0.9:69, http: 198.19.0.9:80", starts: true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if strings.Contains(tt.keys, "vlan5") && !vlans {
				t.Skip("the kernel has no VLANs")
			}
			file := filepath.Join(configs, strings.ReplaceAll(tt.name, " ", "_")+".yaml")
			text := "static: " + dir + "\n"
			if !strings.Contains(tt.keys, "listen:") {
				text += "listen: 198.19.0.1:69\n"
			}
			write(t, file, text+strings.ReplaceAll(tt.keys, ", ", "\n")+"\n")
			chmod(t, 0o644, file)
			command := func(verb string, more ...string) *exec.Cmd {
				line := append(append([]string{}, tt.as...), append([]string{binary(t), verb, "--config", file}, more...)...)
				cmd := exec.Command(line[0], line[1:]...)
				cmd.Env = append(os.Environ(), "GOMAXPROCS=2")
				return cmd
			}
			want, alone := strings.CutPrefix(tt.want, "!")
			var said bytes.Buffer
			cmd := command("check")
			cmd.Stdout, cmd.Stderr = &said, &said
			err := lab.Server.Run(cmd)
			if fails := err != nil; fails == (tt.starts && !alone) || !strings.Contains(said.String(), want) {
				t.Errorf("check: %v, want %q:\n%s", err, want, &said)
			}
			// The start finds the same.
			p := labRun(t, lab, command("serve", "--drain", "1s"))
			if tt.starts {
				p.await("msg=serving")
				if err := p.stop(syscall.SIGTERM); err != nil {
					t.Error(err)
				}
			} else if err := p.wait(); err == nil || !strings.Contains(p.log.String(), want) {
				t.Errorf("serve: %v, want %q", err, want)
			}
		})
	}
	if left, err := filepath.Glob(run + "/*"); err != nil || len(left) != 1 {
		t.Errorf("left are %q, %v", left, err)
	}
}

// Ports and programs of the running server of this configuration are as good as free, whether it has a file or flags, and however the
// file is named; of another one they are not.
func TestCheckRunning(t *testing.T) {
	t.Parallel()
	for _, transport := range []string{"socket", "xdp"} {
		t.Run(transport, func(t *testing.T) {
			t.Parallel()
			lab := netlab.ForTest(t, netlab.Config{})
			dir := t.TempDir()
			at := func(name string) string { return filepath.Join(dir, name) }
			text := fmt.Sprintf("static: static\ntransport: %s\nlisten: [198.19.0.1:69, '[::]:69']\ntid_ports: 31000-31199\nhttp: 198.19.0.1:8080\nmetrics: 198.19.0.1:9100\nadmin: [127.0.0.1:8069, unix:admin.sock]\n", transport)
			lay(t, map[string]string{at("static/x"): "text", at("dcs.yaml"): text, at("other.yaml"): text})
			if err := os.Symlink("dcs.yaml", at("link.yaml")); err != nil {
				t.Fatal(err)
			}
			check := func(ok bool, want string, args ...string) {
				t.Helper()
				var said bytes.Buffer
				cmd := exec.Command(binary(t), append([]string{"check"}, args...)...)
				cmd.Stdout, cmd.Stderr, cmd.Dir, cmd.Env = &said, &said, dir, append(os.Environ(), "GOMAXPROCS=2")
				if err := lab.Server.Run(cmd); (err == nil) != ok || !strings.Contains(said.String(), want) {
					t.Errorf("%q: %v, want %q\n%s", args, err, want, &said)
				}
			}
			check(true, "", "--config", "dcs.yaml")
			server := exec.Command(binary(t), "serve", "--config", "dcs.yaml")
			server.Dir = dir
			p := labRun(t, lab, server)
			p.await("msg=serving")
			check(true, "", "--config", "dcs.yaml")
			check(true, "", "-c", filepath.Join(dir, "link.yaml"))
			by := ": in use by dcs (pid " + fmt.Sprint(p.cmd.Process.Pid) + ")\n"
			check(false, strings.Join([]string{
				"listen: 198.19.0.1:69", "listen: [::]:69", "http: 198.19.0.1:8080", "metrics: 198.19.0.1:9100", "admin: 127.0.0.1:8069", "admin: unix:admin.sock", "warning: a dcs with another configuration runs on this host",
			}, by), "--config", "other.yaml")
			if transport == "socket" { // too few for the next start
				write(t, at("dcs.yaml"), strings.Replace(text, "31000-31199", "31000", 1)+"workers: 0\n")
				check(false, ": 1 for 2 workers", "--config", "dcs.yaml")
			}
			want(t, lab, "198.19.0.1", "x", "text")
			if err := p.stop(syscall.SIGTERM); err != nil {
				t.Error(err)
			}
			check(true, "", "--config", "other.yaml")

			flags := []string{"--static", at("static")}
			p = labServe(t, lab, append(flags, "--transport", transport)...)
			check(false, "in use by dcs", flags...)
			if err := p.stop(syscall.SIGTERM); err != nil {
				t.Error(err)
			}
			p = labRun(t, lab, exec.Command(binary(t), append([]string{"serve"}, flags...)...))
			p.await("msg=serving")
			check(true, "", flags...)
		})
	}
}

// Checks at the same time do not take each other's addresses for somebody's who keeps them.
func TestChecksAtOnce(t *testing.T) {
	t.Parallel()
	program, port := binary(t), freePort(t)
	config := filepath.Join(t.TempDir(), "dcs.yaml")
	write(t, config, fmt.Sprintf("static: %s\ntransport: socket\nlisten: 127.0.0.1:%s\nhttp: 127.0.0.1:%[2]s\n", static(t, map[string]string{"x": "text"}), port))
	done := make(chan error)
	for range 3 {
		go func() {
			out, err := exec.Command(program, "check", "--config", config).CombinedOutput()
			if err != nil {
				err = fmt.Errorf("%w: %s", err, out)
			}
			done <- err
		}()
	}
	for range 3 {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}

// With --no-host a configuration for another machine passes here.
func TestCheckNoHost(t *testing.T) {
	t.Parallel()
	require.Long(t, "checks of the host")
	other, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	config := filepath.Join(t.TempDir(), "dcs.yaml")
	write(t, config, fmt.Sprintf("static: %s\ntransport: xdp\ninterface: none0\nuser: nobody-of-that-name\nhttp: %s\n", static(t, map[string]string{"x": "text"}), other.Addr()))
	args := []string{"check", "--config", config}
	begun := time.Now()
	if got := dcs("", args...); got.status != failed || strings.Count(got.stderr, "none0")+strings.Count(got.stderr, "no such entry")+strings.Count(got.stderr, "in use by ") != 3 {
		t.Errorf("%+v after %v", got, time.Since(begun))
	}
	if got := dcs("", append(args, "--no-host")...); got.status != done {
		t.Errorf("%+v", got)
	}
}

// Whichever file the server's user cannot read, check says so, whoever it is by the configuration, the unit or the one who checks.
func TestCheckReads(t *testing.T) {
	t.Parallel()
	require.Long(t, "a user for each file")
	require.Root(t)
	require.Program(t, "setpriv")
	const uid, gid = 65531, 65532
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	lay(t, map[string]string{
		at("library/a.dcs"): soundFile, at("static/x"): "text", at("mibs/X-MIB"): "X-MIB DEFINITIONS ::= BEGIN\nEND\n",
		at("fleet.csv"): "mac,profile\n020000000001,gold\n", at("secret"): "xyz", at("ring"): "default: main\nsecrets: {main: {text: x}}\n",
		at("token"): "0123456789abcdef0123456789abcdef\n", at("run/keep"): "",
	})
	authority(t, dir)
	owned := func(path string, uid, gid int, mode os.FileMode) {
		t.Helper()
		if err := errors.Join(os.Chown(path, uid, gid), os.Chmod(path, mode)); err != nil {
			t.Fatal(err)
		}
	}
	ways := []struct {
		name, user string
		unit       bool
		as         []string
	}{
		{"the key user", fmt.Sprintf("user: %d:%d\n", uid, gid), false, nil},
		{"the unit", "", true, nil},
		{"the one who checks", "", false, []string{"setpriv", fmt.Sprintf("--reuid=%d", uid), fmt.Sprintf("--regid=%d", gid), "--clear-groups", "--inh-caps=+net_bind_service", "--ambient-caps=+net_bind_service"}},
	}
	for _, way := range ways {
		for _, tt := range []struct {
			name, extra string
			path        string // what is taken from the user; empty: nothing
			uid, gid    int
			mode        os.FileMode
		}{
			{name: "nothing"},
			{name: "a secret of root", extra: "secret_file: secret\n", path: "secret", mode: 0o600},
			{name: "a secret of somebody else", extra: "secret_file: secret\n", path: "secret", uid: 65530, gid: gid, mode: 0o640},
			{name: "a keyring", extra: "secrets: ring\n", path: "ring", mode: 0o600},
			{name: "a token", extra: "admin: 127.0.0.1:0\nadmin_token_file: token\n", path: "token", mode: 0o600},
			{name: "a key", extra: "http: 127.0.0.1:0\nhttp_cert: cert.pem\nhttp_key: key.pem\n", path: "key.pem", mode: 0o600},
			{name: "devices", extra: "devices: [csv: fleet.csv]\n", path: "fleet.csv", mode: 0o600},
			{name: "the library", path: "library", mode: 0o700},
			{name: "a template", path: "library/a.dcs", mode: 0o600},
			{name: "static files", path: "static", mode: 0o700},
			{name: "a static file", path: "static/x", mode: 0o600},
			{name: "MIB modules", extra: "mib_path: mibs\n", path: "mibs", mode: 0o700},
			{name: "the configuration", path: "dcs.yaml", mode: 0o600},
		} {
			t.Run(way.name+", "+tt.name, func(t *testing.T) {
				file := at("dcs.yaml")
				text := fmt.Sprintf("library: library\nstatic: static\ntransport: socket\nlisten: 127.0.0.1:%s\ndevices_dir: state\n%s%s", freePort(t), way.user, tt.extra)
				write(t, file, text)
				chmod(t, 0o755, filepath.Dir(dir), dir, at("library"), at("static"), at("mibs"), filepath.Dir(binary(t)))
				for _, name := range []string{"dcs.yaml", "library/a.dcs", "static/x", "mibs/X-MIB"} {
					owned(at(name), 0, 0, 0o644)
				}
				for _, name := range []string{"fleet.csv", "secret", "ring", "token", "key.pem", "cert.pem"} {
					owned(at(name), 0, gid, 0o640)
				}
				if tt.path != "" {
					owned(at(tt.path), tt.uid, tt.gid, tt.mode)
				}
				var status int
				var said string
				switch {
				case way.as != nil:
					line := append(append([]string{}, way.as...), binary(t), "check", "--config", file)
					out, err := exec.Command(line[0], line[1:]...).CombinedOutput()
					if said = string(out); err != nil {
						status = failed
					}
				case way.unit:
					status, said = checkAsUnit(t, file, uid, gid)
				default:
					got := dcs("", "check", "--config", file)
					status, said = got.status, got.stderr
				}
				if (status == done) != (tt.path == "") {
					t.Errorf("status %d:\n%s", status, said)
				}
				if tt.path != "" && !strings.Contains(said, tt.path) {
					t.Errorf("%s is not named:\n%s", tt.path, said)
				}
			})
		}
	}
	var st unix.Stat_t
	if err := unix.Stat(at("state"), &st); err == nil && st.Uid != 0 {
		t.Error("a directory was handed over")
	}
}

// checkAsUnit checks a configuration that a unit uses.
func checkAsUnit(t *testing.T, file string, uid, gid int) (status int, said string) {
	t.Helper()
	units := t.TempDir()
	lay(t, map[string]string{
		filepath.Join(units, "dcs.service"):             "[Service]\nUser=root\nExecStart=/usr/bin/dcs serve --config " + file + "\nAmbientCapabilities=CAP_NET_RAW CAP_NET_BIND_SERVICE\n",
		filepath.Join(units, "dcs.service.d/user.conf"): fmt.Sprintf("[Service]\nUser=%d:%d\n", uid, gid),
	})
	cfg := config.Default()
	if err := cfg.Load(file); err != nil {
		t.Fatal(err)
	}
	var out, stderr bytes.Buffer
	if check.Run(&cfg, check.Options{File: file, UnitDirs: []string{units}, Stdout: &out, Stderr: &stderr}) != nil {
		status = failed
	}
	return status, stderr.String()
}
