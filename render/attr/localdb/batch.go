package localdb

import (
	"encoding/binary"
	"net/netip"
	"runtime"

	"dcs/render/attr"
	"dcs/render/device"
)

// group is the number of look-ups made at once. A processor has 10 to 50 reads of memory in flight.
const group = 32

// LookupBatch answers queries as Lookup and LookupIP do. Memory is fetched for many queries at the same time, which takes at most
// a third of the time if none of it is cached.
func (db *DB) LookupBatch(queries []attr.Query) {
	if db.damage.Load() == nil && db.lookupAll(queries) {
		return
	}
	for i := range queries {
		db.lookupDamaged(&queries[i])
	}
}

func (db *DB) lookupGroup(queries []attr.Query) {
	if len(queries) == 1 || !db.trusted() {
		for i := range queries {
			db.answer(&queries[i], db.locateOne(&queries[i]))
		}
		return
	}
	var at [group]uint64 // where the rows begin, 0: there is none
	db.locate(queries, at[:len(queries)])
	db.touchValues(queries, at[:len(queries)])
	for i := range queries {
		db.answer(&queries[i], at[i])
	}
}

// answer answers a query from the row at off, 0 if there is none.
func (db *DB) answer(q *attr.Query, off uint64) {
	q.Owner, q.Damaged, q.Addr = device.MAC{}, false, netip.Addr{}
	if off == 0 {
		q.Values, q.Found = q.Values[:0], false
		db.confirm(q) // even if the block was verified before: it may be zeros by now
		return
	}
	if q.Peek {
		q.Values, q.Found = q.Values[:0], true
	} else {
		q.Values, q.Found = db.fill(off, q.Values)
	}
	if q.MAC.IsZero() {
		q.Owner, _ = db.owner(off)
	} else if a, ok := db.rowIP(off); ok && q.Found {
		q.Addr = netip.AddrFrom16(a).Unmap()
	}
	runtime.KeepAlive(db)
}

// locateOne returns the offset of a query's row, 0 if there is none.
func (db *DB) locateOne(q *attr.Query) uint64 {
	if q.MAC.IsZero() {
		if row, ok := db.findIP(q.IP); ok {
			return db.row(row)
		}
	} else if at, ok := db.find(q.MAC); ok {
		return at
	}
	return 0
}

// locate finds the rows of all queries, each step for all of them. In the loops of touch no read depends on another, and nothing
// else is done, so that all reads are in flight at once: with the search of the index in the same loop this took five times as
// long.
func (db *DB) locate(queries []attr.Query, at []uint64) {
	h := db.h
	var want, slots [group]uint64 // of IP addresses: hashes, and slots of the index
	byIP := false
	for i := range queries {
		q := &queries[i]
		switch {
		case !q.MAC.IsZero():
			if row := home(hashMAC(q.MAC)<<16, h.slots); row < h.table {
				at[i] = db.row(row)
			}
		case q.IP.IsValid() && h.ipInRows != 0:
			byIP = true
			want[i] = hashIP(q.IP.As16()) >> 32
			if slot := home(want[i]<<32, h.ipSlots); slot < h.index.len/slotSize {
				slots[i] = h.index.off + slot*slotSize
			}
		}
	}
	if byIP {
		// Two slots: a span as long as a row's fetched a second line for every other address, which made look-ups by IP
		// address of 10 M devices, in batches of 16, 1.13 times as long.
		db.touch(slots[:len(queries)], 2*slotSize-1)
		for i, slot := range slots[:len(queries)] {
			if slot != 0 {
				at[i] = db.pointed(slot, want[i])
			}
		}
	}
	db.touch(at, h.rowSize+rowFixed-1)
	for i := range queries { // the row itself, which is normally there or next to it
		q := &queries[i]
		if q.MAC.IsZero() && at[i] != 0 {
			if ip, ok := db.rowIP(at[i]); ok && ip == q.IP.As16() {
				continue
			}
		}
		at[i] = db.locateOne(q)
	}
}

// touchValues reads the beginning of the values of some rows, in columns that are too large for the processor's cache.
func (db *DB) touchValues(queries []attr.Query, at []uint64) {
	for c := range db.cols {
		col := &db.cols[c]
		if col.end-col.values < cached {
			continue
		}
		var values [group]uint64
		for i, row := range at {
			if row != 0 && !queries[i].Peek {
				id := binary.LittleEndian.Uint32(db.data[row+col.off:]) & col.mask
				values[i] = min(col.values+uint64(id), col.end-1)
			}
		}
		db.touch(values[:len(at)], 15)
	}
}

// pointed returns the offset of the row that the index has for a hash, from the slot at off on, or 0.
func (db *DB) pointed(off, want uint64) uint64 {
	for end := min(off+8*slotSize, db.h.index.end()); off < end; off += slotSize {
		x := binary.LittleEndian.Uint64(db.data[off:])
		hash, ref := x&0xffffffff, x>>32
		if ref == 0 || hash > want {
			return 0
		}
		if hash == want {
			if ref-1 < db.h.table+db.h.tail {
				return db.row(ref - 1)
			}
			return 0
		}
	}
	return 0
}

// touch reads the octets at some offsets, and those span further on, since values may cross cache lines.
func (db *DB) touch(at []uint64, span uint64) {
	data := db.data
	sum := byte(0)
	for _, off := range at {
		if end := off + span; end < uint64(len(data)) {
			sum += data[off] + data[end]
		}
	}
	runtime.KeepAlive(sum) // or the compiler would drop the reads
}

// cached is the size up to which a column's values are assumed to be in the processor's cache.
const cached = 64 << 10
