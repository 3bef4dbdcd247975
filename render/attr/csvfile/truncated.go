package csvfile

import (
	"fmt"
	"io"
	"os"
	"strconv"

	"dcs/render/attr"
)

var _ attr.Marker = (*source)(nil)

// Mark implements [attr.Marker]. It returns the size of the file in octets.
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
	s.servedSize = n
}

// truncated returns an error that wraps [attr.ErrHeldBack] if a file has no line end after its last row and is smaller than
// the one that is in service.
func (s *source) truncated(f io.ReaderAt, info os.FileInfo) error {
	s.mu.Lock()
	before := s.servedSize
	s.mu.Unlock()
	if info.Size() >= before || !s.unterminated(f, info) {
		return nil
	}
	return fmt.Errorf("%s: %w: the last row has no line end, and the file has shrunk from %d to %d octets: it is truncated",
		s.cfg.Path, attr.ErrHeldBack, before, info.Size())
}

// unterminated reports whether a file ends without a line end. It is always false if the size in service is unknown.
func (s *source) unterminated(f io.ReaderAt, info os.FileInfo) bool {
	s.mu.Lock()
	matters := s.servedSize > 0
	s.mu.Unlock()
	if !matters || info.Size() == 0 {
		return matters
	}
	var last [1]byte
	_, err := f.ReadAt(last[:], info.Size()-1)
	return err != nil || last[0] != '\n'
}

// truncatedNow reports whether the file is truncated at this moment.
func (s *source) truncatedNow() bool {
	f, info, err := s.open()
	if err != nil {
		return false // the next load reports the error
	}
	defer f.Close()
	return s.truncated(f, info) != nil
}
