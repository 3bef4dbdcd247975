package httpboot

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"dcs/bench/require"
	"dcs/cmd/internal/dcstest"
)

// large is more than two sockets hold.
const large = 32 << 20

var largeBody = sync.OnceValue(func() []byte { return bytes.Repeat([]byte{1}, large) })

// start serves names that say what becomes of a request, and returns where.
func start(t *testing.T, cfg Config) (*Server, string) {
	t.Helper()
	cfg.Address = "127.0.0.1:0"
	cfg.Log = slog.New(slog.DiscardHandler)
	if cfg.Render == nil {
		cfg.Render = render
	}
	if cfg.Judge == nil {
		cfg.Judge = func(netip.Addr) Verdict { return Admit }
	}
	s, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return s, s.Addr().String()
}

func render(r Request) (File, error) {
	switch r.Name {
	case "soon":
		return File{}, fmt.Errorf("device: %w", syscall.EAGAIN)
	case "denied":
		return File{}, fs.ErrPermission
	case "broken":
		return File{}, errors.New("gold.dcs:1:1: a secret reason")
	case "large":
		return File{Body: largeBody()}, nil
	case "who":
		return File{Body: []byte(r.Client.String() + " " + r.Server.String())}, nil
	case "empty":
		return File{}, nil
	case "static":
		return File{Body: []byte(static), Tag: staticTag}, nil
	case "static empty":
		return File{Tag: `"empty"`}, nil
	case "basic.cm", "dir/file", "a b+c@0a0102030405":
		return File{Body: []byte("file " + r.Name)}, nil
	}
	return File{}, fs.ErrNotExist
}

// ask sends a request line as it is, and no client's idea of it.
func ask(t *testing.T, addr, line, header string) *http.Response {
	t.Helper()
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(time.Minute))
	if _, err := fmt.Fprintf(c, "%s HTTP/1.1\r\nHost: x\r\n%s\r\n", line, header); err != nil {
		t.Fatal(err)
	}
	method, _, _ := strings.Cut(line, " ")
	res, err := http.ReadResponse(bufio.NewReader(c), &http.Request{Method: method})
	if err != nil {
		t.Fatalf("%.60s: %v", line, err)
	}
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	res.Body = io.NopCloser(bytes.NewReader(body))
	return res
}

func text(res *http.Response) string {
	b, _ := io.ReadAll(res.Body)
	return string(b)
}

func TestStatus(t *testing.T) {
	s, addr := start(t, Config{})
	for _, tt := range []struct {
		line string
		code int
		body string // of a file
	}{
		{"GET /boot/basic.cm", 200, "file basic.cm"},
		{"GET /boot/basic.cm?x=1", 200, "file basic.cm"},
		{"GET http://other/boot/basic.cm", 200, "file basic.cm"},
		{"GET /boot/%62asic.cm", 200, "file basic.cm"},
		{"GET /boot/dir/file", 200, "file dir/file"},
		{"GET /boot/dir%2ffile", 200, "file dir/file"},
		{"GET /boot/a%20b+c@0a0102030405", 200, "file a b+c@0a0102030405"},
		{"GET /boot/empty", 200, ""},
		{"HEAD /boot/basic.cm", 200, ""},
		{"GET /boot/who", 200, "127.0.0.1 127.0.0.1"},
		{"GET /boot/soon", 503, ""},
		{"GET /boot/denied", 403, ""},
		{"GET /boot/broken", 500, ""},
		{"GET /boot/nobody", 404, ""},
		{"GET /boot/", 404, ""},
		{"GET /boot", 404, ""},
		{"GET /", 404, ""},
		{"GET /metrics", 404, ""},
		{"GET //boot/basic.cm", 404, ""},
		{"GET /boot//basic.cm", 404, ""},
		{"GET /x/../boot/basic.cm", 404, ""},
		{"GET /boot/../boot/basic.cm", 404, ""},
		{"GET /boot/../../etc/passwd", 404, ""},
		{"GET /boot/..%2f..%2fetc%2fpasswd", 404, ""},
		{"GET /boot/%2e%2e/%2e%2e/etc/passwd", 404, ""},
		{"GET /boot/..\\..\\etc", 404, ""},
		{"GET /boot/%00", 400, ""},
		{"GET /boot/basic.cm%00.txt", 400, ""},
		{"GET /boot/%zz", 400, ""},
		{"GET boot/basic.cm", 400, ""},
		{"GET *", 404, ""},
		{"POST /boot/basic.cm", 405, ""},
		{"PUT /boot/basic.cm", 405, ""},
		{"OPTIONS *", 405, ""},
		{"GET /boot/" + strings.Repeat("a", 512), 404, ""},
		{"GET /boot/" + strings.Repeat("a", 513), 414, ""},
	} {
		res := ask(t, addr, tt.line, "")
		if res.StatusCode != tt.code {
			t.Errorf("%.60s: status %d, want %d", tt.line, res.StatusCode, tt.code)
			continue
		}
		body := text(res)
		h := res.Header
		switch {
		case tt.code == 200:
			if body != tt.body || h.Get("Content-Type") != "application/octet-stream" || h.Get("Cache-Control") != "no-store" || h.Get("Content-Length") == "" {
				t.Errorf("%.60s: %q, %v", tt.line, body, h)
			}
		case strings.Contains(body, "secret"):
			t.Errorf("%.60s: the client is told too much: %q", tt.line, body)
		case tt.code == 503 && h.Get("Retry-After") == "", tt.code == 405 && h.Get("Allow") != "GET, HEAD":
			t.Errorf("%.60s: %v", tt.line, h)
		}
	}
	if res := ask(t, addr, "HEAD /boot/basic.cm", ""); res.ContentLength != int64(len("file basic.cm")) {
		t.Errorf("HEAD: length %d", res.ContentLength)
	}
	// A request longer than the server reads ends with its connection, and with nothing else.
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(time.Minute))
	_, _ = fmt.Fprintf(c, "GET /boot/%s HTTP/1.1\r\nHost: x\r\n\r\n", strings.Repeat("a", 64<<10))
	if b, err := io.ReadAll(c); errors.Is(err, os.ErrDeadlineExceeded) || len(b) > 0 && !bytes.HasPrefix(b, []byte("HTTP/1.1 431 ")) {
		t.Errorf("64 KiB of a request: %.40q, %v", b, err)
	}
	if n := s.Requests(); n[404] < 10 || n[503] != 1 || n[405] != 3 {
		t.Errorf("counted %v", n)
	}
}

