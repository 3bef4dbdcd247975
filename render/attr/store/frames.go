package store

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"net/netip"

	"dcs/render/attr"
	"dcs/render/device"
)

// The journal holds the changes that no file has yet. It begins with journalMagic; frames follow, each with the changes that
// were published together:
//
//	frameMagic, length of the payload, CRC-32C of length and payload, payload
//
// A payload names its sources with their attributes, then the attributes of its records, then come the records. Attributes
// go by name: their places may be others after a start.
const (
	journalMagic = "dcsjrnl\x01"
	frameMagic   = "\xd5jf\x01"
	frameHead    = len(frameMagic) + 4 + 4
	// frameFull is the payload, in octets, after which the next frame begins.
	frameFull = 1 << 20
)

// ErrJournal is wrapped by errors that say that a part of the journal is not what was written.
var ErrJournal = errors.New("damaged journal of changes")

// Flags of a record.
const (
	recordGone  = 1 << iota
	recordMAC   // a MAC address follows
	recordIP    // an IP address follows
	recordTouch // the merged file may be older than the sources' files about this device
	recordMark  // no device: a number that was given
)

// record is a change as the journal has it.
type record struct {
	flags  byte
	seq    uint64
	source string   // of a change
	attrs  []string // what attributes that source has
	mac    device.MAC
	ip     netip.Addr
	names  []string // of the values
	values []string
}

func keyFlags(mac device.MAC, ip netip.Addr) byte {
	f := byte(0)
	if !mac.IsZero() {
		f |= recordMAC
	}
	if ip.IsValid() {
		f |= recordIP
	}
	return f
}

// change returns the change, with values by the indices of names.
func (r *record) change(idx []int) *change {
	c := &change{
		Device: attr.Device{MAC: r.mac, IP: r.ip},
		gone:   r.flags&recordGone != 0, seq: r.seq,
	}
	for i, j := range idx {
		for len(c.Values) <= j {
			c.Values = append(c.Values, "")
		}
		c.Values[j] = r.values[i]
	}
	return c
}

// frames encodes records.
type frames struct {
	out     []byte
	sources []string
	attrs   [][]string
	names   map[string]int
	order   []string
	records []byte
}

// add encodes a record. A value that is empty is left out.
func (f *frames) add(r *record) {
	b := append(f.records, r.flags)
	b = binary.AppendUvarint(b, r.seq)
	if r.flags&(recordTouch|recordMark) == 0 {
		b = binary.AppendUvarint(b, uint64(f.source(r)))
	}
	if r.flags&recordMAC != 0 {
		b = append(b, r.mac[:]...)
	}
	if r.flags&recordIP != 0 {
		ip := r.ip.AsSlice()
		b = append(b, byte(len(ip)))
		b = append(b, ip...)
	}
	n := 0
	for _, v := range r.values {
		if v != "" {
			n++
		}
	}
	b = binary.AppendUvarint(b, uint64(n))
	for i, v := range r.values {
		if v == "" {
			continue
		}
		at, known := f.names[r.names[i]]
		if !known {
			if f.names == nil {
				f.names = make(map[string]int)
			}
			at = len(f.order)
			f.names[r.names[i]] = at
			f.order = append(f.order, r.names[i])
		}
		b = binary.AppendUvarint(b, uint64(at))
		b = appendText(b, v)
	}
	if f.records = b; len(b) >= frameFull {
		f.end()
	}
}

func (f *frames) source(r *record) int {
	for i, s := range f.sources {
		if s == r.source {
			return i
		}
	}
	f.sources, f.attrs = append(f.sources, r.source), append(f.attrs, r.attrs)
	return len(f.sources) - 1
}

// end ends the frame that is being filled, if there is one, and returns all frames.
func (f *frames) end() []byte {
	if len(f.records) == 0 {
		return f.out
	}
	at := len(f.out)
	b := append(f.out, frameMagic...)
	b = append(b, make([]byte, 8)...)
	b = binary.AppendUvarint(b, uint64(len(f.sources)))
	for i, s := range f.sources {
		b = appendText(b, s)
		b = appendTexts(b, f.attrs[i])
	}
	b = appendTexts(b, f.order)
	b = append(b, f.records...)
	head := b[at+len(frameMagic):]
	binary.LittleEndian.PutUint32(head, uint32(len(head)-8))
	binary.LittleEndian.PutUint32(head[4:], frameSum(head))
	*f = frames{out: b, records: f.records[:0]}
	return b
}

// frameSum returns the sum of a frame whose magic is left out.
func frameSum(head []byte) uint32 {
	table := crc32.MakeTable(crc32.Castagnoli)
	return crc32.Update(crc32.Checksum(head[:4], table), table, head[8:])
}

