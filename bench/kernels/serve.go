package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/md5"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// Files that are served. The static one has 71 blocks of 1428 octets, the last of them short.
const (
	staticFile   = "image.bin"
	staticSize   = 70*1428 + 123
	renderedFile = "modem7.bin"
)

// template renders to files that anybody can check: without a time stamp, and signed with an empty secret.
const template = `Main ~ "^modem(?P<cpe>[0-9]+)\.bin$" {
    NetworkAccess 1;
    MaxCPE $cpe;
    TftpModemAddress $ip;
}
`

// writeFiles writes the files below a directory.
func writeFiles(dir string) error {
	return errors.Join(
		os.MkdirAll(filepath.Join(dir, "library"), 0o755), os.MkdirAll(filepath.Join(dir, "static"), 0o755), os.Chmod(dir, 0o755),
		os.WriteFile(filepath.Join(dir, "library", "modem.dcs"), []byte(template), 0o644),
		os.WriteFile(filepath.Join(dir, "static", staticFile), image(), 0o644))
}

// image returns the content of the static file.
func image() []byte {
	b := make([]byte, staticSize)
	_, _ = rand.NewChaCha8([32]byte{1}).Read(b)
	return b
}

// rendered returns the file for a modem at cli4, signed with an empty secret: MULPIv3.1 C.1.1.3, C.1.1.7, C.1.1.13,
// D.2.1, and D.2.2 for the order of the CMTS MIC.
func rendered() []byte {
	addr := netip.MustParseAddr(cli4).As4()
	access, cpes, modem := []byte{3, 1, 1}, []byte{18, 1, 7}, append([]byte{20, 4}, addr[:]...)
	sum := md5.Sum(slices.Concat(access, cpes, modem))
	cm := append([]byte{6, 16}, sum[:]...)
	h := hmac.New(md5.New, nil)
	h.Write(slices.Concat(access, cm, cpes, modem))
	cmts := h.Sum([]byte{7, 16})
	return slices.Concat(access, cpes, modem, cm, cmts, []byte{255, 0, 0, 0})
}

// serve starts the server on a device and fetches files from it.
func (d *device) serve(j *job, transport string) (outcome, string) {
	args := []string{"--transport", transport}
	if transport == "xdp" && d.iface != "" {
		args = append(args, "--interface", d.iface)
	}
	if d.listen != "" {
		args = append(args, "--listen", d.listen)
	}
	s, err := start(j, args...)
	if err != nil {
		var r *refusal
		if errors.As(err, &r) {
			return refused, r.why
		}
		return failed, err.Error()
	}
	way, err := d.fetchAll(s)
	if err == nil && transport == "socket" {
		err = s.chooses()
	}
	s.showCounts()
	if stopped := s.stop(); err == nil {
		err = stopped
	}
	if err != nil {
		fmt.Printf("%s, %s: %v; the server's log:\n%s\n", d.name, transport, err, s.log())
		show()
		return failed, err.Error()
	}
	return way, ""
}

// show prints the state of the hosts' devices, to find the reason of a failure.
func show() {
	for _, host := range []string{"srv", "cli"} {
		for _, cmd := range []string{"ip -s -d link", "ip addr", "ip neigh", "cat /proc/net/bonding/*"} {
			out, _ := in(host, "sh", "-c", cmd).CombinedOutput()
			fmt.Printf("%s: %s:\n%s\n", host, cmd, out)
		}
	}
}

// showCounts prints the server's packet counters.
func (s *server) showCounts() {
	m, err := s.metrics()
	if err != nil {
		fmt.Println(err)
	}
	for _, l := range m {
		if (strings.HasPrefix(l, "dcs_x") || strings.HasPrefix(l, "dcs_receive")) && !strings.HasSuffix(l, " 0") {
			fmt.Println(l)
		}
	}
}

// fetchAll fetches files with an independent client, and returns by which path they arrived.
func (d *device) fetchAll(s *server) (outcome, error) {
	targets := d.targets()
	for _, f := range []struct {
		target, name string
		want         []byte
	}{
		{targets[0], staticFile, image()},
		{targets[0], renderedFile, rendered()},
		{targets[1], staticFile, image()},
	} {
		if err := fetch(f.target, f.name, f.want); err != nil {
			return failed, fmt.Errorf("%s from %s: %w", f.name, f.target, err)
		}
	}
	// With a bond or team, some clients' packets arrive by one member and some by the other.
	for _, target := range targets {
		retries, err := loadAll(8, netip.AddrPortFrom(netip.MustParseAddr(target), 69), 0, nil)
		if err == nil && retries > most {
			err = fmt.Errorf("a modem needed %d retries", retries)
		}
		if err != nil {
			return failed, fmt.Errorf("%s from %s, eight clients at once: %w", staticFile, target, err)
		}
	}
	m, err := s.metrics()
	if err != nil {
		return failed, err
	}
	// Each static file takes a request, and ACKs of the OACK and of each of 71 blocks.
	const least = (2 + 2*8) * (1 + 1 + 71)
	received, steered := m.sum("dcs_xsk_packets_total", `what="received"`), m.sum("dcs_xdp_packets_total", `verdict="steer_xsk"`)
	switch {
	case received == 0 && steered == 0:
		return bySockets, nil
	case received >= least && m.sum("dcs_xdp_fallbacks_total", "") == 0:
		return byXDP, nil
	}
	return failed, fmt.Errorf("%.0f packets steered to AF_XDP and %.0f received there, want at least %d", steered, received, least)
}

