package localdb

import (
	"context"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"io"
	"runtime"

	"golang.org/x/sys/unix"
)

// intact reports whether data[off:off+n] is as it was written.
func (db *DB) intact(off, n uint64) bool {
	return db.trusted() || db.compare(off, n)
}

// trusted reports whether look-ups need not compare what they read: all blocks are verified, and no damage is known. Both are
// checked, since Verify may end just when a look-up finds damage.
func (db *DB) trusted() bool { return db.verified.Load() && db.damage.Load() == nil }

func (db *DB) compare(off, n uint64) bool {
	for b := (off - db.start) / blockSize; b <= (off+n-1-db.start)/blockSize; b++ {
		if db.checked[b/64].Load()>>(b%64)&1 != 0 && db.damage.Load() == nil {
			continue // a damaged file may be damaged elsewhere by now
		}
		at := db.start + b*blockSize
		if !db.compareBlock(b, db.data[at:at+blockSize]) {
			db.damagedReads.Add(1)
			return false
		}
	}
	return true
}

func (db *DB) compareBlock(b uint64, block []byte) bool {
	want := binary.LittleEndian.Uint32(db.sums[b*4:])
	if crc32.Checksum(block, castagnoli()) != want {
		db.setDamaged("altered block of 4096 octets at %d", db.start+b*blockSize)
		return false
	}
	if word, bit := &db.checked[b/64], uint64(1)<<(b%64); word.Load()&bit == 0 {
		word.Or(bit) // always, it would take the line from the other workers at each look-up of an unknown device, see confirm
	}
	return true
}

// Verify compares the whole file with its sums, and maps all its pages. Look-ups compare nothing afterwards. It returns the
// result of Damaged, or ctx's error.
func (db *DB) Verify(ctx context.Context) error {
	defer runtime.KeepAlive(db)
	if db.verified.Load() {
		return nil
	}
	buf := make([]byte, hugePage)
	for at := db.start; at < db.h.sums.off; {
		if err := ctx.Err(); err != nil {
			return err
		}
		n := min(hugePage-at%hugePage, db.h.sums.off-at)
		// Map first, in huge pages if possible; before Linux 5.14, pages are mapped one by one when they are first read.
		_ = unix.Madvise(db.data[at:at+n], unix.MADV_POPULATE_READ)
		if _, err := db.file.ReadAt(buf[:n], int64(at)); err != nil {
			if err == io.EOF {
				err = errors.New("file was truncated")
			}
			db.setDamaged("octet %d: %w", at, err)
			return db.Damaged()
		}
		for i := uint64(0); i < n; i += blockSize {
			db.compareBlock((at+i-db.start)/blockSize, buf[i:i+blockSize])
		}
		at += n
	}
	db.verified.Store(true)
	err := db.Damaged()
	if err != nil {
		db.verified.Store(false)
	}
	return err
}
