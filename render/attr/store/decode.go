package store

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"

	"dcs/render/device"
)

// contents are the contents of a journal.
type contents struct {
	records []record
	whole   bool  // more may be appended to the file as it is
	err     error // wraps ErrJournal: part of the journal has changed since it was written
}

// readJournal decodes a journal. It skips an incomplete frame at the end, as left by a writer that was killed. Altered frames are
// skipped as well, and reported as an error in addition to the records.
func readJournal(data []byte) contents {
	var c contents
	if len(data) < len(journalMagic) {
		c.err = alteredTail(data, 0)
		return c
	}
	if string(data[:len(journalMagic)]) != journalMagic {
		c.err = fmt.Errorf("%w: wrong magic number", ErrJournal)
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
		c.err = fmt.Errorf("%w: %d altered octets at %d", ErrJournal, next-at, at)
		at = next
	}
}

// frameAt returns the length of the frame at the beginning of data.
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

// nextFrame returns the offset of the next intact frame from at on, or -1.
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

// alteredTail returns an error unless the tail of a journal, from octet at on, is an incomplete frame: one that is too short, or
// whose last octets are zero because they never reached the disk.
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
	return fmt.Errorf("%w: %d altered octets at the end", ErrJournal, len(tail))
}

var errRecord = errors.New("malformed record")

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
		if r.mac.IsZero() && r.flags&recordMAC != 0 { // earlier versions accepted it as an address
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

// parser decodes a payload. Past its end it returns zeros, and sets bad.
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

// count decodes the number of the items that follow, each of at least one octet.
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
