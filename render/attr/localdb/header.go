package localdb

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
)

// section is the position of a section in the file, in octets.
type section struct{ off, len uint64 }

func (s section) end() uint64 { return s.off + s.len }

// column is one attribute.
type column struct {
	name     string
	values   section
	width    uint64 // octets of a value's offset, 1 to 4
	distinct uint64 // values, as far as duplicates were found
}

// header is the decoded header of a file.
type header struct {
	fileLen    uint64
	macs       uint64 // rows found by MAC address
	slots      uint64 // rows that hashes are spread over
	table      uint64 // rows of the hash table, those past slots too
	tail       uint64 // rows after the table, of devices without a MAC address
	rowSize    uint64
	maxProbe   uint64 // longest way in the table
	ips        uint64 // addresses in the index
	ipSlots    uint64
	ipMaxProbe uint64
	replaced   uint64 // devices that a later one replaced before rows were written
	orphaned   uint64 // rows of the tail that nothing leads to, because a device with a MAC address took theirs
	sharedIPs  uint64 // addresses that a device of the table lost to a later one
	rows       section
	index      section
	v6         section
	sums       section
	sumsCRC    uint64
	ipInRows   uint64 // octets of a row's IP address: 0 or 4
	cols       []column
	meta       []byte
}

// fields lists the header's numbers in the file's order.
func (h *header) fields() []*uint64 {
	return []*uint64{
		&h.fileLen, &h.macs, &h.slots, &h.table, &h.tail, &h.rowSize, &h.maxProbe,
		&h.ips, &h.ipSlots, &h.ipMaxProbe, &h.replaced, &h.orphaned, &h.sharedIPs,
		&h.rows.off, &h.rows.len, &h.index.off, &h.index.len, &h.v6.off, &h.v6.len,
		&h.sums.off, &h.sums.len, &h.sumsCRC, &h.ipInRows,
	}
}

func (c *column) fields() []*uint64 {
	return []*uint64{&c.values.off, &c.values.len, &c.width, &c.distinct}
}

// headerLen returns the length of the header in octets, padded to whole blocks.
func (h *header) headerLen() int {
	n := preamble + 8*len(h.fields()) + 8 + len(h.meta)
	for i := range h.cols {
		n += 8*len(h.cols[i].fields()) + 2 + len(h.cols[i].name)
	}
	return (n + blockSize - 1) / blockSize * blockSize
}

// encode returns the header's octets in the file.
func (h *header) encode() []byte {
	size := h.headerLen()
	le := binary.LittleEndian
	b := make([]byte, 0, size)
	b = append(b, magic...)
	b = le.AppendUint32(b, version)
	b = le.AppendUint32(b, uint32(size))
	b = le.AppendUint64(b, 0) // the checksum
	for _, f := range h.fields() {
		b = le.AppendUint64(b, *f)
	}
	b = le.AppendUint32(b, uint32(len(h.cols)))
	b = le.AppendUint32(b, uint32(len(h.meta)))
	for i := range h.cols {
		c := &h.cols[i]
		for _, f := range c.fields() {
			b = le.AppendUint64(b, *f)
		}
		b = le.AppendUint16(b, uint16(len(c.name)))
		b = append(b, c.name...)
	}
	b = append(b, h.meta...)
	b = b[:size]
	le.PutUint64(b[16:], uint64(crc32.Checksum(b, castagnoli())))
	return b
}

// castagnoli returns the table of CRC-32C, which processors have an instruction for.
func castagnoli() *crc32.Table { return crc32.MakeTable(crc32.Castagnoli) }

// headerSize decodes the header's length from the first octets of the file.
func headerSize(b []byte) (int, error) {
	if len(b) < preamble || string(b[:len(magic)]) != magic {
		return 0, fmt.Errorf("%w: wrong magic number", ErrDamaged)
	}
	if v := binary.LittleEndian.Uint32(b[8:]); v != version {
		return 0, fmt.Errorf("device file has version %d, not %d; build it again", v, version)
	}
	n := binary.LittleEndian.Uint32(b[12:])
	if n < blockSize || n > maxHeader || n%blockSize != 0 {
		return 0, fmt.Errorf("%w: header length of %d octets", ErrDamaged, n)
	}
	return int(n), nil
}

