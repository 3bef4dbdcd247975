package transfer

import (
	"bytes"
	"math/rand/v2"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"dcs/fastpath/packet"
	"dcs/fastpath/tftp"
	"dcs/render/device"
)

func TestHold(t *testing.T) {
	r := newRig(t, Config{Transfers: 1})
	hold := &struct{ name string }{"a mapping"}
	id, _ := r.request(client(1), "f", tftp.Options{})
	r.tab.Start(r.now, id, []byte("body"), false, hold, &device.Requester{}, r.out)
	if r.tab.entries[0].hold != hold {
		t.Error("not held")
	}
	r.ack(client(1), 1)
	if e := &r.tab.entries[0]; e.hold != nil || e.body != nil {
		t.Error("still held")
	}
}

// A body that was copied does not change when the caller's memory does.
func TestOwnedBody(t *testing.T) {
	r := newRig(t, Config{})
	scratch := []byte("the first body")
	id, _ := r.request(client(1), "f", tftp.Options{})
	r.tab.Start(r.now, id, scratch, true, nil, &device.Requester{}, r.out)
	r.take()
	copy(scratch, "another file's")
	r.now += int64(2 * time.Second)
	r.tab.Expire(r.now, r.out)
	if p := r.take(); len(p) != 1 || string(p[0].Data[4:]) != "the first body" {
		t.Errorf("%+v", p)
	}
}

func TestArena(t *testing.T) {
	a := newArena(20 * pageSize)
	type block struct {
		b   []byte
		ref uint32
		tag byte
	}
	rng := rand.New(rand.NewPCG(3, 4))
	var held []block
	for round := range 200_000 {
		if rng.IntN(5) < 3 && round%20_000 < 15_000 {
			n := rng.IntN(1 << rng.IntN(17))
			b, ref := a.take(n)
			if b == nil {
				continue
			}
			if len(b) != n {
				t.Fatalf("asked for %d octets, got %d", n, len(b))
			}
			for i := range b {
				b[i] = byte(round)
			}
			held = append(held, block{b, ref, byte(round)})
		} else if len(held) > 0 {
			i := rng.IntN(len(held))
			h := held[i]
			for _, c := range h.b {
				if c != h.tag {
					t.Fatal("a block was written to by another")
				}
			}
			a.give(h.ref)
			held[i] = held[len(held)-1]
			held = held[:len(held)-1]
		}
	}
	for _, h := range held {
		a.give(h.ref)
	}
	// All pages are free again, for any size.
	for i := range 20 {
		if b, _ := a.take(maxBody); b == nil {
			t.Fatalf("page %d is lost", i)
		}
	}
	if b, _ := a.take(0); b != nil {
		t.Error("more memory than there is")
	}
	if b, _ := newArena(0).take(maxBody + 1); b != nil {
		t.Error("a body larger than a page")
	}
}

// A client that wanted the size alone, or that leaves an empty file unacknowledged, has not failed; who refuses the file has, and
// so has one that ends what it has begun to take.
func TestProbed(t *testing.T) {
	body := make([]byte, 1300)
	for _, tt := range []struct {
		name   string
		has    tftp.Set
		body   []byte
		acks   []uint16
		code   int // of the ERROR; -1: silence
		probed bool
	}{
		{"probe", tftp.Tsize, body, nil, 0, true},
		{"probe, refused as an option", tftp.Tsize | tftp.Blksize, body, nil, 8, true},
		{"empty probe", tftp.Tsize, nil, nil, 8, true},
		{"empty, and silent", tftp.Tsize, nil, nil, -1, true},
		{"empty without options, and silent", 0, nil, nil, -1, true},
		{"empty without options, and an ERROR", 0, nil, nil, 0, true},
		{"too large", tftp.Tsize, body, nil, 3, false},
		{"an empty file that is refused", tftp.Tsize, nil, nil, 2, false},
		{"silent", tftp.Tsize, body, nil, -1, false},
		{"no size asked for", tftp.Blksize, body, nil, 8, false},
		{"no options", 0, body, nil, 0, false},
		{"begun", tftp.Tsize, body, []uint16{0}, 0, false},
		{"half done", tftp.Tsize, body, []uint16{0, 1}, 8, false},
		{"silent behind the OACK of an empty file", tftp.Tsize, nil, []uint16{0}, -1, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			failed := 0
			r := newRig(t, Config{Timeout: time.Second, Retries: 1, OnFailure: func(*device.Outcome) { failed++ }})
			r.start(client(1), "file", tftp.Options{Has: tt.has, Blksize: 512}, tt.body)
			for _, block := range tt.acks {
				r.ack(client(1), block)
			}
			if tt.code >= 0 {
				r.tab.Error(r.at(client(1)), tftp.Code(tt.code), nil)
			}
			for range 10 {
				r.now += int64(time.Second)
				r.tab.Expire(r.now, r.out)
			}
			want := [2]int{1, 0}
			if tt.probed {
				want = [2]int{0, 1}
			}
			if got := [2]int{failed, int(r.tab.Count[Probed])}; got != want {
				t.Errorf("%d failed, %d probed, want %v", got[0], got[1], want)
			}
			if r.tab.Active() != 0 {
				t.Errorf("%d transfers run on", r.tab.Active())
			}
		})
	}
}

