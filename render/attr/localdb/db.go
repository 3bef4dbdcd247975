package localdb

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"net/netip"
	"os"
	"runtime"
	"sync/atomic"
	"unsafe"

	"golang.org/x/sys/unix"

	"dcs/render/attr"
	"dcs/render/device"
	"dcs/render/mapped"
)

// DB is an open file of devices. It is safe for concurrent use.
//
// Values that look-ups return are not copies: they lie in the mapped file, which stays
// mapped for as long as the DB can be reached. Whoever uses values must hold the DB until
// he is done with them, in a field that outlives them or with runtime.KeepAlive.
type DB struct {
	data  []byte
	h     *header
	start uint64 // of what the sums cover
	sums  []byte // a copy: the file may be cut
	cols  []place
	names []string

	whole   atomic.Bool // all blocks are verified
	checked []atomic.Uint64
	damage  atomic.Pointer[error]
	misread atomic.Uint64 // look-ups that met what is damaged

	file    *os.File
	stat    unix.Stat_t // of the file when it was opened
	cleanup runtime.Cleanup
}

// place is where a column's values are found.
type place struct {
	off    uint64 // of the value's place in the row
	mask   uint32 // as wide as the place
	values uint64 // beginning and end of the values
	end    uint64
}

// Open maps the file. It reads the header and the sums, some 0.1 % of the file; the rest is
// compared with its sums when it is first read, or by Verify. A file that is not what was
// written gives an error that wraps ErrDamaged.
func Open(path string) (*DB, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	db, err := open(f)
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return db, nil
}

func open(f *os.File) (*DB, error) {
	st, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !st.Mode().IsRegular() {
		return nil, errors.New("not a regular file")
	}
	first := make([]byte, preamble)
	if _, err := f.ReadAt(first, 0); err != nil && err != io.EOF {
		return nil, err
	}
	if _, err := headerSize(first); err != nil {
		return nil, err
	}
	data, err := unix.Mmap(int(f.Fd()), 0, int(st.Size()), unix.PROT_READ, unix.MAP_SHARED)
	if err != nil {
		return nil, os.NewSyscallError("mmap", err)
	}
	var db *DB
	err = mapped.Read(func() (err error) {
		db, err = newDB(data)
		return err
	})
	if err != nil {
		_ = unix.Munmap(data)
		return nil, err
	}
	// Look-ups go all over the file; reading ahead of each would read it in several times. One huge page of it is read at
	// once where the file system can: its address costs the processor one read, where those of 512 pages cost one each.
	_ = unix.Madvise(data, unix.MADV_RANDOM)
	_ = unix.Madvise(data, unix.MADV_HUGEPAGE)
	db.file = f
	_ = unix.Fstat(int(f.Fd()), &db.stat)
	db.cleanup = runtime.AddCleanup(db, func(data []byte) { _ = unix.Munmap(data) }, data)
	return db, nil
}

// newDB reads the header and the sums of a file that is all in data.
func newDB(data []byte) (*DB, error) {
	h, err := decodeHeader(data, uint64(len(data)))
	if err != nil {
		return nil, err
	}
	if uint64(crc32.Checksum(data[h.sums.off:h.sums.end()], castagnoli())) != h.sumsCRC {
		return nil, fmt.Errorf("%w: its sums are altered", ErrDamaged)
	}
	sums := bytes.Clone(data[h.sums.off:h.sums.end()])
	db := &DB{data: data, h: h, start: uint64(h.headerLen()), sums: sums}
	db.checked = make([]atomic.Uint64, (h.sums.len/4+63)/64)
	off := rowFixed + h.ipInRows
	for i := range h.cols {
		c := &h.cols[i]
		db.cols = append(db.cols, place{off: off, mask: uint32(1<<(8*c.width) - 1), values: c.values.off, end: c.values.end()})
		db.names = append(db.names, c.name)
		off += c.width
	}
	return db, nil
}

// Close unmaps the file at once. Nothing that a look-up returned may be used any more.
// A DB that is just dropped is closed when the garbage collector finds out.
func (db *DB) Close() error {
	db.cleanup.Stop()
	err := unix.Munmap(db.data)
	db.data = nil
	return errors.Join(err, db.file.Close())
}

// Names returns the names of the attributes, in the order of values.
func (db *DB) Names() []string { return append([]string(nil), db.names...) }

// Meta returns what Commit was given to keep.
func (db *DB) Meta() []byte { return append([]byte(nil), db.h.meta...) }

// Stats tells what is in the file.
func (db *DB) Stats() Stats { return db.h.stats() }

// intact tells whether data[off:off+n] is as it was written.
func (db *DB) intact(off, n uint64) bool {
	return db.trusted() || db.compare(off, n)
}

// trusted tells whether look-ups need not compare what they read: all of it was, and nothing is known to be damaged. Verify may
// take the file for whole just when a look-up finds damage.
func (db *DB) trusted() bool { return db.whole.Load() && db.damage.Load() == nil }

