package localdb

import (
	"encoding/binary"
	"net/netip"
	"runtime"
	"unsafe"

	"dcs/render/device"
)

// row returns the offset of row i, which must be less than table+tail.
func (db *DB) row(i uint64) uint64 { return db.h.rows.off + i*db.h.rowSize }

// hashAndFlags reads the beginning of the row at off.
func (db *DB) hashAndFlags(off uint64) (hash uint64, flags byte) {
	x := binary.LittleEndian.Uint64(db.data[off:]) // the row's 7 octets, and one more, which always exists: the sums follow
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

// find returns the offset of the row of a MAC address.
func (db *DB) find(mac device.MAC) (at uint64, ok bool) {
	h := db.h
	want := hashMAC(mac)
	whole := db.trusted()
	i := home(want<<16, h.slots)
	if i >= h.table {
		return 0, false
	}
	at = db.row(i)
	for n := min(h.maxProbe, h.table-i-1) + 1; n > 0; n-- {
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
	for last := i + h.ipMaxProbe; i <= last && i < h.index.len/slotSize; i++ {
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
			db.damagedRead("index points past the rows")
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
			db.damagedRead("row points past the IPv6 addresses")
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
		// Fast path: nearly all values are shorter than 128 octets, and the file is verified shortly after it was opened.
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
		db.damagedRead("row points past the values")
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
				db.damagedRead("malformed length of a value")
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
		db.damagedRead("value ends past the values of its column")
		return "", false
	}
	if !db.intact(off, n) {
		return "", false
	}
	return unsafe.String(&db.data[off], n), true
}

// owned returns the address of the row at off, if the device is found by it. If two devices have one address, the row of the
// first still contains it.
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