// A file that is cut short in place ends the transfers that send it, each by an ERROR, and nothing else.
func TestFileCut(t *testing.T) {
	path := filepath.Join(t.TempDir(), "firmware")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	const size = 100_000
	if _, err := f.Write(bytes.Repeat([]byte("a\n"), size/2)); err != nil {
		t.Fatal(err)
	}
	body, err := unix.Mmap(int(f.Fd()), 0, size, unix.PROT_READ, unix.MAP_SHARED)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = unix.Munmap(body) }()
	var why []Event
	r := newRig(t, Config{OnFailure: func(f *device.Outcome) { why = append(why, Event(f.Err.(Failure))) }})
	begin := func(c int, mode string, window int) {
		t.Helper()
		o := tftp.Options{}
		if window > 0 {
			o = tftp.Options{Has: tftp.Windowsize | tftp.Blksize, Windowsize: window, Blksize: 1400}
		}
		p := packet.Packet{Data: tftp.AppendRequest(nil, "firmware", mode, &o), Peer: client(c), Local: netip.AddrPortFrom(server, 69), TID: tid}
		r.prepare(&p)
		var rq tftp.Request
		if err := tftp.ParseRequest(p.Data, &rq); err != nil {
			t.Fatal(err)
		}
		id, ok := r.tab.Request(r.now, &p, &rq, r.out)
		if !ok {
			t.Fatal("no transfer begun")
		}
		r.tab.Start(r.now, id, body, false, f, &device.Requester{}, r.out)
	}
	begin(1, "octet", 0)
	begin(2, "octet", 8)
	begin(3, "netascii", 0)
	begin(4, "octet", 0)
	r.start(client(5), "other", tftp.Options{}, make([]byte, 600))
	r.take()
	if err := f.Truncate(0); err != nil {
		t.Fatal(err)
	}
	ended := func(c int) {
		t.Helper()
		sent := r.take()
		if len(sent) != 1 || sent[0].Peer != client(c) || string(sent[0].Data) != "\x00\x05\x00\x00The file has changed\x00" {
			t.Errorf("client %d: %d packets, %q", c, len(sent), sent[0].Data)
		}
	}
	r.ack(client(1), 1)
	ended(1)
	r.ack(client(2), 0)
	ended(2)
	r.ack(client(3), 1)
	ended(3)
	begin(6, "octet", 0)
	ended(6)
	r.now += 1100e6 // the others' blocks are sent again
	r.tab.Expire(r.now, r.out)
	sent := r.take()
	if len(sent) != 2 || tftp.Opcode(sent[0].Data)+tftp.Opcode(sent[1].Data) != tftp.OpERROR+tftp.OpDATA {
		t.Errorf("after a time-out: %+v", sent)
	}
	r.ack(client(5), 1)
	r.ack(client(5), 2)
	if !slices.Equal(why, slices.Repeat([]Event{FileCut}, 5)) || r.tab.Count[FileCut] != 5 || r.tab.Count[Finished] != 1 || r.tab.Active() != 0 {
		t.Errorf("%v, %v, %d active", why, r.tab.Count, r.tab.Active())
	}
}
