package render

import (
	"math/rand/v2"
	"sync"
	"testing"

	"dcs/render/device"
)

// TestMixMAC maps addresses to as many others.
func TestMixMAC(t *testing.T) {
	seen := map[uint64][6]byte{}
	put := func(m [6]byte) {
		x := mixMAC(m)
		if was, dup := seen[x]; dup && was != m || x>>48 != 0 {
			t.Fatalf("%x and %x: both %x", was, m, x)
		}
		seen[x] = m
	}
	sets := map[uint64]int{}
	for n := range 1 << 18 { // one maker's, in a row
		m := [6]byte{0, 0x1d, 0xce, byte(n >> 16), byte(n >> 8), byte(n)}
		put(m)
		sets[mixMAC(m)&(cloneSets-1)]++
	}
	for bit := range 48 {
		var m [6]byte
		m[bit/8] = 1 << (bit % 8)
		put(m)
	}
	for set, n := range sets {
		if n > 24 { // 4 on average
			t.Errorf("%d of 262144 addresses in a row are in set %d", n, set)
		}
	}
}

// TestClones follows a device through CMTSes and time.
func TestClones(t *testing.T) {
	const south, north = 2<<20 | 1, 2<<21 | 3
	type step struct {
		after int64 // seconds since the step before
		ipv6  bool
		cmts  uint32
		note  bool
		want  bool
	}
	for what, steps := range map[string][]step{
		"stays":                  {{0, false, south, true, false}, {1, false, south, true, false}, {59, false, south, true, false}},
		"in two places":          {{0, false, south, true, false}, {1, false, north, true, true}, {1, false, south, true, true}},
		"at the end of a minute": {{0, false, south, true, false}, {60, false, north, true, true}},
		"moves":                  {{0, false, south, true, false}, {61, false, north, true, false}, {1, false, north, true, false}},
		"two families":           {{0, false, south, true, false}, {0, true, north, true, false}, {1, false, south, true, false}, {1, true, north, true, false}},
		"IPv6, in two places":    {{0, true, south, true, false}, {1, true, north, true, true}},
		"not noted":              {{0, false, south, true, false}, {1, false, north, false, true}, {1, false, south, true, false}},
		"across the counter's end": {
			{65535 - 1700000000%65536 - 1, false, south, true, false}, {10, false, north, true, true},
		},
		"the clock goes back": {{0, false, south, true, false}, {-3600, false, north, true, false}},
	} {
		c, at := new(clones), int64(1700000000)
		for i, s := range steps {
			at += s.after
			if got := c.seen(at*1e9, mac(1), s.ipv6, s.cmts, s.note); got != s.want {
				t.Errorf("%s, step %d: %v", what, i, got)
			}
		}
	}
}

// TestClonesFull fills the table over and over: it forgets the device that was seen longest ago, and takes nobody for another.
func TestClonesFull(t *testing.T) {
	c := new(clones)
	rnd := rand.New(rand.NewPCG(1, 2))
	var of [][6]byte // all of one set, twice as many as it has ways
	for len(of) < 2*cloneSlots {
		m := [6]byte{byte(rnd.Uint32()), byte(rnd.Uint32()), byte(rnd.Uint32()), byte(rnd.Uint32()), byte(rnd.Uint32()), byte(rnd.Uint32())}
		if mixMAC(m)&(cloneSets-1) == 7 {
			of = append(of, m)
		}
	}
	for i, m := range of {
		if c.seen(int64(1000+i)*1e9, m, false, 11, true) {
			t.Fatalf("device %d is taken for another", i)
		}
	}
	for i, m := range of {
		if got, want := c.seen(1020*1e9, m, false, 13, false), i >= cloneSlots; got != want {
			t.Errorf("device %d: behind two CMTSes %v, want %v", i, got, want)
		}
	}
}

