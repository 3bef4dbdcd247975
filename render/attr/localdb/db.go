package localdb

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"runtime"
	"sync/atomic"

	"golang.org/x/sys/unix"

	"dcs/render/mapped"
)

// DB is an open file of devices. It is safe for concurrent use.
//
// Values that look-ups return are not copies: they point into the mapped file, which remains mapped as long as the DB is
// reachable. Callers must retain the DB while they use values, in a field that outlives them or with runtime.KeepAlive.
type DB struct {
	data  []byte
	h     *header
	start uint64 // of what the sums cover
	sums  []byte // a copy: the file may be cut
	cols  []place
	names []string

	verified     atomic.Bool // all blocks are verified
	checked      []atomic.Uint64
	damage       atomic.Pointer[error]
	damagedReads atomic.Uint64 // look-ups that met what is damaged

	file    *os.File
	stat    unix.Stat_t // of the file when it was opened
	cleanup runtime.Cleanup
}

// place locates a column's values.
type place struct {
	off    uint64 // of the value's place in the row
	mask   uint32 // as wide as the place
	values uint64 // beginning and end of the values
	end    uint64
}

// Open maps the file at path. It reads the header and the sums, about 0.1 % of the file. The rest is compared with its sums when
// it is first read, or by Verify. If the file has changed since it was written, the error wraps ErrDamaged.
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
	// Look-ups are random: read-ahead would read the file several times over. Huge pages, where the file system has them,
	// take one TLB entry instead of 512.
	_ = unix.Madvise(data, unix.MADV_RANDOM)
	_ = unix.Madvise(data, unix.MADV_HUGEPAGE)
	db.file = f
	_ = unix.Fstat(int(f.Fd()), &db.stat)
	db.cleanup = runtime.AddCleanup(db, func(data []byte) { _ = unix.Munmap(data) }, data)
	return db, nil
}

// newDB decodes the header and the sums of the file mapped at data.
func newDB(data []byte) (*DB, error) {
	h, err := decodeHeader(data, uint64(len(data)))
	if err != nil {
		return nil, err
	}
	if uint64(crc32.Checksum(data[h.sums.off:h.sums.end()], castagnoli())) != h.sumsCRC {
		return nil, fmt.Errorf("%w: altered sums", ErrDamaged)
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

// Close unmaps the file. Values returned by look-ups must not be used afterwards. A DB that becomes unreachable is closed by the
// garbage collector.
func (db *DB) Close() error {
	db.cleanup.Stop()
	err := unix.Munmap(db.data)
	db.data = nil
	return errors.Join(err, db.file.Close())
}

// Identity identifies the contents of the file, metadata included: it is a sum of the header and of the sums of all blocks.
func (db *DB) Identity() string {
	sum := sha256.New()
	sum.Write(db.h.encode())
	sum.Write(db.sums)
	return hex.EncodeToString(sum.Sum(nil))
}

// Names returns the names of the attributes, in the order of values.
func (db *DB) Names() []string { return append([]string(nil), db.names...) }

// Meta returns the metadata passed to Commit.
func (db *DB) Meta() []byte { return append([]byte(nil), db.h.meta...) }

// Stats returns the counts of the file.
func (db *DB) Stats() Stats { return db.h.stats() }
