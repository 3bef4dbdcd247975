package admin

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"dcs/bench/require"
	"dcs/cmd/internal/dcstest"
)

// lines is a log whose lines are JSON.
type lines struct{ dcstest.Log }

// auditLine is a line about a change.
type auditLine struct {
	Msg, Level, Who, From, Call, Asked, Why string
	Status                                  int
}

// take returns the lines with a message, and forgets all.
func (l *lines) take(t *testing.T, msg string) []auditLine {
	t.Helper()
	var all []auditLine
	for text := range strings.Lines(l.Take()) {
		var line auditLine
		if err := json.Unmarshal([]byte(text), &line); err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		if line.Msg == msg {
			all = append(all, line)
		}
	}
	return all
}

func (l *lines) logger(level slog.Level) *slog.Logger {
	return slog.New(slog.NewJSONHandler(l, &slog.HandlerOptions{Level: level}))
}

// visitor asks a server in one way.
type visitor struct {
	http.Client
	base   string
	header map[string]string
}

func (v *visitor) ask(t *testing.T, method, path, body string) int {
	t.Helper()
	r, err := http.NewRequest(method, v.base+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for k, value := range v.header {
		r.Header.Set(k, value)
	}
	res, err := v.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if _, err := io.Copy(io.Discard, res.Body); err != nil {
		t.Fatal(err)
	}
	return res.StatusCode
}

func visit(t *testing.T, s *Server, header map[string]string) *visitor {
	t.Helper()
	l := s.listeners[0]
	v := &visitor{base: strings.TrimSuffix(l.URL(), "/"), header: header}
	transport := &http.Transport{}
	if l.Addr().Network() == "unix" {
		v.base = "http://dcs"
		transport.DialContext = func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", l.Addr().String())
		}
	}
	v.Transport = transport
	v.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	t.Cleanup(transport.CloseIdleConnections)
	return v
}

// login returns the cookie of a new session.
func login(t *testing.T, s *Server, token string) string {
	t.Helper()
	v := visit(t, s, nil)
	res, err := v.PostForm(v.base+"/login", url.Values{"token": {token}})
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	for _, c := range res.Cookies() {
		if c.Name == cookieName {
			return cookieName + "=" + c.Value
		}
	}
	t.Fatalf("no session: %s", res.Status)
	return ""
}

