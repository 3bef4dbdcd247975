package md5x

import (
	"bytes"
	"crypto/hmac"
	"crypto/md5"
	"fmt"
	"math/rand/v2"
	"os"
	"regexp"
	"runtime"
	"testing"
)

var kernelNames = [...]string{scalar: "scalar", avx2: "AVX2", avx512: "AVX-512"}

// kernels returns every kernel that runs here, each to be put to the same tests.
func kernels() (ks []kernel) {
	for k := scalar; k <= best; k++ {
		ks = append(ks, k)
	}
	return ks
}

// TestKernel fails where the processor, by what Linux says about it, has more than was chosen.
func TestKernel(t *testing.T) {
	if runtime.GOARCH != "amd64" || purego {
		if best != scalar {
			t.Errorf("chose %s", kernelNames[best])
		}
		return
	}
	info, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		t.Fatal(err)
	}
	has := func(flag string) bool {
		return regexp.MustCompile(`(?m)^flags\t*:.* ` + flag + `( |$)`).Match(info)
	}
	want := scalar
	switch {
	case has("avx512f") && has("avx512vl"):
		want = avx512
	case has("avx2"):
		want = avx2
	}
	if best != want {
		t.Errorf("chose %s, the processor has %s", kernelNames[best], kernelNames[want])
	}
}

func hmacStates(key []byte) (inner, outer State) {
	var i, o [BlockSize]byte
	copy(i[:], key)
	copy(o[:], key)
	for k := range i {
		i[k] ^= 0x36
		o[k] ^= 0x5c
	}
	inner, outer = New(), New()
	inner.Blocks(i[:])
	outer.Blocks(o[:])
	return inner, outer
}

// batch makes n lanes with lengths up to max, some resumed, some with an outer state, and what they should give.
func batch(rng *rand.Rand, n, max int) (lanes []Lane, out, want [][Size]byte) {
	lanes, out, want = make([]Lane, n), make([][Size]byte, n), make([][Size]byte, n)
	for i := range lanes {
		p := random(rng, rng.IntN(max+1))
		at := rng.IntN(len(p)+1) &^ (BlockSize - 1)
		s := New()
		if rng.IntN(2) == 0 {
			key := random(rng, rng.IntN(BlockSize+1))
			inner, outer := hmacStates(key)
			s = inner
			lanes[i].Outer = &outer
			h := hmac.New(md5.New, key)
			h.Write(p)
			copy(want[i][:], h.Sum(nil))
		} else {
			want[i] = md5.Sum(p)
		}
		s.Blocks(p[:at])
		lanes[i].State, lanes[i].Tail, lanes[i].Out = s, p[at:], &out[i]
	}
	return lanes, out, want
}

func TestBatch(t *testing.T) {
	for _, k := range kernels() {
		t.Run(kernelNames[k], func(t *testing.T) {
			rng := rand.New(rand.NewPCG(7, 8))
			var b Batch
			for _, n := range []int{0, 1, 2, 3, 4, 7, 8, 9, 15, 16, 17, 31, 32, 33, 47, 48, 49, 63, 64, 65, 130} {
				for _, max := range []int{0, 70, 500, 5000} {
					lanes, out, want := batch(rng, n, max)
					before := bytes.Clone(flat(lanes))
					b.sum(lanes, k)
					for i := range out {
						if out[i] != want[i] {
							t.Fatalf("lane %d of %d, %d octets: %x, want %x", i, n, len(lanes[i].Tail), out[i], want[i])
						}
					}
					if !bytes.Equal(flat(lanes), before) {
						t.Fatalf("%d lanes: a message was changed", n)
					}
				}
			}
		})
	}
}

func flat(lanes []Lane) (all []byte) {
	for _, l := range lanes {
		all = fmt.Append(all, l.State, l.Tail)
	}
	return all
}

// TestBatchInPlace: the renderer has each digest written behind the message that it is of, in the same buffer.
func TestBatchInPlace(t *testing.T) {
	for _, k := range kernels() {
		var b Batch
		lanes := make([]Lane, 40)
		want := make([][Size]byte, len(lanes))
		for i := range lanes {
			buf := random(rand.New(rand.NewPCG(1, uint64(i))), 100+i)
			lanes[i] = Lane{State: New(), Tail: buf[:84+i], Out: (*[Size]byte)(buf[84+i:])}
			want[i] = md5.Sum(buf[:84+i])
		}
		b.sum(lanes, k)
		for i := range lanes {
			if *lanes[i].Out != want[i] {
				t.Errorf("%s: lane %d: %x, want %x", kernelNames[k], i, *lanes[i].Out, want[i])
			}
		}
	}
}