func (db *DB) compare(off, n uint64) bool {
	for b := (off - db.start) / blockSize; b <= (off+n-1-db.start)/blockSize; b++ {
		if db.checked[b/64].Load()>>(b%64)&1 != 0 && db.damage.Load() == nil {
			continue // a file that is damaged may be so in more places by now
		}
		at := db.start + b*blockSize
		if !db.compareBlock(b, db.data[at:at+blockSize]) {
			db.misread.Add(1)
			return false
		}
	}
	return true
}

func (db *DB) compareBlock(b uint64, block []byte) bool {
	want := binary.LittleEndian.Uint32(db.sums[b*4:])
	if crc32.Checksum(block, castagnoli()) != want {
		db.spoiled("4096 octets from %d on are altered", db.start+b*blockSize)
		return false
	}
	db.checked[b/64].Or(1 << (b % 64))
	return true
}

// Verify compares all of the file with its sums, and has the kernel map it all. Look-ups
// need not compare anything afterwards. It returns Damaged, or ctx's error.
func (db *DB) Verify(ctx context.Context) error {
	defer runtime.KeepAlive(db)
	if db.whole.Load() {
		return nil
	}
	buf := make([]byte, hugePage)
	for at := db.start; at < db.h.sums.off; {
		if err := ctx.Err(); err != nil {
			return err
		}
		n := min(hugePage-at%hugePage, db.h.sums.off-at)
		// Mapped first, in huge pages if it can be; before Linux 5.14 pages are mapped one by one, when they are first read.
		_ = unix.Madvise(db.data[at:at+n], unix.MADV_POPULATE_READ)
		if _, err := db.file.ReadAt(buf[:n], int64(at)); err != nil {
			if err == io.EOF {
				err = errors.New("it was cut off")
			}
			db.spoiled("octet %d: %w", at, err)
			return db.Damaged()
		}
		for i := uint64(0); i < n; i += blockSize {
			db.compareBlock((at+i-db.start)/blockSize, buf[i:i+blockSize])
		}
		at += n
	}
	db.whole.Store(true)
	err := db.Damaged()
	if err != nil {
		db.whole.Store(false)
	}
	return err
}

// row returns where row i begins. i must be less than table+tail.
func (db *DB) row(i uint64) uint64 { return db.h.rows.off + i*db.h.rowSize }

// hashAndFlags reads the beginning of the row at off.
func (db *DB) hashAndFlags(off uint64) (hash uint64, flags byte) {
	x := binary.LittleEndian.Uint64(db.data[off:]) // the row's 7 octets, and one that is always there: the sums follow
	return x & mask48, byte(x >> 48)
}

// owner returns the MAC address of the row at off, if it has one.
func (db *DB) owner(off uint64) (mac device.MAC, ok bool) {
	hash, flags := db.hashAndFlags(off)
	if flags&flagMAC == 0 {
		return mac, false
	}
	return unhashMAC(hash), true
}

// find returns where the row of a MAC address begins.
func (db *DB) find(mac device.MAC) (at uint64, ok bool) {
	h := db.h
	want := hashMAC(mac)
	whole := db.trusted()
	i := home(want<<16, h.slots)
	if i >= h.table {
		return 0, false
	}
	at = db.row(i)
	for n := min(h.way, h.table-i-1) + 1; n > 0; n-- {
		if !whole && !db.compare(at, rowFixed) {
			return 0, false
		}
		hash, flags := db.hashAndFlags(at)
		if hash >= want || flags&flagUsed == 0 {
			return at, hash == want && flags&flagUsed != 0
		}
		at += h.rowSize
	}
	return 0, false
}

// findIP returns the row of an IP address.
func (db *DB) findIP(ip netip.Addr) (row uint64, ok bool) {
	h := db.h
	if !ip.IsValid() || h.ipInRows == 0 {
		return 0, false
	}
	a := ip.As16()
	want := hashIP(a) >> 32
	i := home(want<<32, h.ipSlots)
	for last := i + h.ipWay; i <= last && i < h.index.len/slotSize; i++ {
		at := h.index.off + i*slotSize
		if !db.intact(at, slotSize) {
			return 0, false
		}
		slot := binary.LittleEndian.Uint64(db.data[at:])
		hash, ref := slot&0xffffffff, slot>>32
		if ref == 0 || hash > want {
			return 0, false
		}
		if hash != want {
			continue
		}
		if row = ref - 1; row >= h.table+h.tail {
			db.misreads("its index points past its rows")
			return 0, false
		}
		if b, ok := db.rowIP(db.row(row)); ok && b == a {
			return row, true
		}
	}
	return 0, false
}

