package admin

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"dcs/bench/require"
)

// occupy opens a connection and sends a request's beginning; if answers, it waits for the server's 100 Continue and sends a little
// of the body.
func occupy(t *testing.T, s *Server, sends string, answers bool) {
	t.Helper()
	c, err := net.Dial("tcp", at(s).String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	if _, err := io.WriteString(c, sends); err != nil {
		t.Fatal(err)
	}
	if !answers {
		return
	}
	_ = c.SetReadDeadline(time.Now().Add(30 * time.Second))
	if line, err := bufio.NewReader(c).ReadString('\n'); err != nil || !strings.Contains(line, "100") {
		t.Fatalf("%q, %v", line, err)
	}
	_, _ = io.WriteString(c, "token=")
}

// seen asks with the token, on a connection of its own, and returns the status; 0: it was turned away.
func seen(s *Server) int {
	c := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 30 * time.Second}
	r, err := http.NewRequest(http.MethodGet, s.listeners[0].URL()+"api/seen", nil)
	if err != nil {
		return 0
	}
	r.Header.Set("Authorization", "Bearer "+token)
	res, err := c.Do(r)
	if err != nil {
		return 0
	}
	defer res.Body.Close()
	return res.StatusCode
}

// Requests whose bodies do not come, though the server reads them, keep nobody out who has a token, at once.
func TestHalfRequests(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ name, head string }{
		{"login", "POST /login HTTP/1.1\r\nContent-Length: 100\r\nContent-Type: application/x-www-form-urlencoded\r\n"},
		{"login in chunks", "POST /login HTTP/1.1\r\nTransfer-Encoding: chunked\r\nContent-Type: application/x-www-form-urlencoded\r\n"},
		{"login in parts", "POST /login HTTP/1.1\r\nContent-Length: 100\r\nContent-Type: multipart/form-data; boundary=x\r\n"},
		{"change", "POST /api/done HTTP/1.1\r\nContent-Length: 100\r\nAuthorization: Bearer " + token + "\r\n"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := run(t, Config{Addresses: []string{"127.0.0.1:0"}, TokenFile: write(t, "token", token, 0o600)})
			for range maxConns { // the server says to go on when the handler reads
				occupy(t, s, tt.head+"Host: localhost\r\nExpect: 100-continue\r\n\r\n", true)
			}
			for range laneConns + 4 {
				occupy(t, s, tt.head+"Host: localhost\r\n\r\ntoken=", false)
			}
			for range 4 {
				if got := seen(s); got != http.StatusOK {
					t.Errorf("status %d", got)
				}
			}
		})
	}
}

// Requests that take long make room for one that comes.
func TestSlowRequests(t *testing.T) {
	t.Parallel()
	require.Long(t, "time-outs of requests")
	begun, end := make(chan bool), make(chan bool)
	s := run(t, Config{Addresses: []string{"127.0.0.1:0"}, TokenFile: write(t, "token", token, 0o600)}, func(s *Server) {
		s.Public("GET /slow", http.HandlerFunc(func(http.ResponseWriter, *http.Request) { begun <- true; <-end }))
	})
	defer close(end)
	for range maxConns {
		occupy(t, s, "GET /slow HTTP/1.1\r\nHost: localhost\r\n\r\n", false)
		<-begun
	}
	start := time.Now()
	for seen(s) != http.StatusOK {
		if time.Since(start) > responseTime/2 {
			t.Fatal("none has made room")
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// A login's body is bounded, whichever way the form is sent.
func TestLoginBody(t *testing.T) {
	t.Parallel()
	s := run(t, Config{Addresses: []string{"127.0.0.1:0"}, TokenFile: write(t, "token", token, 0o600)})
	const form, parts = "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"
	part := func(value string) string {
		return fmt.Sprintf("--x\r\nContent-Disposition: form-data; name=\"token\"\r\n\r\n%s\r\n--x--\r\n", value)
	}
	for _, tt := range []struct {
		kind, body string
		want       int
	}{
		{form, "token=" + token, http.StatusSeeOther},
		{form, "token=" + token + "&next=/" + strings.Repeat("x", maxLogin/2), http.StatusSeeOther},
		{form, "token=" + token + "&next=/" + strings.Repeat("x", maxLogin), http.StatusRequestEntityTooLarge},
		{form, "token=%zz", http.StatusBadRequest},
		{form, "token=wrong", http.StatusForbidden},
		{parts, part(token), http.StatusSeeOther},
		{parts, part(strings.Repeat("x", maxLogin)), http.StatusRequestEntityTooLarge},
		{"multipart/form-data", part(token), http.StatusBadRequest},
	} {
		c := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
		res, err := c.Post(s.listeners[0].URL()+"login", tt.kind, strings.NewReader(tt.body))
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		if res.StatusCode != tt.want {
			t.Errorf("%s of %d octets: status %d, want %d", tt.kind, len(tt.body), res.StatusCode, tt.want)
		}
	}
}
