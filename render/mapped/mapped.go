// Package mapped reads memory-mapped files, and recovers if they are truncated meanwhile.
package mapped

import (
	"bytes"
	"errors"
	"runtime"
	"runtime/debug"
)

// ErrCut is returned for a file that has become shorter since it was mapped: it was overwritten in place instead of
// being replaced by a rename.
var ErrCut = errors.New("file was truncated while being read; replace files by renaming, not in place")

// Read calls f, and returns ErrCut if the memory that f reads is no longer there (SIGBUS, mmap(2)). f must not hold a
// lock while it reads.
func Read(f func() error) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if r := recover(); r != nil {
			if _, ok := Fault(r); !ok {
				panic(r) //nolint:forbidigo // not ours: re-panic
			}
			err = ErrCut
		}
	}()
	return f()
}

// Copy returns a copy of b.
func Copy(b []byte) (c []byte, err error) {
	err = Read(func() error {
		c = bytes.Clone(b)
		return nil
	})
	return c, err
}

// Fault returns the address that caused a panic by a memory access, if that was its cause. Such panics occur in
// goroutines that have called [debug.SetPanicOnFault].
func Fault(recovered any) (addr uintptr, ok bool) {
	_, isRuntime := recovered.(runtime.Error)
	at, hasAddr := recovered.(interface{ Addr() uintptr })
	if !isRuntime || !hasAddr {
		return 0, false
	}
	return at.Addr(), true
}
