package packet

import (
	"bytes"
	"testing"
	"unsafe"
)

func TestSlab(t *testing.T) {
	const n, room, size = 5, 42, 1500
	ps := NewSlab(n, room, size)
	if len(ps) != n {
		t.Fatalf("%d packets", len(ps))
	}
	for i := range ps {
		p := &ps[i]
		if len(p.Data) != 0 || cap(p.Data) != size || len(p.Buffer()) != room+size || len(p.Room()) != size {
			t.Fatalf("packet %d: len %d cap %d buffer %d room %d", i, len(p.Data), cap(p.Data), len(p.Buffer()), len(p.Room()))
		}
		p.Data = append(p.Data, bytes.Repeat([]byte{byte(i + 1)}, size)...)
		if &p.Data[0] != &p.Buffer()[room] {
			t.Fatalf("packet %d: the payload moved", i)
		}
	}
	for i := range ps {
		if !bytes.Equal(ps[i].Data, bytes.Repeat([]byte{byte(i + 1)}, size)) {
			t.Errorf("packet %d was overwritten by a neighbour", i)
		}
		ps[i].Reset()
		if len(ps[i].Data) != 0 || cap(ps[i].Data) != size {
			t.Errorf("packet %d: Reset left %d of %d", i, len(ps[i].Data), cap(ps[i].Data))
		}
	}
	stride := uintptr(unsafe.Pointer(&ps[1].Buffer()[0])) - uintptr(unsafe.Pointer(&ps[0].Buffer()[0]))
	if stride%page != linesApart*line {
		t.Errorf("buffers are %d octets apart", stride)
	}
}

func TestQueue(t *testing.T) {
	var got []int
	q := NewQueue(NewSlab(4, 0, 64), func(ps []Packet) {
		got = append(got, len(ps))
		for i := range ps {
			if len(ps[i].Data) != 1 {
				t.Errorf("packet %d has %d octets", i, len(ps[i].Data))
			}
		}
	})
	q.Flush()
	for i := range 10 {
		p := q.Next()
		p.Data = append(p.Data, byte(i))
	}
	q.Flush()
	q.Flush()
	if len(got) != 3 || got[0] != 4 || got[1] != 4 || got[2] != 2 {
		t.Errorf("batches of %v, want 4 4 2", got)
	}
}
