package store

import (
	"encoding/binary"
	"errors"
	"hash/crc32"
	"net/netip"

	"dcs/render/attr"
	"dcs/render/device"
)

// The journal holds the changes that are in no file yet. It begins with journalMagic, followed by frames, each with the changes
// that were published together:
//
//	frameMagic, length of the payload, CRC-32C of length and payload, payload
//
// A payload lists its sources with their attributes, the attributes of its records, and the records. Attributes are referred to by
// name, since their indices may differ after a restart.
const (
	journalMagic = "dcsjrnl\x01"
	frameMagic   = "\xd5jf\x01"
	frameHead    = len(frameMagic) + 4 + 4
	// frameFull is the length of a payload, in octets, above which the next frame begins.
	frameFull = 1 << 20
)

// ErrJournal is wrapped by errors about parts of the journal that have changed since they were written.
var ErrJournal = errors.New("damaged journal of changes")

// Flags of a record.
const (
	recordGone  = 1 << iota
	recordMAC   // a MAC address follows
	recordIP    // an IP address follows
	recordTouch // no change: the merged file may be older than the sources' files for this device
	recordMark  // no device: the last number assigned
)

// record is a change in the journal.
type record struct {
	flags  byte
	seq    uint64
	source string   // of a change
	attrs  []string // attributes of that source
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

// add encodes a record without its empty values.
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

// end ends the current frame, if any, and returns all frames.
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

// frameSum returns the sum of a frame without its magic number.
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