func appendText(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

func appendTexts(b []byte, list []string) []byte {
	b = binary.AppendUvarint(b, uint64(len(list)))
	for _, s := range list {
		b = appendText(b, s)
	}
	return b
}

// contents is what a journal holds.
type contents struct {
	records []record
	whole   bool  // nothing has to be cut off or left out before more is appended
	err     error // wraps ErrJournal: something in it is not what was written
}

// readJournal reads a journal. What a writer that died has left half written at the end is left out; what was altered before
// that, or at the end, too, and is an error beside the records.
func readJournal(data []byte) contents {
	var c contents
	if len(data) < len(journalMagic) {
		c.err = alteredTail(data, 0)
		return c
	}
	if string(data[:len(journalMagic)]) != journalMagic {
		c.err = fmt.Errorf("%w: it does not begin as one", ErrJournal)
		return c
	}
	for at := len(journalMagic); ; {
		if at == len(data) {
			c.whole = c.err == nil
			return c
		}
		n, ok := frameAt(data[at:])
		if ok {
			var err error
			if c.records, err = appendRecords(c.records, data[at+frameHead:at+n]); err != nil {
				c.err = fmt.Errorf("%w: octet %d: %w", ErrJournal, at, err)
			}
			at += n
			continue
		}
		next := nextFrame(data, at+1)
		if next < 0 {
			if c.err == nil {
				c.err = alteredTail(data[at:], at)
			}
			return c
		}
		c.err = fmt.Errorf("%w: %d octets from %d on are altered", ErrJournal, next-at, at)
		at = next
	}
}

// frameAt returns the length of the frame that data begins with.
func frameAt(data []byte) (n int, ok bool) {
	if len(data) < frameHead || string(data[:len(frameMagic)]) != frameMagic {
		return 0, false
	}
	head := data[len(frameMagic):]
	size := uint64(binary.LittleEndian.Uint32(head))
	if size > uint64(len(data)-frameHead) {
		return 0, false
	}
	n = frameHead + int(size)
	return n, binary.LittleEndian.Uint32(head[4:]) == frameSum(head[:8+size])
}

// nextFrame returns where a whole frame begins, from at on; -1: nowhere.
func nextFrame(data []byte, at int) int {
	for at < len(data) {
		i := bytes.Index(data[at:], []byte(frameMagic))
		if i < 0 {
			return -1
		}
		at += i
		if _, ok := frameAt(data[at:]); ok {
			return at
		}
		at++
	}
	return -1
}

// alteredTail returns an error if the tail of a journal, from octet at on, is not merely a frame that was not written to its
// end: one that is too short, or whose last octets never reached the disk and are zero.
func alteredTail(tail []byte, at int) error {
	zeros := len(bytes.TrimRight(tail, "\x00")) < len(tail)
	begun := bytes.HasPrefix([]byte(frameMagic), tail[:min(len(tail), len(frameMagic))])
	if at == 0 {
		begun = bytes.HasPrefix([]byte(journalMagic), tail)
	}
	if begun && len(tail) >= frameHead {
		size := uint64(binary.LittleEndian.Uint32(tail[len(frameMagic):]))
		begun = size > uint64(len(tail)-frameHead)
	}
	if begun || zeros {
		return nil
	}
	return fmt.Errorf("%w: its last %d octets are altered", ErrJournal, len(tail))
}

var errRecord = errors.New("a record of another shape")

// appendRecords decodes the payload of a frame.
func appendRecords(list []record, payload []byte) ([]record, error) {
	p := parser{b: payload}
	var sources []string
	var attrs [][]string
	for range p.count() {
		sources = append(sources, p.text())
		attrs = append(attrs, p.texts())
	}
	names := p.texts()
	for len(p.b) > 0 && !p.bad {
		r := record{flags: p.bytes(1)[0], seq: p.uint()}
		if r.flags&(recordTouch|recordMark) == 0 {
			i := p.uint()
			if i >= uint64(len(sources)) {
				return list, errRecord
			}
			r.source, r.attrs = sources[i], attrs[i]
		}
		if r.flags&recordMAC != 0 {
			r.mac = device.MAC(p.bytes(6))
		}
		if r.flags&recordIP != 0 {
			ip, ok := netip.AddrFromSlice(p.bytes(uint64(p.bytes(1)[0])))
			if !ok {
				return list, errRecord
			}
			r.ip = ip.Unmap()
		}
		for range p.count() {
			i := p.uint()
			if i >= uint64(len(names)) {
				return list, errRecord
			}
			r.names, r.values = append(r.names, names[i]), append(r.values, p.text())
		}
		if r.mac.IsZero() && r.flags&recordMAC != 0 { // an earlier version took it for an address
			if r.flags &^= recordMAC; r.flags&recordIP == 0 && !p.bad {
				continue
			}
		}
		if p.bad || r.flags&recordMark == 0 && r.flags&(recordMAC|recordIP) == 0 {
			return list, errRecord
		}
		list = append(list, r)
	}
	if p.bad {
		return list, errRecord
	}
	return list, nil
}

// parser reads a payload. What is not there reads as zeros.
type parser struct {
	b   []byte
	bad bool
}

func (p *parser) bytes(n uint64) []byte {
	if n > uint64(len(p.b)) {
		p.bad, p.b = true, nil
		return make([]byte, min(n, 16))
	}
	b := p.b[:n]
	p.b = p.b[n:]
	return b
}

func (p *parser) uint() uint64 {
	x, n := binary.Uvarint(p.b)
	if n <= 0 {
		p.bad, p.b = true, nil
		return 0
	}
	p.b = p.b[n:]
	return x
}

// count reads how many things follow, each of an octet at least.
func (p *parser) count() uint64 {
	n := p.uint()
	if n > uint64(len(p.b)) {
		p.bad, p.b = true, nil
		return 0
	}
	return n
}

func (p *parser) text() string { return string(p.bytes(p.uint())) }

func (p *parser) texts() []string {
	var list []string
	for range p.count() {
		list = append(list, p.text())
	}
	return list
}
