package render

import (
	"bytes"
	"fmt"
	"io/fs"
	"maps"
	"math/rand/v2"
	"runtime"
	"slices"
	"syscall"
	"testing"
	"time"

	"dcs/render/ber/mib"
	"dcs/render/device"
	"dcs/render/library"
	"dcs/render/mic"
	"dcs/render/skeleton"
)

// kindsSource has templates of patterns; each file has 400 octets, TLVs 19 and 20 and both MICs.
var kindsSource = map[string]string{
	"blocks.dcs": common,
	"mac.dcs":    `Main ~ "^dm(?P<mac>[0-9a-f]{12})\.bin$" { include base; TftpTimestamp $time; TftpModemAddress $ip; }`,
	"value.dcs":  `Main ~ "^dv(?P<mac>[0-9a-f]{12})-(?P<rate>[0-9]+)\.bin$" { include base; DsServiceFlow { DsServiceFlowRef 2; MaxRateSustained $rate * 1000; } TftpTimestamp $time; }`,
	"tier.dcs": `Main ~ "^dt(?P<mac>[0-9a-f]{12})-(?P<tier>[a-z]+)\.bin$" { include base; TftpTimestamp $time;
		select $tier { gold { MaxClassifiers 9; } silver { MaxClassifiers 3; } default { reject "no such tier: $tier"; } } }`,
	"key.dcs":  `Main ~ "^dk(?P<mac>.+)\.bin$" { include base; }`,
	"one.dcs":  `Main ~ "^da[0-9]+x?$" { include base; }`,
	"two.dcs":  `Main ~ "^da[0-9]*7x?$" priority -1 { include base; }`,
	"hot.dcs":  `Main "hot" { include base; TftpTimestamp $time; TftpModemAddress $ip; }`,
	"hot2.dcs": `Main "hotvalue" { include base; DsServiceFlow { DsServiceFlowRef 2; MaxRateSustained 7000; } TftpTimestamp $time; }`,
}

// batches returns batches of requests for names that format makes of numbers below n.
func batches(n, size int, format func(i int) string) [][]Request {
	out := make([][]Request, 0, n/size)
	for i := range n / size {
		batch := make([]Request, size)
		for k := range batch {
			batch[k] = request0([]byte(format(i*size+k)), nil)
		}
		out = append(out, batch)
	}
	return out
}

// TestKindsShare asks for very many names of a template: they are one kind, or as many as its structure has, and each has its own value.
func TestKindsShare(t *testing.T) {
	e := newEngine(t, kindsSource)
	w := e.Worker()
	for i := range 3000 {
		name := fmt.Sprintf("dv%012x-%d.bin", i+1, i)
		r := []Request{request(name)}
		w.RenderBatch(now, r)
		want := []byte{25, 10, 1, 2, 0, 2, 8, 4, 0, byte(i * 1000 >> 16), byte(i * 1000 >> 8), byte(i * 1000)}
		if r[0].Err != nil || !bytes.Contains(r[0].Body, want) {
			t.Fatalf("%s: %v, %x has no %x", name, r[0].Err, r[0].Body, want)
		}
		if r[0].MAC != [6]byte{4: byte((i + 1) >> 8), 5: byte(i + 1)} {
			t.Fatalf("%s: MAC %v", name, r[0].MAC)
		}
	}
	if n := e.Stats().Learned; n != 1 {
		t.Errorf("%d kinds of a template without structure, want 1", n)
	}
	for i := range 3000 {
		r := []Request{request(fmt.Sprintf("dt%012x-%s.bin", i+1, []string{"gold", "silver", "lead"}[i%3]))}
		if w.RenderBatch(now, r); (r[0].Err == nil) == (i%3 == 2) {
			t.Fatalf("%s: %v", r[0].Name, r[0].Err)
		}
	}
	if n := e.Stats().Learned; n > 5 { // the first name was learned before it was known that $tier is structural
		t.Errorf("%d kinds in all, want 1 and one for each tier", n)
	}
}

