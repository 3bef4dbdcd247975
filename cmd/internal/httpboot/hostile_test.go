package httpboot

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"dcs/cmd/internal/dcstest"
)

// fetches reports whether a device gets its file.
func fetches(addr string) bool {
	c, err := net.Dial("tcp", addr)
	if err != nil {
		return false
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(time.Minute))
	if _, err := io.WriteString(c, "GET /boot/basic.cm HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
		return false
	}
	res, err := http.ReadResponse(bufio.NewReader(c), nil)
	return err == nil && res.StatusCode == http.StatusOK
}

// Whoever has taken every place, a device gets its file: at once where nothing is asked for, else once it has taken too long.
func TestPlacesThatAreTaken(t *testing.T) {
	const places = 3
	const head = " /boot/large HTTP/1.1\r\nHost: x\r\n"
	const never = time.Hour // is a request slow
	for _, tt := range []struct {
		name, sends string
		slow        time.Duration
	}{
		{"silent", "", never},
		{"half a request", "GET" + head, never},
		{"takes nothing", "GET" + head + "\r\n", 50 * time.Millisecond},
		{"POST without its body", "POST" + head + "Content-Length: 100000\r\n\r\n", never},
		{"POST with a part of it", "POST" + head + "Content-Length: 100000\r\n\r\nabc", never},
		{"POST without its chunks", "POST" + head + "Transfer-Encoding: chunked\r\n\r\n", never},
		{"GET without its body", "GET" + head + "Content-Length: 100000\r\n\r\n", 50 * time.Millisecond},
		{"waits to be told to go on", "POST" + head + "Expect: 100-continue\r\nContent-Length: 100000\r\n\r\n", never},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s, addr := start(t, Config{Limits: Limits{Conns: places, SourceConns: places, Header: time.Hour, Idle: time.Hour, Write: time.Hour, Slow: tt.slow}})
			for range places {
				c, err := net.Dial("tcp", addr)
				if err != nil {
					t.Fatal(err)
				}
				defer c.Close()
				_ = c.(*net.TCPConn).SetReadBuffer(4 << 10)
				if _, err := fmt.Fprint(c, tt.sends); err != nil {
					t.Fatal(err)
				}
				if strings.HasPrefix(tt.sends, http.MethodPost) { // the request is there, and answered
					_ = c.SetReadDeadline(time.Now().Add(time.Minute))
					if res, err := http.ReadResponse(bufio.NewReader(c), nil); err != nil || res.StatusCode != http.StatusMethodNotAllowed {
						t.Fatalf("%v, %v", res, err)
					}
				}
			}
			dcstest.Eventually(t, "every place is taken", func() bool { return s.Connections() == places })
			dcstest.Eventually(t, "a device gets its file", func() bool { return fetches(addr) })
			if cut, _ := s.Cut(); cut == 0 {
				t.Error("none has made room")
			}
		})
	}
}
