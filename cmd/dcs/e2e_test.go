package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"dcs/bench/require"
)

// fixture is the built binary, in a directory that is removed when all tests are through.
type fixture struct {
	once sync.Once
	dir  string
	err  error
}

var built fixture

func TestMain(m *testing.M) {
	const state = "/var/lib/dcs"
	_, before := os.Stat(state)
	status := m.Run()
	if _, err := os.Stat(state); before != nil && err == nil {
		fmt.Fprintf(os.Stderr, "a test has made %s: each server under test needs a devices_dir of its own\n", state)
		status = 1
	}
	if built.dir != "" {
		os.RemoveAll(built.dir)
	}
	os.Exit(status)
}

// unraced ends a test of the binary under the race detector: the binary has none and runs as in "make test".
func unraced(t *testing.T) {
	t.Helper()
	if slowdown > 1 {
		t.Skip("the binary under test is the same without the race detector")
	}
}

// binary returns the path of dcs, built once for all tests.
func binary(t *testing.T) string {
	t.Helper()
	require.Long(t, "a build of the program")
	unraced(t)
	built.once.Do(func() {
		if built.dir, built.err = os.MkdirTemp("", "dcs-e2e-"); built.err != nil {
			return
		}
		build := exec.Command("go", "build", "-o", built.dir, ".")
		build.Env = append(os.Environ(), "CGO_ENABLED=0") // as make builds it
		if out, err := build.CombinedOutput(); err != nil {
			built.err = fmt.Errorf("go build: %w: %s", err, out)
		}
	})
	if built.err != nil {
		t.Fatal(built.err)
	}
	return filepath.Join(built.dir, "dcs")
}

// process is a running dcs serve.
type process struct {
	t    *testing.T
	cmd  *exec.Cmd
	port string
	log  *lines
	exit chan error
}

// lines collects what a process writes: whole lines only, unlike dcstest.Log.
type lines struct {
	mu  sync.Mutex
	all []string
}

func (l *lines) read(r io.Reader) {
	for sc := bufio.NewScanner(r); sc.Scan(); {
		l.mu.Lock()
		l.all = append(l.all, sc.Text())
		l.mu.Unlock()
	}
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Join(l.all, "\n")
}

// serve starts dcs serve on the loopback addresses and waits until it is ready.
func serve(t *testing.T, args ...string) *process {
	t.Helper()
	port := freePort(t)
	listen := "127.0.0.1:" + port
	if hasIPv6() {
		listen += ",[::1]:" + port
	}
	p := start(t, exec.Command(binary(t), append([]string{"serve", "--listen", listen, "--drain", "1s"}, args...)...))
	p.port = port
	p.await("msg=serving")
	return p
}

