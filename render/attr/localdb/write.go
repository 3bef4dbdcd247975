package localdb

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"os"
)

// write writes the file, with room octets for what meta returns.
func (b *Builder) write(f *os.File, room int, meta func(Stats, []int) ([]byte, error)) (*header, error) {
	h := &header{meta: bytes.Repeat([]byte{' '}, room), cols: make([]column, len(b.cols)), rowSize: rowFixed}
	if b.macs.n+b.ips.n > MaxDevices/2 {
		return nil, fmt.Errorf("more than %d devices", MaxDevices/2)
	}
	for i, c := range b.cols {
		w := uint64(1)
		for c.size > 1<<(8*w) {
			w++
		}
		h.cols[i] = column{name: b.names[i], width: w, distinct: uint64(len(c.ids))}
		h.rowSize += w
	}
	if b.hasIP {
		h.ipInRows = 4
	}
	h.rowSize += h.ipInRows

	out, err := newBlockWriter(f, h.headerLen())
	if err != nil {
		return nil, err
	}
	addrs := newSorter(b.dir, addrSize, addrKey, b.opt.Memory/2)
	defer addrs.done()
	v6, err := unnamed(b.dir)
	if err != nil {
		return nil, err
	}
	defer v6.Close()
	rows := &rowWriter{
		h: h, out: out, addrs: addrs, v6: bufio.NewWriterSize(v6, 1<<16), row: make([]byte, h.rowSize), values: make([]int, len(b.cols)),
	}
	h.slots = slotsFor(uint64(b.macs.n))
	h.rows.off = out.off
	if err := rows.table(b.macs); err != nil {
		return nil, err
	}
	if err := rows.rest(b.ips); err != nil {
		return nil, err
	}
	if err := rows.v6.Flush(); err != nil {
		return nil, err
	}
	if h.rows.len, err = out.endSection(h.rows.off); err != nil {
		return nil, err
	}

	h.index.off = out.off
	h.ipSlots = slotsFor(uint64(addrs.n))
	if err := writeIndex(h, out, addrs); err != nil {
		return nil, err
	}
	if h.index.len, err = out.endSection(h.index.off); err != nil {
		return nil, err
	}

	h.v6.off = out.off
	if err := out.copyFrom(v6, int64(rows.v6n)*16); err != nil {
		return nil, err
	}
	if h.v6.len, err = out.endSection(h.v6.off); err != nil {
		return nil, err
	}
	for i, c := range b.cols {
		if err := c.w.Flush(); err != nil {
			return nil, err
		}
		h.cols[i].values.off = out.off
		if err := out.copyFrom(c.file, int64(c.size)); err != nil {
			return nil, err
		}
		if h.cols[i].values.len, err = out.endSection(h.cols[i].values.off); err != nil {
			return nil, err
		}
	}

	h.sums = section{out.off, uint64(len(out.sums))}
	h.sumsCRC = uint64(crc32.Checksum(out.sums, castagnoli()))
	h.fileLen = h.sums.end()
	text, err := meta(h.stats(), rows.values)
	if err != nil {
		return nil, err
	}
	if len(text) > room {
		return nil, fmt.Errorf("%d octets of metadata, more than %d", len(text), room)
	}
	copy(h.meta, text)
	if _, err := out.w.Write(out.sums); err != nil {
		return nil, err
	}
	if err := out.w.Flush(); err != nil {
		return nil, err
	}
	_, err = f.WriteAt(h.encode(), 0)
	return h, err
}

// Layout of the records of addresses in sorters: key, number of the device, row.
const (
	addrKey  = 8 + 16 + 8 // hash, address, number: the last device with an address comes last
	addrSize = addrKey + 4
)

// rowWriter writes rows.
type rowWriter struct {
	h     *header
	out   *blockWriter
	addrs *sorter
	v6    *bufio.Writer
	v6n   uint32
	row   []byte
	next  uint64 // number of the next row
	addr  [addrSize]byte

	values []int // by attribute: rows that have a value
}