// rowIP returns the IP address of the row at off.
func (db *DB) rowIP(off uint64) (a [16]byte, ok bool) {
	h := db.h
	if !db.intact(off, rowFixed+h.ipInRows) {
		return a, false
	}
	_, flags := db.hashAndFlags(off)
	if h.ipInRows == 0 || flags&flagUsed == 0 {
		return a, false
	}
	x := binary.LittleEndian.Uint32(db.data[off+rowFixed:])
	switch {
	case flags&flagIPv4 != 0:
		a[10], a[11] = 0xff, 0xff
		binary.BigEndian.PutUint32(a[12:], x)
		return a, true
	case flags&flagIPv6 != 0:
		at := uint64(x) * 16
		if at+16 > h.v6.len {
			db.misreads("a row points past its IPv6 addresses")
			return a, false
		}
		if !db.intact(h.v6.off+at, 16) {
			return a, false
		}
		return [16]byte(db.data[h.v6.off+at:]), true
	}
	return a, false
}

// fill appends the values of the row at off to dst[:0].
func (db *DB) fill(off uint64, dst []string) ([]string, bool) {
	dst = dst[:0]
	whole := db.trusted()
	if !whole && !db.compare(off, db.h.rowSize) {
		return dst, false
	}
	data := db.data
	for i := range db.cols {
		c := &db.cols[i]
		id := binary.LittleEndian.Uint32(data[off+c.off:]) & c.mask
		if id == 0 {
			dst = append(dst, "")
			continue
		}
		at := c.values + uint64(id)
		// Nearly all values are shorter than 128 octets, and the file is verified soon
		// after it was opened: value does the same for the rest.
		if whole && at < c.end {
			if n := uint64(data[at]); n-1 < 0x7f && n < c.end-at {
				dst = append(dst, unsafe.String(&data[at+1], n))
				continue
			}
		}
		v, ok := db.value(c, at)
		if !ok {
			return dst[:0], false
		}
		dst = append(dst, v)
	}
	runtime.KeepAlive(db)
	return dst, true
}

// value returns the value of column c that begins at off: its length, as a uvarint, and its octets.
func (db *DB) value(c *place, off uint64) (string, bool) {
	if off >= c.end {
		db.misreads("a row points past its values")
		return "", false
	}
	if !db.intact(off, min(3, c.end-off)) {
		return "", false
	}
	n := uint64(db.data[off])
	off++
	if n >= 0x80 {
		n &= 0x7f
		for shift := 7; ; shift += 7 {
			if off >= c.end || shift > 14 {
				db.misreads("a value's length")
				return "", false
			}
			b := db.data[off]
			off++
			n |= uint64(b&0x7f) << shift
			if b < 0x80 {
				break
			}
		}
	}
	if n > c.end-off || n == 0 {
		db.misreads("a value ends past its column's values")
		return "", false
	}
	if !db.intact(off, n) {
		return "", false
	}
	return unsafe.String(&db.data[off], n), true
}

// owned returns the address of the row at off if it is found by it. Where two devices
// claimed one address, the row of the first has it still.
func (db *DB) owned(off uint64) netip.Addr {
	a, ok := db.rowIP(off)
	if !ok {
		return netip.Addr{}
	}
	ip := netip.AddrFrom16(a).Unmap()
	if i, ok := db.findIP(ip); !ok || db.row(i) != off {
		return netip.Addr{}
	}
	return ip
}

func (db *DB) each(yield func(*attr.Device) error) error {
	defer runtime.KeepAlive(db)
	d := new(attr.Device)
	for i := uint64(0); i < db.h.table+db.h.tail; i++ {
		at := db.row(i)
		if !db.intact(at, db.h.rowSize) {
			return db.Damaged()
		}
		hash, flags := db.hashAndFlags(at)
		if flags&flagUsed == 0 {
			continue
		}
		d.MAC = device.MAC{}
		if flags&flagMAC != 0 {
			d.MAC = unhashMAC(hash)
		}
		if d.IP = db.owned(at); d.MAC.IsZero() && !d.IP.IsValid() {
			continue // another device has its address
		}
		values, ok := db.fill(at, d.Values)
		if !ok {
			return db.Damaged()
		}
		d.Values = values
		if err := yield(d); err != nil {
			return err
		}
	}
	return db.Damaged()
}

// Values returns, by attribute, the number of devices that have a value, as [Builder.CommitFunc] counts them. It reads all rows.
func (db *DB) Values(ctx context.Context) ([]int, error) {
	defer runtime.KeepAlive(db)
	n := make([]int, len(db.cols))
	for i := uint64(0); i < db.h.table+db.h.tail; i++ {
		if i%(1<<16) == 0 && ctx.Err() != nil {
			return nil, ctx.Err()
		}
		at := db.row(i)
		if !db.intact(at, db.h.rowSize) {
			return nil, db.Damaged()
		}
		if _, flags := db.hashAndFlags(at); flags&flagUsed == 0 {
			continue
		}
		for j := range db.cols {
			c := &db.cols[j]
			if binary.LittleEndian.Uint32(db.data[at+c.off:])&c.mask != 0 {
				n[j]++
			}
		}
	}
	return n, nil
}
