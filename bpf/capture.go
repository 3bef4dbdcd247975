package bpf

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"slices"
	"time"
	"unsafe"

	"github.com/cilium/ebpf/ringbuf"
)

// Bounds of Snap in octets: at least the Ethernet header.
const (
	minSnap = 14
	MaxSnap = len(steerCaptured{}.Octets)
)

// ErrCapturing is returned while another capture is running.
var ErrCapturing = errors.New("another capture is running")

// A CaptureFilter selects which steered or dropped frames are captured, and how much of each.
type CaptureFilter struct {
	Source netip.Prefix // of the source address; zero: any
	MAC    [6]byte      // source address in the Ethernet header; zero: any
	Snap   int          // most octets of a frame, minSnap to MaxSnap
}

// A Captured is a frame that a program has steered or dropped.
type Captured struct {
	Time      int64 // CLOCK_MONOTONIC, ns
	Interface int   // index
	Verdict   Verdict
	Length    int    // of the frame, octets
	Data      []byte // its beginning, valid until the next record is read
}

// A CaptureCount counts the frames of an interface that passed the filter, and those of them lost for lack of room.
type CaptureCount struct {
	Interface    int // index; 0: of interfaces without a program
	Passed, Lost uint64
}

// A Capture is a running capture. Its methods must be called from one goroutine.
type Capture struct {
	steer  *Steer
	number uint32
	reader *ringbuf.Reader
	record ringbuf.Record
}

// Capture starts capturing frames. The error wraps ErrCapturing while another capture is running.
func (s *Steer) Capture(f CaptureFilter) (*Capture, error) {
	if f.Snap < minSnap || f.Snap > MaxSnap {
		return nil, fmt.Errorf("bpf: capture: %d octets of a frame, must be %d to %d", f.Snap, minSnap, MaxSnap)
	}
	if f.Source.Addr().Is4In6() {
		return nil, fmt.Errorf("bpf: capture: %v: IPv4-mapped; write it as an IPv4 prefix", f.Source)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.closed:
		return nil, fmt.Errorf("bpf: capture: %w", os.ErrClosed)
	case s.capture != nil:
		return nil, fmt.Errorf("bpf: capture: %w", ErrCapturing)
	}
	r, err := ringbuf.NewReader(s.objs.Captures)
	if err != nil {
		return nil, fmt.Errorf("bpf: capture: %w", err)
	}
	r.SetDeadline(time.Unix(0, 0)) // never wait
	s.captures = max(s.captures+1, 1)
	if err := s.setCapture(f, s.captures); err != nil {
		return nil, errors.Join(fmt.Errorf("bpf: capture: %w", err), r.Close())
	}
	s.capture = &Capture{steer: s, number: s.captures, reader: r}
	return s.capture, nil
}

// setCapture makes the programs capture frames that match the filter.
func (s *Steer) setCapture(f CaptureFilter, number uint32) error {
	source, mask := captureWords(f.Source)
	var mac [8]byte
	copy(mac[:], f.MAC[:])
	err := errors.Join(
		s.objs.CaptureSnap.Set(uint32(f.Snap)), s.objs.CaptureMac.Set(binary.LittleEndian.Uint64(mac[:])),
		s.objs.CaptureSource.Set(source), s.objs.CaptureMask.Set(mask), s.objs.CaptureV6.Set(f.Source.IsValid() && f.Source.Addr().Is6()))
	for _, p := range s.programs {
		err = errors.Join(err, p.objs.CapturePassed.Set(uint64(0)), p.objs.CaptureLost.Set(uint64(0)))
	}
	if err != nil {
		return err
	}
	return s.objs.CaptureNumber.Set(number)
}

// captureWords returns the address of a prefix and its mask in the form of capture.h.
func captureWords(p netip.Prefix) (source, mask [2]uint64) {
	if !p.IsValid() {
		return source, mask
	}
	bits := p.Bits()
	if p.Addr().Is4() {
		bits += 96
	}
	var m [16]byte
	for i := range bits {
		m[i/8] |= 0x80 >> (i % 8)
	}
	a := p.Addr().As16()
	for i := range source {
		mask[i] = binary.LittleEndian.Uint64(m[8*i:])
		source[i] = binary.LittleEndian.Uint64(a[8*i:]) & mask[i]
	}
	return source, mask
}

// Read calls each for every captured frame that has not been read. It does not block.
func (c *Capture) Read(each func(*Captured)) error {
	var f Captured
	// Frames that arrive meanwhile wait for the next call, so that this one ends.
	for left := c.reader.AvailableBytes(); left > 0; {
		err := c.reader.ReadInto(&c.record)
		if errors.Is(err, os.ErrDeadlineExceeded) {
			continue
		}
		if err != nil {
			return fmt.Errorf("bpf: capture: %w", err)
		}
		const header, align = 8, 8 // of a record in the ring
		left -= header + (len(c.record.RawSample)+align-1)/align*align
		var ok bool
		if f, ok = c.parse(c.record.RawSample); ok {
			each(&f)
		}
	}
	return nil
}

// capturedHeader is the size of a steerCaptured before the frame.
const capturedHeader = int(unsafe.Offsetof(steerCaptured{}.Octets))

// parse parses a steerCaptured. It returns false for a record of an earlier capture.
func (c *Capture) parse(b []byte) (Captured, bool) {
	le := binary.LittleEndian
	if len(b) < capturedHeader || le.Uint32(b[8:]) != c.number {
		return Captured{}, false
	}
	shown := int(le.Uint16(b[20:]))
	return Captured{
		Time: int64(le.Uint64(b)), Interface: int(le.Uint32(b[12:])), Length: int(le.Uint32(b[16:])), Verdict: Verdict(b[22]),
		Data: b[capturedHeader:][:min(shown, len(b)-capturedHeader)],
	}, true
}

// Counts returns the programs' counters since the start of the capture.
func (c *Capture) Counts() ([]CaptureCount, error) {
	s := c.steer
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, fmt.Errorf("bpf: capture: %w", os.ErrClosed)
	}
	var all []CaptureCount
	for _, p := range s.programs {
		var n CaptureCount
		if err := errors.Join(p.objs.CapturePassed.Get(&n.Passed), p.objs.CaptureLost.Get(&n.Lost)); err != nil {
			return nil, fmt.Errorf("bpf: capture: %w", err)
		}
		if p.hook != nil {
			n.Interface = p.hook.index
		}
		if n.Passed > 0 || n.Interface != 0 {
			all = append(all, n)
		}
	}
	slices.SortFunc(all, func(a, b CaptureCount) int { return a.Interface - b.Interface })
	return all, nil
}

// Stop stops capturing. Frames captured so far can still be read.
func (c *Capture) Stop() error {
	s := c.steer
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed || s.capture != c {
		return nil
	}
	if err := s.objs.CaptureNumber.Set(uint32(0)); err != nil {
		return fmt.Errorf("bpf: capture: %w", err)
	}
	return nil
}

// Close stops the capture and releases it for the next one.
func (c *Capture) Close() error {
	err := errors.Join(c.Stop(), c.reader.Close())
	s := c.steer
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.capture == c {
		s.capture = nil
	}
	return err
}
