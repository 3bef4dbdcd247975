package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"dcs/bench/netlab"
	"dcs/bench/require"
	api "dcs/cmd/internal/admin/client"
	"dcs/cmd/internal/server/capture"
	"dcs/render/secret"
)

// tshark reads fields of the packets in a file.
func tshark(t *testing.T, file string, fields ...string) (packets []string) {
	t.Helper()
	args := []string{"-n", "-r", file, "-T", "fields", "-E", "separator=|"}
	for _, f := range fields {
		args = append(args, "-e", f)
	}
	cmd := exec.Command("tshark", args...)
	cmd.Env = append(os.Environ(), "HOME="+t.TempDir()) // no preferences
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		t.Fatalf("tshark: %v: %s", err, stderr.String())
	}
	return strings.Split(strings.TrimSuffix(stdout.String(), "\n"), "\n")
}

// captureLab serves with AF_XDP in a lab, and has an admin socket.
func captureLab(t *testing.T, args ...string) (*netlab.Lab, *process, string) {
	t.Helper()
	require.Program(t, "tshark")
	lab := netlab.ForTest(t, netlab.Config{})
	tagsOnFrames(t, lab)
	socket := filepath.Join(t.TempDir(), "admin.sock")
	files := static(t, map[string]string{"x": "text"})
	p := labServe(t, lab, append([]string{"--transport", "xdp", "--static", files, "--admin", "unix:" + socket}, args...)...)
	return lab, p, socket
}

// captureStart begins to capture, and returns once the server does.
func captureStart(t *testing.T, p *process, socket string, args ...string) *process {
	t.Helper()
	before := p.count("capture started")
	c := start(t, exec.Command(binary(t), append([]string{"capture", "--admin", "unix:" + socket}, args...)...))
	eventually(t, "the capture starts", func() bool { return p.count("capture started") > before })
	return c
}

