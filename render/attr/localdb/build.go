package localdb

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"dcs/render/attr"
	"dcs/render/tempfile"
)

// Options says how a file is built. The zero value will do.
type Options struct {
	Memory int // octets that sorting may take; 0: 64 MiB. Values that are told apart take some more.
}

// Stats tells what is in a file.
type Stats struct {
	Devices    uint64
	WithMAC    uint64
	WithIP     uint64 // devices that are found by IP address
	Duplicates uint64 // devices that a later one replaced: it has the same MAC address, or the same IP address where the earlier has no other key
	SharedIPs  uint64 // IP addresses that a later device took from an earlier one, which is found by its MAC address still
	Bytes      uint64 // of the file
	ValueBytes uint64 // of the values in it
}

func (h *header) stats() Stats {
	s := Stats{
		Devices: h.macs + h.tail - h.lost, WithMAC: h.macs, WithIP: h.ips,
		Duplicates: h.replaced + h.lost, SharedIPs: h.sharedIPs, Bytes: h.fileLen,
	}
	for i := range h.cols {
		s.ValueBytes += h.cols[i].values.len
	}
	return s
}

// Most distinct values of a column, and their octets, that are told apart. What a column has
// beyond that is most likely of one device each, and is not looked for among the former.
const (
	maxShared      = 1 << 16
	maxSharedBytes = 4 << 20
)

// Builder makes a file. It is used by one goroutine. Files on disk come and go beside the
// one that it makes: none that has that name is touched before Commit.
type Builder struct {
	path  string
	dir   string
	opt   Options
	cols  []*valueColumn
	names []string
	macs  *sorter // by hash
	ips   *sorter // devices without a MAC address, by hash of the IP address
	seq   uint64
	rec   []byte
	hasIP bool  // of any device
	err   error // of the disk; sticky
}

// Records of the sorters. Those of devices: key, flags, number, IP address, places of values.
const (
	devKey    = 8 // MAC: hash<<16; IP: hash
	ipKey     = 8 + 16
	recFlags  = ipKey
	recSeq    = recFlags + 1
	recValues = recSeq + 8
)

// Create begins a file of devices with the given attributes.
func Create(path string, names []string, opt Options) (*Builder, error) {
	if len(names) > MaxColumns {
		return nil, fmt.Errorf("%d attributes are more than %d", len(names), MaxColumns)
	}
	if opt.Memory <= 0 {
		opt.Memory = 64 << 20
	}
	b := &Builder{path: path, dir: filepath.Dir(path), opt: opt, names: append([]string(nil), names...)}
	for _, n := range names {
		if len(n) > maxName {
			return nil, fmt.Errorf("the name of an attribute has %d octets, more than %d", len(n), maxName)
		}
		c := &valueColumn{ids: make(map[string]uint32), size: 1} // place 0 means none
		var err error
		if c.file, err = unnamed(b.dir); err != nil {
			b.Abort()
			return nil, err
		}
		c.w = bufio.NewWriterSize(c.file, 1<<16)
		b.cols = append(b.cols, c)
		if err := c.w.WriteByte(0); err != nil {
			b.Abort()
			return nil, err
		}
	}
	size := recValues + 4*len(names)
	b.rec = make([]byte, size)
	b.macs = newSorter(b.dir, size, devKey, opt.Memory*3/4)
	b.ips = newSorter(b.dir, size, ipKey, opt.Memory/4)
	return b, nil
}

// Add adds a device; one with the MAC address of an earlier one, or with its IP address if
// both have no MAC address, takes its place. An error that wraps ErrDevice is about this
// device alone, which was not taken; any other ends the build.
func (b *Builder) Add(d *attr.Device) error {
	if b.err != nil {
		return b.err
	}
	if d.MAC.IsZero() && !d.IP.IsValid() {
		return fmt.Errorf("%w: it has no MAC address and no IP address", attr.ErrDevice)
	}
	if d.IP.Zone() != "" {
		return fmt.Errorf("%w: its IP address %s has a zone", attr.ErrDevice, d.IP)
	}
	if len(d.Values) > len(b.cols) {
		return fmt.Errorf("%w: it has %d values, more than there are attributes", attr.ErrDevice, len(d.Values))
	}
	for i, v := range d.Values {
		if len(v) > MaxValue {
			return fmt.Errorf("%w: its %s has %d octets, more than %d", attr.ErrDevice, b.names[i], len(v), MaxValue)
		}
	}
	b.err = b.add(d)
	return b.err
}

