package csvfile

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"os"
	"syscall"
	"time"

	"dcs/render/attr"
)

var _ attr.Versioned = (*source)(nil)

// reading is the number of the way in which rows become devices. It grows with every change of that, so that files are read anew.
const reading = 1

// settled is how long before a load a file must have been changed for its times to identify it. A later change may have got the
// same times: the kernel's clock for them ticks every 10 ms, that of some file systems every second or two.
const settled = 5 * time.Second

// version identifies the contents of a file, and how they were read.
type version struct {
	Reading     int    `json:"reading"`
	Comma       string `json:"comma"`
	MaxRejected int    `json:"max_rejected"`
	Size        int64  `json:"size"`
	Sum         string `json:"sha256"`
	// Of a file that was settled: not changed for a while, by the clock of the load and that of the file system. Nothing can
	// set Changed but a clock, and a change in place of one octet by a clock that is set back would have to hit it to the tick.
	Inode    uint64 `json:"inode,omitempty"`
	Modified int64  `json:"mtime,omitempty"` // ns
	Changed  int64  `json:"ctime,omitempty"` // ns
}

// Version implements [attr.Versioned].
func (s *source) Version(began time.Time) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.sum == nil {
		return ""
	}
	v := s.settings()
	v.Size, v.Sum = s.loaded.Size(), hex.EncodeToString(s.sum)
	if inode, mtime, ctime := stamps(s.loaded); began.UnixNano()-max(mtime, ctime) > int64(settled) {
		v.Inode, v.Modified, v.Changed = inode, mtime, ctime
	}
	text, err := json.Marshal(v)
	if err != nil {
		return ""
	}
	return string(text)
}

// settings returns a version that says only how files are read.
func (s *source) settings() version {
	return version{Reading: reading, Comma: string(rune(s.cfg.Comma)), MaxRejected: s.cfg.MaxRejected}
}

// stamps returns what the file system says of a file: its inode, and when its octets and its inode were changed, in ns.
func stamps(info os.FileInfo) (inode uint64, mtime, ctime int64) {
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return 0, 0, 0
	}
	return st.Ino, st.Mtim.Nano(), st.Ctim.Nano()
}

// Unchanged implements [attr.Versioned]. It reads the file only if it was replaced or touched since, and that without parsing it.
func (s *source) Unchanged(ctx context.Context, text string) bool {
	var was version
	if json.Unmarshal([]byte(text), &was) != nil {
		return false
	}
	f, info, err := s.open()
	if err != nil {
		return false
	}
	defer f.Close()
	now := s.settings()
	now.Size, now.Sum = was.Size, was.Sum
	if now.Inode, now.Modified, now.Changed = stamps(info); was.Size != info.Size() {
		return false
	}
	if now != was {
		now.Inode, now.Modified, now.Changed = was.Inode, was.Modified, was.Changed
		if now != was || !hasSum(ctx, f, was.Sum) {
			return false
		}
		if after, err := f.Stat(); err != nil || !same(info, after) {
			return false
		}
	}
	sum, err := hex.DecodeString(was.Sum)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.loaded, s.sum = info, sum
	return err == nil
}

// hasSum reports whether the octets of r have a sum.
func hasSum(ctx context.Context, r io.Reader, want string) bool {
	sum := sha256.New()
	buf := make([]byte, 1<<20)
	for ctx.Err() == nil {
		n, err := r.Read(buf)
		sum.Write(buf[:n])
		if err == io.EOF {
			return hex.EncodeToString(sum.Sum(nil)) == want
		}
		if err != nil {
			return false
		}
	}
	return false
}
