// Package mapped reads files that are mapped into memory, and survives that somebody cuts them short meanwhile.
package mapped

import (
	"bytes"
	"errors"
	"runtime"
	"runtime/debug"
)

// ErrCut says that a file is no longer as long as it was when it was mapped: it was written to in place, where another should
// have been renamed over it.
var ErrCut = errors.New("the file was cut short while it was read: replace files by renaming, not in place")

// Read calls f, and returns ErrCut if what f reads is there no more (SIGBUS, mmap(2)). f must not hold a lock then.
func Read(f func() error) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if r := recover(); r != nil {
			if _, ok := Fault(r); !ok {
				panic(r) //nolint:forbidigo // not ours: it goes on
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

// Fault returns the address whose access a panic was about, if it was about one. Such panics come in goroutines that
// have called [debug.SetPanicOnFault].
func Fault(recovered any) (addr uintptr, ok bool) {
	_, isRuntime := recovered.(runtime.Error)
	at, hasAddr := recovered.(interface{ Addr() uintptr })
	if !isRuntime || !hasAddr {
		return 0, false
	}
	return at.Addr(), true
}