// decodeHeader reads the header b of a file of the given length.
func decodeHeader(b []byte, fileLen uint64) (*header, error) {
	size, err := headerSize(b)
	if err != nil {
		return nil, err
	}
	if size > len(b) {
		return nil, fmt.Errorf("%w: truncated header", ErrDamaged)
	}
	b = append([]byte(nil), b[:size]...)
	le := binary.LittleEndian
	sum := le.Uint64(b[16:])
	le.PutUint64(b[16:], 0)
	if uint64(crc32.Checksum(b, castagnoli())) != sum {
		return nil, fmt.Errorf("%w: altered header", ErrDamaged)
	}
	h := new(header)
	r := reader{b: b[preamble:]}
	for _, f := range h.fields() {
		*f = r.uint(8)
	}
	cols, meta := r.uint(4), r.uint(4)
	if cols > MaxColumns || meta > maxMeta {
		return nil, fmt.Errorf("%w: %d attributes", ErrDamaged, cols)
	}
	h.cols = make([]column, cols)
	for i := range h.cols {
		c := &h.cols[i]
		for _, f := range c.fields() {
			*f = r.uint(8)
		}
		c.name = string(r.bytes(r.uint(2)))
	}
	h.meta = r.bytes(meta)
	if r.short {
		return nil, fmt.Errorf("%w: header too short", ErrDamaged)
	}
	if h.fileLen != fileLen {
		return nil, fmt.Errorf("%w: %d octets, not the %d that were written", ErrDamaged, fileLen, h.fileLen)
	}
	if what := h.inconsistency(uint64(size)); what != "" {
		return nil, fmt.Errorf("%w: %s", ErrDamaged, what)
	}
	return h, nil
}

// inconsistency returns what is inconsistent in a header of size octets, or "". A file that passes can be searched without
// reading outside of it.
func (h *header) inconsistency(size uint64) string {
	at := size
	next := func(s section) bool { // sections follow one another, each from a block's beginning
		ok := s.off == at && s.len <= h.fileLen && s.off <= h.fileLen-s.len
		at = (s.end() + blockSize - 1) / blockSize * blockSize
		return ok
	}
	if h.table > MaxDevices || h.tail > MaxDevices || h.table+h.tail > MaxDevices || h.slots > MaxDevices ||
		h.ipSlots > MaxDevices || h.macs > h.table || h.ips > h.index.len/slotSize || h.maxProbe > probeLimit || h.ipMaxProbe > probeLimit {
		return "inconsistent counts"
	}
	fixed := uint64(rowFixed) + h.ipInRows
	for i := range h.cols {
		if w := h.cols[i].width; w < 1 || w > 4 {
			return "wrong width of a column"
		}
		fixed += h.cols[i].width
	}
	switch {
	case h.ipInRows != 0 && h.ipInRows != 4, h.rowSize != fixed:
		return "wrong width of a row"
	case !next(h.rows) || h.rows.len != (h.table+h.tail)*h.rowSize:
		return "wrong position of the rows"
	case !next(h.index) || h.index.len%slotSize != 0 || h.index.len/slotSize > MaxDevices:
		return "wrong position of the index"
	case !next(h.v6) || h.v6.len%16 != 0:
		return "wrong position of the IPv6 addresses"
	}
	for i := range h.cols {
		if c := &h.cols[i]; !next(c.values) || c.values.len > 1<<32 {
			return "wrong position of values"
		}
	}
	if !next(h.sums) || h.sums.end() != h.fileLen || h.sums.len != (h.sums.off-size)/blockSize*4 {
		return "wrong position of the sums"
	}
	return ""
}

// reader decodes the header.
type reader struct {
	b     []byte
	short bool
}

func (r *reader) bytes(n uint64) []byte {
	if n > uint64(len(r.b)) {
		r.short, r.b = true, nil
		return nil
	}
	p := r.b[:n]
	r.b = r.b[n:]
	return p
}

func (r *reader) uint(n uint64) (x uint64) {
	for i, c := range r.bytes(n) {
		x |= uint64(c) << (8 * i)
	}
	return x
}
