package capture

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"dcs/bpf"
	"dcs/cmd/internal/ingress"
	"dcs/cmd/internal/pcapng"
	"dcs/cmd/internal/version"
	"dcs/fastpath/xsk"
)

const (
	// pollInterval is the time between two reads of the captured frames. The rings of the kernel and of the workers have to
	// hold the frames of that time.
	pollInterval = 20 * time.Millisecond
	// slack is how long a frame may take to be read: frames of both sources are written in the order of their times.
	slack = 5 * time.Millisecond
	// maxAnswers is how many sent frames all workers together have room for.
	maxAnswers = 2048
)

// Why a capture ended.
const (
	endCount    = "count"
	endDuration = "duration"
	endSize     = "size"
	endStopped  = "stopped"
	endClient   = "client gone"
)

var (
	errDuration = errors.New("duration reached")
	errStopped  = errors.New("capture stopped")
)

// captureRun is one capture.
type captureRun struct {
	limits  captureLimits
	wall    int64 // at the start, ns since 1970
	mono    int64 // CLOCK_MONOTONIC at the same time
	started time.Time
	xdp     *bpf.Capture
	tap     *xsk.Tap // nil: there are no AF_XDP sockets
	out     *pcapng.Writer
	octets  int64
	numbers map[int]int // of interfaces in the file, by index
	filter  string

	pending      []pendingFrame // not written yet
	arena, spare []byte         // of pending
	frames, lost atomic.Uint64
	delivered    map[int]uint64 // frames written, by index of the interface
}

type captureLimits struct {
	count  uint64
	octets int64
	snap   int
}

type pendingFrame struct {
	time      int64 // ns since 1970
	index     int   // of the interface
	verdict   bpf.Verdict
	sent      bool
	length    int
	from, end int // of its data in the arena
}

// openCapture begins to capture the frames that the programs of st take, and those that are sent by AF_XDP.
func openCapture(st *ingress.Steering, w *Request) (*captureRun, error) {
	c := &captureRun{
		limits: w.limits(), started: time.Now(), filter: w.text(),
		numbers: map[int]int{}, delivered: map[int]uint64{},
	}
	// Both sources use one clock, so that frames can be put in order.
	clock := func() int64 {
		var ts unix.Timespec
		_ = unix.ClockGettime(unix.CLOCK_MONOTONIC, &ts) // fails for unknown clocks only
		return ts.Nano()
	}
	c.wall, c.mono = c.started.UnixNano(), clock()
	var err error
	if c.xdp, err = st.Capture(bpf.CaptureFilter{Source: w.prefix, MAC: w.mac, Snap: w.Snap}); err != nil {
		return nil, err
	}
	c.tap, err = st.Tap(xsk.TapConfig{
		Peer: w.prefix, MAC: w.mac, Snap: w.Snap, Frames: maxAnswers,
		Now: func() int64 { return c.wall + clock() - c.mono },
	})
	if err != nil {
		return nil, errors.Join(err, c.xdp.Close())
	}
	return c, nil
}

// close ends the capture.
func (c *captureRun) close() error {
	if c.tap != nil {
		c.tap.Close()
	}
	return c.xdp.Close()
}

