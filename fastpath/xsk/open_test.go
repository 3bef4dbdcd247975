package xsk_test

import (
	"errors"
	"net"
	"runtime"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"dcs/bench/netlab"
	"dcs/fastpath/packet"
	"dcs/fastpath/xsk"
)

func TestClose(t *testing.T) {
	w := newWire(t, netlab.Config{Queues: 2})
	ts := w.open(t, at4, 2, func(c *xsk.Config) { c.Tick = time.Minute })
	for _, tr := range ts {
		rx, tx := tr.Slabs(8, 512)
		done, thread := make(chan error, 1), make(chan int, 1)
		go func() {
			runtime.LockOSThread()
			thread <- unix.Gettid()
			for {
				if _, err := tr.Recv(rx); err != nil {
					done <- err
					return
				}
			}
		}()
		netlab.AwaitPoll(t, <-thread)
		if err := tr.Close(); err != nil {
			t.Error(err)
		}
		select {
		case err := <-done:
			if !errors.Is(err, net.ErrClosed) {
				t.Error(err)
			}
		case <-time.After(20 * time.Second):
			t.Fatal("Recv goes on")
		}
		if err := tr.Send(tx[:1]); !errors.Is(err, net.ErrClosed) {
			t.Error(err)
		}
		if err := tr.Close(); err != nil {
			t.Error(err)
		}
		if st := tr.Stats(); st != (xsk.Stats{}) {
			t.Errorf("%+v", st)
		}
	}
}

func TestOpenRefuses(t *testing.T) {
	w := newWire(t, netlab.Config{})
	for _, tt := range []struct {
		name, want string
		change     func(*xsk.Config)
	}{
		{"no such interface", "no such device", func(c *xsk.Config) { c.Interfaces[0].Name = "nil0" }},
		{"no such queue", "invalid argument", func(c *xsk.Config) { c.Interfaces[0].Queues = []int{7} }},
		{"loopback, more queues than workers", "2 queues for 1 workers", func(c *xsk.Config) { c.Interfaces[0].Queues = []int{0, 1} }},
		{"no address", "no listen address", func(c *xsk.Config) { c.Listen = nil }},
		{"refused by the map", "sorry", func(c *xsk.Config) { c.Interfaces[0].Attach = func(int, int) error { return errors.New("sorry") } }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			err := w.Server.Do(func() error {
				cfg := xsk.Config{
					Interfaces: []xsk.Interface{w.device()}, Listen: at4, Sockets: []xsk.Sockets{none{}}, Frames: 128,
				}
				tt.change(&cfg)
				_, err := xsk.Open(cfg)
				return err
			})
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("%v, want %q", err, tt.want)
			}
		})
	}
}

// none is a Sockets without any socket.
type none struct{}

func (none) TryRecv([]packet.Packet) (int, error) { return 0, nil }

func (none) Send([]packet.Packet) error { return nil }

func (none) Close() error { return nil }

func (none) Drops() uint64 { return 0 }

func (none) SendErrors() uint64 { return 0 }

func (none) FDs() []int { return nil }

func (none) Ports(bool) []uint16 { return []uint16{50000} }

// Changed settings of the interface are restored, and those that somebody else has set are left alone.
func TestRestores(t *testing.T) {
	w := newWire(t, netlab.Config{})
	read := func() (defers, timeout string) {
		t.Helper()
		files := map[string]*string{"napi_defer_hard_irqs": &defers, "gro_flush_timeout": &timeout}
		for f, v := range files {
			b, err := w.Server.ReadFile("/sys/class/net/" + netlab.Device + "/" + f)
			if err != nil {
				t.Fatal(err)
			}
			*v = strings.TrimSpace(b)
		}
		return defers, timeout
	}
	if err := w.Server.WriteFile("/sys/class/net/"+netlab.Device+"/gro_flush_timeout", "12345"); err != nil {
		t.Fatal(err)
	}
	tr := w.open(t, at4, 1, func(c *xsk.Config) { c.BusyPoll = true })[0]
	if d, f := read(); d != "2" || f != "12345" || !tr.BusyPolls() || len(w.group.Warnings) > 0 {
		t.Errorf("while open %s, %s; %v", d, f, w.group.Warnings)
	}
	if err := tr.Close(); err != nil {
		t.Error(err)
	}
	if d, f := read(); d != "0" || f != "12345" {
		t.Errorf("after it %s, %s", d, f)
	}
}
