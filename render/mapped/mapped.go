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
			if !fault(r) {
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

// fault reports whether what a panic was recovered with is an access to memory that is not there.
func fault(recovered any) bool {
	_, isRuntime := recovered.(runtime.Error)
	_, hasAddr := recovered.(interface{ Addr() uintptr })
	return isRuntime && hasAddr
}