// fetch fetches a file with busybox's TFTP client.
func fetch(target, name string, want []byte) error {
	to := filepath.Join(os.TempDir(), "fetched")
	_ = os.Remove(to)
	ctx, cancel := context.WithTimeout(context.Background(), 15*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, "ip", "netns", "exec", "cli", "busybox", "tftp", "-g", "-b", "1428", "-r", name, "-l", to, target)
	if _, err := output(cmd); err != nil {
		return err
	}
	got, err := os.ReadFile(to)
	if err != nil {
		return err
	}
	if !bytes.Equal(got, want) {
		return fmt.Errorf("wrong content: %d octets, want %d", len(got), len(want))
	}
	return nil
}

// A server runs in srv.
type server struct {
	cmd   *exec.Cmd
	ended chan error

	mu   sync.Mutex
	text bytes.Buffer
}

// A refusal is the error of a server that exited before it served.
type refusal struct{ why string }

func (r *refusal) Error() string { return "refused: " + r.why }

const adminSocket = "/run/kernels/admin.sock"

// start starts the server in srv and waits until it serves.
func start(j *job, args ...string) (*server, error) {
	if err := os.MkdirAll(filepath.Dir(adminSocket), 0o755); err != nil {
		return nil, err
	}
	args = append([]string{
		"serve", "--library", filepath.Join(j.Dir, "library"), "--static", filepath.Join(j.Dir, "static"), "--admin", "unix:" + adminSocket,
	}, args...)
	s := &server{cmd: in("srv", j.DCS, args...), ended: make(chan error, 1)}
	s.cmd.Stdout, s.cmd.Stderr = s, s
	if err := s.cmd.Start(); err != nil {
		return nil, err
	}
	go func() { s.ended <- s.cmd.Wait() }()
	for end := time.Now().Add(60 * time.Second); ; {
		select {
		case err := <-s.ended:
			if err != nil {
				return nil, &refusal{tail(s.log(), 1)}
			}
			return nil, errors.New("server exited")
		case <-time.After(50 * time.Millisecond):
		}
		if _, err := s.get("/readyz"); err == nil {
			return s, nil
		} else if time.Now().After(end) {
			_ = s.cmd.Process.Kill()
			return nil, fmt.Errorf("not ready after a minute: %w; log: %s", err, tail(s.log(), 3))
		}
	}
}

// Write receives the server's output.
func (s *server) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.Write(b)
}

func (s *server) log() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.String()
}

// chooses checks that the program was loaded that chooses a request's socket, as it is for workers with sockets only.
func (s *server) chooses() error {
	m, err := s.metrics()
	if err == nil && m.sum("dcs_capability", `name="reuseport_bpf"`) == 0 {
		err = errors.New("reuseport program not loaded")
	}
	return err
}

// says waits until the server has logged a text.
func (s *server) says(text string) error {
	for end := time.Now().Add(20 * time.Second); !strings.Contains(s.log(), text); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(end) {
			return fmt.Errorf("%q missing in the log", text)
		}
	}
	return nil
}

func (s *server) stop() error {
	if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	select {
	case err := <-s.ended:
		return err
	case <-time.After(20 * time.Second):
		return errors.Join(errors.New("server does not stop"), s.cmd.Process.Kill())
	}
}

// get fetches a page from the server's admin socket.
func (s *server) get(path string) (string, error) {
	client := http.Client{
		Timeout: 20 * time.Second,
		Transport: &http.Transport{
			DisableKeepAlives: true,
			DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
				return new(net.Dialer).DialContext(ctx, "unix", adminSocket)
			},
		},
	}
	resp, err := client.Get("http://localhost" + path)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s", path, resp.Status)
	}
	return string(b), err
}

// samples are the lines of /metrics.
type samples []string

func (s *server) metrics() (samples, error) {
	text, err := s.get("/metrics")
	if err != nil {
		return nil, err
	}
	var m samples
	for lines := bufio.NewScanner(strings.NewReader(text)); lines.Scan(); {
		m = append(m, lines.Text())
	}
	return m, nil
}

// sum adds up the samples of a metric with a label.
func (m samples) sum(name, label string) float64 {
	sum := 0.0
	for _, l := range m {
		key, value, ok := strings.Cut(l, " ")
		labels, found := strings.CutPrefix(key, name)
		if !ok || !found || labels != "" && labels[0] != '{' || !strings.Contains(labels, label) {
			continue
		}
		if v, err := strconv.ParseFloat(value, 64); err == nil {
			sum += v
		}
	}
	return sum
}