// TestKindsExplained holds the files of kinds to those of names alone, which Explain makes, faults included.
func TestKindsExplained(t *testing.T) {
	e := newEngine(t, kindsSource)
	w := e.Worker()
	for _, name := range []string{
		"dm0a0102030405.bin", "dm000000000000.bin", "dv0a0102030405-7.bin", "dv0a0102030405-4294967.bin", "dv0a0102030405-4294968.bin", "dv0a0102030405-99999999999999999999.bin",
		"dt0a0102030405-gold.bin", "dt0a0102030405-silver.bin", "dt0a0102030405-lead.bin", "dk0a0102030405.bin", "dk0a.bin", "da1", "da17", "isrrip17bw1.bin",
	} {
		for range 2 {
			r := []Request{request(name)}
			w.RenderBatch(now, r)
			x := e.Explain(now, request(name))
			if fmt.Sprint(x.Err) != fmt.Sprint(r[0].Err) || !bytes.Equal(x.Body, r[0].Body) {
				t.Errorf("%s: served as %v, explained as %v\n%x\n%x", name, r[0].Err, x.Err, r[0].Body, x.Body)
			}
		}
	}
}

// TestKindsNoAllocs asks for what no worker has been asked for before.
func TestKindsNoAllocs(t *testing.T) {
	source := maps.Clone(kindsSource)
	source["two.dcs"] = `Main ~ "^ds(?P<x>[0-9]+)$" { include base; SwUpgradeFilename "$filename"; }`
	for i := range 3000 {
		source[fmt.Sprintf("l%d.dcs", i)] = fmt.Sprintf(`Main "lit%d" { MaxCPE %d; TftpTimestamp $time; }`, i, i%250)
	}
	e, err := NewEngine(Config{
		Library: library.Config{Dirs: []string{writeLibrary(t, source)}, MIB: mib.Default()},
		Keyring: mic.KeyringOf(mic.NewSecret([]byte("DOCSIS"))), Devices: devices, Journal: 64,
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		what string
		name func(i int) string
		err  any // nil, fs.ErrNotExist, or a reason
	}{
		{"a device's key", func(i int) string { return fmt.Sprintf("dm%012x.bin", i+1) }, nil},
		{"a value", func(i int) string { return fmt.Sprintf("dv%012x-%d.bin", i+1, i) }, nil},
		{"a structural group", func(i int) string { return fmt.Sprintf("dt%012x-gold.bin", i+1) }, nil},
		{"$filename", func(i int) string { return fmt.Sprintf("ds%d", i) }, nil},
		{"literal names", func(i int) string { return fmt.Sprintf("lit%d", i%3000) }, nil},
		{"unknown names", func(i int) string { return fmt.Sprintf("unknown%d", i) }, fs.ErrNotExist},
		{"no MAC address", func(i int) string { return fmt.Sprintf("dkx%d.bin", i) }, skeleton.BadAddress},
		{"rejected", func(i int) string { return fmt.Sprintf("dt%012x-lead.bin", i+1) }, skeleton.Rejected},
	} {
		w := e.Worker()
		const size, warm, rounds = 8, 400, 200
		all := batches((warm+rounds+1)*size, size, tt.name)
		buf := make([][]byte, size)
		for i := range buf {
			buf[i] = make([]byte, 0, 4096)
		}
		next := 0
		one := func() {
			for i := range all[next] {
				all[next][i].Buf = buf[i]
			}
			w.RenderBatch(now, all[next])
			next++
		}
		for range warm {
			one()
		}
		if n := testing.AllocsPerRun(rounds, one); n != 0 {
			t.Errorf("%s: %v allocations", tt.what, n)
		}
		for i := range all[next-1] {
			r := &all[next-1][i]
			fault, isFault := r.Err.(*skeleton.Fault)
			if isFault && fault.Reason != tt.err || !isFault && r.Err != tt.err {
				t.Errorf("%s: %s: %v", tt.what, r.Name, r.Err)
			}
		}
	}
}

// TestAmbiguousNoAllocs asks for names that two patterns match; the library is loaded in spite of it, as the search for such names is
// bounded.
func TestAmbiguousNoAllocs(t *testing.T) {
	e, _ := NewEngine(Config{
		Library: library.Config{Dirs: []string{writeLibrary(t, map[string]string{"a.dcs": `Main ~ "^a[0-9]+$" { MaxCPE 1; } Main ~ "^a[0-8]+$" { MaxCPE 2; }`})}, MIB: mib.Default()},
		Keyring: mic.KeyringOf(mic.NewSecret(nil)),
	})
	w := e.Worker()
	all := batches(1200*4, 4, func(i int) string { return fmt.Sprintf("a%o", i) })
	next := 0
	one := func() { w.RenderBatch(now, all[next]); next++ }
	for range 900 {
		one()
	}
	if n := testing.AllocsPerRun(200, one); n != 0 {
		t.Errorf("%v allocations", n)
	}
	if fault, ok := all[next-1][0].Err.(*skeleton.Fault); !ok || fault.Reason != skeleton.Ambiguous {
		t.Errorf("%s: %v", all[next-1][0].Name, all[next-1][0].Err)
	}
}

// BenchmarkNames measures the processor time of distinct names against that of a hot one with the same file, in rounds that alternate:
// one operation is a round of each, of 32,768 names.
func BenchmarkNames(b *testing.B) {
	const size, literals = 64, 100_000
	fixed := func() *Engine {
		var src bytes.Buffer
		src.WriteString(common)
		for i := range literals {
			fmt.Fprintf(&src, "Main \"lit%06d.cm\" { include base; TftpTimestamp $time; TftpModemAddress $ip; }\n", i)
		}
		return newEngine(b, map[string]string{"all.dcs": src.String()})
	}
	patterns := func() *Engine {
		source := maps.Clone(kindsSource)
		delete(source, "two.dcs")
		return newEngine(b, source)
	}
	random := rand.New(rand.NewPCG(1, 2)).Perm(literals)
	for _, bm := range []struct {
		what, hot string
		engine    func() *Engine
		distinct  int
		name      func(i int) string
	}{
		{"mac", "dm0a0102030405.bin", patterns, 1 << 20, func(i int) string { return fmt.Sprintf("dm%012x.bin", i*2654435761&(1<<48-1)|1) }},
		{"mac+value", "dv0a0102030405-5.bin", patterns, 1 << 20, func(i int) string { return fmt.Sprintf("dv%012x-%d.bin", i*2654435761&(1<<48-1)|1, i) }},
		{"literal", "lit012345.cm", fixed, literals, func(i int) string { return fmt.Sprintf("lit%06d.cm", random[i]) }},
	} {
		b.Run(bm.what, func(b *testing.B) {
			runtime.LockOSThread()
			defer runtime.UnlockOSThread()
			e := bm.engine()
			w := e.Worker()
			text := make([][]byte, bm.distinct)
			for i := range text {
				text[i] = []byte(bm.name(i))
			}
			batch := make([]Request, size)
			bufs := make([][]byte, size)
			for i := range bufs {
				bufs[i] = make([]byte, 0, 1024)
			}
			at := 0
			round := func(names [][]byte, n int) time.Duration {
				begun := threadTime(b)
				for range n / size {
					for k := range batch {
						if at++; at >= len(names) {
							at = 0
						}
						batch[k] = request0(names[at], bufs[k])
					}
					if w.RenderBatch(now, batch); batch[0].Err != nil {
						b.Fatalf("%s: %v", batch[0].Name, batch[0].Err)
					}
				}
				return threadTime(b) - begun
			}
			hot := [][]byte{[]byte(bm.hot)}
			round(text, bm.distinct)
			var ratios, alone, many []float64
			for b.Loop() {
				const n = 1 << 15
				h, d := round(hot, n), round(text, n)
				ratios, alone, many = append(ratios, h.Seconds()/d.Seconds()), append(alone, float64(h.Nanoseconds())/n), append(many, float64(d.Nanoseconds())/n)
			}
			for _, list := range [][]float64{ratios, alone, many} {
				slices.Sort(list)
			}
			octets, _ := e.Library().LearnedOctets()
			b.ReportMetric(ratios[len(ratios)/2], "of-hot")
			b.ReportMetric(alone[len(alone)/2], "hot-ns/file")
			b.ReportMetric(many[len(many)/2], "ns/file")
			b.ReportMetric(float64(octets), "octets")
		})
	}
}

// request0 is a request that is answered into buf.
func request0(name, buf []byte) Request {
	return Request{Requester: device.Requester{Name: name, Client: client}, Server: server, Buf: buf}
}

// threadTime is the processor time of this thread, which other work on the machine hardly changes.
func threadTime(t testing.TB) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(1, &u); err != nil { // RUSAGE_THREAD
		t.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
