package transfer

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"dcs/bench/require"
	"dcs/fastpath/tftp"
	"dcs/render/device"
)

// establish begins a transfer of a file and acknowledges its first packet.
func (r *rig) establish(i int, o tftp.Options, body []byte) {
	r.t.Helper()
	r.start(client(i), "f", o, body)
	r.ack(client(i), map[bool]uint16{true: 0, false: 1}[o.Has != 0])
	r.take()
}

// However many half-open transfers start, established ones stay in the table, and new ones get in: the oldest half-open
// one is evicted.
func TestHalfOpenKeepNobodyOut(t *testing.T) {
	const places, established = 64, 20
	r := newRig(t, Config{Transfers: places})
	body := make([]byte, 5*512)
	for i := range established {
		r.establish(i, tftp.Options{}, body)
	}
	const strangers = 10_000
	for i := range strangers {
		r.start(client(1000+i), "f", tftp.Options{Has: tftp.Timeout, Timeout: 255}, body)
		r.take()
		for _, d := range []int{0, places - established - 1} { // the youngest ones have theirs
			if i >= d && !r.knows(client(1000+i-d)) {
				t.Fatalf("of %d half-open transfers, the one %d before is gone", i+1, d)
			}
		}
		if d := places - established; i >= d && r.knows(client(1000+i-d)) {
			t.Fatalf("of %d half-open transfers, the one %d before is still there", i+1, d)
		}
	}
	if got, want := r.tab.Count[Evicted], uint64(strangers-(places-established)); got != want || r.tab.Count[TableFull] != 0 {
		t.Errorf("%d evicted, want %d; %d found no place", got, want, r.tab.Count[TableFull])
	}
	for i := range established {
		for block := 2; block <= 6; block++ {
			r.ack(client(i), uint16(block))
		}
	}
	if got := r.tab.Count[Finished]; got != established {
		t.Errorf("%d of %d transfers came to their end", got, established)
	}
}

// TestHalfOpen compares the queue with a list while transfers begin, are acknowledged, finish, fail and time out.
func TestHalfOpen(t *testing.T) {
	const places = 50
	r := newRig(t, Config{Transfers: places})
	rng := rand.New(rand.NewPCG(7, 8))
	var halfOpen []int                 // in the order of their first packets
	established := map[int]bool{}      // that go on
	without := func(i int) (is bool) { // takes a client from halfOpen
		for at, c := range halfOpen {
			if c == i {
				halfOpen = append(halfOpen[:at:at], halfOpen[at+1:]...)
				return true
			}
		}
		return false
	}
	for round := range 200_000 {
		i := rng.IntN(3 * places)
		switch was := r.knows(client(i)); {
		case !was:
			id, ok := r.request(client(i), "f", tftp.Options{Has: tftp.Tsize})
			if full := len(established) == places; ok == full {
				t.Fatalf("round %d: a request with %d established: %v", round, len(established), ok)
			} else if full {
				continue
			}
			if rng.IntN(10) == 0 {
				r.tab.Reject(id, tftp.CodeNotFound, "no", r.out)
			} else {
				r.tab.Start(r.now, id, []byte("body"), rng.IntN(2) == 0, nil, &device.Requester{}, r.out)
			}
			if len(established)+len(halfOpen) == places {
				halfOpen = halfOpen[1:]
			}
			if r.knows(client(i)) {
				halfOpen = append(halfOpen, i)
			}
		case established[i]:
			r.ack(client(i), 1)
			delete(established, i)
		case rng.IntN(4) == 0:
			r.tab.Error(r.at(client(i)), tftp.CodeUndefined, nil)
			without(i)
		default:
			r.ack(client(i), 0)
			if without(i) && len(established) < places {
				established[i] = true
			}
		}
		r.take()
		if r.tab.numHalfOpen != len(halfOpen) || r.tab.Active() != len(halfOpen)+len(established) {
			t.Fatalf("round %d: %d half-open transfers of %d transfers, want %d of %d", round, r.tab.numHalfOpen, r.tab.Active(), len(halfOpen), len(halfOpen)+len(established))
		}
		if round%100 == 0 {
			for i := range 3 * places {
				want := established[i]
				for _, e := range halfOpen {
					want = want || e == i
				}
				if r.knows(client(i)) != want {
					t.Fatalf("round %d: client %d has a transfer: %v", round, i, !want)
				}
			}
		}
	}
}

