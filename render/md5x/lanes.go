package md5x

import "encoding/binary"

//go:generate go run ./gen -out lanes_amd64.s -stubs lanes_amd64.go -pkg md5x

// Lane is one of several messages that are hashed together.
type Lane struct {
	State        // state to resume from; not modified
	Tail  []byte // rest of the message, of any length
	Outer *State // if not nil, Out is the HMAC: Outer.Sum of the digest (RFC 2104); otherwise the digest
	Out   *[Size]byte
}

func (l *Lane) sum() {
	d := l.Sum(l.Tail)
	if l.Outer != nil {
		d = l.Outer.Sum(d[:])
	}
	*l.Out = d
}

// kernel is an implementation for hashing many messages in parallel.
type kernel uint8

const (
	scalar kernel = iota // one message after another
	avx2                 // 8 lanes, or 16
	avx512               // 16 lanes, 32 or 64
)

// best is the widest kernel that this processor supports.
var best = detect()

// slots returns the maximum number of messages of a kernel.
func (k kernel) slots() int {
	switch k {
	case avx2:
		return 16
	case avx512:
		return maxSlots
	}
	return 1
}

// width returns the number of lanes that a kernel runs for that many messages: the next available size.
func (k kernel) width(used int) int {
	switch {
	case used > 32:
		return 64
	case used > 16:
		return 32
	case used > 8 || k == avx512:
		return 16
	}
	return 8
}

// few is the number of messages up to which hashing them one by one is as fast. BenchmarkFew, messages of 6 blocks,
// Zen 5 (EPYC Turin, 3.5 GHz), Go 1.26, fastest of many runs in ns:
//
//	         1     2     3
//	scalar   641   1251  1863
//	AVX2     1222  1242  1262
//	AVX-512  1002  1062  1002
func (k kernel) few() int {
	switch k {
	case avx2:
		return 2
	case avx512:
		return 1
	}
	return maxSlots
}

const maxSlots = 64

// Batch hashes many messages together. It is scratch memory, one for each worker. The zero value is ready to use.
//
// Messages occupy slots, in groups of 16 as in the kernels. All slots advance by the number of blocks that the
// shortest still needs; slots that are done then continue with their padding, the outer block of an HMAC, or another
// message. The messages need not be sorted by length: different lengths cost an extra step, not a wait.
type Batch struct {
	h    [maxSlots / 16][4][16]uint32 // states
	slot [maxSlots]slot
	pad  [maxSlots][2 * BlockSize]byte
}

// slot is a message in progress.
type slot struct {
	lane  int32
	pad   uint8 // index of its pad
	phase phase
	left  int // blocks left in this phase
	off   int // octets of the Tail or pad already absorbed
}

type phase uint8

const (
	body  phase = iota // whole blocks of the Tail
	tail               // the rest and the padding, from the pad
	outer              // HMAC: the inner digest and its padding, from the pad
)

// Sum hashes all lanes. An Out may overlap the Tail of its own lane, but not that of another.
func (b *Batch) Sum(lanes []Lane) { b.sum(lanes, best) }

func (b *Batch) sum(lanes []Lane, k kernel) {
	if len(lanes) <= k.few() || k == scalar {
		for i := range lanes {
			lanes[i].sum()
		}
		return
	}
	b.together(lanes, k, k.few())
}

