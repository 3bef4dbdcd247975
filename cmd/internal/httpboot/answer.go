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

// A File is an answer. Nobody changes its body.
type File struct {
	Body []byte
	Hold any // keeps Body's memory in place; nil where the garbage collector does
	// Tag, an HTTP entity tag with its quotes, names the octets of Body and no others. With one, clients may ask for parts of the
	// file, and whether it is still the one that they have. Empty: the file is made anew for each request.
	Tag string
}

// answer sends a file. One without a tag is sent whole, whatever part was asked for: it holds the time, and may change with a device's
// data at any moment. No date is sent: dates go back when an older file is put in its place, and two files can share a second.
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
		h.Set("Cache-Control", "no-cache") // it may be kept, and has to be asked about each time
		h.Set("Etag", f.Tag)
		if asked := ranges(r.Header.Get("Range"), len(f.Body)); asked == "" || r.Method == http.MethodHead {
			r.Header.Del("Range") // it is for GET alone (RFC 9110, section 14.2)
		} else {
			r.Header.Set("Range", asked)
		}
		http.ServeContent(out, r, "", time.Time{}, body)
	}
	if body.cut.Load() {
		panic(http.ErrAbortHandler)
	}
}

// answer is a [http.ResponseWriter] that counts the status, and gives a slow client its time for each part of a long file.
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

// content reads a body whose file may turn out to be cut short. For several ranges [http.ServeContent] reads it on a goroutine of its
// own, which may outlive the request: what keeps the body in place belongs to it.
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
	// The copy is read, and no lock held, where a file turns out to be cut short.
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