// start runs a command and reads what it says: its standard error, or what comes out of from.
func start(t *testing.T, cmd *exec.Cmd, from ...io.Reader) *process {
	t.Helper()
	var said io.Reader
	if len(from) > 0 {
		said = from[0]
	} else {
		var err error
		if said, err = cmd.StderrPipe(); err != nil {
			t.Fatal(err)
		}
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	p := &process{t: t, cmd: cmd, log: &lines{}, exit: make(chan error, 1)}
	read := make(chan struct{})
	go func() {
		p.log.read(said)
		close(read)
	}()
	go func() {
		if len(from) == 0 {
			<-read // Wait closes the pipe
		}
		p.exit <- cmd.Wait()
	}()
	t.Cleanup(func() {
		_ = p.stop(syscall.SIGKILL) // it ends as it may
		if t.Failed() {
			t.Logf("the server said:\n%s", p.log)
		}
	})
	return p
}

// stop signals the process and returns how it ended.
func (p *process) stop(sig syscall.Signal) error {
	_ = p.cmd.Process.Signal(sig) // it may have ended
	return p.wait()
}

// wait returns how the process ended.
func (p *process) wait() error {
	select {
	case err := <-p.exit:
		p.exit <- err
		return err
	case <-time.After(time.Minute):
		_ = p.cmd.Process.Kill()
		return errors.New("it did not stop")
	}
}

// await waits until the server has said something.
func (p *process) await(text string) {
	p.t.Helper()
	eventually(p.t, "the server says "+text, func() bool {
		select {
		case err := <-p.exit:
			p.exit <- err
			p.t.Fatalf("the server ended (%v):\n%s", err, p.log)
		default:
		}
		return strings.Contains(p.log.String(), text)
	})
}

// client is a TFTP client that a user may have, and one way to call it.
type client struct {
	name string
	args func(host, port, name, out string) []string
}

// takesEmpty tells whether the client takes an empty file: curl 7.88 holds a tsize of 0 for an error.
func (c client) takesEmpty() bool {
	return !strings.HasPrefix(c.name, "curl") || c.name == "curl no options"
}

var clients = []client{
	{"tftp-hpa", func(h, p, n, o string) []string { return []string{"tftp", "-m", "octet", h, p, "-c", "get", n, o} }},
	{"atftp", func(h, p, n, o string) []string { return []string{"atftp", "-g", "-r", n, "-l", o, h, p} }},
	{"atftp blksize 1428", func(h, p, n, o string) []string {
		return []string{"atftp", "--option", "blksize 1428", "--option", "tsize 0", "-g", "-r", n, "-l", o, h, p}
	}},
	{"atftp windowsize 8", func(h, p, n, o string) []string {
		return []string{"atftp", "--option", "windowsize 8", "--option", "timeout 2", "-g", "-r", n, "-l", o, h, p}
	}},
	{"curl", func(h, p, n, o string) []string {
		return []string{"curl", "-gsS", "-o", o, "tftp://" + net.JoinHostPort(h, p) + "/" + n}
	}},
	{"curl blksize 8", func(h, p, n, o string) []string {
		return []string{"curl", "-gsS", "--tftp-blksize", "8", "-o", o, "tftp://" + net.JoinHostPort(h, p) + "/" + n}
	}},
	{"curl blksize 65464", func(h, p, n, o string) []string {
		return []string{"curl", "-gsS", "--tftp-blksize", "65464", "-o", o, "tftp://" + net.JoinHostPort(h, p) + "/" + n}
	}},
	{"curl no options", func(h, p, n, o string) []string {
		return []string{"curl", "-gsS", "--tftp-no-options", "-o", o, "tftp://" + net.JoinHostPort(h, p) + "/" + n}
	}},
	{"busybox", func(h, p, n, o string) []string { return []string{"busybox", "tftp", "-g", "-r", n, "-l", o, h, p} }},
	{"busybox blksize 1024", func(h, p, n, o string) []string {
		return []string{"busybox", "tftp", "-g", "-b", "1024", "-r", n, "-l", o, h, p}
	}},
}

// Real clients get what compile writes, and static files as they are.
func TestClients(t *testing.T) {
	t.Parallel()
	require.Long(t, "every client with every option")
	static := t.TempDir()
	files := map[string][]byte{
		"empty":     {},
		"one-block": bytes.Repeat([]byte{0xa5}, 512), // ends with an empty block, whatever divides it
		"firmware":  firmware(300_000),
	}
	for name, data := range files {
		if err := os.WriteFile(filepath.Join(static, name), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"basic", "phone"} {
		want := dcs("", "compile", "../../testdata/library/"+name+".cfg")
		if want.status != done || want.stdout == "" {
			t.Fatalf("compile: %+v", want)
		}
		files[name+".bin"] = []byte(want.stdout)
	}
	p := serve(t, "--library", "../../testdata/library", "--static", static)
	hosts := []string{"127.0.0.1"}
	if hasIPv6() {
		hosts = append(hosts, "::1")
	}
	for _, c := range clients {
		t.Run(c.name, func(t *testing.T) {
			require.Program(t, c.args("", "", "", "")[0])
			for _, host := range hosts {
				for name, want := range files {
					out := filepath.Join(t.TempDir(), "out")
					if len(want) == 0 && !c.takesEmpty() {
						continue
					}
					args := c.args(host, p.port, name, out)
					cmd := exec.Command(args[0], args[1:]...)
					if msg, err := cmd.CombinedOutput(); err != nil {
						t.Errorf("%v: %v: %s", args, err, msg)
						continue
					}
					got, err := os.ReadFile(out)
					if err != nil && len(want) > 0 || !bytes.Equal(got, want) {
						t.Errorf("%v: %d octets, %v; want %d", args, len(got), err, len(want))
					}
				}
			}
		})
	}
	t.Run("dcs get", func(t *testing.T) {
		for _, host := range hosts {
			for name, want := range files {
				for _, args := range [][]string{nil, {"--blksize", "1428"}, {"--windowsize", "16"}, {"--blksize", "8", "--windowsize", "64"}} {
					got := dcs("", append([]string{"get", net.JoinHostPort(host, p.port), name}, args...)...)
					if got.status != done || got.stdout != string(want) {
						t.Errorf("%s from %s %v: status %d, %d octets, %s", name, host, args, got.status, len(got.stdout), got.stderr)
					}
				}
			}
		}
	})
	t.Run("netascii", func(t *testing.T) {
		require.Program(t, "tftp")
		out := filepath.Join(t.TempDir(), "out")
		const text = "one\ntwo\r\nthree\n"
		if err := os.WriteFile(filepath.Join(static, "text"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		p.reload()
		if msg, err := exec.Command("tftp", "-m", "netascii", "127.0.0.1", p.port, "-c", "get", "text", out).CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, msg)
		}
		if got, err := os.ReadFile(out); err != nil || string(got) != text {
			t.Errorf("got %q, %v", got, err)
		}
	})
}

// firmware makes octets that no two blocks share.
func firmware(n int) []byte {
	b := make([]byte, n)
	x := uint32(1)
	for i := range b {
		x = x*1664525 + 1013904223
		b[i] = byte(x >> 24)
	}
	return b
}

// reload signals SIGHUP and waits until the server has done it.
func (p *process) reload() {
	p.t.Helper()
	count := func() int {
		said := p.log.String()
		return strings.Count(said, "msg=reloaded") + strings.Count(said, `msg="reload failed`)
	}
	before := count()
	if err := p.cmd.Process.Signal(syscall.SIGHUP); err != nil {
		p.t.Fatal(err)
	}
	eventually(p.t, "the server reloads", func() bool { return count() > before })
}

// fetch gets a file with our own client.
func (p *process) fetch(name string) result {
	return dcs("", "get", "127.0.0.1:"+p.port, name, "--timeout", "2s", "--tries", "2")
}

func TestReload(t *testing.T) {
	t.Parallel()
	lib := t.TempDir()
	write := func(name, src string) {
		t.Helper()
		if err := writeFile(filepath.Join(lib, name), []byte(src)); err != nil {
			t.Fatal(err)
		}
	}
	compiled := func(src string) string {
		t.Helper()
		got := dcs(src, "compile", "-")
		if got.status != done {
			t.Fatal(got.stderr)
		}
		return got.stdout
	}
	const one, two = "Main { MaxCPE 1; }", "Main { MaxCPE 2; }"
	write("gold.dcs", one)
	p := serve(t, "--library", lib)
	for _, name := range []string{"gold", "gold.cm", "gold.bin"} {
		if got := p.fetch(name); got.stdout != compiled(one) {
			t.Errorf("%s: %+v", name, got)
		}
	}
	write("gold.dcs", two) // a change is noticed without a signal
	eventually(t, "the server reloads", func() bool { return strings.Contains(p.log.String(), "msg=reloaded") })
	if got := p.fetch("gold.cm"); got.stdout != compiled(two) {
		t.Errorf("after the reload: %+v", got)
	}
	write("gold.dcs", "Main { MaxCPE 256; }")
	p.reload()
	if got := p.fetch("gold.cm"); got.stdout != compiled(two) {
		t.Errorf("a bad file replaced the last good one: %+v", got)
	}
	if !strings.Contains(p.log.String(), "gold.dcs:1:15: ") {
		t.Error("the error's place is not in the log")
	}
	write("silver.dcs", one)
	write("gold.dcs", one)
	p.reload()
	if got := p.fetch("silver.cm"); got.stdout != compiled(one) {
		t.Errorf("a new file: %+v", got)
	}
	if err := os.Remove(filepath.Join(lib, "gold.dcs")); err != nil {
		t.Fatal(err)
	}
	p.reload()
	if got := p.fetch("gold.cm"); got.status != failed || !strings.Contains(got.stderr, "ERROR 1 (file not found)") {
		t.Errorf("a file that is gone: %+v", got)
	}
}

// A reload that takes long holds nothing up. What is wished while it runs, the operator's wishes too, is done by one more,
// and a signal to stop does not wait for it.
func TestSlowReload(t *testing.T) {
	t.Parallel()
	require.Long(t, "a reload that waits")
	dir := t.TempDir()
	secret, lib := filepath.Join(dir, "secret"), filepath.Join(dir, "lib")
	lay(t, map[string]string{secret: "one", filepath.Join(lib, "gold.dcs"): "Main { MaxCPE 1; }"})
	socket := filepath.Join(dir, "admin.sock")
	p := serve(t, "--library", lib, "--secret-file", secret, "--admin", "unix:"+socket)

	closed := newGate(t, secret)
	reloads := func() int { return strings.Count(p.log.String(), "msg=reloaded") }
	hangup := func() {
		t.Helper()
		if err := p.cmd.Process.Signal(syscall.SIGHUP); err != nil {
			t.Fatal(err)
		}
	}
	hangup()
	first := closed.wait()
	const calls = 3
	answers := make(chan string, calls)
	for range calls {
		go func() {
			res, err := atSocket(t, socket).Post("http://localhost/api/reload", "application/json", nil)
			if err != nil {
				answers <- err.Error()
				return
			}
			res.Body.Close()
			answers <- res.Status
		}()
	}
	hangup()
	time.Sleep(time.Second) // for them to arrive: nothing shows that a call waits for a reload
	if got := p.fetch("gold.cm"); got.status != done {
		t.Errorf("while it reloads: %+v", got)
	}
	if len(answers) > 0 {
		t.Errorf("a call was answered (%s) by a reload that had begun before", <-answers)
	}
	first()
	eventually(t, "the first reload ends", func() bool { return reloads() == 1 })
	second := closed.wait()
	if len(answers) > 0 {
		t.Errorf("a call was answered (%s) before its reload was over", <-answers)
	}
	second()
	eventually(t, "the calls are answered by one reload", func() bool { return len(answers) == calls })
	for range calls {
		if got := <-answers; got != "200 OK" {
			t.Errorf("a call was answered with %s", got)
		}
	}
	if n := reloads(); n != 2 {
		t.Errorf("%d reloads, want 2", n)
	}

	hangup()
	defer closed.wait()()
	if err := p.stop(syscall.SIGTERM); err != nil {
		t.Errorf("while it reloads: %v", err)
	}
}

func TestStop(t *testing.T) {
	t.Parallel()
	for _, sig := range []syscall.Signal{syscall.SIGTERM, syscall.SIGINT} {
		p := serve(t, "--static", t.TempDir())
		if err := p.stop(sig); err != nil {
			t.Errorf("%v: %v", sig, err)
		}
	}
}

// A second signal does not wait for running transfers, and says so.
func TestStopAtOnce(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "x"), make([]byte, 600), 0o600); err != nil {
		t.Fatal(err)
	}
	p := serve(t, "--static", dir, "--drain", "10m")
	c, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(time.Minute))
	if _, err := c.WriteTo([]byte("\x00\x01x\x00octet\x00"), net.UDPAddrFromAddrPort(netip.MustParseAddrPort("127.0.0.1:"+p.port))); err != nil {
		t.Fatal(err)
	}
	if n, _, err := c.ReadFrom(make([]byte, 600)); n != 516 || err != nil {
		t.Fatal(n, err)
	}
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	p.await("msg=stopping")
	time.Sleep(200 * time.Millisecond) // within a tenth of a second it would be the first signal, come twice
	var exit *exec.ExitError
	if err := p.stop(syscall.SIGTERM); !errors.As(err, &exit) || exit.ExitCode() != failed {
		t.Errorf("it ended with %v", err)
	}
	if text := "second signal (terminated): running transfers were cut off"; !strings.Contains(p.log.String(), text) {
		t.Errorf("it did not say %q", text)
	}
}