// table writes the rows of devices with a MAC address, each at the slot of its hash or the next free one.
func (w *rowWriter) table(devices *sorter) error {
	h := w.h
	err := lastOfEach(devices, devKey, w.replaced, func(rec []byte) error {
		at := home(binary.BigEndian.Uint64(rec), h.slots)
		for w.next < at {
			clear(w.row)
			if err := w.put(); err != nil {
				return err
			}
		}
		if h.maxProbe = max(h.maxProbe, w.next-at); h.maxProbe > probeLimit {
			return errors.New("too many MAC addresses with neighbouring hashes")
		}
		h.macs++
		return w.device(rec)
	})
	h.table = w.next
	return err
}

// rest writes the rows of the other devices.
func (w *rowWriter) rest(devices *sorter) error {
	return lastOfEach(devices, ipKey, w.replaced, func(rec []byte) error {
		w.h.tail++
		return w.device(rec)
	})
}

func (w *rowWriter) replaced([]byte) { w.h.replaced++ }

// lastOfEach calls f for the last record of each key, and other for the ones before it.
func lastOfEach(s *sorter, key int, other func(rec []byte), f func(rec []byte) error) error {
	last := make([]byte, s.size)
	any := false
	err := s.each(func(rec []byte) error {
		if any && string(rec[:key]) == string(last[:key]) {
			other(last)
		} else if any {
			if err := f(last); err != nil {
				return err
			}
		}
		copy(last, rec)
		any = true
		return nil
	})
	if err != nil || !any {
		return err
	}
	return f(last)
}

// device writes the row of a device.
func (w *rowWriter) device(rec []byte) error {
	row := w.row
	le, be := binary.LittleEndian, binary.BigEndian
	flags := rec[recFlags]
	first := uint64(flags) << 48
	if flags&flagMAC != 0 {
		first |= be.Uint64(rec) >> 16
	}
	var eight [8]byte
	le.PutUint64(eight[:], first)
	copy(row, eight[:rowFixed])
	var ip uint32
	switch {
	case flags&flagIPv4 != 0:
		ip = be.Uint32(rec[20:])
	case flags&flagIPv6 != 0:
		ip = w.v6n
		w.v6n++
		if _, err := w.v6.Write(rec[8:24]); err != nil {
			return err
		}
	}
	at := rowFixed
	if w.h.ipInRows != 0 {
		le.PutUint32(row[at:], ip)
		at += 4
	}
	for i := range w.h.cols {
		id := be.Uint32(rec[recValues+4*i:])
		if id != 0 {
			w.values[i]++
		}
		for range w.h.cols[i].width {
			row[at] = byte(id)
			id >>= 8
			at++
		}
	}
	if flags&(flagIPv4|flagIPv6) != 0 {
		a := &w.addr
		be.PutUint64(a[:], hashIP([16]byte(rec[8:24])))
		copy(a[8:], rec[8:24])
		copy(a[24:], rec[recSeq:recSeq+8])
		be.PutUint32(a[addrKey:], uint32(w.next))
		if err := w.addrs.add(a[:]); err != nil {
			return err
		}
	}
	return w.put()
}

func (w *rowWriter) put() error {
	w.next++
	return w.out.write(w.row)
}

// writeIndex writes the index of addresses.
func writeIndex(h *header, out *blockWriter, addrs *sorter) error {
	var next uint64
	var slot [slotSize]byte
	other := func(rec []byte) {
		if uint64(binary.BigEndian.Uint32(rec[addrKey:])) < h.table {
			h.sharedIPs++
		} else {
			h.orphaned++
		}
	}
	return lastOfEach(addrs, ipKey, other, func(rec []byte) error {
		hash := binary.BigEndian.Uint32(rec)
		at := home(uint64(hash)<<32, h.ipSlots)
		for ; next < at; next++ {
			clear(slot[:])
			if err := out.write(slot[:]); err != nil {
				return err
			}
		}
		if h.ipMaxProbe = max(h.ipMaxProbe, next-at); h.ipMaxProbe > probeLimit {
			return errors.New("too many IP addresses with neighbouring hashes")
		}
		h.ips++
		next++
		binary.LittleEndian.PutUint32(slot[:], hash)
		binary.LittleEndian.PutUint32(slot[4:], binary.BigEndian.Uint32(rec[addrKey:])+1)
		return out.write(slot[:])
	})
}