// Every way in, with every method: who may change something, and what the log says of it.
func TestWhoMayChange(t *testing.T) {
	require.Long(t, "every call by everybody")
	tokenFile := write(t, "token", token, 0o600)
	cert, key, ca, mine := certificates(t)
	self := fmt.Sprintf("uid=%d pid=%d", os.Getuid(), os.Getpid())
	bearer := map[string]string{"Authorization": "Bearer " + token}
	tcp := []string{"127.0.0.1:0"}
	for _, tt := range []struct {
		name    string
		cfg     Config
		header  map[string]string
		session bool
		looks   int    // the status of a GET
		changes int    // that of a change
		who     string // "…": and something more
		refused string // as the log says it
	}{
		{"TCP", Config{Addresses: tcp}, nil, false, 200, 403, "unknown", "unknown_caller"},
		{"TCP, a token where none is asked for", Config{Addresses: tcp}, bearer, false, 200, 403, "unknown", "unknown_caller"},
		{"TCP, token", Config{Addresses: tcp, TokenFile: tokenFile}, bearer, false, 200, 200, "token", ""},
		{"TCP, session", Config{Addresses: tcp, TokenFile: tokenFile}, nil, true, 200, 200, "session …", ""},
		{"TCP, no token", Config{Addresses: tcp, TokenFile: tokenFile}, nil, false, 401, 401, "", ""},
		{"TCP, wrong token", Config{Addresses: tcp, TokenFile: tokenFile}, map[string]string{"Authorization": "Bearer " + token + "x"}, false, 401, 401, "unknown", "wrong_token"},
		{"TLS", Config{Addresses: tcp, Cert: cert, Key: key}, nil, false, 200, 403, "unknown", "unknown_caller"},
		{"TLS, certificate", Config{Addresses: tcp, Cert: cert, Key: key, ClientCA: ca}, nil, false, 200, 200, "certificate CN=leaf", ""},
		{"TLS, certificate and token", Config{Addresses: tcp, Cert: cert, Key: key, ClientCA: ca, TokenFile: tokenFile}, bearer, false, 200, 200, "certificate CN=leaf, token", ""},
		{"TLS, certificate without the token", Config{Addresses: tcp, Cert: cert, Key: key, ClientCA: ca, TokenFile: tokenFile}, nil, false, 401, 401, "", ""},
		{"socket", Config{Addresses: []string{"unix:SOCKET"}}, nil, false, 200, 200, self, ""},
		{"socket, token", Config{Addresses: []string{"unix:SOCKET"}, TokenFile: tokenFile}, bearer, false, 200, 200, self + ", token", ""},
		{"socket, no token", Config{Addresses: []string{"unix:SOCKET"}, TokenFile: tokenFile}, nil, false, 401, 401, "", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			from := "127.0.0.1:"
			if tt.cfg.Addresses[0] == "unix:SOCKET" {
				from = "unix:" + filepath.Join(t.TempDir(), "admin.sock")
				tt.cfg.Addresses = []string{from}
			}
			log := &lines{}
			s := runLogged(t, tt.cfg, log.logger(slog.LevelInfo), func(s *Server) {
				s.Handle("/api/any", http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { _, _ = io.Copy(io.Discard, r.Body) }))
			})
			v := visit(t, s, tt.header)
			if tt.cfg.Cert != "" {
				v.Transport.(*http.Transport).TLSClientConfig = &tls.Config{InsecureSkipVerify: true, Certificates: []tls.Certificate{mine}}
			}
			if tt.session {
				v.header = map[string]string{"Cookie": login(t, s, token)}
				if got := log.take(t, "admin login"); len(got) != 1 || !is(got[0].Who, tt.who) || !strings.HasPrefix(got[0].From, from) {
					t.Errorf("the log-in: %+v", got)
				}
			}
			for _, method := range []string{"GET", "HEAD", "OPTIONS"} {
				if status := v.ask(t, method, "/api/any", ""); status != tt.looks {
					t.Errorf("%s: %d", method, status)
				}
				if got := log.take(t, "admin change"); len(got) > 0 {
					t.Errorf("%s is a change: %+v", method, got)
				}
			}
			s.refusals.last = time.Time{} // the next line need not wait
			for i, method := range []string{"POST", "PUT", "PATCH", "DELETE", "TRACE", "FROB"} {
				if status := v.ask(t, method, "/api/any", "what"); status != tt.changes {
					t.Errorf("%s: %d", method, status)
				}
				text := log.String()
				changes := log.take(t, "admin change")
				if tt.changes == 200 {
					want := method + " /api/any"
					if len(changes) != 1 || !is(changes[0].Who, tt.who) || !strings.HasPrefix(changes[0].From, from) || changes[0].Call != want || changes[0].Status != 200 ||
						changes[0].Asked != "what" && method != "TRACE" { // to which a client adds no body
						t.Errorf("%s: %s", method, text)
					}
					continue
				}
				if len(changes) > 0 {
					t.Errorf("%s is logged as a change: %s", method, text)
				}
				if i == 0 && (strings.Contains(text, "admin request refused") != (tt.refused != "") || !strings.Contains(text, tt.refused)) {
					t.Errorf("%s: want %q in %s", method, tt.refused, text)
				}
			}
			if n := s.Refused(); (n[WrongToken]+n[UnknownCaller] > 0) != (tt.refused != "") {
				t.Errorf("refused: %v", n)
			}
			var who Identity
			if tt.looks == 200 {
				r, _ := http.NewRequest(http.MethodGet, v.base+WhoAmI, nil)
				for k, value := range v.header {
					r.Header.Set(k, value)
				}
				res, err := v.Do(r)
				if err != nil {
					t.Fatal(err)
				}
				defer res.Body.Close()
				if err := json.NewDecoder(res.Body).Decode(&who); err != nil || !is(who.Who, tt.who) || !strings.HasPrefix(who.From, from) || who.Changes != (tt.changes == 200) {
					t.Errorf("%+v, %v", who, err)
				}
			}
		})
	}
}

// is compares a name with the wanted one, which may end in "…".
func is(got, want string) bool {
	if begin, cut := strings.CutSuffix(want, "…"); cut {
		return strings.HasPrefix(got, begin) && len(got) > len(begin)
	}
	return got == want
}

