package mapped

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

func TestCut(t *testing.T) {
	f, err := os.Create(filepath.Join(t.TempDir(), "f"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	want := bytes.Repeat([]byte("x"), 10_000)
	if _, err := f.Write(want); err != nil {
		t.Fatal(err)
	}
	data, err := unix.Mmap(int(f.Fd()), 0, len(want), unix.PROT_READ, unix.MAP_SHARED)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = unix.Munmap(data) }()
	if got, err := Copy(data); err != nil || !bytes.Equal(got, want) {
		t.Fatalf("whole: %v", err)
	}
	if err := f.Truncate(4096); err != nil {
		t.Fatal(err)
	}
	if got, err := Copy(data); !errors.Is(err, ErrCut) || got != nil {
		t.Errorf("cut: %d octets, %v", len(got), err)
	}
	if got, err := Copy(data[:4096]); err != nil || !bytes.Equal(got, want[:4096]) {
		t.Errorf("what is left: %v", err)
	}
}

// Other panics go on, and errors are handed back.
func TestRead(t *testing.T) {
	if err := Read(func() error { return io.ErrUnexpectedEOF }); err != io.ErrUnexpectedEOF {
		t.Error(err)
	}
	for _, cause := range []func(){
		func() { panic("mine") },
		func() { _ = []int{}[len(os.Args)+5] },
		func() { panic(errors.New("an error")) },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Error("a panic was taken for a file that was cut")
				}
			}()
			_ = Read(func() error { cause(); return nil })
		}()
	}
}
