package csvfile

import (
	"fmt"
	"io"
	"os"
	"strconv"

	"dcs/render/attr"
)

var _ attr.Marker = (*source)(nil)

// Mark implements [attr.Marker]: the octets of the file.
func (s *source) Mark() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return strconv.FormatInt(s.loaded.Size(), 10)
}

// SetMark implements [attr.Marker].
func (s *source) SetMark(mark string) {
	n, _ := strconv.ParseInt(mark, 10, 64)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.before = n
}

// half returns an error that wraps [attr.ErrHeldBack] if a file has no line end after its last row and fewer octets than the
// one that is served.
func (s *source) half(f io.ReaderAt, info os.FileInfo) error {
	s.mu.Lock()
	before := s.before
	s.mu.Unlock()
	if info.Size() >= before || !s.cut(f, info) {
		return nil
	}
	return fmt.Errorf("%s: %w: the last row has no line end, and the file has %d octets, fewer than the %d that were loaded before: it is half written",
		s.cfg.Path, attr.ErrHeldBack, info.Size(), before)
}

// cut tells whether a file ends without a line end, and whether that matters.
func (s *source) cut(f io.ReaderAt, info os.FileInfo) bool {
	s.mu.Lock()
	matters := s.before > 0
	s.mu.Unlock()
	if !matters || info.Size() == 0 {
		return matters
	}
	var last [1]byte
	_, err := f.ReadAt(last[:], info.Size()-1)
	return err != nil || last[0] != '\n'
}

// halfNow tells whether the file is half written as it stands.
func (s *source) halfNow() bool {
	f, info, err := s.open()
	if err != nil {
		return false // the load says why
	}
	defer f.Close()
	return s.half(f, info) != nil
}
