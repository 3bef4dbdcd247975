package transfer

import (
	"testing"
	"time"

	"dcs/fastpath/tftp"
	"dcs/render/device"
)

// When the table is full of established transfers, one with a silent client is ended, none that is active.
func TestRetire(t *testing.T) {
	const places = 16
	r := newRig(t, Config{Transfers: places})
	for i := range places {
		r.establish(i, tftp.Options{}, make([]byte, 512*20))
	}
	if _, ok := r.request(client(100), "f", tftp.Options{}); ok || r.tab.Count[TableFull] != 1 {
		t.Error("a transfer that goes on has lost its place")
	}
	silent := 3
	r.now += int64(1500 * time.Millisecond)
	for i := range places {
		if i != silent {
			r.ack(client(i), 2)
		}
	}
	got := 0
	for range 20 { // it looks at some of the places
		if id, ok := r.request(client(100), "f", tftp.Options{}); ok {
			r.tab.Drop(id)
			got++
			break
		}
	}
	if got != 1 || r.knows(client(silent)) || r.tab.Count[Retired] != 1 {
		t.Errorf("no place for a new one (%d); the silent one is there: %v", got, r.knows(client(silent)))
	}
	for i := range places {
		if i != silent && !r.knows(client(i)) {
			t.Errorf("client %d has lost its place", i)
		}
	}
}

// Memory of established transfers with silent clients can be reclaimed, that of active ones cannot.
func TestRetireGivesMemory(t *testing.T) {
	r := newRig(t, Config{Transfers: 64, Memory: pageSize})
	const bodies = 16 // of 4 KiB in the one page
	own := func(i int) bool {
		id, ok := r.request(client(i), "f", tftp.Options{Has: tftp.Tsize})
		if !ok {
			t.Fatal("no place")
		}
		r.tab.Start(r.now, id, make([]byte, 4096), true, nil, &device.Requester{}, r.out)
		r.ack(client(i), 0)
		r.take()
		return r.knows(client(i))
	}
	for i := range bodies {
		if !own(i) {
			t.Fatalf("client %d finds no memory", i)
		}
	}
	if own(100) || r.tab.Count[MemoryFull] != 1 {
		t.Error("a transfer that goes on has lost its memory")
	}
	r.now += int64(1500 * time.Millisecond)
	got := false
	for i := 0; i < 20 && !got; i++ { // it looks at some of the places
		got = own(101)
	}
	if !got || r.tab.Count[Retired] != 1 {
		t.Errorf("memory for a new one: %v, %d retired", got, r.tab.Count[Retired])
	}
}
