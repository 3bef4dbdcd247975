package storm

import (
	"bytes"
	"net"
	"net/netip"
	"testing"

	"github.com/cilium/ebpf"

	"dcs/bench/netlab"
	"dcs/fastpath/xsk/ring"
)

// The XDP program takes what the server sends to modems, and leaves everything else to the kernel.
func TestAnswersTo(t *testing.T) {
	lab := netlab.ForTest(t, netlab.Config{})
	for _, tt := range []struct{ name, server, modems, stranger, outside string }{
		{"IPv4", "198.19.0.1", "198.18.0.0/16", "198.19.0.9", "198.19.0.0/16"},
		{"IPv4, a few", "198.19.0.1", "198.19.0.64/26", "198.19.0.2", "198.19.0.128/26"},
		{"IPv6", "fd00:198:19::1", "fd00:198:18::/64", "fd00:198:19::9", "fd00:198:17::/64"},
		{"IPv6, a few", "fd00:198:19::1", "fd00:198:19::4000/114", "fd00:198:19::2", "fd00:198:19::8000/114"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			run := program(t, lab, netip.MustParseAddr(tt.server), netip.MustParsePrefix(tt.modems))
			from := func(server, modems string) []byte { return turn(testFrames(server, modems), 7, data(1, 33)) }
			answer := from(tt.server, tt.modems)
			tagged := append(append(bytes.Clone(answer[:12]), 0x81, 0, 0, 5), answer[12:]...)
			tcp := bytes.Clone(answer)
			tcp[map[bool]int{false: 23, true: 20}[len(answer) > 80]] = 6
			const pass, redirect = 2, 4 // enum xdp_action
			for _, frame := range []struct {
				name   string
				octets []byte
				want   uint32
			}{
				{"an answer", answer, redirect},
				{"of another server", from(tt.stranger, tt.modems), pass},
				{"to another host", from(tt.server, tt.outside), pass},
				{"with a tag", tagged, pass},
				{"TCP", tcp, pass},
				{"too short", answer[:33], pass},
				{"ARP", append(bytes.Repeat([]byte{0xff}, 12), append([]byte{8, 6}, make([]byte, 46)...)...), pass},
			} {
				if got := run(frame.octets); got != frame.want {
					t.Errorf("%s: action %d, want %d", frame.name, got, frame.want)
				}
			}
		})
	}
}

// program loads the program with a socket of the load's host, and returns what runs it on a frame.
func program(t *testing.T, lab *netlab.Lab, server netip.Addr, modems netip.Prefix) func([]byte) uint32 {
	t.Helper()
	m, err := ebpf.NewMap(&ebpf.MapSpec{Type: ebpf.XSKMap, KeySize: 4, ValueSize: 4, MaxEntries: 1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Close() })
	p, err := ebpf.NewProgram(&ebpf.ProgramSpec{Type: ebpf.XDP, Instructions: answersTo(server, modems, m.FD())})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Close() })
	err = lab.Load.Do(func() error {
		ifi, err := net.InterfaceByName(netlab.Device)
		if err != nil {
			return err
		}
		s, err := ring.Open(ring.Config{Interface: ifi.Index, FrameSize: 2048, RX: 64, TX: 64})
		if err == nil {
			t.Cleanup(func() { s.Close() })
			err = m.Put(uint32(0), uint32(s.FD()))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return func(frame []byte) uint32 {
		action, err := p.Run(&ebpf.RunOptions{Data: frame})
		if err != nil {
			t.Fatal(err)
		}
		return action
	}
}
