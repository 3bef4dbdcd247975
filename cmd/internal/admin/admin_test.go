package admin

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"math/big"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"dcs/bench/require"
	"dcs/cmd/internal/admin/client"
	"dcs/render/secret"
)

const token = "correct-horse-battery-staple"

func write(t *testing.T, name, text string, mode os.FileMode) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), mode); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, mode); err != nil { // whatever the umask
		t.Fatal(err)
	}
	return path
}

// run serves until the test ends.
func run(t *testing.T, cfg Config, prepare ...func(*Server)) *Server {
	t.Helper()
	return runLogged(t, cfg, slog.New(slog.DiscardHandler), prepare...)
}

func runLogged(t *testing.T, cfg Config, log *slog.Logger, prepare ...func(*Server)) *Server {
	t.Helper()
	s, err := New(cfg, log)
	if err != nil {
		t.Fatal(err)
	}
	s.Handle("GET /api/seen", http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { WriteJSON(w, map[string]int{"seen": 1}) }))
	s.Handle("POST /api/done", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var in struct{ N int }
		if err := json.NewDecoder(r.Body).Decode(&in); err != nil {
			WriteError(w, http.StatusBadRequest, err)
			return
		}
		WriteJSON(w, map[string]int{"done": in.N})
	}))
	s.Handle("GET /{$}", http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "page") }))
	s.Public("GET /open", http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "open") }))
	for _, f := range prepare {
		f(s)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { s.Run(ctx); close(ended) }()
	t.Cleanup(func() {
		cancel()
		<-ended
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// at returns a server's first address.
func at(s *Server) net.Addr { return s.listeners[0].Addr() }

func TestNewRefuses(t *testing.T) {
	good := write(t, "token", token+"\n", 0o600)
	cert, key, ca, _ := certificates(t)
	plain := write(t, "plain", "no socket", 0o600)
	for _, tt := range []struct {
		name string
		cfg  Config
		err  string
	}{
		{"open to the network", Config{Addresses: []string{"0.0.0.0:0"}}, "can be reached from other machines; set admin_token_file or admin_client_ca"},
		{"every address", Config{Addresses: []string{":0"}}, "can be reached from other machines"},
		{"a name", Config{Addresses: []string{"dcs.example.net:0"}}, "can be reached from other machines"},
		{"server certificate alone", Config{Addresses: []string{"0.0.0.0:0"}, Cert: cert, Key: key}, "can be reached from other machines"},
		{"token that others read", Config{Addresses: []string{"127.0.0.1:0"}, TokenFile: write(t, "t", token, 0o644)}, "mode 0644 gives others access"},
		{"token that the group writes", Config{Addresses: []string{"127.0.0.1:0"}, TokenFile: write(t, "t", token, 0o660)}, "mode 0660 gives others access"},
		{"short token", Config{Addresses: []string{"127.0.0.1:0"}, TokenFile: write(t, "t", "secret", 0o600)}, "shorter than 16 characters"},
		{"no token file", Config{Addresses: []string{"127.0.0.1:0"}, TokenFile: "/nowhere/token"}, "admin_token_file: open /nowhere/token"},
		{"long token", Config{Addresses: []string{"127.0.0.1:0"}, TokenFile: write(t, "t", strings.Repeat("x", maxToken+1), 0o600)}, "larger than 4096 octets"},
		{"one address of two", Config{Addresses: []string{"unix:" + filepath.Join(t.TempDir(), "admin.sock"), "0.0.0.0:0"}}, "0.0.0.0:0 can be reached from other machines"},
		{"no address", Config{Addresses: []string{"8069"}}, "neither host:port nor unix:/path"},
		{"no path", Config{Addresses: []string{"unix:"}}, "needs the path of a socket"},
		{"a file in the place of the socket", Config{Addresses: []string{"unix:" + plain}}, "is not a socket; remove it"},
		{"no directory for the socket", Config{Addresses: []string{"unix:" + filepath.Join(filepath.Dir(plain), "run", "admin.sock")}}, "/run, writable by the server's user"},
		{"a file in the place of the directory", Config{Addresses: []string{"unix:" + filepath.Join(plain, "admin.sock")}}, "is not a directory"},
		{"authority without a certificate", Config{Addresses: []string{"127.0.0.1:0"}, ClientCA: ca}, "admin_client_ca needs admin_cert and admin_key"},
		{"certificate without its key", Config{Addresses: []string{"127.0.0.1:0"}, Cert: cert}, "belong together"},
		{"no authority in the file", Config{Addresses: []string{"127.0.0.1:0"}, Cert: cert, Key: key, ClientCA: good}, "contains no certificate"},
		{"TLS on a socket", Config{Addresses: []string{"unix:/tmp/x"}, Cert: cert, Key: key}, "have no effect"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s, err := New(tt.cfg, slog.New(slog.DiscardHandler))
			if err == nil {
				defer s.Close()
				if err = s.listeners[0].Err(); err == nil || !errors.Is(err, errNoDirectory) {
					t.Fatalf("no error, or a temporary one: %v", err)
				}
			}
			if !strings.Contains(err.Error(), tt.err) {
				t.Errorf("%v; want %s", err, tt.err)
			}
			warnings, got := Check(tt.cfg)
			if errors.Is(err, errNoDirectory) { // which may come into being with the unit
				if got != nil || len(warnings) != 1 || warnings[0] != err.Error() {
					t.Errorf("Check: %v, warnings %q", got, warnings)
				}
			} else if got == nil || got.Error() != err.Error() {
				t.Errorf("Check: %v", got)
			}
			if strings.Contains(err.Error(), token) {
				t.Errorf("the error has the token: %v", err)
			}
		})
	}
	t.Run("two sockets without a directory", func(t *testing.T) {
		dir := t.TempDir()
		one, two := filepath.Join(dir, "one"), filepath.Join(dir, "two")
		w, err := Check(Config{Addresses: []string{"unix:" + one + "/admin.sock", "127.0.0.1:0", "unix:" + two + "/admin.sock"}})
		if err != nil || len(w) != 2 || !strings.Contains(w[0], "create "+one+",") || !strings.Contains(w[1], "create "+two+",") {
			t.Errorf("Check: %q, %v", w, err)
		}
	})
	t.Run("token on every address", func(t *testing.T) {
		var log strings.Builder
		s, err := New(Config{Addresses: []string{"0.0.0.0:0"}, TokenFile: good}, slog.New(slog.NewTextHandler(&log, nil)))
		if err != nil {
			t.Fatal(err)
		}
		s.Close()
		if w, err := Check(Config{Addresses: []string{"0.0.0.0:0"}, TokenFile: good}); err != nil || len(w) != 1 || !strings.Contains(w[0], "clear text") {
			t.Errorf("Check: %q, %v", w, err)
		}
		if strings.Count(log.String(), "clear text") != 1 {
			t.Errorf("not one warning: %q", log.String())
		}
	})
}

func TestOff(t *testing.T) {
	s, err := New(Config{}, slog.New(slog.DiscardHandler))
	if err != nil || s.Enabled() || s.Listener("") != nil {
		t.Fatal(err, s)
	}
	s.Handle("GET /", http.NotFoundHandler())
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	s.Run(ctx)
	if _, err := Check(Config{}); err != nil {
		t.Error(err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

func TestClient(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "admin.sock")
	tokenFile := write(t, "token", token+"\n", 0o600)
	for _, tt := range []struct {
		name     string
		cfg      Config
		readOnly bool
	}{
		{"tcp", Config{Addresses: []string{"127.0.0.1:0"}}, true},
		{"tcp with a token", Config{Addresses: []string{"127.0.0.1:0"}, TokenFile: tokenFile}, false},
		{"socket", Config{Addresses: []string{"unix:" + socket}}, false},
		{"socket with a token", Config{Addresses: []string{"unix:" + socket}, TokenFile: tokenFile}, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := run(t, tt.cfg)
			address, right := at(s).String(), ""
			if at(s).Network() == "unix" {
				address = "unix:" + address
				if info, err := os.Stat(socket); err != nil || info.Mode().Perm() != 0o660 {
					t.Errorf("%v, %v", info.Mode(), err)
				}
			}
			if tt.cfg.TokenFile != "" {
				right = token
				var refused *client.Error
				for _, wrong := range []string{"", "wrong-horse-battery-staple"} {
					err := client.Dial(address, secret.New(wrong)).Get(t.Context(), "/api/seen", nil)
					if !errors.As(err, &refused) || refused.Status != http.StatusUnauthorized {
						t.Errorf("with the token %q: %v", wrong, err)
					}
				}
			}
			c := client.Dial(address, secret.New(right))
			defer c.Close()
			var out struct{ Seen, Done int }
			if err := c.Get(t.Context(), "/api/seen", &out); err != nil || out.Seen != 1 {
				t.Error(out, err)
			}
			var e *client.Error
			err := c.Post(t.Context(), "/api/done", map[string]int{"N": 7}, &out)
			if tt.readOnly {
				if !errors.As(err, &e) || e.Status != http.StatusForbidden || !strings.Contains(e.Text, "set admin_token_file or admin_client_ca, or use a Unix socket") {
					t.Error(out, err)
				}
				return
			}
			if err != nil || out.Done != 7 {
				t.Error(out, err)
			}
			if err := c.Get(t.Context(), "/api/nothing", nil); !errors.As(err, &e) || e.Status != http.StatusNotFound || !strings.Contains(e.Text, "no such call") {
				t.Error(err)
			}
			if err := c.Post(t.Context(), "/api/done", "x", nil); !errors.As(err, &e) || e.Status != http.StatusBadRequest {
				t.Error(err)
			}
		})
	}
}

// A socket that a server has left behind is replaced, one that is answered is not.
func TestStaleSocket(t *testing.T) {
	path := filepath.Join(t.TempDir(), "admin.sock")
	ln, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	s, err := New(Config{Addresses: []string{"unix:" + path}}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	if err := s.listeners[0].Err(); err == nil || !strings.Contains(err.Error(), "another server answers") {
		t.Error(err)
	}
	s.Close()
	ln.(*net.UnixListener).SetUnlinkOnClose(false)
	ln.Close()
	run(t, Config{Addresses: []string{"unix:" + path}})
}

// An address that somebody else uses is served as soon as it is free; until then Tried is told why it is not.
func TestAddressInUse(t *testing.T) {
	require.Long(t, "retries of an address")
	for _, network := range []string{"tcp", "unix"} {
		t.Run(network, func(t *testing.T) {
			address, prefix := "127.0.0.1:0", ""
			if network == "unix" {
				address, prefix = filepath.Join(t.TempDir(), "admin.sock"), "unix:"
			}
			other, err := net.Listen(network, address)
			if err != nil {
				t.Fatal(err)
			}
			defer other.Close()
			tried := make(chan error, 100)
			s := run(t, Config{Addresses: []string{prefix + other.Addr().String()}, Tried: func(_ string, err error) { tried <- err }})
			if s.listeners[0].Err() == nil {
				t.Error("the address is open")
			}
			if err := <-tried; err == nil {
				t.Error("it was opened")
			}
			other.Close()
			for err := range tried {
				if err == nil {
					break
				}
			}
			if l := s.Listener(prefix + other.Addr().String()); l.Err() != nil || l.Addr().String() != other.Addr().String() {
				t.Errorf("%v, %v", l.Addr(), l.Err())
			}
			c, err := net.Dial(network, other.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			c.Close()
		})
	}
}

// send sends a request with these headers to a server on TCP and returns its status and answer.
func send(t *testing.T, s *Server, method, path string, header map[string]string) (*http.Response, string) {
	t.Helper()
	r, err := http.NewRequest(method, "http://"+at(s).String()+path, strings.NewReader(`{"N":1}`))
	if err != nil {
		t.Fatal(err)
	}
	for k, v := range header {
		if r.Header.Set(k, v); k == "Host" {
			r.Host = v
		}
	}
	c := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	resp, err := c.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, _ := io.ReadAll(resp.Body)
	return resp, string(body)
}

func TestGuard(t *testing.T) {
	s := run(t, Config{Addresses: []string{"127.0.0.1:0"}, Hosts: []string{"Dcs.Example.NET"}, TokenFile: write(t, "token", token, 0o600)})
	at := at(s).String()
	bearer := map[string]string{"Authorization": "Bearer " + token}
	for _, tt := range []struct {
		name, method, path string
		header             map[string]string
		status             int
	}{
		{"plain", "GET", "/api/seen", nil, 200},
		{"localhost", "GET", "/api/seen", map[string]string{"Host": "localhost:8069"}, 200},
		{"address", "GET", "/api/seen", map[string]string{"Host": "[::1]:8069"}, 200},
		{"configured name", "GET", "/api/seen", map[string]string{"Host": "dcs.example.net"}, 200},
		{"foreign name (DNS rebinding)", "GET", "/api/seen", map[string]string{"Host": "attacker.example"}, 421},
		{"name that ends like ours", "GET", "/api/seen", map[string]string{"Host": "evil-localhost"}, 421},
		{"change from nowhere", "POST", "/api/done", nil, 200},
		{"change from our page", "POST", "/api/done", map[string]string{"Sec-Fetch-Site": "same-origin"}, 200},
		{"change from a foreign page", "POST", "/api/done", map[string]string{"Sec-Fetch-Site": "cross-site"}, 403},
		{"change from a neighbour", "POST", "/api/done", map[string]string{"Sec-Fetch-Site": "same-site"}, 403},
		{"change from a foreign origin", "POST", "/api/done", map[string]string{"Origin": "http://attacker.example"}, 403},
		{"change from our origin", "POST", "/api/done", map[string]string{"Origin": "http://" + at}, 200},
	} {
		t.Run(tt.name, func(t *testing.T) {
			header := maps.Clone(bearer)
			maps.Copy(header, tt.header)
			resp, body := send(t, s, tt.method, tt.path, header)
			if resp.StatusCode != tt.status {
				t.Errorf("%s %s", resp.Status, body)
			}
			if csp := resp.Header.Get("Content-Security-Policy"); !strings.Contains(csp, "default-src 'none'") || strings.Contains(csp, "unsafe") {
				t.Errorf("policy %q", csp)
			}
			if resp.Header.Get("X-Content-Type-Options") != "nosniff" || resp.Header.Get("X-Frame-Options") != "DENY" {
				t.Errorf("headers %v", resp.Header)
			}
		})
	}
	t.Run("long body", func(t *testing.T) {
		body := `{"N":"` + strings.Repeat("x", maxBody) + `"}`
		r, err := http.NewRequest(http.MethodPost, "http://"+at+"/api/done", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Authorization", bearer["Authorization"])
		resp, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != http.StatusBadRequest {
			t.Error(resp.Status)
		}
	})
	t.Run("long header", func(t *testing.T) {
		resp, _ := send(t, s, "GET", "/api/seen", map[string]string{"X": strings.Repeat("x", 2*maxHeader)})
		if resp.StatusCode != http.StatusRequestHeaderFieldsTooLarge {
			t.Error(resp.Status)
		}
	})
}

func TestLogin(t *testing.T) {
	s := run(t, Config{Addresses: []string{"127.0.0.1:0"}, TokenFile: write(t, "token", token+"\n", 0o600)}, func(s *Server) {
		s.LoginForm(func(w http.ResponseWriter, status int, next, complaint string) {
			w.WriteHeader(status)
			fmt.Fprintf(w, "form next=%s complaint=%s", next, complaint)
		})
	})
	base := "http://" + at(s).String()
	resp, _ := send(t, s, "GET", "/?x=1", map[string]string{"Accept": "text/html"})
	if resp.StatusCode != http.StatusSeeOther || resp.Header.Get("Location") != "/login?next=%2F%3Fx%3D1" {
		t.Errorf("%s %s", resp.Status, resp.Header.Get("Location"))
	}
	if _, body := send(t, s, "GET", "/login?next=/events", nil); body != "form next=/events complaint=" {
		t.Error(body)
	}
	if resp, body := send(t, s, "GET", "/open", nil); resp.StatusCode != http.StatusOK || body != "open" {
		t.Error(resp.Status, body)
	}
	jar, _ := cookiejar.New(nil)
	c := &http.Client{Jar: jar}
	post := func(form url.Values) (*http.Response, string) {
		resp, err := c.PostForm(base+"/login", form)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		body, _ := io.ReadAll(resp.Body)
		return resp, string(body)
	}
	began := time.Now()
	if resp, body := post(url.Values{"token": {"wrong"}, "next": {"//attacker.example"}}); resp.StatusCode != http.StatusForbidden || body != "form next=/ complaint=Wrong token." {
		t.Error(resp.Status, body)
	}
	if waited := time.Since(began); waited < wrongTokenDelay {
		t.Errorf("a wrong token was answered after %v", waited)
	}
	if resp, body := post(url.Values{"token": {token}, "next": {"/"}}); resp.StatusCode != http.StatusOK || body != "page" {
		t.Error(resp.Status, body)
	}
	u, _ := url.Parse(base)
	cookies := jar.Cookies(u)
	if len(cookies) != 1 || strings.Contains(cookies[0].Value, token) {
		t.Fatalf("cookies %v", cookies)
	}
	forged := []byte(cookies[0].Value)
	forged[15] ^= 1
	with := func(cookie string) int {
		resp, _ := send(t, s, "GET", "/", map[string]string{"Cookie": cookieName + "=" + cookie})
		return resp.StatusCode
	}
	if with(cookies[0].Value) != http.StatusOK || with(string(forged)) != http.StatusUnauthorized {
		t.Errorf("the cookie: %d, a forged one: %d", with(cookies[0].Value), with(string(forged)))
	}
	if resp, err := c.PostForm(base+"/logout", nil); err != nil || resp.Request.URL.Path != "/login" {
		t.Error(resp, err)
	}
	if len(jar.Cookies(u)) != 0 {
		t.Error("the cookie is still there")
	}
	if status := with(cookies[0].Value); status != http.StatusUnauthorized {
		t.Errorf("the cookie that was logged out: %d", status)
	}
}

func TestLocal(t *testing.T) {
	for in, want := range map[string]string{
		"/events?q=1": "/events?q=1", "": "/", "//evil": "/", "http://evil/": "/", "/\\evil": "/", "/a\r\nb": "/", "javascript:x": "/", "/": "/",
	} {
		if got := local(in); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}

// Clients that send half a request keep nobody out, however many they are.
func TestSlowClients(t *testing.T) {
	s, err := New(Config{Addresses: []string{"127.0.0.1:0"}}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	h := s.listeners[0].http
	if h.ReadHeaderTimeout <= 0 || h.ReadTimeout <= 0 || h.WriteTimeout <= 0 || h.IdleTimeout <= 0 {
		t.Error("a time is not limited")
	}
	h.ReadHeaderTimeout = time.Minute // this test is not to wait for it
	s.Handle("GET /{$}", http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "page") }))
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { s.Run(ctx); close(ended) }()
	defer func() {
		cancel()
		<-ended
	}()
	for range maxConns + 12 {
		c, err := net.Dial("tcp", at(s).String())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		fmt.Fprint(c, "GET / HTTP/1.1\r\nHost: ")
	}
	browser := http.Client{Timeout: 30 * time.Second}
	resp, err := browser.Get("http://" + at(s).String() + "/")
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
}

func TestMutualTLS(t *testing.T) {
	cert, key, ca, mine := certificates(t)
	s := run(t, Config{Addresses: []string{"127.0.0.1:0"}, Cert: cert, Key: key, ClientCA: ca})
	pem, err := os.ReadFile(ca)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(pem)
	address := at(s).String()
	if url := s.listeners[0].URL(); url != "https://"+address+"/" {
		t.Error(url)
	}
	var out struct{ Seen int }
	if err := client.DialTLS(address, secret.Text{}, &tls.Config{RootCAs: pool, Certificates: []tls.Certificate{mine}}).Get(t.Context(), "/api/seen", &out); err != nil || out.Seen != 1 {
		t.Error(out, err)
	}
	if err := client.DialTLS(address, secret.Text{}, &tls.Config{RootCAs: pool}).Get(t.Context(), "/api/seen", nil); err == nil {
		t.Error("served without a certificate")
	}
	_, _, _, strange := certificates(t)
	if err := client.DialTLS(address, secret.Text{}, &tls.Config{RootCAs: pool, Certificates: []tls.Certificate{strange}}).Get(t.Context(), "/api/seen", nil); err == nil {
		t.Error("served with a certificate of another authority")
	}
	if err := client.Dial(address, secret.Text{}).Get(t.Context(), "/api/seen", nil); err == nil {
		t.Error("served in plain HTTP")
	}
}

// certificates makes an authority, a server's certificate of its, and a client's.
func certificates(t *testing.T) (cert, key, ca string, client tls.Certificate) {
	t.Helper()
	authority := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "authority"}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), KeyUsage: x509.KeyUsageCertSign,
	}
	issue := func(c, parent *x509.Certificate, signer *ecdsa.PrivateKey) ([]byte, *ecdsa.PrivateKey) {
		own, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		if signer == nil {
			signer = own
		}
		der, err := x509.CreateCertificate(rand.Reader, c, parent, &own.PublicKey, signer)
		if err != nil {
			t.Fatal(err)
		}
		return der, own
	}
	block := func(kind string, der []byte) string {
		return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
	}
	root, signer := issue(authority, authority, nil)
	leaf := *authority
	leaf.IsCA, leaf.KeyUsage, leaf.Subject.CommonName = false, x509.KeyUsageDigitalSignature, "leaf"
	leaf.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}
	leaf.IPAddresses, leaf.DNSNames = []net.IP{net.IPv4(127, 0, 0, 1)}, []string{"dcs.example.org"}
	server, serverKey := issue(&leaf, authority, signer)
	own, ownKey := issue(&leaf, authority, signer)
	der, err := x509.MarshalPKCS8PrivateKey(serverKey)
	if err != nil {
		t.Fatal(err)
	}
	return write(t, "cert.pem", block("CERTIFICATE", server), 0o644), write(t, "key.pem", block("PRIVATE KEY", der), 0o600),
		write(t, "ca.pem", block("CERTIFICATE", root), 0o644), tls.Certificate{Certificate: [][]byte{own}, PrivateKey: ownKey}
}
