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

// A file of which something is known to be damaged is not trusted any more: each look-up compares what it reads with its sums,
// whenever it does, and returns copies. Devices whose octets are right are found; of the others nobody can say whether they are
// there, and Query.Damaged says so. Look-ups survive that a part of the file cannot be read at all. Values that lie in the file
// may become unreadable after a look-up has returned them: who reads them uses [DB.Contains] and [DB.MarkDamaged], or copies
// them first, in mapped.Read.

var errUnread = errors.New("not read to the end")

// Damaged returns what is wrong with the file, or nil if nothing was found so far. Once it
// is not nil, devices whose data are damaged are not found; those that are, are right.
func (db *DB) Damaged() error {
	if p := db.damage.Load(); p != nil {
		return *p
	}
	return nil
}

// DamagedReads counts look-ups that have met what is damaged. One that finds nothing meanwhile may have missed a device.
func (db *DB) DamagedReads() uint64 { return db.damagedReads.Load() }

// MarkDamaged has the file taken for damaged, because why.
func (db *DB) MarkDamaged(why error) { db.setDamaged("%w", why) }

// spoiled notes that the file is damaged.
func (db *DB) setDamaged(format string, args ...any) {
	if db.damage.Load() == nil {
		err := fmt.Errorf("%w: "+format, append([]any{ErrDamaged}, args...)...)
		db.damage.CompareAndSwap(nil, &err)
	}
	db.verified.Store(false)
}

// misreads notes that a look-up has met what is damaged.
func (db *DB) damagedRead(format string, args ...any) {
	db.setDamaged(format, args...)
	db.damagedReads.Add(1)
}

// Contains reports whether addr is in the memory that the file is mapped to.
func (db *DB) Contains(addr uintptr) bool {
	at := uintptr(unsafe.Pointer(unsafe.SliceData(db.data)))
	return addr >= at && addr-at < uintptr(len(db.data))
}

// Altered tells whether somebody has written to the file since it was opened, or cut it. Nothing of ours does.
func (db *DB) Altered() bool {
	var st unix.Stat_t
	err := unix.Fstat(int(db.file.Fd()), &st)
	runtime.KeepAlive(db)
	return err != nil || st.Size != db.stat.Size || st.Mtim != db.stat.Mtim
}

// ForgetVerified has all of the file compared with its sums again, when it is read next or by Verify.
func (db *DB) ForgetVerified() {
	db.verified.Store(false)
	for i := range db.checked {
		db.checked[i].Store(0)
	}
	_ = unix.Fstat(int(db.file.Fd()), &db.stat)
}

// recovered is deferred by what reads the file: a part that cannot be read is damage. Other panics go on.
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

// lookupAll answers queries, and returns whether the file is whole as far as it was read.
func (db *DB) lookupAll(queries []attr.Query) (whole bool) {
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

// lookupCopy answers a query with copies, and returns whether it could be read.
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

// confirm compares what says that a query's device is not there with its sums: octets that have become zero say so.
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

// recheck compares data[off:off+n] with its sums, whatever was found before.
func (db *DB) recheck(off, n uint64) {
	for b := (off - db.start) / blockSize; b <= (off+n-1-db.start)/blockSize; b++ {
		at := db.start + b*blockSize
		if !db.compareBlock(b, db.data[at:at+blockSize]) {
			db.damagedReads.Add(1)
		}
	}
}