// sendFrom sends a datagram to a port of the server from a port of the load.
func sendFrom(t *testing.T, lab *netlab.Lab, payload string) {
	t.Helper()
	err := lab.Load.Do(func() error {
		c, err := net.DialUDP("udp", nil, net.UDPAddrFromAddrPort(netip.AddrPortFrom(netlab.ServerAddr4, 69)))
		if err != nil {
			return err
		}
		defer c.Close()
		_, err = c.Write([]byte(payload))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// Wireshark reads what XDP took of a modem, with the verdicts, and what it was answered, in the order of time; and nothing of others.
func TestCapture(t *testing.T) {
	t.Parallel()
	lab, p, socket := captureLab(t)
	file := filepath.Join(t.TempDir(), "x.pcapng")
	c := captureStart(t, p, socket, "-o", file, "--ip", netlab.LoadAddr4.String(), "--mac", netlab.LoadMAC.String())
	want(t, lab, netlab.ServerAddr4.String(), "x", "text")
	want(t, lab, netlab.ServerAddr6.String(), "x", "text") // from another address
	sendFrom(t, lab, "\x00\x09?")
	if err := c.stop(syscall.SIGINT); err != nil {
		t.Error(err)
	}
	if said := c.log.String(); !strings.Contains(said, "6 packets, 0 lost; ended: stopped") {
		t.Errorf("it said %s", said)
	}
	p.said("capture started", "who=", "filter=", "ether host "+netlab.LoadMAC.String()+" and host "+netlab.LoadAddr4.String())
	p.said("capture ended", "end=stopped", "frames=6", "lost=0")
	p.said("admin change", `call="POST /api/capture"`)

	got := tshark(t, file, "frame.interface_name", "frame.packet_flags_direction", "frame.comment", "frame.verdict.ebpf_xdp", "eth.dst", "ip.dst", "tftp.opcode", "_ws.malformed")
	const redirect, drop = "4", "1"
	in := func(verdict, action, opcode string) string {
		return fmt.Sprintf("lab0|0x00000001|%s|%s|%v|%v|%s|", verdict, action, netlab.ServerMAC, netlab.ServerAddr4, opcode)
	}
	out := func(opcode string) string {
		return fmt.Sprintf("lab0|0x00000002|sent_xsk||%v|%v|%s|", netlab.LoadMAC, netlab.LoadAddr4, opcode)
	}
	wanted := []string{
		in("steer_xsk", redirect, "1"), out("6"), in("steer_xsk", redirect, "4"), out("3"), in("steer_xsk", redirect, "4"),
		in("drop_tftp", drop, "9"),
	}
	if !slices.Equal(got, wanted) {
		t.Errorf("tshark reads\n%s, want\n%s", strings.Join(got, "\n"), strings.Join(wanted, "\n"))
	}
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	if err := p.stop(syscall.SIGTERM); err != nil {
		t.Error(err)
	}
}

// A capture ends with its limits, its client and the server; the next may begin then, and not before.
func TestCaptureEnds(t *testing.T) {
	t.Parallel()
	lab, p, socket := captureLab(t, "--metrics", netlab.ServerAddr4.String()+":9100")
	dir := t.TempDir()
	file := filepath.Join(dir, "x.pcapng")
	over := func(c *process, end, packets string) {
		t.Helper()
		if err := c.wait(); err != nil {
			t.Errorf("%s: %v", end, err)
		}
		if said := c.log.String(); !strings.Contains(said, packets) || !strings.HasSuffix(said, "; ended: "+end) {
			t.Errorf("it said %q, want %s and %s", said, packets, end)
		}
	}
	client := api.Dial("unix:"+socket, secret.Text{})
	defer client.Close()
	state := func() (s capture.State) {
		t.Helper()
		if err := client.Get(t.Context(), capture.Path, &s); err != nil {
			t.Fatal(err)
		}
		return s
	}

	c := captureStart(t, p, socket, "-o", file, "--count", "3")
	if s := state(); !s.Running || s.Since == nil {
		t.Errorf("%+v", s)
	}
	second := exec.Command(binary(t), "capture", "--admin", "unix:"+socket, "-o", filepath.Join(dir, "y"))
	if said, err := second.CombinedOutput(); err == nil || !strings.Contains(string(said), "another capture is running") {
		t.Errorf("a second: %v, %s", err, said)
	}
	if _, err := os.Stat(filepath.Join(dir, "y")); err == nil {
		t.Error("it has made its file")
	}
	want(t, lab, netlab.ServerAddr4.String(), "x", "text")
	over(c, "count", "3 packets, 0 lost")

	over(captureStart(t, p, socket, "-o", file, "--duration", "200ms"), "duration", "0 packets")
	if s := state(); s.Running {
		t.Errorf("%+v", s)
	}

	c = captureStart(t, p, socket, "-o", file, "--size", "1", "--snap", "2048")
	big := strings.Repeat("\x00\x09", 700)
	for i := 0; ; i++ {
		sendFrom(t, lab, big)
		if p.count("capture ended", "end=size") > 0 {
			break
		}
		if i > 100_000 {
			t.Fatal("it does not end")
		}
	}
	over(c, "size", " packets")
	if info, err := os.Stat(file); err != nil || info.Size() < 1<<20 || info.Size() > 1<<20+8<<10 {
		t.Errorf("%d octets, %v", info.Size(), err)
	}

	c = captureStart(t, p, socket, "-o", file)
	if err := client.Call(t.Context(), http.MethodDelete, capture.Path, nil, nil); err != nil {
		t.Error(err)
	}
	over(c, "stopped", "0 packets")

	c = captureStart(t, p, socket, "-o", file)
	if err := c.stop(syscall.SIGKILL); err == nil {
		t.Error("killed, and no error")
	}
	p.said("capture ended", `end="client gone"`)
	eventually(t, "the next can begin", func() bool { return !state().Running })

	m := samples(t, labMetrics(t, lab, netlab.ServerAddr4.String()+":9100"))
	// How many the flood lost depends on how busy the machine is.
	if _, ok := m[`dcs_capture_packets_total{result="lost"}`]; !ok || m["dcs_capture_running"] != 0 || m[`dcs_capture_packets_total{result="written"}`] < 600 {
		t.Errorf("metrics: %v, %v", m["dcs_capture_running"], m[`dcs_capture_packets_total{result="written"}`])
	}

	c = captureStart(t, p, socket, "-o", file)
	want(t, lab, netlab.ServerAddr4.String(), "x", "text")
	if err := p.stop(syscall.SIGTERM); err != nil {
		t.Error(err)
	}
	over(c, "stopped", "5 packets, 0 lost")
	if got := tshark(t, file, "frame.number"); len(got) != 5 {
		t.Errorf("%d packets in the file", len(got))
	}
}

// captureUnread has the reader of a capture without packets go: it ends, and the next one can begin.
func captureUnread(t *testing.T, p *process, socket string) {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	before := p.count("capture started")
	cmd := exec.Command(binary(t), "capture", "--admin", "unix:"+socket, "-o", "-", "--ip", "192.0.2.1")
	cmd.Stdout = w
	c := start(t, cmd)
	w.Close()
	eventually(t, "the capture runs", func() bool { return p.count("capture started") > before })
	r.Close()
	if err := c.wait(); err == nil {
		t.Error("nobody reads, and no error")
	}
	p.said("capture ended", "client gone")
}

// A capture goes to standard output as it is made, whole and in the order of time.
func TestCaptureToPipe(t *testing.T) {
	t.Parallel()
	lab, p, socket := captureLab(t)
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	cmd := exec.Command(binary(t), "capture", "--admin", "unix:"+socket, "-o", "-", "--snap", "60")
	cmd.Stdout = w
	c := start(t, cmd)
	w.Close()
	p.said("capture started")
	const files = 10
	for range files {
		want(t, lab, netlab.ServerAddr4.String(), "x", "text")
	}
	// The packets come while the capture runs.
	var got bytes.Buffer
	buf := make([]byte, 4096)
	for bytes.Count(got.Bytes(), []byte("text")) < files {
		n, err := r.Read(buf)
		if err != nil {
			t.Fatalf("%v after %d octets", err, got.Len())
		}
		got.Write(buf[:n])
	}
	if err := c.stop(syscall.SIGTERM); err != nil {
		t.Error(err)
	}
	if _, err := io.Copy(&got, r); err != nil {
		t.Fatal(err)
	}
	captureUnread(t, p, socket)
	file := filepath.Join(t.TempDir(), "x")
	if err := os.WriteFile(file, got.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	packets := tshark(t, file, "frame.time_epoch", "frame.cap_len")
	if len(packets) != 5*files {
		t.Errorf("%d packets, want %d", len(packets), 5*files)
	}
	if !slices.IsSorted(packets) {
		t.Errorf("not in the order of time:\n%s", strings.Join(packets, "\n"))
	}
	for _, line := range packets {
		var n int
		_, length, _ := strings.Cut(line, "|")
		if _, err := fmt.Sscan(length, &n); err != nil || n < 42 || n > 60 {
			t.Errorf("%s octets: %v", length, err)
		}
	}
}

// Who may not change the server may not look into subscribers' files, and what is wrong with a wish is told.
func TestCaptureRefusals(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	socket := filepath.Join(dir, "admin.sock")
	port := freePort(t)
	p := start(t, exec.Command(binary(t), "serve", "--listen", "127.0.0.1:"+freePort(t), "--transport", "socket", "--library", "../../testdata/library",
		"--admin", "unix:"+socket+",127.0.0.1:"+port))
	p.await("msg=serving")
	out := filepath.Join(dir, "out")
	for _, tt := range []struct {
		name   string
		args   []string
		status int
		want   string
	}{
		{"without XDP", []string{"--admin", "unix:" + socket}, failed, "no interface has an XDP program"},
		{"over TCP, without a token", []string{"--admin", "127.0.0.1:" + port}, failed, "changes need a token"},
		{"no MAC", []string{"--mac", "gold"}, misuse, "mac gold: want six octets"},
		{"no address", []string{"--ip", "modem"}, misuse, "modem is not a prefix"},
		{"bits behind a prefix", []string{"--ip", "10.1.2.3/8"}, misuse, "write 10.0.0.0/8 or 10.1.2.3"},
		{"no time", []string{"--duration", "0s"}, misuse, "cannot be 0"},
		{"too long", []string{"--duration", "25h"}, misuse, "at most 86400"},
		{"negative", []string{"--duration", "-1s"}, misuse, "at most 86400"},
		{"too large", []string{"--size", "1025"}, misuse, "want 1 to 1024"},
		{"too short a snap", []string{"--snap", "31"}, misuse, "want 32 to 2048"},
		{"too long a snap", []string{"--snap", "2049"}, misuse, "want 32 to 2048"},
	} {
		r := dcs("", append([]string{"capture", "-o", out}, tt.args...)...)
		if r.status != tt.status || !strings.Contains(r.stderr, tt.want) {
			t.Errorf("%s: %+v", tt.name, r)
		}
	}
	if _, err := os.Stat(out); err == nil {
		t.Error("there is a file")
	}
	if r := dcs("", "capture"); r.status != misuse || !strings.Contains(r.stderr, "-o FILE is missing") {
		t.Errorf("%+v", r)
	}
	for body, want := range map[string]int{
		`{"snap": 5}`: 400, `{"snap": 4096}`: 400, `{"mib": -1}`: 400, `{"mib": 5000}`: 400, `{"seconds": -1}`: 400, `{"seconds": 1e9}`: 400,
		`{"mac": "00:00:00:00:00:00"}`: 400, `{"ip": "::ffff:10.0.0.0/104"}`: 400, `{"what": 1}`: 400, `[`: 400, ``: 409, `{"mac": "0a-01-02-03-04-05"}`: 409,
	} {
		res, err := atSocket(t, socket).Post("http://localhost"+capture.Path, "application/json", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		var e struct{ Error string }
		if err := json.NewDecoder(res.Body).Decode(&e); err != nil || res.StatusCode != want || e.Error == "" {
			t.Errorf("%s: %s, %q, %v", body, res.Status, e.Error, err)
		}
		res.Body.Close()
	}
}