// Half-open transfers take no memory from others, whatever the sizes of both.
func TestHalfOpenGiveMemory(t *testing.T) {
	sizes := []int{1, 600, 1400, 3000, 9000, 20000, 40000, 65536}
	if !require.AllTime() {
		sizes = []int{1, 1400, 65536}
	}
	for _, theirs := range sizes {
		for _, ours := range sizes {
			t.Run(fmt.Sprint(theirs, " ", ours), func(t *testing.T) {
				r := newRig(t, Config{Transfers: 1 << 13, Memory: 8 * pageSize})
				own := func(i, size int) bool {
					id, ok := r.request(client(i), "f", tftp.Options{Has: tftp.Tsize})
					if !ok {
						t.Fatal("no place")
					}
					r.tab.Start(r.now, id, make([]byte, size), true, nil, &device.Requester{}, r.out)
					r.take()
					return r.knows(client(i))
				}
				for i := range 4 { // half of the memory at most
					if !own(i, ours) {
						t.Fatal("no memory in the beginning")
					}
					r.ack(client(i), 0)
				}
				for i := range 3000 {
					if !own(100+i, theirs) {
						t.Fatalf("half-open transfer %d finds no memory", i)
					}
				}
				for i := range 4 {
					if !own(5000+i, ours) {
						t.Fatalf("client %d finds no memory", i)
					}
					r.ack(client(5000+i), 0)
				}
				for i := range 4 {
					if !r.knows(client(i)) || !r.knows(client(5000+i)) {
						t.Errorf("client %d has lost its transfer", i)
					}
				}
				if r.tab.Count[MemoryFull] != 0 {
					t.Errorf("%d without memory", r.tab.Count[MemoryFull])
				}
			})
		}
	}
}

// When half of the table is half-open, a file of one block is sent without a transfer, and its ACK is ignored.
func TestOnce(t *testing.T) {
	r := newRig(t, Config{Transfers: 20})
	for i := range 10 {
		r.start(client(i), "f", tftp.Options{}, make([]byte, 600))
	}
	r.take()
	for i, tt := range []struct {
		name string
		o    tftp.Options
		size int
		kept bool
	}{
		{"one block", tftp.Options{}, 511, false},
		{"no octet", tftp.Options{}, 0, false},
		{"a full block, and an empty one", tftp.Options{}, 512, true},
		{"options have to be acknowledged", tftp.Options{Has: tftp.Tsize}, 100, true},
	} {
		c := client(100 + i)
		r.start(c, "f", tt.o, make([]byte, tt.size))
		sent := r.take()
		if len(sent) != 1 || sent[0].Peer != c || sent[0].Local.Port() != tid || tt.o.Has == 0 && len(sent[0].Data) != 4+min(tt.size, 512) {
			t.Fatalf("%s: %v", tt.name, sent)
		}
		if r.knows(c) != tt.kept {
			t.Errorf("%s: kept %v", tt.name, !tt.kept)
		}
		if !tt.kept {
			p := r.at(c)
			p.Data = tftp.AppendACK(nil, 1)
			r.tab.ACK(r.now, p, 1, r.out)
			if sent := r.take(); len(sent) != 0 {
				t.Errorf("%s: its ACK is answered with %q", tt.name, sent[0].Data)
			}
		}
	}
	if r.tab.Count[Once] != 2 {
		t.Errorf("%d sent and forgotten", r.tab.Count[Once])
	}
}

// Under pressure the block of a one-block file is not retransmitted: a flood before the pressure begins costs no more
// than one during it.
func TestPressureSendsNothingAgain(t *testing.T) {
	for _, tt := range []struct {
		name  string
		begun int // one more asks meanwhile
		o     tftp.Options
		size  int
		want  int // packets sent again
	}{
		{"no pressure", 8, tftp.Options{}, 100, 8},
		{"one block", 9, tftp.Options{}, 100, 0},
		{"two blocks", 9, tftp.Options{}, 600, 9},
		{"options", 9, tftp.Options{Has: tftp.Tsize}, 100, 9},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := newRig(t, Config{Transfers: 17})
			for i := range tt.begun {
				r.start(client(i), "f", tt.o, make([]byte, tt.size))
			}
			r.now += int64(time.Second)
			r.start(client(100), "f", tftp.Options{}, make([]byte, 100))
			r.take()
			r.now += int64(500 * time.Millisecond)
			r.tab.Expire(r.now, r.out)
			if n := len(r.take()); n != tt.want {
				t.Errorf("%d packets were sent again, want %d", n, tt.want)
			}
		})
	}
}
