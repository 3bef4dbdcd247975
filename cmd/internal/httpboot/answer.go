package httpboot

import (
	"io"
	"net/http"
	"runtime"
	"strconv"
	"sync/atomic"
	"time"

	"dcs/render/mapped"
)

// A File is an answer. Its body is immutable.
type File struct {
	Body []byte
	Hold any // keeps Body's memory mapped; nil if the garbage collector manages it
	// Tag is the HTTP entity tag of Body, with quotes. With a tag, clients may request ranges, and whether their copy is
	// current. Empty: the file is rendered for each request.
	Tag string
}

// answer sends a file. A file without a tag is sent whole even if a range was requested: it contains the time, and may change
// with a device's data at any moment. No date is sent: it would go back when an older file is restored, and two versions of a
// file can share a second.
func (s *Server) answer(w http.ResponseWriter, r *http.Request, f File) {
	h := w.Header()
	h.Set("Content-Type", "application/octet-stream")
	out := &answer{ResponseWriter: w, server: s}
	body := &content{body: f.Body, hold: f.Hold}
	if f.Tag == "" {
		h.Set("Accept-Ranges", "none")
		h.Set("Content-Length", strconv.Itoa(len(f.Body)))
		out.WriteHeader(http.StatusOK)
		if r.Method != http.MethodHead {
			_, _ = io.Copy(out, body)
		}
	} else {
		h.Set("Cache-Control", "no-cache") // may be stored, must be revalidated
		h.Set("Etag", f.Tag)
		if asked := ranges(r.Header.Get("Range"), len(f.Body)); asked == "" || r.Method == http.MethodHead {
			r.Header.Del("Range") // defined for GET only (RFC 9110, section 14.2)
		} else {
			r.Header.Set("Range", asked)
		}
		http.ServeContent(out, r, "", time.Time{}, body)
	}
	if body.cut.Load() {
		panic(http.ErrAbortHandler)
	}
}

// answer is a [http.ResponseWriter] that counts the status, and extends the deadline with each part of a long file.
type answer struct {
	http.ResponseWriter
	server *Server
}

func (a *answer) WriteHeader(code int) {
	a.server.codes[code].Add(1)
	deadline(a.ResponseWriter, a.server.cfg.Limits.Write)
	a.ResponseWriter.WriteHeader(code)
}

func (a *answer) Write(b []byte) (int, error) {
	deadline(a.ResponseWriter, a.server.cfg.Limits.Write)
	return a.ResponseWriter.Write(b)
}

// content reads a body whose file may be truncated meanwhile. For several ranges [http.ServeContent] reads it on its own
// goroutine, which may outlive the request; content therefore keeps the body mapped.
type content struct {
	body []byte
	hold any
	at   int64
	cut  atomic.Bool
}

func (c *content) Read(b []byte) (n int, err error) {
	if c.at >= int64(len(c.body)) {
		return 0, io.EOF
	}
	// A truncated file faults in this copy, where no lock is held.
	if err := mapped.Read(func() error { n = copy(b, c.body[c.at:]); return nil }); err != nil {
		c.cut.Store(true)
		return 0, err
	}
	runtime.KeepAlive(c.hold)
	c.at += int64(n)
	return n, nil
}

// Seek implements [io.Seeker].
func (c *content) Seek(offset int64, whence int) (int64, error) {
	switch whence {
	case io.SeekCurrent:
		offset += c.at
	case io.SeekEnd:
		offset += int64(len(c.body))
	}
	c.at = offset
	return offset, nil
}