func (b *Builder) add(d *attr.Device) error {
	rec := b.rec
	clear(rec)
	be := binary.BigEndian
	flags := byte(flagUsed)
	if d.IP.IsValid() {
		a := d.IP.As16()
		copy(rec[8:], a[:])
		be.PutUint64(rec, hashIP(a))
		flags |= ipFlag(d.IP)
		b.hasIP = true
	}
	if !d.MAC.IsZero() {
		flags |= flagMAC
		be.PutUint64(rec, hashMAC(d.MAC)<<16)
	}
	rec[recFlags] = flags
	b.seq++
	be.PutUint64(rec[recSeq:], b.seq)
	for i, v := range d.Values {
		id, err := b.cols[i].place(v)
		if err != nil {
			return fmt.Errorf("%s: %w", b.names[i], err)
		}
		be.PutUint32(rec[recValues+4*i:], id)
	}
	if !d.MAC.IsZero() {
		return b.macs.add(rec)
	}
	return b.ips.add(rec)
}

func ipFlag(ip netip.Addr) byte {
	if ip.Is4() || ip.Is4In6() {
		return flagIPv4
	}
	return flagIPv6
}

// valueColumn gathers the values of one attribute.
type valueColumn struct {
	ids   map[string]uint32
	bytes int // of the values in ids
	size  uint64
	file  *os.File
	w     *bufio.Writer
}

// place returns where v is among the values, adding it if need be.
func (c *valueColumn) place(v string) (uint32, error) {
	if v == "" {
		return 0, nil
	}
	if id, ok := c.ids[v]; ok {
		return id, nil
	}
	id := c.size
	var length [binary.MaxVarintLen64]byte
	n := binary.PutUvarint(length[:], uint64(len(v)))
	if id+uint64(n+len(v)) > 1<<32-1 {
		return 0, errors.New("its values take more than 4 GiB")
	}
	c.size += uint64(n + len(v))
	if len(c.ids) < maxShared && c.bytes+len(v) <= maxSharedBytes {
		v = strings.Clone(v) // the caller's may lie in a buffer of his
		c.ids[v] = uint32(id)
		c.bytes += len(v)
	}
	if _, err := c.w.Write(length[:n]); err != nil {
		return 0, err
	}
	_, err := c.w.WriteString(v)
	return uint32(id), err
}

// Abort ends the build without a file. After Commit it does nothing.
func (b *Builder) Abort() {
	for _, c := range b.cols {
		c.file.Close()
	}
	if b.macs != nil {
		b.macs.done()
		b.ips.done()
	}
	if b.err == nil {
		b.err = errors.New("the build has ended")
	}
}

// Commit writes the file, with meta in its header for the caller's own use, and gives it its
// name: whatever had that name before is there, whole, until the new one is, whole and synced
// to disk. On an error the former stays. The file has the mode of the former, and its owner and
// group where the system lets it; a new one may be read by its owner and group only, since
// attributes may be secrets.
func (b *Builder) Commit(meta []byte) (Stats, error) {
	return b.CommitFunc(len(meta), func(Stats, []int) ([]byte, error) { return meta, nil })
}

// CommitFunc is Commit with meta data that depend on what is in the file. Once all of that is written, meta is called with it
// and, by attribute, the number of devices that have a value. It returns at most room octets, which are filled up
// with spaces; if it returns an error, CommitFunc returns that, and the former file stays.
func (b *Builder) CommitFunc(room int, meta func(st Stats, values []int) ([]byte, error)) (Stats, error) {
	defer b.Abort()
	if b.err != nil {
		return Stats{}, b.err
	}
	if room > maxMeta {
		return Stats{}, fmt.Errorf("%d octets of meta data are more than %d", room, maxMeta)
	}
	f, err := tempfile.Create(b.path, 0o600)
	if err != nil {
		return Stats{}, err
	}
	defer f.Abort()
	h, err := b.write(f.File, room, meta)
	if err == nil {
		err = b.keepOwner(f.File)
	}
	if err == nil {
		err = f.Commit()
	}
	if err != nil {
		return Stats{}, err
	}
	return h.stats(), nil
}