func TestBatchNoAllocs(t *testing.T) {
	for _, k := range kernels() {
		for _, n := range []int{1, 16, 70} {
			lanes, _, _ := batch(rand.New(rand.NewPCG(11, 12)), n, 700)
			var b Batch
			if got := testing.AllocsPerRun(200, func() { b.sum(lanes, k) }); got != 0 {
				t.Errorf("%s, %d lanes: %v allocations, want 0", kernelNames[k], n, got)
			}
		}
	}
	// What lanes point to may be on the stack.
	b := new(Batch)
	if got := testing.AllocsPerRun(200, func() {
		var msg [100]byte
		var out [20][Size]byte
		var lanes [20]Lane
		for i := range lanes {
			lanes[i] = Lane{State: New(), Tail: msg[:80+i], Out: &out[i]}
		}
		b.Sum(lanes[:])
	}); got != 0 {
		t.Errorf("lanes on the stack: %v allocations, want 0", got)
	}
}

// FuzzBatch cuts the input into messages, each octet of cuts a length (in steps that reach over several blocks), some of
// them resumed and some of them HMACs.
func FuzzBatch(f *testing.F) {
	f.Add([]byte("abc"), []byte{0, 1, 2})
	f.Add(make([]byte, 5000), []byte{64, 55, 56, 63, 119, 120, 250, 3, 3, 3, 3, 3, 3, 3, 3, 3, 255, 1})
	f.Fuzz(func(t *testing.T, p, cuts []byte) {
		var b Batch
		lanes, out, want := make([]Lane, len(cuts)), make([][Size]byte, len(cuts)), make([][Size]byte, len(cuts))
		inner, other := hmacStates([]byte("key"))
		for i, c := range cuts {
			n := min(int(c)*(1+i%3), len(p))
			msg := p[i%(len(p)-n+1):][:n]
			s := New()
			if c%4 == 1 {
				s, lanes[i].Outer = inner, &other
				h := hmac.New(md5.New, []byte("key"))
				h.Write(msg)
				copy(want[i][:], h.Sum(nil))
			} else {
				want[i] = md5.Sum(msg)
			}
			if c%4 >= 2 {
				msg = s.Blocks(msg)
			}
			lanes[i].State, lanes[i].Tail, lanes[i].Out = s, msg, &out[i]
		}
		for _, k := range kernels() {
			clear(out)
			b.sum(lanes, k)
			for i := range out {
				if out[i] != want[i] {
					t.Fatalf("%s: lane %d of %d, %d octets: %x, want %x", kernelNames[k], i, len(cuts), len(lanes[i].Tail), out[i], want[i])
				}
			}
		}
	})
}

// equal returns n lanes that hash blocks blocks each, padding included.
func equal(n, blocks int) []Lane {
	lanes := make([]Lane, n)
	for i := range lanes {
		lanes[i] = Lane{State: New(), Tail: make([]byte, blocks*BlockSize-9), Out: new([Size]byte)}
	}
	return lanes
}

// BenchmarkKernel is a kernel alone, ten blocks in every lane.
func BenchmarkKernel(b *testing.B) {
	for _, k := range kernels()[1:] {
		for _, width := range []int{8, 16, 32, 64} {
			if width > k.slots() || k.width(width) != width {
				continue
			}
			b.Run(fmt.Sprintf("%s/%d", kernelNames[k], width), func(b *testing.B) {
				var batch Batch
				var at [maxSlots / 16][16]*byte
				for i := range width {
					at[i/16][i%16] = &make([]byte, 10*BlockSize)[0]
				}
				for b.Loop() {
					k.blocks(&batch.h, &at, width, 10)
				}
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*10*width), "ns/block")
			})
		}
	}
}

// BenchmarkFew is what few was chosen by.
func BenchmarkFew(b *testing.B) {
	for _, k := range kernels() {
		for _, n := range []int{1, 2, 3, 4} {
			b.Run(fmt.Sprintf("%s/%d", kernelNames[k], n), func(b *testing.B) {
				var batch Batch
				lanes := equal(n, 6)
				for b.Loop() {
					if k == scalar {
						batch.sum(lanes, k)
					} else {
						batch.together(lanes, k, 0)
					}
				}
			})
		}
	}
}

// BenchmarkBatch is whole batches: messages of six blocks, and (mixed) of one to eleven.
func BenchmarkBatch(b *testing.B) {
	for _, k := range kernels() {
		for _, n := range []int{8, 16, 32, 64} {
			for _, mixed := range []bool{false, true} {
				name := fmt.Sprintf("%s/%d", kernelNames[k], n)
				lanes := equal(n, 6)
				if mixed {
					name += "/mixed"
					for i := range lanes {
						lanes[i].Tail = make([]byte, (1+i*7%11)*BlockSize-9)
					}
				}
				blocks := 0
				for i := range lanes {
					blocks += (len(lanes[i].Tail) + 9) / BlockSize
				}
				b.Run(name, func(b *testing.B) {
					var batch Batch
					for b.Loop() {
						batch.sum(lanes, k)
					}
					b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*blocks), "ns/block")
				})
			}
		}
	}
}
