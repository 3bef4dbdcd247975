// Package pcapng writes captures of Ethernet frames in the format of Wireshark and tcpdump (draft-ietf-opsawg-pcapng).
package pcapng

import (
	"encoding/binary"
	"io"
	"math"
)

// Types of blocks.
const (
	sectionHeader       = 0x0a0d0d0a
	interfaceDescriptor = 1
	interfaceStatistics = 5
	enhancedPacket      = 6
)

// Options, those of all blocks first.
const (
	optEnd     = 0
	optComment = 1

	shbUserAppl = 4

	ifName         = 2
	ifDescription  = 3
	ifTSResolution = 9
	ifFilter       = 11

	epbFlags   = 2
	epbVerdict = 7

	isbStartTime     = 2
	isbEndTime       = 3
	isbDropped       = 5
	isbFilterAccept  = 6
	isbUserDelivered = 8
)

// Interface describes where packets were seen.
type Interface struct {
	Name        string
	Description string // may be empty
	Filter      string // capture filter, for readers; may be empty
	Snap        int    // most octets of a packet
}

// Packet is a frame, or its beginning.
type Packet struct {
	Interface int   // number from AddInterface
	Time      int64 // ns since 1970
	Length    int   // of the frame, octets
	Data      []byte
	Sent      bool   // false: received
	Action    uint64 // XDP action (linux/bpf.h, enum xdp_action); 0: none
	Comment   string // may be empty
}

// Statistics are the counters of an interface from Start to Time.
type Statistics struct {
	Interface   int
	Start, Time int64  // ns since 1970
	Accepted    uint64 // packets that passed the filter
	Dropped     uint64 // accepted packets dropped for lack of space
	Delivered   uint64 // accepted packets written
}

// Writer writes one section. Each block is one Write of the underlying writer.
type Writer struct {
	w          io.Writer
	interfaces int
	block      []byte
}

// NewWriter begins a section. application is the name of the program that writes it.
func NewWriter(w io.Writer, application string) (*Writer, error) {
	p := &Writer{w: w}
	p.begin(sectionHeader)
	const byteOrder, major, minor = 0x1a2b3c4d, 1, 0
	p.uint32(byteOrder)
	p.uint32(minor<<16 | major)
	p.uint64(math.MaxUint64) // the section's length is not known yet
	p.text(shbUserAppl, application)
	return p, p.end()
}

// AddInterface describes an interface and returns its number. It comes before the interface's first packet.
func (p *Writer) AddInterface(i Interface) (number int, err error) {
	const ethernet, nanoseconds = 1, 9
	p.begin(interfaceDescriptor)
	p.uint32(ethernet)
	p.uint32(uint32(i.Snap))
	p.text(ifName, i.Name)
	p.text(ifDescription, i.Description)
	p.option(ifTSResolution, []byte{nanoseconds})
	if i.Filter != "" {
		p.text(ifFilter, "\x00"+i.Filter) // 0: libpcap's syntax
	}
	p.interfaces++
	return p.interfaces - 1, p.end()
}

// WritePacket writes a packet.
func (p *Writer) WritePacket(q *Packet) error {
	const inbound, outbound, xdp = 1, 2, 2
	p.begin(enhancedPacket)
	p.uint32(uint32(q.Interface))
	p.time(q.Time)
	p.uint32(uint32(len(q.Data)))
	p.uint32(uint32(q.Length))
	p.block = append(p.block, q.Data...)
	p.pad()
	p.text(optComment, q.Comment)
	flags := [4]byte{inbound}
	if q.Sent {
		flags[0] = outbound
	}
	p.option(epbFlags, flags[:])
	if q.Action != 0 {
		verdict := [9]byte{xdp}
		binary.LittleEndian.PutUint64(verdict[1:], q.Action)
		p.option(epbVerdict, verdict[:])
	}
	return p.end()
}

// WriteStatistics writes the counters of an interface.
func (p *Writer) WriteStatistics(s Statistics) error {
	p.begin(interfaceStatistics)
	p.uint32(uint32(s.Interface))
	p.time(s.Time)
	for _, o := range []struct {
		code  uint16
		value uint64
	}{{isbDropped, s.Dropped}, {isbFilterAccept, s.Accepted}, {isbUserDelivered, s.Delivered}} {
		p.option(o.code, binary.LittleEndian.AppendUint64(nil, o.value))
	}
	for _, o := range []struct {
		code uint16
		time int64
	}{{isbStartTime, s.Start}, {isbEndTime, s.Time}} {
		p.optionHeader(o.code, 8)
		p.time(o.time)
	}
	return p.end()
}

// begin begins a block. end fills in its length.
func (p *Writer) begin(kind uint32) {
	p.block = p.block[:0]
	p.uint32(kind)
	p.uint32(0)
}

// end ends a block with options, and writes it.
func (p *Writer) end() error {
	p.optionHeader(optEnd, 0)
	n := uint32(len(p.block) + 4)
	p.uint32(n)
	binary.LittleEndian.PutUint32(p.block[4:], n)
	_, err := p.w.Write(p.block)
	return err
}

func (p *Writer) uint32(v uint32) { p.block = binary.LittleEndian.AppendUint32(p.block, v) }
func (p *Writer) uint64(v uint64) { p.block = binary.LittleEndian.AppendUint64(p.block, v) }

// time appends a time, upper half first whatever the byte order.
func (p *Writer) time(ns int64) {
	p.uint32(uint32(ns >> 32))
	p.uint32(uint32(ns))
}

func (p *Writer) pad() {
	for len(p.block)%4 != 0 {
		p.block = append(p.block, 0)
	}
}

func (p *Writer) optionHeader(code uint16, length int) {
	p.block = binary.LittleEndian.AppendUint16(p.block, code)
	p.block = binary.LittleEndian.AppendUint16(p.block, uint16(length))
}

func (p *Writer) option(code uint16, value []byte) {
	p.optionHeader(code, len(value))
	p.block = append(p.block, value...)
	p.pad()
}

// text appends a text option unless s is empty. Text that is too long for an option is truncated.
func (p *Writer) text(code uint16, s string) {
	if s == "" {
		return
	}
	s = s[:min(len(s), math.MaxUint16)]
	p.optionHeader(code, len(s))
	p.block = append(p.block, s...)
	p.pad()
}
