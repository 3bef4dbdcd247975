package localdb

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"runtime"
	"runtime/debug"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"

	"dcs/render/attr"
	"dcs/render/device"
	"dcs/render/mapped"
)

// A file with known damage is not trusted any more: each look-up compares what it reads with the sums, and returns copies.
// Devices in intact blocks are found; for others, Query.Damaged says that they may exist. Look-ups survive pages that cannot be
// read. Values in the file may become unreadable after a look-up has returned them: callers use [DB.Contains] and
// [DB.MarkDamaged] when they fault, or copy them first, in mapped.Read.

var errUnread = errors.New("not read to the end")

// Damaged returns an error that describes the damage found so far, or nil. Once it is not nil, devices with damaged data are not
// found; those that are found are correct.
func (db *DB) Damaged() error {
	if p := db.damage.Load(); p != nil {
		return *p
	}
	return nil
}

// DamagedReads returns the number of look-ups that met damage. A look-up that finds nothing while it grows may have missed a
// device.
func (db *DB) DamagedReads() uint64 { return db.damagedReads.Load() }

// MarkDamaged marks the file as damaged, for the given reason.
func (db *DB) MarkDamaged(why error) { db.setDamaged("%w", why) }

// setDamaged stores the first damage found.
func (db *DB) setDamaged(format string, args ...any) {
	if db.damage.Load() == nil {
		err := fmt.Errorf("%w: "+format, append([]any{ErrDamaged}, args...)...)
		db.damage.CompareAndSwap(nil, &err)
	}
	db.verified.Store(false)
}

// damagedRead records that a look-up met damage.
func (db *DB) damagedRead(format string, args ...any) {
	db.setDamaged(format, args...)
	db.damagedReads.Add(1)
}

// Contains reports whether addr is in the file's mapping.
func (db *DB) Contains(addr uintptr) bool {
	at := uintptr(unsafe.Pointer(unsafe.SliceData(db.data)))
	return addr >= at && addr-at < uintptr(len(db.data))
}

// Altered reports whether the file was written to or truncated since it was opened, which this program never does.
func (db *DB) Altered() bool {
	var st unix.Stat_t
	err := unix.Fstat(int(db.file.Fd()), &st)
	runtime.KeepAlive(db)
	return err != nil || st.Size != db.stat.Size || st.Mtim != db.stat.Mtim
}

// ForgetVerified makes all blocks be compared with their sums again, when they are read next or by Verify.
func (db *DB) ForgetVerified() {
	db.verified.Store(false)
	for i := range db.checked {
		db.checked[i].Store(0)
	}
	_ = unix.Fstat(int(db.file.Fd()), &db.stat)
}

// recovered is deferred by functions that read the file. It turns faults in the mapping into damage, and repeats other panics.
func (db *DB) recovered() {
	r := recover()
	if r == nil {
		return
	}
	if addr, ok := mapped.Fault(r); !ok || !db.Contains(addr) {
		panic(r) //nolint:forbidigo // not ours: it goes on
	}
	db.damagedRead("%w", mapped.ErrCut)
}

// lookupAll answers queries, and reports whether no damage is known.
func (db *DB) lookupAll(queries []attr.Query) (intact bool) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer db.recovered()
	for len(queries) > group {
		db.lookupGroup(queries[:group])
		queries = queries[group:]
	}
	db.lookupGroup(queries)
	return db.damage.Load() == nil
}

// lookupDamaged answers a query from a file that is known to be damaged.
func (db *DB) lookupDamaged(q *attr.Query) {
	before := db.damagedReads.Load()
	if !db.lookupCopy(q) || !q.Found && db.damagedReads.Load() != before {
		q.Values, q.Found, q.Owner, q.Damaged, q.Addr = q.Values[:0], false, device.MAC{}, true, netip.Addr{}
	}
}

// lookupCopy answers a query with copies, and reports whether the file could be read.
func (db *DB) lookupCopy(q *attr.Query) (read bool) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer db.recovered()
	one := [1]attr.Query{*q}
	db.lookupGroup(one[:])
	for i, v := range one[0].Values {
		one[0].Values[i] = strings.Clone(v)
	}
	*q = one[0]
	return true
}

// confirm verifies the blocks that a negative answer is based on: a block of zeros has no devices.
func (db *DB) confirm(q *attr.Query) {
	h := db.h
	if !q.MAC.IsZero() {
		if i := home(hashMAC(q.MAC)<<16, h.slots); i < h.table {
			db.recheck(db.row(i), rowFixed)
		}
		return
	}
	if !q.IP.IsValid() || h.ipInRows == 0 {
		return
	}
	want := hashIP(q.IP.As16()) >> 32
	i := home(want<<32, h.ipSlots)
	if i >= h.index.len/slotSize {
		return
	}
	at := h.index.off + i*slotSize
	db.recheck(at, slotSize)
	slot := binary.LittleEndian.Uint64(db.data[at:])
	if hash, ref := slot&0xffffffff, slot>>32; hash == want && ref > 0 && ref <= h.table+h.tail {
		db.recheck(db.row(ref-1), rowFixed+h.ipInRows)
	}
}

// recheck compares data[off:off+n] with its sums, even if it was verified before.
func (db *DB) recheck(off, n uint64) {
	for b := (off - db.start) / blockSize; b <= (off+n-1-db.start)/blockSize; b++ {
		at := db.start + b*blockSize
		if !db.compareBlock(b, db.data[at:at+blockSize]) {
			db.damagedReads.Add(1)
		}
	}
}
