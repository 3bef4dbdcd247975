package xsk

const (
	// calm is how many frames a port lends to the kernel while its worker keeps up.
	//
	// The kernel fills the frames that it has in turn, so that each is the coldest one. With all 16,384 a packet costs its receive path
	// 820 ns, with 4,096 795 ns, with 1,024 645 ns and with 256 635 ns (veth, copy mode, medians of interleaved rounds).
	//
	// The price: in a stall of a calm worker the packets after the first 1,024 are lost, which the kernel counts in Rx_dropped and Stats in
	// Lost. Clients ask again; for the next stall there is more room.
	calm = 1024
	// pauses is how many packets a port has room for, in multiples of the most that have waited.
	pauses = 4
	// reviews is after how many calls of Recv a depth is adapted: about a second of a busy worker whose batches are full, less if they are
	// not; minutes of one that only waits.
	reviews = 1 << 13
)

// A depth is how many frames a port lends to the kernel, for packets that arrive while the worker is busy or its CPU is not its own.
// It begins with all frames, grows at once with the packets that wait, and shrinks by at most half a review if fewer do: stalls come in groups.
type depth struct {
	frames  int // to lend
	all     int
	longest int // most packets that waited behind a batch since the last review
}

func newDepth(all int) depth { return depth{frames: all, all: all} }

// waiting notes that so many packets wait behind a full batch.
func (d *depth) waiting(n int) {
	d.longest = max(d.longest, n)
	d.frames = max(d.frames, min(n*pauses, d.all))
}

// review adapts the depth to what has waited since the last review. The kernel may have more frames for a while.
func (d *depth) review() {
	d.frames = min(max(d.longest*pauses, d.frames/2, calm), d.all)
	d.longest = 0
}

// more returns how many frames to lend in addition to those that the kernel has.
func (d *depth) more(lent int) int { return max(d.frames-lent, 0) }