// TestClonesConcurrent has goroutines see devices that all stay where they are.
func TestClonesConcurrent(t *testing.T) {
	c := new(clones)
	var wg sync.WaitGroup
	for g := range 4 {
		wg.Go(func() {
			rnd := rand.New(rand.NewPCG(uint64(g), 1))
			for n := range 50_000 {
				m := [6]byte{0, 1, 2, 0, byte(rnd.IntN(4)), byte(rnd.IntN(256))}
				if c.seen(int64(n)*1e5, m, false, uint32(m[5])<<8|1, true) {
					t.Errorf("%x was seen behind two CMTSes", m)
					return
				}
			}
		})
	}
	wg.Wait()
}

// TestCloneRequests asks as a device and its clone do.
func TestCloneRequests(t *testing.T) {
	for what, tt := range map[string]struct {
		bind     Bind
		devices  Devices
		name     string
		from     []string // one after another, 10 s apart
		clones   uint64
		relayed  bool
		mismatch uint64
	}{
		"two CMTSes":                     {BindLog, nil, "plain@020000000001", []string{"198.18.0.9", "198.19.0.9", "198.19.0.9"}, 1, false, 0},
		"two CMTSes, nobody looks":       {BindOff, nil, "plain@020000000001", []string{"198.18.0.9", "198.19.0.9"}, 0, false, 0},
		"two prefixes of one":            {BindLog, nil, "plain@020000000001", []string{"198.19.0.9", "198.19.200.9"}, 0, false, 0},
		"outside of all":                 {BindLog, nil, "plain@020000000001", []string{"198.18.0.9", "192.0.2.9", "198.18.0.9"}, 0, false, 0},
		"both families of one CMTS":      {BindLog, nil, "plain@020000000001", []string{"198.18.0.9", "fd00::9"}, 0, false, 0},
		"IPv6":                           {BindLog, nil, "plain@020000000001", []string{"fd00::9", "fd01::9"}, 1, false, 0},
		"group of a pattern":             {BindLog, nil, "cm-020000000009.bin", []string{"198.18.0.9", "198.19.0.9"}, 1, false, 0},
		"not refused":                    {BindRefuse, nil, "firmware.bin@020000000001", []string{"198.18.0.9", "198.19.0.9"}, 1, false, 0},
		"a proxy's address":              {BindLog, nil, "plain@020000000001", []string{"198.18.0.9", "198.19.0.9"}, 0, true, 0},
		"the record knows better":        {BindLog, identityPlant(), "plan@020000000001", []string{"198.18.1.1", "198.19.0.9", "198.18.1.1"}, 1, false, 1},
		"the record knows better, first": {BindLog, identityPlant(), "plan@020000000001", []string{"198.19.0.9", "198.18.1.1"}, 0, false, 1},
		"longer than a minute":           {BindLog, nil, "plain@020000000001", []string{"198.18.0.9", "", "", "", "", "", "", "198.19.0.9"}, 0, false, 0},
	} {
		e := identityEngine(t, Identity{Bind: tt.bind}, tt.devices, cmtsRing(t), nil)
		workers := []*Worker{e.Worker(), e.Worker()} // two addresses, two workers
		for i, from := range tt.from {
			if from == "" {
				continue
			}
			r := []Request{{Requester: device.Requester{Name: []byte(tt.name), Client: addr(from)}, Relayed: tt.relayed, Server: server}}
			if workers[i%2].RenderBatch(now+int64(i)*10e9, r); r[0].Err != nil {
				t.Errorf("%s, from %s: %v", what, from, r[0].Err)
			}
		}
		if st := e.Stats(); st.Logged[TwoCMTS] != tt.clones || st.Logged[Elsewhere] != tt.mismatch || st.Refused[TwoCMTS] != 0 {
			t.Errorf("%s: %d clones and %d mismatches, want %d and %d", what, st.Logged[TwoCMTS], st.Logged[Elsewhere], tt.clones, tt.mismatch)
		}
	}
}
