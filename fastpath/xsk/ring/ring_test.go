package ring

import (
	"math/rand/v2"
	"slices"
	"testing"
	"unsafe"
)

func TestOpenRefuses(t *testing.T) {
	for _, cfg := range []Config{
		{FrameSize: 2048, RX: 0, TX: 64}, {FrameSize: 2048, RX: 64, TX: 0}, {FrameSize: 2048, RX: 100, TX: 64}, {FrameSize: 1024, RX: 64, TX: 64},
	} {
		if s, err := Open(cfg); err == nil {
			_ = s.Close()
			t.Errorf("%+v: opened", cfg)
		}
	}
}

// both returns a socket whose fill ring is also its completion ring, and whose transmit ring is its receive ring: what
// is put in comes out. The indices start just before they roll over.
func both(entries int) *Socket {
	ring := func(size int) indices {
		i := indices{producer: new(uint32), consumer: new(uint32), flags: new(uint32), mask: uint32(entries - 1)}
		i.base = unsafe.Pointer(unsafe.SliceData(make([]uint64, entries*size/8)))
		*i.producer, *i.consumer = ^uint32(2), ^uint32(2)
		return i
	}
	addrs, descs := ring(8), ring(16)
	start := *addrs.producer
	return &Socket{
		fill: producer{indices: addrs, next: start, limit: start}, comp: consumer{indices: addrs, next: start, there: start},
		tx: producer{indices: descs, next: start, limit: start}, rx: consumer{indices: descs, next: start, there: start},
	}
}

func TestRings(t *testing.T) {
	s := both(8)
	rnd := rand.New(rand.NewPCG(1, 2))
	var in, out [2]uint64
	for range 1000 {
		n := rnd.IntN(12)
		addrs, descs := make([]uint64, n), make([]Desc, n)
		for i := range n {
			addrs[i] = in[0] + uint64(i)
			descs[i] = Desc{Addr: in[1] + uint64(i), Len: uint32(in[1]) + uint32(i)}
		}
		room := [2]int{8 - int(in[0]-out[0]), 8 - int(in[1]-out[1])}
		for r, put := range [2]int{s.Fill(addrs), s.Transmit(descs)} {
			if put != min(n, room[r]) {
				t.Fatalf("put %d of %d where there was room for %d", put, n, room[r])
			}
			in[r] += uint64(put)
		}
		if got := s.Unsent(); got != int(in[1]-out[1]) {
			t.Fatalf("%d unsent, want %d", got, in[1]-out[1])
		}
		n = rnd.IntN(12)
		addrs, descs = make([]uint64, n), make([]Desc, n)
		there := [2]int{int(in[0] - out[0]), int(in[1] - out[1])}
		for r, got := range [2]int{s.Complete(addrs), s.Receive(descs)} {
			if got != min(n, there[r]) {
				t.Fatalf("got %d of %d where there were %d", got, n, there[r])
			}
			for i := range got {
				if v := [2]uint64{addrs[i], descs[i].Addr}[r]; v != out[r]+uint64(i) {
					t.Fatalf("ring %d: got %d, want %d", r, v, out[r]+uint64(i))
				}
			}
			out[r] += uint64(got)
		}
	}
	if slices.Min(out[:]) < 500 {
		t.Errorf("only %v came out", out)
	}
}

func TestNoAllocs(t *testing.T) {
	s := both(8)
	addrs, descs := make([]uint64, 8), make([]Desc, 8)
	n := testing.AllocsPerRun(100, func() {
		s.Fill(addrs)
		s.Complete(addrs)
		s.Transmit(descs)
		s.Receive(descs)
	})
	if n != 0 {
		t.Errorf("%v allocations", n)
	}
}
