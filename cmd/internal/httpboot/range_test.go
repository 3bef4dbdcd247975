package httpboot

import (
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"dcs/bench/require"

	"golang.org/x/sys/unix"
)

const (
	static    = "0123456789abcdefghij"
	staticTag = `"static's"`
)

// Parts and validators of RFC 9110, sections 13 and 14: for a file that has a tag, and not for others.
func TestParts(t *testing.T) {
	s, addr := start(t, Config{})
	for _, tt := range []struct {
		line   string // of /boot/
		header string
		code   int
		body   string
		part   string // Content-Range
	}{
		{"GET static", "", 200, static, ""},
		{"GET static", "Range: bytes=0-3", 206, "0123", "bytes 0-3/20"},
		{"GET static", "Range: bytes=18-", 206, "ij", "bytes 18-19/20"},
		{"GET static", "Range: bytes=18-99", 206, "ij", "bytes 18-19/20"},
		{"GET static", "Range: bytes=-4", 206, "ghij", "bytes 16-19/20"},
		{"GET static", "Range: bytes=-99", 206, static, "bytes 0-19/20"},
		{"GET static", "Range: bytes=20-", 416, "", "bytes */20"},
		{"GET static", "Range: bytes=99-100", 416, "", "bytes */20"},
		{"GET static", "Range: bytes=0-19,0-19", 200, static, ""}, // more than the file
		{"GET static", "Range: bytes=-0", 416, "", "bytes */20"},
		{"GET static", "Range: bytes=-000", 416, "", "bytes */20"},
		{"GET static", "Range: bytes=-0, 0-1", 206, "01", "bytes 0-1/20"},
		{"GET static", "Range: BYTES=0-1", 206, "01", "bytes 0-1/20"},
		{"GET static", "Range: bytes=0-99999999999999999999", 206, static, "bytes 0-19/20"},
		{"GET static", "Range: bytes=-99999999999999999999", 206, static, "bytes 0-19/20"},
		{"GET static", "Range: bytes=99999999999999999999-", 416, "", "bytes */20"},
		{"GET static", "Range: bits=0-1", 200, static, ""}, // passed over, as what is not well-formed
		{"GET static", "Range: bytes=1-0", 200, static, ""},
		{"GET static", "Range: bytes=a-b", 200, static, ""},
		{"GET static", "Range: bytes=+1-2", 200, static, ""},
		{"GET static", "Range: bytes=-", 200, static, ""},
		{"GET static", "Range: bytes", 200, static, ""},
		{"GET static", "Range: bytes=" + strings.Repeat("0-0,", 16) + "1-1", 200, static, ""}, // more than anybody needs
		{"GET static", "Range: bytes=0-3\r\nIf-Range: " + staticTag, 206, "0123", "bytes 0-3/20"},
		{"GET static", "Range: bytes=0-3\r\nIf-Range: \"former\"", 200, static, ""},
		{"GET static", "Range: bytes=0-3\r\nIf-Range: W/" + staticTag, 200, static, ""},
		{"GET static", "Range: bytes=0-3\r\nIf-Range: Mon, 02 Nov 2026 10:00:00 GMT", 200, static, ""},
		{"GET static", "If-None-Match: " + staticTag, 304, "", ""},
		{"GET static", "If-None-Match: W/" + staticTag, 304, "", ""},
		{"GET static", "If-None-Match: \"former\", " + staticTag, 304, "", ""},
		{"GET static", "If-None-Match: *", 304, "", ""},
		{"GET static", "If-None-Match: \"former\"", 200, static, ""},
		{"GET static", "Range: bytes=0-3\r\nIf-None-Match: " + staticTag, 304, "", ""},
		{"GET static", "If-Modified-Since: Mon, 02 Nov 2099 10:00:00 GMT", 200, static, ""},
		{"GET static", "If-Match: " + staticTag, 200, static, ""},
		{"GET static", "If-Match: \"former\"", 412, "", ""},
		{"HEAD static", "", 200, "", ""},
		{"HEAD static", "Range: bytes=0-3", 200, "", ""},
		{"HEAD static", "If-None-Match: " + staticTag, 304, "", ""},
		{"GET static%20empty", "", 200, "", ""},
		{"GET static%20empty", "Range: bytes=0-3", 200, "", ""},
		{"GET basic.cm", "Range: bytes=0-3", 200, "file basic.cm", ""},
		{"GET basic.cm", "Range: bytes=99-", 200, "file basic.cm", ""},
		{"GET basic.cm", "Range: bytes=0-3\r\nIf-Range: " + staticTag, 200, "file basic.cm", ""},
		{"GET basic.cm", "If-None-Match: *", 200, "file basic.cm", ""},
		{"HEAD basic.cm", "Range: bytes=0-3", 200, "", ""},
	} {
		method, name, _ := strings.Cut(tt.line, " ")
		header := tt.header
		if header != "" {
			header += "\r\n"
		}
		before := s.Requests()[tt.code]
		res := ask(t, addr, method+" /boot/"+name, header)
		h, body := res.Header, text(res)
		if res.StatusCode != tt.code || tt.code < 300 && body != tt.body || h.Get("Content-Range") != tt.part {
			t.Errorf("%s, %q: %d %q, %v", tt.line, tt.header, res.StatusCode, body, h)
		}
		if n := s.Requests()[tt.code]; n != before+1 {
			t.Errorf("%s, %q: status %d was counted %d times", tt.line, tt.header, tt.code, n-before)
		}
		made, has := name == "basic.cm", h.Get("Etag") != ""
		if tt.code < 400 && has == made || h.Get("Last-Modified") != "" || made && (h.Get("Cache-Control") != "no-store" || h.Get("Accept-Ranges") != "none") {
			t.Errorf("%s, %q: header %v", tt.line, tt.header, h)
		}
		if method == http.MethodHead && tt.code == 200 && res.ContentLength != int64(len(map[bool]string{true: "file basic.cm", false: static}[made])) {
			t.Errorf("%s, %q: length %d", tt.line, tt.header, res.ContentLength)
		}
	}
}

