package admin

import (
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"
	"testing"
	"time"
)

func TestLogin(t *testing.T) {
	t.Parallel()
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
