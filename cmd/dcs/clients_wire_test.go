package main

import (
	"bytes"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"dcs/bench/netlab"
	"dcs/bench/require"
)

// wireTransports are the ways in which requests come in on a wire, and what the server then says of itself.
var wireTransports = []struct {
	name string // as the configuration has it
	says []string
}{
	{"socket", []string{"transport=socket"}},
	{"xdp", []string{"transport=xdp", "mode=native", "interface=" + netlab.Device}},
}

// steeredPackets returns how many packets have come in past the kernel's network stack, by the server's own metrics.
func steeredPackets(t *testing.T, m map[string]float64) float64 {
	t.Helper()
	if lost := sum(m, "dcs_xdp_lost_total"); lost != 0 {
		t.Errorf("%v packets were steered and lost", lost)
	}
	return m[`dcs_xdp_packets_total{verdict="steer_xsk"}`]
}

// Real clients get their files on a wire by both transports: over IPv4, IPv6, in a VLAN, with every option that they know,
// and under the names that people and boot loaders write.
func TestWireClients(t *testing.T) {
	t.Parallel()
	for _, tt := range wireTransports {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			lab := netlab.ForTest(t, netlab.Config{})
			tagsOnFrames(t, lab)
			hosts := []string{netlab.ServerAddr4.String(), netlab.ServerAddr6.String()}
			if four, six, ok := addVLAN(t, lab, 5); ok {
				hosts = append(hosts, four, six)
			} else {
				t.Log("this kernel has no VLANs: without")
			}
			files := map[string]string{"empty": "", "one-block": strings.Repeat("\xa5", 512), "firmware": string(firmware(70_000))}
			named, socket := namedFiles(t), filepath.Join(t.TempDir(), "admin.sock")
			p := labServe(t, lab, "--transport", tt.name, "--library", "../../testdata/library",
				"--static", static(t, files)+","+named, "--admin", "unix:"+socket)
			p.said(append([]string{"msg=serving"}, tt.says...)...)
			files["basic.bin"] = dcs("", "compile", "../../testdata/library/basic.cfg").stdout
			for _, c := range clients {
				t.Run(c.name, func(t *testing.T) {
					for _, host := range hosts {
						for name, body := range files {
							if body == "" && !c.takesEmpty() {
								continue
							}
							if got, err := c.get(t, lab, host, name); err != nil || got != body {
								t.Errorf("%s from %s: %d octets, %v; want %d", name, host, len(got), err, len(body))
							}
						}
					}
				})
			}
			for _, c := range literalClients {
				t.Run(c.name+" names", func(t *testing.T) {
					absolute := clientName{filepath.Join(named, "sub/x"), "sub/x"}
					for i, n := range append(clientNames, absolute) {
						host := hosts[i%len(hosts)]
						if got, err := c.get(t, lab, host, n.name); got != n.body || err != nil && n.body != "" {
							t.Errorf("%q from %s: %q, %v; want %q", n.name, host, got, err, n.body)
						}
					}
				})
			}
			m := samples(t, getAt(t, socket, "/metrics"))
			if n := steeredPackets(t, m); (n > 0) != (tt.name == "xdp") {
				t.Errorf("%v packets steered to AF_XDP", n)
			}
			if n := m[`dcs_requests_total{reason="not_found",result="error"}`]; n < refusedNames() {
				t.Errorf("%v names were answered with an error, want %v and what was asked again", n, refusedNames())
			}
			if err := p.stop(syscall.SIGTERM); err != nil {
				t.Error(err)
			}
			if id := xdpOf(t, lab); id != 0 {
				t.Errorf("program %d is still there", id)
			}
		})
	}
}

// get fetches a file from the lab's other end. Some clients tell of an error by what they write alone, not by their status.
func (c client) get(t *testing.T, lab *netlab.Lab, host, name string) (string, error) {
	t.Helper()
	out := filepath.Join(t.TempDir(), "out")
	args := c.args(host, "69", name, out)
	require.Program(t, args[0])
	cmd := exec.Command(args[0], args[1:]...)
	var said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &said, &said
	if err := lab.Load.Run(cmd); err != nil {
		return "", fmt.Errorf("%v: %w: %s", args, err, said.String())
	}
	b, err := os.ReadFile(out)
	if os.IsNotExist(err) && !strings.Contains(said.String(), "rror") {
		err = nil // busybox opens nothing for an empty file
	}
	return string(b), err
}

