package fastpath

import (
	"context"
	"errors"
	"net"
	"os"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"dcs/fastpath/packet"
	"dcs/fastpath/tftp"
	"dcs/fastpath/transfer"
)

// A waitingTransport receives nothing.
type waitingTransport struct {
	fail   error
	closed atomic.Bool
	onRecv func()
}

func (w *waitingTransport) Recv([]packet.Packet) (int, error) {
	if w.onRecv != nil {
		w.onRecv()
	}
	if w.closed.Load() {
		return 0, net.ErrClosed
	}
	time.Sleep(time.Millisecond) // a tick of a transport
	return 0, w.fail
}

func (w *waitingTransport) Send([]packet.Packet) error { return nil }

func (w *waitingTransport) Close() error {
	w.closed.Store(true)
	return nil
}

func testClock() (int64, int64) {
	now := time.Now().UnixNano()
	return now, now
}

func TestServerStops(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	ts := []*waitingTransport{{}, {}, {}}
	var running sync.WaitGroup
	for _, w := range ts {
		running.Add(1)
		w.onRecv = sync.OnceFunc(running.Done)
	}
	s := NewServer(ServerConfig{}, []Transport{ts[0], ts[1], ts[2]}, func(int) Renderer { return files{} }, testClock)
	go func() {
		running.Wait()
		cancel()
	}()
	if err := s.Run(ctx); err != nil {
		t.Error(err)
	}
	for i, w := range ts {
		if !w.closed.Load() {
			t.Errorf("transport %d is open", i)
		}
	}
}

// A worker that fails ends the others: the modems that the kernel gives to it would stay unanswered.
func TestServerEndsWithOneWorker(t *testing.T) {
	broken := errors.New("cable cut")
	s := NewServer(ServerConfig{}, []Transport{&waitingTransport{}, &waitingTransport{fail: broken}}, func(int) Renderer { return files{} }, testClock)
	if err := s.Run(t.Context()); !errors.Is(err, broken) || !strings.Contains(err.Error(), "worker 1") {
		t.Error(err)
	}
}

// Running transfers may end, requests are passed over.
func TestDrain(t *testing.T) {
	r := newRig(Config{})
	r.give(toServer(modem(1), rrq("static", tftp.Options{})))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	r.ft.in = []packet.Packet{toServer(modem(2), rrq("static", tftp.Options{}))}
	r.ft.out = nil
	step := 0
	r.transport = &hookTransport{fakeTransport: r.ft, before: func() {
		r.now += 1e6
		if step++; step == 3 {
			r.ft.in = []packet.Packet{toServer(modem(3), rrq("static", tftp.Options{})), toTransfer(modem(1), tftp.AppendACK(nil, 1))}
		}
	}}
	if err := r.Run(ctx, time.Second); err != nil {
		t.Fatal(err)
	}
	// The request that came with the context's end was still taken; then none, until the time was over.
	s := r.Stats()
	if s.Events[Refused] != 1 || s.Transfers[transfer.Finished] != 1 || s.Active != 1 || r.now < 1e18+1e9 {
		t.Errorf("refused %d, finished %d, active %d", s.Events[Refused], s.Transfers[transfer.Finished], s.Active)
	}
}

// Cut ends the wait for running transfers, whatever time they had.
func TestCut(t *testing.T) {
	r := newRig(Config{})
	r.give(toServer(modem(1), rrq("static", tftp.Options{})))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	step := 0
	r.ft.in = []packet.Packet{}
	r.transport = &hookTransport{fakeTransport: r.ft, before: func() {
		r.now += 1e6
		if step++; step == 3 {
			(&Server{workers: []*worker{r.worker}}).Cut()
		}
	}}
	if err := r.Run(ctx, time.Hour); err != nil {
		t.Fatal(err)
	}
	if s := r.Stats(); s.Active != 1 || step != 3 {
		t.Errorf("%d active, after %d rounds; want 1 after 3", s.Active, step)
	}
}

type hookTransport struct {
	*fakeTransport
	before func()
}

func (h *hookTransport) Recv(batch []packet.Packet) (int, error) {
	h.before()
	return h.fakeTransport.Recv(batch)
}

// TestPinning checks that each worker runs on its processor, and that no thread of others inherits that.
func TestPinning(t *testing.T) {
	var all unix.CPUSet
	if err := unix.SchedGetaffinity(0, &all); err != nil {
		t.Fatal(err)
	}
	if all.Count() < 2 {
		t.Skip("one processor only")
	}
	var mu sync.Mutex
	pinned := map[int]bool{} // threads of workers
	var running sync.WaitGroup
	running.Add(2)
	record := func(cpu int) func() {
		first := sync.OnceFunc(running.Done)
		return func() {
			defer first()
			var set unix.CPUSet
			if err := unix.SchedGetaffinity(0, &set); err != nil || set.Count() != 1 || !set.IsSet(cpu) {
				t.Errorf("worker may run on %v, want %d (%v)", set, cpu, err)
			}
			mu.Lock()
			pinned[unix.Gettid()] = true
			mu.Unlock()
		}
	}
	var cpus []int
	for i := 0; len(cpus) < 2; i++ {
		if all.IsSet(i) {
			cpus = append(cpus, i)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	s := NewServer(ServerConfig{}, []Transport{&waitingTransport{onRecv: record(cpus[0])}, &waitingTransport{onRecv: record(cpus[1])}}, func(int) Renderer { return files{} }, testClock)
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	running.Wait()
	// Threads that are created now must be free: as many as goroutines that are locked to theirs at the same time.
	var wg, locked sync.WaitGroup
	for range 2 * runtime.GOMAXPROCS(0) {
		locked.Add(1)
		wg.Go(func() {
			runtime.LockOSThread()
			defer runtime.UnlockOSThread()
			locked.Done()
			locked.Wait()
		})
	}
	wg.Wait()
	dir, err := os.ReadDir("/proc/self/task")
	if err != nil {
		t.Fatal(err)
	}
	free := 0
	for _, d := range dir {
		id := 0
		for _, c := range d.Name() {
			id = id*10 + int(c-'0')
		}
		var set unix.CPUSet
		if unix.SchedGetaffinity(id, &set) != nil {
			continue
		}
		mu.Lock()
		if !pinned[id] {
			free++
			if set != all {
				t.Errorf("thread %d may run on %d processors only", id, set.Count())
			}
		}
		mu.Unlock()
	}
	if len(pinned) != 2 || free == 0 {
		t.Errorf("%d threads pinned, %d free", len(pinned), free)
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}
