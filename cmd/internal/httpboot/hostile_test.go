package httpboot

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"testing"
	"time"
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
	for _, tt := range []struct{ name, sends string }{
		{"silent", ""},
		{"half a request", "GET" + head},
		{"takes nothing", "GET" + head + "\r\n"},
		{"POST without its body", "POST" + head + "Content-Length: 100000\r\n\r\n"},
		{"POST with a part of it", "POST" + head + "Content-Length: 100000\r\n\r\nabc"},
		{"POST without its chunks", "POST" + head + "Transfer-Encoding: chunked\r\n\r\n"},
		{"GET without its body", "GET" + head + "Content-Length: 100000\r\n\r\n"},
		{"waits to be told to go on", "POST" + head + "Expect: 100-continue\r\nContent-Length: 100000\r\n\r\n"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s, addr := start(t, Config{Limits: Limits{Conns: places, SourceConns: places, Header: time.Hour, Idle: time.Hour, Write: time.Hour, Slow: 50 * time.Millisecond}})
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
			}
			until(t, func() bool { return s.Connections() == places })
			until(t, func() bool { return fetches(addr) })
			if cut, _ := s.Cut(); cut == 0 {
				t.Error("none has made room")
			}
		})
	}
}
