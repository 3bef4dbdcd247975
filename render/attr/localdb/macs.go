package localdb

import (
	"context"
	"runtime"
	"runtime/debug"

	"dcs/render/device"
)

// EachMAC calls yield for the MAC address of every device that has one. It reads nothing else of the rows, and compares nothing:
// of a file that is damaged, yield may get addresses that no device has, or not all.
func (db *DB) EachMAC(ctx context.Context, yield func(mac device.MAC)) {
	defer runtime.KeepAlive(db)
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer db.recovered()
	for i := uint64(0); i < db.h.table+db.h.tail; i++ {
		if i%(1<<16) == 0 && ctx.Err() != nil {
			return
		}
		if mac, ok := db.owner(db.row(i)); ok {
			yield(mac)
		}
	}
}