// keepOwner gives f the owner and the mode of the file that it replaces.
func (b *Builder) keepOwner(f *os.File) error {
	former, err := os.Stat(b.path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return f.Chmod(0o440)
	case err != nil:
		return err
	}
	if st, ok := former.Sys().(*syscall.Stat_t); ok && (int(st.Uid) != os.Geteuid() || int(st.Gid) != os.Getegid()) {
		err := f.Chown(int(st.Uid), int(st.Gid))
		if errors.Is(err, fs.ErrPermission) {
			err = f.Chown(-1, int(st.Gid)) // a group that is ours may be given
		}
		if err != nil && !errors.Is(err, fs.ErrPermission) {
			return err
		}
	}
	return f.Chmod(former.Mode().Perm())
}

// write writes the whole file, with room octets for what meta returns.
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
		return nil, fmt.Errorf("%d octets of meta data are more than %d", len(text), room)
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

// Records of the sorter of addresses: key, number of the device, row.
const (
	addrKey  = 8 + 16 + 8 // hash, address, number: the last to claim an address comes last
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

// table writes the rows of devices with a MAC address, each where its hash points to or next after it.
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
		if h.way = max(h.way, w.next-at); h.way > maxWay {
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

// lastOfEach calls f for the last record of each key, and other for those before it.
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
			h.lost++
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
		if h.ipWay = max(h.ipWay, next-at); h.ipWay > maxWay {
			return errors.New("too many IP addresses with neighbouring hashes")
		}
		h.ips++
		next++
		binary.LittleEndian.PutUint32(slot[:], hash)
		binary.LittleEndian.PutUint32(slot[4:], binary.BigEndian.Uint32(rec[addrKey:])+1)
		return out.write(slot[:])
	})
}

// blockWriter writes sections and takes the sum of each block.
type blockWriter struct {
	w     *bufio.Writer
	off   uint64
	block []byte // the octets of the block that is being filled
	sums  []byte
}

// newBlockWriter writes to f from its beginning, where it leaves room for a header. It writes
// hugePage octets at a time: file systems with large folios cache such a write in one huge page.
func newBlockWriter(f *os.File, header int) (*blockWriter, error) {
	w := bufio.NewWriterSize(f, hugePage)
	_, err := w.Write(make([]byte, header))
	return &blockWriter{w: w, off: uint64(header), block: make([]byte, 0, blockSize)}, err
}

func (w *blockWriter) write(p []byte) error {
	w.off += uint64(len(p))
	for len(p) > 0 {
		n := min(len(p), blockSize-len(w.block))
		w.block = append(w.block, p[:n]...)
		p = p[n:]
		if len(w.block) == blockSize {
			w.sums = binary.LittleEndian.AppendUint32(w.sums, crc32.Checksum(w.block, castagnoli()))
			if _, err := w.w.Write(w.block); err != nil {
				return err
			}
			w.block = w.block[:0]
		}
	}
	return nil
}

// endSection returns the length of the section that began at off, and fills up its last block.
func (w *blockWriter) endSection(off uint64) (uint64, error) {
	n := w.off - off
	if fill := len(w.block); fill > 0 {
		return n, w.write(make([]byte, blockSize-fill))
	}
	return n, nil
}

// copyFrom writes the first n octets of f.
func (w *blockWriter) copyFrom(f *os.File, n int64) error {
	buf := make([]byte, 1<<16)
	r := io.NewSectionReader(f, 0, n)
	for {
		k, err := r.Read(buf)
		if k > 0 {
			if err := w.write(buf[:k]); err != nil {
				return err
			}
			n -= int64(k)
		}
		switch {
		case err == io.EOF && n == 0:
			return nil
		case err == io.EOF:
			return io.ErrUnexpectedEOF
		case err != nil:
			return err
		}
	}
}