// The kernel says who is at the other end of a Unix socket.
func TestPeer(t *testing.T) {
	require.Root(t) // for another user's connection
	log := &lines{}
	socket := filepath.Join(t.TempDir(), "admin.sock")
	s := runLogged(t, Config{Addresses: []string{"unix:" + socket}}, log.logger(slog.LevelInfo))
	const uid = 4711
	if err := errors.Join(os.Chown(socket, uid, -1), enterable(socket)); err != nil {
		t.Fatal(err)
	}
	conns := make(chan net.Conn, 1)
	go func() {
		defer close(conns)
		runtime.LockOSThread() // for good: the thread ends with its user
		if _, _, errno := unix.RawSyscall(unix.SYS_SETRESUID, uid, uid, uid); errno != 0 {
			t.Error(errno)
			return
		}
		c, err := net.Dial("unix", socket)
		if err != nil {
			t.Error(err)
			return
		}
		conns <- c
	}()
	c, ok := <-conns
	if !ok {
		t.FailNow()
	}
	defer c.Close()
	v := visit(t, s, nil)
	v.Transport = &http.Transport{DisableKeepAlives: true, DialContext: func(context.Context, string, string) (net.Conn, error) { return c, nil }}
	if status := v.ask(t, "POST", "/api/done", `{"N":1}`); status != 200 {
		t.Error(status)
	}
	if got := log.take(t, "admin change"); len(got) != 1 || got[0].Who != fmt.Sprintf("uid=%d pid=%d", uid, os.Getpid()) {
		t.Errorf("%+v", got)
	}
}

// enterable has everybody enter the directories of a test.
func enterable(path string) error {
	for dir := filepath.Dir(path); strings.HasPrefix(dir, os.TempDir()+"/"); dir = filepath.Dir(dir) {
		if err := os.Chmod(dir, 0o711); err != nil {
			return err
		}
	}
	return nil
}

// The file of a socket is never open to others, not even before its mode is set.
func TestSocketMode(t *testing.T) {
	path := filepath.Join(t.TempDir(), "admin.sock")
	old := unix.Umask(0)
	defer unix.Umask(old)
	cfg := net.ListenConfig{Control: setMode}
	ln, err := cfg.Listen(t.Context(), "unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != socketMode {
		t.Errorf("%v, %v", info.Mode(), err)
	}
}

// The line about a change says what there is to say, whatever comes.
func TestAuditLine(t *testing.T) {
	log := &lines{}
	s := runLogged(t, Config{Addresses: []string{"unix:" + filepath.Join(t.TempDir(), "admin.sock")}}, log.logger(slog.LevelError), func(s *Server) {
		s.Handle("POST /panics", http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }))
		s.Handle("POST /reads", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
			w.WriteHeader(http.StatusTeapot)
		}))
	})
	v := visit(t, s, nil)
	long := strings.Repeat("x", maxAudited)
	for _, tt := range []struct {
		path, body, asked string
		status            int
	}{
		{"/reads", "", "", 418},
		{"/reads", "a\nlevel=INFO msg=\"nothing\"\x00", "a\nlevel=INFO msg=\"nothing\"\x00", 418},
		{"/reads", long, long, 418},
		{"/reads", long + "y", long + "…", 418},
		{"/api/none", "", "", 404},
	} {
		if status := v.ask(t, "POST", tt.path, tt.body); status != tt.status {
			t.Errorf("%s: %d", tt.path, status)
		}
		if got := log.take(t, "admin change"); len(got) != 1 || got[0].Asked != tt.asked || got[0].Status != tt.status || got[0].Level != "INFO" {
			t.Errorf("%s %.20q: %+v", tt.path, tt.body, got)
		}
	}
	if _, err := v.Post(v.base+"/panics", "", nil); err == nil {
		t.Error("the handler did not panic")
	}
	if got := log.take(t, "admin change"); len(got) != 1 || got[0].Call != "POST /panics" || got[0].Status != 0 {
		t.Errorf("a panic: %+v", got)
	}
}

// What is public changes nothing.
func TestPublicIsSafe(t *testing.T) {
	for _, pattern := range []string{"POST /x", "/x", "PUT /x"} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s may be public", pattern)
				}
			}()
			(&Server{public: http.NewServeMux()}).Public(pattern, http.NotFoundHandler())
		}()
	}
}

// However many requests are refused, one line a second says so.
func TestRefusals(t *testing.T) {
	var l refusals
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	var written, held int
	for i := range 10_000 { // over ten seconds
		if h, ok := l.next(now.Add(time.Duration(i) * time.Millisecond)); ok {
			written, held = written+1, held+h
		}
	}
	if written != 10 || written+held+l.suppressed != 10_000 {
		t.Errorf("%d lines tell of %d more, %d to be told", written, held, l.suppressed)
	}
}