func TestServeErrors(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	busy := serve(t, "--static", dir)
	tests := []struct {
		name   string
		args   []string
		status int
		stderr string // part of it
	}{
		{"nothing to serve", nil, misuse, "no configuration: /etc/dcs/dcs.yaml does not exist"},
		{"argument", []string{"dcs.yaml"}, misuse, `unexpected argument "dcs.yaml"; did you mean --config dcs.yaml?`},
		{"config", []string{"--config", file("bad.yaml", "static: .\nworkers: two\n")}, failed, "bad.yaml:2:10: workers: unexpected text"},
		{"config that is not there", []string{"--config", filepath.Join(dir, "none")}, failed, "no such file"},
		{"library that is not there", []string{"--library", filepath.Join(dir, "none")}, failed, "no such file"},
		{"secret that is not there", []string{"--static", dir, "--secret-file", filepath.Join(dir, "none")}, failed, "no such file"},
		{"port in use", []string{"--static", dir, "--listen", "127.0.0.1:" + busy.port}, failed, "address already in use by dcs (pid " + strconv.Itoa(busy.cmd.Process.Pid) + ")"},
		{"transport", []string{"--static", dir, "--transport", "udp"}, misuse, "is not a transport"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			cmd := exec.Command(binary(t), append([]string{"serve"}, tt.args...)...)
			var stderr bytes.Buffer
			cmd.Stderr = &stderr
			timer := time.AfterFunc(time.Minute, func() { _ = cmd.Process.Kill() })
			defer timer.Stop()
			_ = cmd.Run()
			if got := cmd.ProcessState.ExitCode(); got != tt.status || !strings.Contains(stderr.String(), tt.stderr) {
				t.Errorf("status %d, stderr %q; want %d, %q", got, stderr.String(), tt.status, tt.stderr)
			}
		})
	}
}

// What a client does wrong gets an answer, and the server goes on.
func TestBadRequests(t *testing.T) {
	t.Parallel()
	require.Program(t, "tftp")
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "x"), []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	p := serve(t, "--static", dir)
	for _, name := range []string{"none", "../x", "/etc/passwd", strings.Repeat("n", 300)} {
		if got := p.fetch(name); got.status != failed || !strings.Contains(got.stderr, "ERROR 1 (file not found)") {
			t.Errorf("%s: %+v", name, got)
		}
	}
	put := filepath.Join(dir, "x")
	if msg, _ := exec.Command("tftp", "-m", "octet", "127.0.0.1", p.port, "-c", "put", put, "y").CombinedOutput(); !strings.Contains(string(msg), "Error code 2") {
		t.Errorf("put: %s", msg)
	}
	if got := p.fetch("x"); got.stdout != "x" {
		t.Errorf("afterwards: %+v", got)
	}
}
