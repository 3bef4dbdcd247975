package shared

import (
	"reflect"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
)

// plant is what two workers share. Each test breaks the rule that workers write nothing in it.
type plant struct {
	_       [Line]byte
	counter atomic.Uint64
	_       [Line]byte
	now     atomic.Pointer[item]
	items   []item
	names   map[string]*item
	events  chan int
	any     any
	mu      sync.Mutex
	rw      [2]sync.RWMutex
	_       [Line]byte
	workers []*worker
}

type item struct{ hits int }

type worker struct {
	_     [Line]byte
	plant *plant
	own   int
	_     [Line]byte
	near  *int // on a line with another worker's
}

func newPlant() *plant {
	pair := new(struct {
		_ [Line]byte
		n [2]int
		_ [Line]byte
	})
	p := &plant{items: make([]item, 100), names: map[string]*item{"a": {}}, events: make(chan int, 2), any: &item{}}
	p.now.Store(new(item))
	for i := range 2 {
		p.workers = append(p.workers, &worker{plant: p, near: &pair.n[i]})
	}
	return p
}

func (p *plant) reach(i int) *Reach { return Of(reflect.ValueOf(p.workers[i]), "shared.plant.workers") }

func TestWritten(t *testing.T) {
	for _, tt := range []struct {
		name string
		work func(w *worker)
		want []string
	}{
		{"its own", func(w *worker) { w.own++ }, nil},
		{"a counter", func(w *worker) { w.plant.counter.Add(1) }, []string{"shared.plant.counter"}},
		{"behind an atomic pointer", func(w *worker) { w.plant.now.Load().hits++ }, []string{"shared.item.hits"}},
		{"the atomic pointer", func(w *worker) { w.plant.now.Store(new(item)) }, []string{"shared.plant.now"}},
		{"an element", func(w *worker) { w.plant.items[99].hits++ }, []string{"shared.item.hits"}},
		{"a mutex, see Hold", func(w *worker) { w.plant.mu.Lock() }, nil},
		{"a mutex for readers, see Hold", func(w *worker) { w.plant.rw[0].RLock() }, nil},
		{"a map", func(w *worker) { w.plant.names["b"] = nil }, []string{"shared.mapHeader"}},
		{"a value of a map", func(w *worker) { w.plant.names["a"].hits++ }, []string{"shared.item.hits"}},
		{"a channel", func(w *worker) { w.plant.events <- 1 }, []string{"shared.chanHeader"}},
		{"behind an interface", func(w *worker) { w.plant.any.(*item).hits++ }, []string{"shared.item.hits"}},
		{"a line of the other one", func(w *worker) { *w.near++ }, []string{"int"}},
	} {
		p := newPlant()
		w := Begin(p.reach(0), p.reach(1))
		tt.work(p.workers[0])
		if got := w.Written(); !slices.Equal(got, tt.want) {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
	}
}

func TestHold(t *testing.T) {
	p := newPlant()
	locks := map[string]func() bool{"a mutex": p.mu.TryLock, "a mutex of writers": p.rw[0].TryLock, "a mutex of readers": p.rw[1].TryRLock}
	release := Hold(p.reach(0), p.reach(1))
	for name, try := range locks {
		if try() {
			t.Errorf("%s is not held", name)
		}
	}
	release()
	for name, try := range locks {
		if !try() {
			t.Errorf("%s is not released", name)
		}
	}
}