// Several parts come in one answer.
func TestSeveralParts(t *testing.T) {
	_, addr := start(t, Config{})
	res := ask(t, addr, "GET /boot/static", "Range: bytes=0-1,10-12,-1\r\n")
	kind, params, err := mime.ParseMediaType(res.Header.Get("Content-Type"))
	if err != nil || kind != "multipart/byteranges" || res.StatusCode != http.StatusPartialContent {
		t.Fatal(res.Status, res.Header, err)
	}
	parts := multipart.NewReader(res.Body, params["boundary"])
	for _, want := range [][2]string{{"bytes 0-1/20", "01"}, {"bytes 10-12/20", "abc"}, {"bytes 19-19/20", "j"}} {
		p, err := parts.NextPart()
		if err != nil {
			t.Fatal(err)
		}
		if b, err := io.ReadAll(p); err != nil || string(b) != want[1] || p.Header.Get("Content-Range") != want[0] {
			t.Errorf("%q, %v, %v; want %q", b, p.Header, err, want)
		}
	}
	if _, err := parts.NextPart(); !errors.Is(err, io.EOF) {
		t.Error("a fourth part:", err)
	}
}

// Whichever part a file is cut short in, its transfer ends early, and the next is served.
func TestCutShort(t *testing.T) {
	const size = 256 << 10
	path := filepath.Join(t.TempDir(), "firmware")
	if err := os.WriteFile(path, make([]byte, size), 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	body, err := unix.Mmap(int(f.Fd()), 0, size, unix.PROT_READ, unix.MAP_SHARED)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = unix.Munmap(body) })
	_, addr := start(t, Config{Render: func(r Request) (File, error) {
		if r.Name == "made" {
			return File{Body: body}, nil
		}
		return File{Body: body, Tag: staticTag}, nil
	}})
	if err := os.Truncate(path, size/2); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name, ranges string
		whole        bool
	}{
		{"made", "", false},
		{"static", "", false},
		{"static", "bytes=200000-", false},
		{"static", "bytes=0-10,200000-200010", false},
		{"static", "bytes=0-10", true},
		{"static", "bytes=0-10,1000-2000", true},
	} {
		req, err := http.NewRequest(http.MethodGet, fmt.Sprintf("http://%s/boot/%s", addr, tt.name), nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Range", tt.ranges)
		res, err := http.DefaultClient.Do(req)
		if err == nil {
			_, err = io.Copy(io.Discard, res.Body)
			res.Body.Close()
		}
		if (err == nil) != tt.whole {
			t.Errorf("%s, %q: %v", tt.name, tt.ranges, err)
		}
	}
}

// What curl makes of it.
func TestCurlParts(t *testing.T) {
	require.Program(t, "curl")
	_, addr := start(t, Config{})
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	curl := func(args ...string) string {
		t.Helper()
		out, err := exec.Command("curl", append([]string{"-sS", "--noproxy", "*", "--max-time", "60", "-w", " %{http_code} %{size_download}"}, args...)...).CombinedOutput()
		if err != nil {
			t.Errorf("curl %q: %v, %s", args, err, out)
		}
		return string(out)
	}
	url := "http://" + addr + "/boot/static"
	if got := curl("-r", "2-5", url); got != "2345 206 4" {
		t.Errorf("a part: %q", got)
	}
	if got := curl("-I", url); !strings.Contains(got, "Content-Length: 20\r\n") || !strings.Contains(got, "Etag: "+staticTag) || !strings.Contains(got, "Accept-Ranges: bytes") || !strings.HasSuffix(got, " 200 0") {
		t.Errorf("the header: %q", got)
	}
	if err := os.WriteFile(at("begun"), []byte(static[:7]), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := curl("-C", "-", "-o", at("begun"), url); got != " 206 13" {
		t.Errorf("the rest: %q", got)
	}
	if b, err := os.ReadFile(at("begun")); err != nil || string(b) != static {
		t.Errorf("%q, %v", b, err)
	}
	if got := curl("--etag-save", at("tag"), "-o", at("saved"), url); got != " 200 20" {
		t.Errorf("with its tag: %q", got)
	}
	if got := curl("--etag-compare", at("tag"), "-o", at("again"), url); got != " 304 0" {
		t.Errorf("the same: %q", got)
	}
	if err := os.WriteFile(at("tag"), []byte("\"former\"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := curl("--etag-compare", at("tag"), url); got != static+" 200 20" {
		t.Errorf("another: %q", got)
	}
}
