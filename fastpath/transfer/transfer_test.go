package transfer

import (
	"bytes"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"dcs/fastpath/packet"
	"dcs/fastpath/tftp"
	secret "dcs/fastpath/tid"
	"dcs/render/device"
)

const tid = 40000

var key = secret.NewKey()

var server = netip.MustParseAddr("192.0.2.69")

// A rig is a table with its outgoing packets.
type rig struct {
	t    testing.TB
	tab  *Table
	out  *packet.Queue
	sent []packet.Packet
	now  int64
}

func newRig(t testing.TB, cfg Config) *rig {
	if cfg.Memory == 0 {
		cfg.Memory = 1 << 20 // the default takes longer to clear than most tests to run
	}
	r := &rig{t: t, now: 1e9}
	r.tab = New(cfg, r.now)
	r.out = packet.NewQueue(packet.NewSlab(4, 0, tftp.MaxBlksize+tftp.DataHeader), func(ps []packet.Packet) {
		for _, p := range ps {
			p.Data = bytes.Clone(p.Data)
			r.sent = append(r.sent, p)
		}
	})
	return r
}

func (r *rig) take() []packet.Packet {
	r.out.Flush()
	sent := r.sent
	r.sent = nil
	return sent
}

func client(i int) netip.AddrPort {
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)}), 1024)
}

func (r *rig) request(c netip.AddrPort, name string, o tftp.Options) (ID, bool) {
	r.t.Helper()
	p := packet.Packet{Data: tftp.AppendRequest(nil, name, "octet", &o), Peer: c, Local: netip.AddrPortFrom(server, 69), TID: tid}
	r.prepare(&p)
	var rq tftp.Request
	if err := tftp.ParseRequest(p.Data, &rq); err != nil {
		r.t.Fatal(err)
	}
	return r.tab.Request(r.now, &p, &rq, r.out)
}

func (r *rig) start(c netip.AddrPort, name string, o tftp.Options, body []byte) {
	r.t.Helper()
	id, ok := r.request(c, name, o)
	if !ok {
		r.t.Fatal("no transfer begun")
	}
	r.tab.Start(r.now, id, body, false, nil, &device.Requester{Client: c.Addr()}, r.out)
}

func (r *rig) prepare(p *packet.Packet) {
	p.Hash = key.Hash(p.Peer)
	r.tab.Prepare([]packet.Packet{*p})
}

// at is a packet of the client to its transfer.
func (r *rig) at(c netip.AddrPort) *packet.Packet {
	p := &packet.Packet{Peer: c, Local: netip.AddrPortFrom(server, tid)}
	r.prepare(p)
	return p
}

func (r *rig) ack(c netip.AddrPort, block uint16) { r.tab.ACK(r.now, r.at(c), block, r.out) }

// TestRollOver checks that block 0 follows block 65,535, and that the file goes on.
func TestRollOver(t *testing.T) {
	for _, window := range []int{1, 7} {
		t.Run(fmt.Sprint("windowsize ", window), func(t *testing.T) {
			body := make([]byte, 8*200_000+3)
			for i := range body {
				body[i] = byte(i >> 3)
			}
			r := newRig(t, Config{})
			r.start(client(1), "f", tftp.Options{Has: tftp.Blksize | tftp.Windowsize, Blksize: 8, Windowsize: window}, body)
			r.take()
			r.ack(client(1), 0)
			var got []byte
			block := 0
			for r.tab.Active() > 0 {
				r.now += 1000
				sent := r.take()
				if len(sent) == 0 || len(sent) > window {
					t.Fatalf("%d packets behind block %d", len(sent), block)
				}
				for _, p := range sent {
					block++
					n, data, err := tftp.ParseDATA(p.Data)
					if err != nil || n != uint16(block) {
						t.Fatalf("block %d is numbered %d (%v)", block, n, err)
					}
					got = append(got, data...)
				}
				r.ack(client(1), uint16(block))
			}
			if block != 200_001 || !bytes.Equal(got, body) {
				t.Errorf("%d blocks, %d octets", block, len(got))
			}
		})
	}
}

func TestNetASCII(t *testing.T) {
	for _, tt := range []struct{ in, want string }{
		{"", ""},
		{"plain", "plain"},
		{"a\nb", "a\r\nb"},
		{"a\rb", "a\r\x00b"},
		{"\r\n", "\r\x00\r\n"},
		{"\n\n\r", "\r\n\r\n\r\x00"},
	} {
		for n := 1; n < 9; n++ {
			var pos textPos
			var got []byte
			for {
				block := pos.next(nil, n, []byte(tt.in))
				got = append(got, block...)
				if len(block) < n {
					break
				}
			}
			if string(got) != tt.want {
				t.Errorf("%q in blocks of %d: %q, want %q", tt.in, n, got, tt.want)
			}
		}
	}
}

func TestEventsHaveNames(t *testing.T) {
	seen := map[string]bool{}
	for e := range NumEvents {
		if s := e.String(); s == "" || s == "unknown" || seen[s] {
			t.Errorf("event %d is called %q", e, s)
		} else {
			seen[s] = true
		}
	}
}

// A failure reports who ended a transfer early, and how far it came.
func TestFailure(t *testing.T) {
	var got []string
	r := newRig(t, Config{Timeout: time.Second, Retries: 1, OnFailure: func(f *device.Outcome) {
		got = append(got, fmt.Sprintf("%v %v %q %v %d octets, %s", f.Reason, f.Client, f.Name, f.Truncated, f.Size, f.Value))
	}})
	long := string(bytes.Repeat([]byte("n"), nameRoom+1))
	body := make([]byte, 1300)
	r.start(client(1), "silent", tftp.Options{}, body)
	r.ack(client(1), 1)
	r.start(client(2), long[1:], tftp.Options{Has: tftp.Tsize}, body)
	r.tab.Error(r.at(client(2)), tftp.CodeDiskFull, []byte("no room"))
	r.start(client(3), long, tftp.Options{}, nil)
	r.tab.Error(r.at(client(3)), 77, nil)
	r.start(client(4), "done", tftp.Options{}, []byte("x"))
	r.ack(client(4), 1)
	r.tab.Error(r.at(client(5)), 0, []byte("a stranger"))
	r.start(client(6), "again", tftp.Options{}, body)
	r.start(client(6), "another", tftp.Options{}, body)
	r.ack(client(6), 1)
	r.ack(client(6), 2)
	r.ack(client(6), 3)
	for range 10 {
		r.now += int64(time.Second)
		r.tab.Expire(r.now, r.out)
	}
	want := []string{
		fmt.Sprintf(`peer_error_disk_full 10.0.0.2 %q false 1300 octets, 0 of 3 blocks acknowledged: no room`, long[1:]),
		fmt.Sprintf(`peer_error_other 10.0.0.3 %q true 0 octets, 0 of 1 blocks acknowledged`, long[1:]),
		`gave_up 10.0.0.1 "silent" false 1300 octets, 1 of 3 blocks acknowledged`,
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if r.tab.Active() != 0 {
		t.Errorf("%d transfers run on", r.tab.Active())
	}
}
