package ports

import (
	"net"
	"net/netip"
	"os"
	"os/exec"
	"slices"
	"testing"
)

// Whoever keeps us from an address is named.
func TestOwners(t *testing.T) {
	for _, tt := range []struct {
		network, listen string
		asked           []string // hosts that this keeps others from, at its port
		free            []string
	}{
		{"udp", "127.0.0.1:0", []string{"127.0.0.1", "0.0.0.0"}, []string{"127.0.0.2", "::1"}},
		{"udp", "0.0.0.0:0", []string{"127.0.0.1", "0.0.0.0"}, nil},
		{"udp", "[::1]:0", []string{"::1", "::"}, []string{"127.0.0.1", "fe80::1"}},
		{"tcp", "127.0.0.1:0", []string{"127.0.0.1", "0.0.0.0"}, []string{"127.0.0.2", "::1"}},
		{"tcp", "[::1]:0", []string{"::1", "::"}, []string{"127.0.0.1"}},
		{"tcp", "[::]:0", []string{"::1", "::", "127.0.0.1"}, nil}, // which takes IPv4 too
	} {
		var at netip.AddrPort
		if tt.network == "udp" {
			c, err := net.ListenPacket("udp", tt.listen)
			if err != nil {
				t.Logf("%s: %v", tt.listen, err) // no IPv6
				continue
			}
			defer c.Close()
			at = c.LocalAddr().(*net.UDPAddr).AddrPort()
		} else {
			l, err := net.Listen("tcp", tt.listen)
			if err != nil {
				t.Logf("%s: %v", tt.listen, err)
				continue
			}
			defer l.Close()
			at = l.Addr().(*net.TCPAddr).AddrPort()
		}
		us := func(o Owner) bool {
			return o.UID == os.Getuid() && slices.ContainsFunc(o.Processes, func(p Process) bool { return p.PID == os.Getpid() && p.Name == name(os.Getpid()) })
		}
		for _, host := range tt.asked {
			if got := Owners(tt.network, netip.AddrPortFrom(netip.MustParseAddr(host), at.Port())); !slices.ContainsFunc(got, us) {
				t.Errorf("%s %s, asked for %s: %v", tt.network, at, host, got)
			}
		}
		for _, host := range tt.free {
			if got := Owners(tt.network, netip.AddrPortFrom(netip.MustParseAddr(host), at.Port())); slices.ContainsFunc(got, us) {
				t.Errorf("%s %s, asked for %s: %v", tt.network, at, host, got)
			}
		}
		other := map[string]string{"udp": "tcp", "tcp": "udp"}[tt.network]
		if got := Owners(other, at); slices.ContainsFunc(got, us) {
			t.Errorf("%s %s: %v", other, at, got)
		}
	}
}

func TestRunning(t *testing.T) {
	cmd := exec.Command("sleep", "60")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = cmd.Process.Kill(); _ = cmd.Wait() }()
	got := Running(func(pid int, args []string) bool {
		return pid == cmd.Process.Pid && slices.Equal(args, []string{"sleep", "60"})
	})
	if !slices.Equal(got, []int{cmd.Process.Pid}) {
		t.Errorf("got %v, want %d", got, cmd.Process.Pid)
	}
	if got := Running(func(int, []string) bool { return true }); slices.Contains(got, os.Getpid()) {
		t.Error("the calling process is among them")
	}
}
