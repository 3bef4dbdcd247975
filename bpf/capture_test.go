package bpf

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"net"
	"net/netip"
	"slices"
	"testing"

	"github.com/cilium/ebpf"
)

// captureForTest begins a capture.
func captureForTest(t *testing.T, s *Steer, f CaptureFilter) *Capture {
	t.Helper()
	c, err := s.Capture(f)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	return c
}

// read returns what has been captured.
func (c *Capture) read(t *testing.T) (all []Captured) {
	t.Helper()
	err := c.Read(func(f *Captured) {
		g := *f
		g.Data = slices.Clone(f.Data)
		all = append(all, g)
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// counts adds up what the programs have counted.
func (c *Capture) counts(t *testing.T) (sum CaptureCount) {
	t.Helper()
	all, err := c.Counts()
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range all {
		sum.Passed += n.Passed
		sum.Lost += n.Lost
	}
	return sum
}

// Frames that are steered or dropped are captured as they came, with their verdict; what is left to the kernel is not.
func TestCapture(t *testing.T) {
	s := loadSteerForTest(t, testConfig())
	if err := s.SetWorkers([]int{0}); err != nil {
		t.Fatal(err)
	}
	c := captureForTest(t, s, CaptureFilter{Snap: MaxSnap})
	long := bytes.Repeat([]byte("0123456789abcdef"), 500)
	for _, tt := range []struct {
		name string
		f    frame
		want Verdict
	}{
		{"steered", frame{source: modem4, target: server4, payload: rrq}, SteerCPU},
		{"steered, IPv6", frame{source: modem6, target: tid6, payload: ack}, SteerCPU},
		{"with VLAN tags", frame{source: modem4, target: server4, payload: rrq, tags: []uint16{0x88a8, 0x8100}}, SteerCPU},
		{"dropped", frame{source: modem4, target: server4, payload: []byte{0}}, DropTFTP},
		{"dropped, IPv6", frame{source: modem6, target: server6, payload: rrq, udpLength: 1}, DropLength},
		{"an impossible source", frame{source: netip.MustParseAddrPort("127.0.0.1:1"), target: server4, payload: rrq}, DropSource},
		{"of several buffers", frame{source: modem4, target: server4, payload: slices.Concat(rrq, long)}, SteerCPU},
		{"as long as is captured", frame{source: modem4, target: server4, payload: slices.Concat(rrq, long)[:MaxSnap-42]}, SteerCPU},
		{"to another port", frame{source: modem4, target: netip.AddrPortFrom(server4.Addr(), 53), payload: rrq}, PassOther},
		{"a fragment", frame{source: modem4, target: server4, payload: rrq, fragment: 0x2000}, PassFragment},
	} {
		octets := tt.f.octets()
		if got := s.judged(t, octets); got != tt.want {
			t.Fatalf("%s: %v, want %v", tt.name, got, tt.want)
		}
		got := c.read(t)
		if tt.want < SteerXSK {
			if len(got) != 0 {
				t.Errorf("%s: captured %+v", tt.name, got)
			}
			continue
		}
		if len(got) != 1 {
			t.Errorf("%s: %d frames", tt.name, len(got))
			continue
		}
		g := got[0]
		if g.Verdict != tt.want || g.Length != len(octets) || !bytes.Equal(g.Data, octets[:min(len(octets), MaxSnap)]) {
			t.Errorf("%s: %v, %d octets of %d: %x", tt.name, g.Verdict, len(g.Data), g.Length, g.Data)
		}
		if g.Interface == 0 || g.Time == 0 {
			t.Errorf("%s: interface %d, time %d", tt.name, g.Interface, g.Time)
		}
	}
	if n := c.counts(t); n.Passed != 8 || n.Lost != 0 {
		t.Errorf("counted %+v", n)
	}
	if err := c.Stop(); err != nil {
		t.Fatal(err)
	}
	s.judged(t, frame{source: modem4, target: server4, payload: rrq}.octets())
	if got := c.read(t); len(got) != 0 || c.counts(t).Passed != 8 {
		t.Errorf("captured after the end: %+v", got)
	}
}

// The filter passes what net/netip says that a prefix contains, and the hardware address that it has.
func TestCaptureFilter(t *testing.T) {
	s := loadSteerForTest(t, testConfig())
	if err := s.SetWorkers([]int{0}); err != nil {
		t.Fatal(err)
	}
	random := rand.New(rand.NewPCG(1, 2))
	addr4 := func() netip.Addr {
		return netip.AddrFrom4([4]byte{10, byte(random.Int()), byte(random.Int()), byte(random.Int())})
	}
	addr6 := func() netip.Addr {
		b := [16]byte{0xfd}
		for i := 1; i < 16; i++ {
			b[i] = byte(random.Int())
		}
		return netip.AddrFrom16(b)
	}
	other := net.HardwareAddr{6, 1, 2, 3, 4, 5}
	passed, held := 0, 0
	for i := range 400 {
		f := CaptureFilter{Snap: minSnap + random.IntN(200)}
		near := [2]netip.Addr{addr4(), addr6()}
		family := random.IntN(2)
		if i%4 != 0 {
			p, err := near[family].Prefix(random.IntN(near[family].BitLen() + 1))
			if err != nil {
				t.Fatal(err)
			}
			f.Source = p
			if random.IntN(2) == 0 { // the host's bits do not count
				f.Source = netip.PrefixFrom(near[family], p.Bits())
			}
		}
		if i%3 == 0 {
			f.MAC = [6]byte(modemMAC)
		}
		c, err := s.Capture(f)
		if err != nil {
			t.Fatal(err)
		}
		sources := []netip.Addr{near[0], near[1], addr4(), addr6()}
		if f.Source.IsValid() { // its neighbour, of which the last bit that counts is another
			if bits := f.Source.Bits(); bits > 0 {
				b := near[family].AsSlice()
				b[(bits-1)/8] ^= 0x80 >> ((bits - 1) % 8)
				if a, ok := netip.AddrFromSlice(b); ok {
					sources = append(sources, a)
				}
			}
		}
		for _, a := range sources {
			for _, from := range []net.HardwareAddr{modemMAC, other} {
				target := server4
				if a.Is6() {
					target = server6
				}
				octets := frame{source: netip.AddrPortFrom(a, 2070), target: target, payload: rrq, from: from}.octets()
				s.judged(t, octets)
				want := (!f.Source.IsValid() || f.Source.Contains(a)) && (f.MAC == [6]byte{} || bytes.Equal(f.MAC[:], from))
				got := c.read(t)
				if (len(got) == 1) != want || len(got) > 1 {
					t.Fatalf("%+v: from %v, %v: %d frames", f, a, from, len(got))
				}
				if held++; want {
					held--
					passed++
					if !bytes.Equal(got[0].Data, octets[:min(f.Snap, len(octets))]) || got[0].Length != len(octets) {
						t.Fatalf("%+v: %d octets of %d: %x", f, len(got[0].Data), got[0].Length, got[0].Data)
					}
				}
			}
		}
		if err := c.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if passed < 200 || held < 200 {
		t.Errorf("%d frames have passed, %d have not", passed, held)
	}
}

// What finds no room is counted, and there is room again for what comes after the ring was read.
func TestCaptureLoss(t *testing.T) {
	s := loadSteerForTest(t, testConfig())
	c := captureForTest(t, s, CaptureFilter{Snap: MaxSnap})
	octets := frame{source: modem4, target: server4, payload: append([]byte{9, 9}, make([]byte, 1400)...)}.octets()
	const frames = 1000
	for range frames {
		if _, err := s.programs[0].objs.Steer.Run(&ebpf.RunOptions{Data: octets}); err != nil {
			t.Fatal(err)
		}
	}
	got, n := len(c.read(t)), c.counts(t)
	if n.Passed != frames || n.Lost == 0 || uint64(got)+n.Lost != frames {
		t.Errorf("%d read, %+v", got, n)
	}
	// The ring has 1 MiB, and the header of a record is 8 + 24 octets.
	if want := (1 << 20) / ((len(octets) + 32 + 7) / 8 * 8); got < want-1 || got > want {
		t.Errorf("%d read, want %d", got, want)
	}
	if _, err := s.programs[0].objs.Steer.Run(&ebpf.RunOptions{Data: octets}); err != nil {
		t.Fatal(err)
	}
	if got := c.read(t); len(got) != 1 {
		t.Errorf("%d read after that", len(got))
	}
}

// One capture runs at a time, and the next does not read what the one before has left.
func TestCaptureOneAtATime(t *testing.T) {
	s := loadSteerForTest(t, testConfig())
	drop := func(last byte) {
		source := netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 1, 2, last}), 2070)
		if got := s.judged(t, frame{source: source, target: server4, payload: []byte{0}}.octets()); got != DropTFTP {
			t.Fatal(got)
		}
	}
	drop(1)
	first := captureForTest(t, s, CaptureFilter{Snap: 100})
	drop(2)
	if _, err := s.Capture(CaptureFilter{Snap: 100}); !errors.Is(err, ErrCapturing) {
		t.Errorf("a second: %v", err)
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	drop(3)
	second := captureForTest(t, s, CaptureFilter{Snap: 100})
	drop(4)
	if err := first.Close(); err != nil { // it does not end another's
		t.Error(err)
	}
	drop(5)
	var from []byte
	for _, f := range second.read(t) {
		from = append(from, f.Data[14+15])
	}
	if !bytes.Equal(from, []byte{4, 5}) {
		t.Errorf("from 10.1.2.%v, want 4 and 5", from)
	}
	mapped := netip.MustParsePrefix("::ffff:10.0.0.0/104")
	for _, f := range []CaptureFilter{{}, {Snap: -1}, {Snap: minSnap - 1}, {Snap: MaxSnap + 1}, {Snap: 100, Source: mapped}} {
		if _, err := s.Capture(f); err == nil || errors.Is(err, ErrCapturing) {
			t.Errorf("%+v: %v", f, err)
		}
	}
}