// together is sum with a kernel other than scalar. The last few messages in progress are finished one by one.
func (b *Batch) together(lanes []Lane, k kernel, few int) {
	// The pointers are here rather than in b, and are never stored through a pointer, so that what lanes point to
	// need not be on the heap.
	var at [maxSlots / 16][16]*byte
	used := min(k.slots(), len(lanes))
	for i := range used {
		b.slot[i].pad = uint8(i)
		at[i/16][i%16] = b.start(i, int32(i), lanes)
	}
	for waiting := used; used > 0; {
		if used <= few {
			for i := range used {
				b.finish(i, lanes)
			}
			return
		}
		n := b.slot[0].left
		for i := range b.slot[1:used] {
			n = min(n, b.slot[i+1].left)
		}
		// The results of idle slots do not matter, but their pointers must be valid.
		width := k.width(used)
		for i := used; i < width; i++ {
			at[i/16][i%16] = at[0][0]
		}
		k.blocks(&b.h, &at, width, n)
		for i := used - 1; i >= 0; i-- { // from the end, so that a slot that moves down has been processed
			s := &b.slot[i]
			var p *byte
			s.left -= n
			s.off += n * BlockSize
			switch l := &lanes[s.lane]; {
			case s.left > 0 && s.phase == body:
				p = &l.Tail[s.off]
			case s.left > 0:
				p = &b.pad[s.pad][s.off]
			case s.phase == body:
				p = b.startTail(i, l)
			case s.phase == tail && l.Outer != nil:
				p = b.startOuter(i, l)
			default:
				b.digest(i, l.Out)
				if waiting < len(lanes) {
					p = b.start(i, int32(waiting), lanes)
					waiting++
					break
				}
				if used--; i == used {
					continue
				}
				*s = b.slot[used]
				b.move(i, used)
				p = at[used/16][used%16]
			}
			at[i/16][i%16] = p
		}
	}
}

// start puts a lane into slot i. Like the next two functions, it returns a pointer to the slot's next block.
func (b *Batch) start(i int, lane int32, lanes []Lane) *byte {
	l, s := &lanes[lane], &b.slot[i]
	s.lane = lane
	b.load(i, &l.H)
	s.off = 0
	if s.left = len(l.Tail) / BlockSize; s.left == 0 {
		return b.startTail(i, l)
	}
	s.phase = body
	return &l.Tail[0]
}

func (b *Batch) startTail(i int, l *Lane) *byte {
	s := &b.slot[i]
	buf := &b.pad[s.pad]
	*buf = [2 * BlockSize]byte{}
	s.phase = tail
	s.left = pad(buf, l.Tail[s.off:], l.N+uint64(s.off)) / BlockSize
	s.off = 0
	return &buf[0]
}

func (b *Batch) startOuter(i int, l *Lane) *byte {
	s := &b.slot[i]
	buf := &b.pad[s.pad]
	*buf = [2 * BlockSize]byte{}
	b.digest(i, (*[Size]byte)(buf[:]))
	pad(buf, buf[:Size], l.Outer.N)
	s.phase, s.left, s.off = outer, 1, 0
	b.load(i, &l.Outer.H)
	return &buf[0]
}

// finish finishes the message in slot i by itself.
func (b *Batch) finish(i int, lanes []Lane) {
	s := &b.slot[i]
	l := &lanes[s.lane]
	g := &b.h[i/16]
	st := State{H: [4]uint32{g[0][i%16], g[1][i%16], g[2][i%16], g[3][i%16]}}
	var d [Size]byte
	if s.phase == body {
		st.N = l.N + uint64(s.off)
		d = st.Sum(l.Tail[s.off:])
	} else {
		block(&st.H, b.pad[s.pad][s.off:s.off+s.left*BlockSize])
		d = st.digest()
	}
	if s.phase != outer && l.Outer != nil {
		d = l.Outer.Sum(d[:])
	}
	*l.Out = d
}

// The next three functions move words rather than arrays: an array goes through memory, where a wide load stalls on
// narrow stores.

func (b *Batch) load(i int, h *[4]uint32) {
	g := &b.h[i/16]
	i %= 16
	g[0][i], g[1][i], g[2][i], g[3][i] = h[0], h[1], h[2], h[3]
}

// move copies the state of slot from to slot i.
func (b *Batch) move(i, from int) {
	g, f := &b.h[i/16], &b.h[from/16]
	i %= 16
	from %= 16
	g[0][i], g[1][i], g[2][i], g[3][i] = f[0][from], f[1][from], f[2][from], f[3][from]
}

func (b *Batch) digest(i int, out *[Size]byte) {
	g := &b.h[i/16]
	i %= 16
	binary.LittleEndian.PutUint32(out[0:], g[0][i])
	binary.LittleEndian.PutUint32(out[4:], g[1][i])
	binary.LittleEndian.PutUint32(out[8:], g[2][i])
	binary.LittleEndian.PutUint32(out[12:], g[3][i])
}