// literalClients are the clients called such that they ask for a name as it is written.
var literalClients = []client{
	{"tftp-hpa", func(h, p, n, o string) []string {
		return []string{"tftp", "-l", "-m", "octet", h, p, "-c", "get", n, o}
	}},
	{"atftp", func(h, p, n, o string) []string { return []string{"atftp", "-g", "-r", n, "-l", o, h, p} }},
	{"curl", func(h, p, n, o string) []string {
		u := url.URL{Scheme: "tftp", Host: net.JoinHostPort(h, p), Path: "/" + n}
		return []string{"curl", "-gsS", "--path-as-is", "-o", o, u.String()}
	}},
	{"busybox", func(h, p, n, o string) []string { return []string{"busybox", "tftp", "-g", "-r", n, "-l", o, h, p} }},
}

// A clientName is a name that is asked for, and the text that answers it; none: it is refused.
type clientName struct{ name, body string }

var clientNames = []clientName{
	{"x", "x"},
	{"/x", "x"},
	{"//x", "x"},
	{"sub/x", "sub/x"},
	{"/sub/x", "sub/x"},
	{"x@0a0102030405", "x"},
	{"/sub/x@0a-01-02-03-04-05", "sub/x"},
	{"x@0a:01:02:03:04:05", "x"},
	{"/sub/x@a:1:2:3:4:5", "sub/x"},
	{"./x", "x"},
	{"/./x", "x"},
	{"sub//x", "sub/x"},
	{"/sub/./x", "sub/x"},
	{`\x`, "x"},
	{`/\x`, "x"},
	{`sub\x`, "sub/x"},
	{`\sub\x`, "sub/x"},
	{`\\sub\.\x`, "sub/x"},
	{"with space", "with space"},
	{"per%20cent", "per%20cent"},
	{"none", ""},
	{"X", ""},
	{"../x", ""},
	{"/../x", ""},
	{"sub/../../x", ""},
	{"sub/../x", ""},
	{`..\x`, ""},
	{`\sub\..\x`, ""},
	{"/etc/hostname", ""},
	{"sub", ""},
	{"sub/", ""},
}

// refusedNames is how many errors all clients together are answered with.
func refusedNames() (n float64) {
	for _, c := range clientNames {
		if c.body == "" {
			n += float64(len(literalClients))
		}
	}
	return n
}

// namedFiles makes a directory of the files of clientNames, each of which holds its own name.
func namedFiles(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for _, n := range clientNames {
		if n.body == "" {
			continue
		}
		path := filepath.Join(dir, n.body)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		write(t, path, n.body)
	}
	return dir
}

// The clients of the test above really ask for those names, though curl cleans them and tftp-hpa splits them if it may.
func TestLiteralClients(t *testing.T) {
	t.Parallel()
	require.Long(t, "every client")
	server, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	asked := make(chan string, 100)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		var b [2048]byte
		for {
			n, from, err := server.ReadFromUDPAddrPort(b[:])
			if err != nil {
				return
			}
			name, _, _ := bytes.Cut(b[2:n], []byte{0})
			if b[1] == 1 { // RRQ
				asked <- string(name)
				_, _ = server.WriteToUDPAddrPort([]byte("\x00\x05\x00\x01no file\x00"), from) // a client that is not answered fails
			}
		}
	}()
	defer func() { server.Close(); <-ended }()
	_, port, err := net.SplitHostPort(server.LocalAddr().String())
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range literalClients {
		t.Run(c.name, func(t *testing.T) {
			for _, n := range clientNames {
				args := c.args("127.0.0.1", port, n.name, filepath.Join(t.TempDir(), "out"))
				require.Program(t, args[0])
				_ = exec.Command(args[0], args[1:]...).Run() // it is answered with an error
				select {
				case got := <-asked:
					if got != n.name {
						t.Errorf("asked for %q, want %q", got, n.name)
					}
				case <-time.After(20 * time.Second):
					t.Fatalf("%q: did not ask", n.name)
				}
			}
		})
	}
}
