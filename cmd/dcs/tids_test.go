package main

import (
	"bytes"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"dcs/bench/require"
)

// Who sees none of the server's answers cannot go on with the transfer of another, or end it: it would have to know the port of
// that client's answers. It hears nothing either.
func TestStrangersDoNotKnowThePort(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name  string
		wrap  []string // the command that starts the server
		ports int
	}{
		{"gathered by the kernel", nil, 384},
		{"gathered with few descriptors", []string{"sh", "-c", `ulimit -n 600 && exec "$@"`, "sh"}, 150},
		{"each port read", []string{"setpriv", "--bounding-set", "-all", "--inh-caps", "-all"}, 96},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if tt.ports != 96 {
				require.Root(t) // sk_lookup is root's
			}
			if os.Getuid() != 0 {
				tt.wrap = nil // the server has no capabilities anyway
			}
			strangers(t, tt.wrap, tt.ports)
		})
	}
}

func strangers(t *testing.T, wrap []string, ports int) {
	dir := t.TempDir()
	body := bytes.Repeat([]byte("0123456789abcdef"), 100) // four blocks
	write(t, filepath.Join(dir, "four.bin"), string(body))
	metrics := freeAddress(t)
	listen := "127.0.0.1:" + freePort(t)
	args := append(wrap, binary(t), "serve", "--listen", listen, "--static", dir, "--transport", "socket", "--workers", "1", "--drain", "1s", "--metrics", metrics)
	server := start(t, exec.Command(args[0], args[1:]...))
	server.await("msg=serving")

	client, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	buf := make([]byte, 2048)
	hear := func() ([]byte, netip.AddrPort) {
		_ = client.SetReadDeadline(time.Now().Add(20 * time.Second))
		n, from, err := client.ReadFromUDPAddrPort(buf)
		if err != nil {
			t.Fatal(err)
		}
		return buf[:n], from
	}
	send := func(to netip.AddrPort, packet string) {
		if _, err := client.WriteToUDPAddrPort([]byte(packet), to); err != nil {
			t.Fatal(err)
		}
	}
	// next returns the next packet that is no block sent again.
	last := ""
	next := func() (string, netip.AddrPort) {
		for {
			p, from := hear()
			if s := string(p); s != last {
				last = s
				return s, from
			}
		}
	}

	send(netip.MustParseAddrPort(listen), "\x00\x01four.bin\x00octet\x00")
	block, tid := next()
	if !strings.HasPrefix(block, "\x00\x03\x00\x01") {
		t.Fatalf("first answer %q", block)
	}
	sent := 0
	for _, port := range portsOf(t, server.cmd.Process.Pid) {
		if port == tid.Port() || port == netip.MustParseAddrPort(listen).Port() {
			continue
		}
		to := netip.AddrPortFrom(tid.Addr(), port)
		send(to, "\x00\x04\x00\x01")            // ACK 1
		send(to, "\x00\x05\x00\x00no more\x00") // ERROR 0
		send(to, "\x00\x04\x00\x09")            // ACK 9: of nothing
		sent += 3
	}
	if sent != 3*(ports-1) {
		t.Errorf("the server has %d other ports, want %d", sent/3, ports-1)
	}
	// The transfer goes on where it was, and nobody has answered in between.
	for n := byte(1); n < 4; n++ {
		send(tid, "\x00\x04\x00"+string(n))
		block, from := next()
		if want := "\x00\x03\x00" + string(n+1) + string(body[512*int(n):min(512*int(n)+512, len(body))]); block != want || from != tid {
			t.Fatalf("%q from %v, want %q from %v", block, from, want, tid)
		}
	}
	send(tid, "\x00\x04\x00\x04")
	for _, want := range []string{
		fmt.Sprintf("dcs_packets_ignored_total{reason=%q} %d\n", "wrong_tid", sent), "dcs_transfers_ended_total{result=\"finished\"} 1\n",
	} {
		eventually(t, want, func() bool { _, page := get("http://" + metrics + "/metrics"); return strings.Contains(page, want) })
	}
}

// portsOf returns the UDP ports of IPv4 that a process has.
func portsOf(t *testing.T, pid int) (ports []uint16) {
	t.Helper()
	sockets := map[string]bool{}
	fds, err := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", pid))
	if err != nil {
		t.Fatal(err)
	}
	for _, fd := range fds {
		if to, err := os.Readlink(fd); err == nil {
			sockets[strings.TrimSuffix(strings.TrimPrefix(to, "socket:["), "]")] = true
		}
	}
	// A read may miss a socket while others are opened and closed: read until three in a row find none that is new.
	for idle := 0; idle < 3; idle++ {
		table, err := os.ReadFile(fmt.Sprintf("/proc/%d/net/udp", pid))
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(table)) {
			f := strings.Fields(line)
			var port uint16
			if len(f) < 10 || !sockets[f[9]] {
				continue
			}
			if _, err := fmt.Sscanf(f[1][strings.IndexByte(f[1], ':')+1:], "%04X", &port); err != nil {
				t.Fatal(err)
			}
			delete(sockets, f[9])
			ports, idle = append(ports, port), -1
		}
	}
	return ports
}