// count returns a writer to w that counts the octets of the file.
func (c *captureRun) count(w io.Writer) io.Writer {
	return writerFunc(func(b []byte) (int, error) {
		n, err := w.Write(b)
		c.octets += int64(n)
		return n, err
	})
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(b []byte) (int, error) { return f(b) }

// run writes the capture to w until ctx or a limit ends it. It calls flush to send what was written.
func (c *captureRun) run(ctx context.Context, st *ingress.Steering, w io.Writer, flush func() error) (end string, err error) {
	defer func() {
		for _, n := range c.counts() {
			c.lost.Add(n.Dropped)
		}
	}()
	if c.out, err = pcapng.NewWriter(c.count(w), "dcs "+version.String()); err != nil {
		return endClient, err
	}
	for _, p := range st.Interfaces() {
		if err := c.addInterface(p.Index, p.Name, p.Master); err != nil {
			return endClient, err
		}
	}
	if err := flush(); err != nil {
		return endClient, err
	}
	tick := time.NewTicker(pollInterval)
	defer tick.Stop()
	for end == "" {
		select {
		case <-ctx.Done():
			end = endOf(ctx)
			if end == endClient {
				return end, context.Cause(ctx)
			}
			continue
		case <-tick.C:
		}
		before := c.octets
		if end, err = c.writeUntil(time.Since(c.started) - slack); err == nil && c.octets > before {
			err = flush()
		}
		if err != nil {
			return endClient, err
		}
	}
	return end, errors.Join(c.finish(end), flush())
}

// endOf returns why a context has ended a capture.
func endOf(ctx context.Context) string {
	switch err := context.Cause(ctx); {
	case errors.Is(err, errDuration):
		return endDuration
	case errors.Is(err, errStopped):
		return endStopped
	}
	return endClient
}

// finish writes the pending frames, unless a limit has ended the capture, and the statistics.
func (c *captureRun) finish(end string) error {
	if err := c.xdp.Stop(); err != nil {
		return err
	}
	if c.tap != nil {
		c.tap.Close()
	}
	if end == endDuration || end == endStopped {
		if _, err := c.writeUntil(time.Since(c.started) + time.Hour); err != nil {
			return err
		}
	}
	return c.statistics()
}

// writeUntil writes captured frames up to a time after the start. It returns the limit that ends the capture, if any.
func (c *captureRun) writeUntil(until time.Duration) (end string, err error) {
	if err := c.collect(); err != nil {
		return "", err
	}
	slices.SortStableFunc(c.pending, func(a, b pendingFrame) int { return cmp.Compare(a.time, b.time) })
	written := 0
	for i := range c.pending {
		f := &c.pending[i]
		if f.time > c.wall+int64(until) {
			break
		}
		if err := c.write(f); err != nil {
			return "", err
		}
		written++
		switch {
		case c.limits.count > 0 && c.frames.Load() >= c.limits.count:
			end = endCount
		case c.octets >= c.limits.octets:
			end = endSize
		default:
			continue
		}
		break
	}
	c.drop(written)
	return end, nil
}

// collect appends captured frames to pending.
func (c *captureRun) collect() error {
	add := func(f pendingFrame, data []byte) {
		f.from = len(c.arena)
		c.arena = append(c.arena, data...)
		f.end = len(c.arena)
		c.pending = append(c.pending, f)
	}
	err := c.xdp.Read(func(f *bpf.Captured) {
		add(pendingFrame{time: c.wall + f.Time - c.mono, index: f.Interface, verdict: f.Verdict, length: f.Length}, f.Data)
	})
	if c.tap != nil {
		c.tap.Read(func(f *xsk.Tapped) {
			add(pendingFrame{time: f.Time, index: f.Interface, sent: true, length: f.Length}, f.Data)
		})
	}
	return err
}

// drop removes the first n frames of pending.
func (c *captureRun) drop(n int) {
	rest := c.pending[n:]
	c.spare = c.spare[:0]
	for i := range rest {
		f := &rest[i]
		from := len(c.spare)
		c.spare = append(c.spare, c.arena[f.from:f.end]...)
		f.from, f.end = from, len(c.spare)
	}
	c.pending = c.pending[:copy(c.pending, rest)]
	c.arena, c.spare = c.spare, c.arena
}

func (c *captureRun) write(f *pendingFrame) error {
	number, ok := c.numbers[f.index]
	if !ok {
		// An interface that has joined a bond meanwhile, or is already gone.
		name := fmt.Sprintf("number %d", f.index)
		if i, err := net.InterfaceByIndex(f.index); err == nil {
			name = i.Name
		}
		if err := c.addInterface(f.index, name, ""); err != nil {
			return err
		}
		number = c.numbers[f.index]
	}
	p := pcapng.Packet{Interface: number, Time: f.time, Length: f.length, Data: c.arena[f.from:f.end], Sent: f.sent, Comment: f.verdict.String()}
	const drop, redirect = 1, 4 // enum xdp_action
	switch {
	case f.sent:
		p.Comment = sentXSK
	case f.verdict >= bpf.DropLength:
		p.Action = drop
	default:
		p.Action = redirect
	}
	c.frames.Add(1)
	c.delivered[f.index]++
	return c.out.WritePacket(&p)
}

// sentXSK is the comment of a frame that was sent by AF_XDP. The comment of any other frame is its verdict.
const sentXSK = "sent_xsk"

func (c *captureRun) addInterface(index int, name, master string) error {
	i := pcapng.Interface{Name: name, Filter: c.filter, Snap: c.limits.snap}
	if master != "" {
		i.Description = "member of " + master
	}
	number, err := c.out.AddInterface(i)
	c.numbers[index] = number
	return err
}

// counts returns the counters by index of the interface.
func (c *captureRun) counts() map[int]pcapng.Statistics {
	all := map[int]pcapng.Statistics{}
	add := func(index int, passed, lost uint64) {
		s := all[index]
		s.Accepted += passed
		s.Dropped += lost
		all[index] = s
	}
	if counts, err := c.xdp.Counts(); err == nil { // fails once the server has closed its programs
		for _, n := range counts {
			add(n.Interface, n.Passed, n.Lost)
		}
	}
	if c.tap != nil {
		for _, n := range c.tap.Counts() {
			add(n.Interface, n.Passed, n.Lost)
		}
	}
	return all
}

// statistics writes the counters of each interface.
func (c *captureRun) statistics() error {
	all := c.counts()
	for index, number := range c.numbers {
		s := all[index]
		s.Interface, s.Start, s.Time, s.Delivered = number, c.wall, c.wall+int64(time.Since(c.started)), c.delivered[index]
		if err := c.out.WriteStatistics(s); err != nil {
			return err
		}
	}
	return nil
}
