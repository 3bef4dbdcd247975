package localdb

import (
	"bufio"
	"encoding/binary"
	"hash/crc32"
	"io"
	"os"
)

// blockWriter writes sections, and computes the sum of each block.
type blockWriter struct {
	w     *bufio.Writer
	off   uint64
	block []byte // the octets of the block that is being filled
	sums  []byte
}

// newBlockWriter returns a writer to f that leaves room for a header. It writes hugePage octets at a time: file systems with
// large folios cache such a write in one huge page.
func newBlockWriter(f *os.File, header int) (*blockWriter, error) {
	w := bufio.NewWriterSize(f, hugePage)
	_, err := w.Write(make([]byte, header))
	return &blockWriter{w: w, off: uint64(header), block: make([]byte, 0, blockSize)}, err
}

func (w *blockWriter) write(p []byte) error {
	w.off += uint64(len(p))
	for len(p) > 0 {
		n := min(len(p), blockSize-len(w.block))
		w.block = append(w.block, p[:n]...)
		p = p[n:]
		if len(w.block) == blockSize {
			w.sums = binary.LittleEndian.AppendUint32(w.sums, crc32.Checksum(w.block, castagnoli()))
			if _, err := w.w.Write(w.block); err != nil {
				return err
			}
			w.block = w.block[:0]
		}
	}
	return nil
}

// endSection returns the length of the section that began at off, and pads its last block.
func (w *blockWriter) endSection(off uint64) (uint64, error) {
	n := w.off - off
	if fill := len(w.block); fill > 0 {
		return n, w.write(make([]byte, blockSize-fill))
	}
	return n, nil
}

// copyFrom writes the first n octets of f.
func (w *blockWriter) copyFrom(f *os.File, n int64) error {
	buf := make([]byte, 1<<16)
	r := io.NewSectionReader(f, 0, n)
	for {
		k, err := r.Read(buf)
		if k > 0 {
			if err := w.write(buf[:k]); err != nil {
				return err
			}
			n -= int64(k)
		}
		switch {
		case err == io.EOF && n == 0:
			return nil
		case err == io.EOF:
			return io.ErrUnexpectedEOF
		case err != nil:
			return err
		}
	}
}