func TestJudge(t *testing.T) {
	for _, tt := range []struct {
		verdict Verdict
		code    int
		retry   bool
	}{{Admit, 200, false}, {Forbidden, 403, false}, {TooOften, 429, true}, {NotServing, 503, true}} {
		_, addr := start(t, Config{Judge: func(netip.Addr) Verdict { return tt.verdict }})
		if res := ask(t, addr, "GET /boot/basic.cm", ""); res.StatusCode != tt.code || (res.Header.Get("Retry-After") != "") != tt.retry {
			t.Errorf("verdict %d: %s, %v", tt.verdict, res.Status, res.Header)
		}
	}
}

// X-Forwarded-For is a client's word, unless a proxy of ours says it.
func TestForwardedFor(t *testing.T) {
	loopback := []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("10.9.0.0/16")}
	for _, tt := range []struct {
		proxies []netip.Prefix
		header  string
		want    string
	}{
		{nil, "X-Forwarded-For: 10.1.2.3\r\n", "127.0.0.1"},
		{loopback[1:], "X-Forwarded-For: 10.1.2.3\r\n", "127.0.0.1"},
		{loopback, "", "127.0.0.1"},
		{loopback, "X-Forwarded-For: 10.1.2.3\r\n", "10.1.2.3"},
		{loopback, "X-Forwarded-For: ::ffff:10.1.2.3\r\n", "10.1.2.3"},
		{loopback, "X-Forwarded-For: fd00::7\r\n", "fd00::7"},
		{loopback, "X-Forwarded-For: 10.6.6.6, 10.1.2.3\r\n", "10.1.2.3"}, // the first is the client's own word
		{loopback, "X-Forwarded-For: 10.6.6.6\r\nX-Forwarded-For: 10.1.2.3,10.9.1.1\r\n", "10.1.2.3"},
		{loopback, "X-Forwarded-For: nonsense, 10.1.2.3\r\n", "10.1.2.3"},
		{loopback, "X-Forwarded-For: 10.1.2.3:4711\r\n", "10.1.2.3"},
		{loopback, "X-Forwarded-For: [fd00::7]:4711\r\n", "fd00::7"},
		{loopback, "X-Forwarded-For: \r\n", "127.0.0.1"},
		{nil, "X-Forwarded-For: 10.1.2.3, nonsense\r\n", "127.0.0.1"},
		{loopback, "X-Forwarded-For: 10.1.2.3, nonsense\r\n", "Bad"},
		{loopback, "X-Forwarded-For: nonsense\r\n", "Bad"},
		{loopback, "X-Forwarded-For: nonsense, 10.9.1.1\r\n", "Bad"},
		{loopback, "X-Forwarded-For: 10.1.2.3,\r\n", "Bad"},
		{loopback, "X-Forwarded-For: 10.1.2.3\r\nX-Forwarded-For: unknown\r\n", "Bad"},
		{loopback, "X-Forwarded-For: 255.255.255.255\r\n", "Bad"},
		{loopback, "Forwarded: for=10.1.2.3\r\n", "127.0.0.1"},
	} {
		_, addr := start(t, Config{Proxies: tt.proxies})
		if got, _, _ := strings.Cut(text(ask(t, addr, "GET /boot/who", tt.header)), " "); got != tt.want {
			t.Errorf("%v %q: client %s, want %s", tt.proxies, tt.header, got, tt.want)
		}
	}
}

