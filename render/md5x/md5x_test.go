package md5x

import (
	"bytes"
	"crypto/md5"
	"encoding/hex"
	"math/rand/v2"
	"testing"
)

// rfc1321 is the test suite of RFC 1321, appendix A.5.
var rfc1321 = []struct{ in, want string }{
	{"", "d41d8cd98f00b204e9800998ecf8427e"},
	{"a", "0cc175b9c0f1b6a831c399e269772661"},
	{"abc", "900150983cd24fb0d6963f7d28e17f72"},
	{"message digest", "f96b697d7cb7938d525a2f31aaf161d0"},
	{"abcdefghijklmnopqrstuvwxyz", "c3fcd3d76192e4007dfb496cca67e13b"},
	{"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789", "d174ab98d277d9f5a5611c2c9f419d9f"},
	{"12345678901234567890123456789012345678901234567890123456789012345678901234567890", "57edf4a22be3c955ac49da2e2107b67a"},
}

func TestRFC1321(t *testing.T) {
	for _, tt := range rfc1321 {
		if got := New().Sum([]byte(tt.in)); hex.EncodeToString(got[:]) != tt.want {
			t.Errorf("MD5(%q) = %x, want %s", tt.in, got, tt.want)
		}
	}
}

func random(rng *rand.Rand, n int) []byte {
	p := make([]byte, n)
	for i := range p {
		p[i] = byte(rng.Uint32())
	}
	return p
}

// TestSum takes every length around the padding's edges, resumed after every whole number of blocks.
func TestSum(t *testing.T) {
	p := random(rand.New(rand.NewPCG(1, 2)), 600)
	for n := range p {
		want := md5.Sum(p[:n])
		for at := 0; at <= n; at += BlockSize {
			s := New()
			if rest := s.Blocks(p[:at]); len(rest) != 0 || s.N != uint64(at) {
				t.Fatalf("Blocks(%d octets): %d left, N = %d", at, len(rest), s.N)
			}
			before := s
			if got := s.Sum(p[at:n]); got != want {
				t.Fatalf("%d octets, resumed at %d: %x, want %x", n, at, got, want)
			}
			if s != before {
				t.Fatalf("Sum changed the state")
			}
		}
	}
}

func TestBlocks(t *testing.T) {
	p := random(rand.New(rand.NewPCG(3, 4)), 200)
	s := New()
	rest := s.Blocks(p)
	if !bytes.Equal(rest, p[192:]) || s.N != 192 {
		t.Fatalf("Blocks left %d octets, N = %d; want 8 and 192", len(rest), s.N)
	}
	if got := s.Sum(rest); got != md5.Sum(p) {
		t.Fatalf("resumed: %x, want %x", got, md5.Sum(p))
	}
	if rest := s.Blocks(nil); len(rest) != 0 || s.N != 192 {
		t.Fatalf("Blocks(nil) left %d, N = %d", len(rest), s.N)
	}
}

func TestDigest(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 6))
	p := random(rng, 1000)
	for range 300 {
		d := From(New())
		n := 0
		for n < len(p) {
			k := min(rng.IntN(150), len(p)-n)
			d.Write(p[n : n+k])
			n += k
			if got := d.Sum(); got != md5.Sum(p[:n]) {
				t.Fatalf("after %d octets: %x, want %x", n, got, md5.Sum(p[:n]))
			}
		}
	}
}

func TestNoAllocs(t *testing.T) {
	p := random(rand.New(rand.NewPCG(9, 10)), 700)
	for _, tt := range []struct {
		name string
		f    func()
	}{
		{"Sum", func() { New().Sum(p) }},
		{"Blocks", func() { s := New(); s.Blocks(p) }},
		{"Digest", func() { d := From(New()); d.Write(p); d.Write(p); d.Sum() }},
	} {
		if n := testing.AllocsPerRun(1000, tt.f); n != 0 {
			t.Errorf("%s: %v allocations, want 0", tt.name, n)
		}
	}
}

func FuzzSum(f *testing.F) {
	f.Add([]byte("abc"), uint8(0))
	f.Add(make([]byte, 200), uint8(2))
	f.Fuzz(func(t *testing.T, p []byte, blocks uint8) {
		s := New()
		at := min(int(blocks)*BlockSize, len(p)&^(BlockSize-1))
		s.Blocks(p[:at])
		if got := s.Sum(p[at:]); got != md5.Sum(p) {
			t.Fatalf("%d octets resumed at %d: %x, want %x", len(p), at, got, md5.Sum(p))
		}
	})
}

func BenchmarkSum(b *testing.B) {
	p := make([]byte, 10*BlockSize-9) // ten blocks with the padding
	b.SetBytes(10 * BlockSize)
	for b.Loop() {
		New().Sum(p)
	}
}

func BenchmarkCrypto(b *testing.B) {
	p := make([]byte, 10*BlockSize-9)
	b.SetBytes(10 * BlockSize)
	for b.Loop() {
		md5.Sum(p)
	}
}
