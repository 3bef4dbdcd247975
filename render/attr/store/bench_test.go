package store

import (
	"context"
	"fmt"
	"net/netip"
	"os"
	"strconv"
	"testing"
	"time"

	"dcs/render/attr"
	"dcs/render/device"
)

// benchDevices is the size of the fleet: $DCS_BENCH_DEVICES, else 100,000.
func benchDevices(b *testing.B) int {
	text := os.Getenv("DCS_BENCH_DEVICES")
	if text == "" {
		return 100_000
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		b.Fatalf("DCS_BENCH_DEVICES=%s: not a number of devices", text)
	}
	return n
}

// many is a source of n devices.
type many struct {
	name  string
	n     int
	names []string
	ipKey bool // devices have an IP address alone
	down  bool
}

func (m *many) Name() string { return m.name }
func (m *many) Close() error { return nil }

func (m *many) Open(context.Context) ([]string, error) {
	if m.down {
		return nil, os.ErrNotExist
	}
	return m.names, nil
}

func (m *many) Load(_ context.Context, yield func(*attr.Device) error) error {
	d := attr.Device{Values: make([]string, len(m.names))}
	for i := range m.n {
		d.MAC = mac(i)
		d.IP = netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)})
		if m.ipKey {
			d.MAC = device.MAC{}
		}
		for j := range d.Values {
			d.Values[j] = values[(i+j)%len(values)]
		}
		if err := yield(&d); err != nil {
			return err
		}
	}
	return nil
}

var values = func() (list []string) {
	for i := range 200 {
		list = append(list, fmt.Sprintf("profile-%d", i))
	}
	return list
}()

// benchStore opens a Store and waits until all is loaded and merged.
func benchStore(b *testing.B, dir string, sources ...attr.Source) (*Store, *events) {
	ev := new(events)
	s, err := Open(Config{Dir: dir, Sources: sources, Now: time.Now, OnEvent: ev.add})
	if err != nil {
		b.Fatal(err)
	}
	for !s.AllLoaded() || len(sources) > 1 && !ev.has(Merged, "", nil) {
		time.Sleep(time.Millisecond)
		if ev.has(BuildFailed, "", nil) {
			b.Fatal("not made")
		}
	}
	return s, ev
}

// Loading one source, and two sources that are merged, one by MAC address and one by IP address.
func BenchmarkStoreLoad(b *testing.B) {
	n := benchDevices(b)
	a := &many{name: "a", n: n, names: []string{"down", "up", "cpe"}}
	c := &many{name: "b", n: n, names: []string{"city"}, ipKey: true}
	for name, sources := range map[string][]attr.Source{"one": {a}, "two": {a, c}} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				s, _ := benchStore(b, b.TempDir(), sources...)
				if err := s.Close(); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(n)*float64(b.N)/b.Elapsed().Seconds(), "devices/s")
		})
	}
}

// A restart from the files, with the source down, until the first answer.
func BenchmarkStoreRestart(b *testing.B) {
	n := benchDevices(b)
	src := &many{name: "a", n: n, names: []string{"down", "up", "cpe"}}
	dir := b.TempDir()
	s, _ := benchStore(b, dir, src)
	if err := s.Close(); err != nil {
		b.Fatal(err)
	}
	src.down = true
	for b.Loop() {
		s, err := Open(Config{Dir: dir, Sources: []attr.Source{src}, Now: time.Now})
		if err != nil {
			b.Fatal(err)
		}
		if _, ok := s.View().Lookup(mac(n/2), nil); !ok {
			b.Fatal("not found")
		}
		b.StopTimer()
		if err := s.Close(); err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
	}
}

// Look-ups while 1000 devices have changed since the file was made.
func BenchmarkViewLookup(b *testing.B) {
	n := benchDevices(b)
	src := &many{name: "a", n: n, names: []string{"down", "up", "cpe"}}
	s, _ := benchStore(b, b.TempDir(), src)
	defer s.Close()
	dst := make(attr.Record, 0, 3)
	run := func(name string) {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			i := 0
			for b.Loop() {
				if _, ok := s.View().Lookup(mac(i*7919%n), dst); !ok {
					b.Fatal("not found")
				}
				i++
			}
		})
	}
	run("file")
	var changes []attr.Change
	for i := range 1000 {
		changes = append(changes, attr.Change{Device: attr.Device{MAC: mac(i), Values: []string{"x"}}})
	}
	if err := s.apply(s.srcs[0], changes); err != nil {
		b.Fatal(err)
	}
	for s.View().over == nil {
		time.Sleep(time.Millisecond)
	}
	run("file-and-changes")
}