// Of one source only so many connections are kept: who asks for nothing makes room for who does.
func TestConnections(t *testing.T) {
	s, addr := start(t, Config{Limits: Limits{Conns: 8, SourceConns: 3, Idle: time.Minute, Header: time.Minute}})
	var held []net.Conn
	for range 3 {
		c, err := net.Dial("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		held = append(held, c)
	}
	dcstest.Eventually(t, "three connections", func() bool { return s.Connections() == 3 })
	if res := ask(t, addr, "GET /boot/basic.cm", ""); res.StatusCode != http.StatusOK {
		t.Error(res.Status)
	}
	_ = held[0].SetDeadline(time.Now().Add(time.Minute))
	if _, err := held[0].Read(make([]byte, 1)); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("one connection too many: %v", err)
	}
	dcstest.Eventually(t, "two connections", func() bool { return s.Connections() == 2 })
}

// Who is slow to ask, or to take what it asked for, does not keep its connection; who takes a long file slowly gets it.
func TestSlowClients(t *testing.T) {
	for _, tt := range []struct {
		name, sends string
		takes       bool
	}{
		{"silent", "", true},
		{"half a request", "GET /boot/basic.cm HTTP/1.1\r\nHost:", true},
		{"idle", "GET /boot/basic.cm HTTP/1.1\r\nHost: x\r\n\r\n", true},
		{"takes nothing", "GET /boot/large HTTP/1.1\r\nHost: x\r\n\r\n", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			const limit = 100 * time.Millisecond
			s, addr := start(t, Config{Limits: Limits{Header: limit, Idle: limit, Write: limit}})
			c, err := net.Dial("tcp", addr)
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			if _, err := io.WriteString(c, tt.sends); err != nil {
				t.Fatal(err)
			}
			if tt.takes {
				_ = c.SetReadDeadline(time.Now().Add(time.Minute))
				if _, err := io.Copy(io.Discard, c); errors.Is(err, os.ErrDeadlineExceeded) {
					t.Error("the connection is not closed")
				}
			} else {
				dcstest.Eventually(t, "writing fails, as the connection is closed", func() bool {
					_, err := c.Write([]byte(" "))
					return err != nil
				})
			}
			dcstest.Eventually(t, "no connection", func() bool { return s.Connections() == 0 })
		})
	}
	t.Run("takes a long file slowly", func(t *testing.T) {
		t.Parallel()
		const limit = 500 * time.Millisecond
		_, addr := start(t, Config{Limits: Limits{Header: limit, Idle: limit, Write: limit}})
		c, err := net.Dial("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		_ = c.(*net.TCPConn).SetReadBuffer(64 << 10)
		fmt.Fprint(c, "GET /boot/large HTTP/1.1\r\nHost: x\r\n\r\n")
		res, err := http.ReadResponse(bufio.NewReader(c), nil)
		if err != nil {
			t.Fatal(err)
		}
		begun := time.Now()
		n := 0
		buf := make([]byte, 256<<10)
		for {
			m, err := res.Body.Read(buf)
			n += m
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatalf("after %d octets: %v", n, err)
			}
			if time.Since(begun) < 2*limit { // longer than a write may take
				time.Sleep(2 * time.Millisecond) // the slow client
			}
		}
		if n != large {
			t.Errorf("%d octets", n)
		}
	})
}

func TestConcurrent(t *testing.T) {
	_, addr := start(t, Config{Limits: Limits{SourceConns: 100}})
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 50 {
				res, err := http.Get("http://" + addr + "/boot/basic.cm")
				if err != nil {
					t.Error(err)
					return
				}
				if b, _ := io.ReadAll(res.Body); string(b) != "file basic.cm" {
					t.Errorf("%q", b)
				}
				res.Body.Close()
			}
		})
	}
	wg.Wait()
}

func TestCurl(t *testing.T) {
	require.Program(t, "curl")
	cert, key := certificate(t)
	_, plain := start(t, Config{})
	_, secure := start(t, Config{Cert: cert, Key: key})
	for _, tt := range []struct {
		args []string
		want string
		fail bool
	}{
		{[]string{"http://" + plain + "/boot/basic.cm"}, "file basic.cm", false},
		{[]string{"https://" + secure + "/boot/basic.cm", "--cacert", cert}, "file basic.cm", false},
		{[]string{"https://" + secure + "/boot/basic.cm"}, "", true},
		{[]string{"--path-as-is", "http://" + plain + "/boot/../../etc/passwd"}, "", true},
	} {
		out, err := exec.Command("curl", append([]string{"-sSf", "--noproxy", "*", "--max-time", "60"}, tt.args...)...).Output()
		if (err != nil) != tt.fail || string(out) != tt.want {
			t.Errorf("curl %q: %q, %v", tt.args, out, err)
		}
	}
	if _, err := New(Config{Address: "127.0.0.1:0", Cert: filepath.Join(t.TempDir(), "none"), Log: slog.New(slog.DiscardHandler)}); err == nil {
		t.Error("a certificate that is not there")
	}
}
