package bpf

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"testing"
	"time"
)

func TestDrops(t *testing.T) {
	s := loadSteerForTest(t, testConfig())
	long := slices.Concat([]byte("\x00\x00"), bytes.Repeat([]byte("0123456789"), 20))
	const flood = 1000
	sent := []struct {
		f       frame
		times   int
		verdict Verdict
		payload []byte
		length  int
	}{
		{frame{source: modem4, target: server4, payload: long}, flood, DropTFTP, long[:64], len(long)},
		{frame{source: modem6, target: tid6, payload: ack, udpLength: 50}, 1, DropLength, ack, 54},
		{frame{source: modem4, target: server4, payload: rrq, udpLength: -len(rrq) - 1}, 1, DropLength, nil, 0},
		{frame{source: modem4, target: server4, payload: rrq, checksum: 9, pad: 30}, 1, DropChecksum, rrq, len(rrq)},
	}
	for _, c := range sent {
		for range c.times {
			if got := s.judged(t, c.f.octets()); got != c.verdict {
				t.Fatalf("%v, want %v", got, c.verdict)
			}
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	got := map[Verdict][]Drop{}
	for d, err := range s.Drops(ctx) {
		if err != nil {
			t.Fatal(err)
		}
		got[d.Verdict] = append(got[d.Verdict], d)
		if d.Verdict == DropChecksum {
			break // the last that was sent
		}
	}
	// A thousand run within a second on any machine: the burst, on each processor, and what comes with the time.
	if n := len(got[DropTFTP]); n < 8 || n > flood/2 {
		t.Errorf("%d samples of a flood of %d", n, flood)
	}
	if n := len(got[DropLength]); n != 2 {
		t.Fatalf("%d samples of DropLength, want 2", n)
	}
	i := 0
	for _, c := range sent {
		d := got[c.verdict][0]
		if c.verdict == DropLength {
			d = got[c.verdict][i]
			i++
		}
		want := Drop{c.verdict, d.Time, c.f.source, c.f.target, c.length, c.payload}
		if fmt.Sprint(d) != fmt.Sprint(want) {
			t.Errorf("%v, want %v", d, want)
		}
		if d.Time == 0 {
			t.Error("no time")
		}
	}
	if n := s.stats(t)[DropTFTP].Packets; n != flood {
		t.Errorf("counted %d, want %d", n, flood)
	}
}

func TestDropsEndWithTheContext(t *testing.T) {
	s := loadSteerForTest(t, testConfig())
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	for d, err := range s.Drops(ctx) {
		t.Errorf("%v, %v", d, err)
	}
	ctx, cancel = context.WithCancel(t.Context())
	cancel()
	for d, err := range s.Drops(ctx) {
		t.Errorf("%v, %v", d, err)
	}
}

// Nobody reads: samples are lost, counters are not, and the program goes on.
func TestDropsThatNobodyReads(t *testing.T) {
	cfg := testConfig()
	cfg.Samples = 1e9
	s := loadSteerForTest(t, cfg)
	f := frame{source: modem4, target: server4}.octets()
	const n = 20000
	if _, _, err := s.programs[0].objs.Steer.Benchmark(f, n, nil); err != nil {
		t.Fatal(err)
	}
	if got := s.stats(t)[DropTFTP].Packets; got != n {
		t.Errorf("counted %d, want %d", got, n)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	samples := 0
	for _, err := range s.Drops(ctx) {
		if err != nil {
			t.Fatal(err)
		}
		samples++
	}
	if samples < 100 || samples > n/2 {
		t.Errorf("%d samples", samples)
	}

	cfg.Samples = -1
	s = loadSteerForTest(t, cfg)
	s.judged(t, f)
	ctx, cancel = context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	for d, err := range s.Drops(ctx) {
		t.Errorf("samples are off: %v, %v", d, err)
	}
}
