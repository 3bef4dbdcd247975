package localdb

import (
	"context"
	"encoding/binary"
	"runtime"
	"runtime/debug"

	"dcs/render/attr"
	"dcs/render/device"
)

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
			continue // another device took its address, or it has none
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

// Values returns, by attribute, the number of devices that have a value, as [Builder.CommitFunc] counts them. It reads every row.
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

// Each calls yield for every device, in no particular order, and stops at the first error of yield, which it returns. The Device
// is valid during the call only, its values as long as DB says. Pages that yield cannot read are handled as those that Each
// cannot read.
func (db *DB) Each(yield func(*attr.Device) error) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if err == errUnread {
			err = db.Damaged()
		}
	}()
	defer db.recovered()
	err = errUnread // unless each returns
	err = db.each(yield)
	return err
}

// EachMAC calls yield for the MAC address of every device that has one. It verifies nothing: if the file is damaged, addresses may
// be wrong or missing.
func (db *DB) EachMAC(ctx context.Context, yield func(mac device.MAC)) {
	defer runtime.KeepAlive(db)
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer db.recovered()
	for i := uint64(0); i < db.h.table+db.h.tail; i++ {
		if i%(1<<16) == 0 && ctx.Err() != nil {
			return
		}
		if mac, ok := db.owner(db.row(i)); ok && !mac.IsZero() {
			yield(mac)
		}
	}
}
