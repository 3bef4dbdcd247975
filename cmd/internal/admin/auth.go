package admin

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"dcs/render/private"
)

const (
	minToken    = 16 // octets
	sessionTime = 12 * time.Hour
	cookieName  = "dcs_session"
	loginPath   = "/login"
	logoutPath  = "/logout"

	wrongTokenDelay = 300 * time.Millisecond
)

// auth knows who may. The zero token admits everybody who can connect.
type auth struct {
	token  *[sha256.Size]byte // its hash, so that all comparisons take the same time
	secure bool
	key    [32]byte // signs cookies; a new one with every start
	form   func(w http.ResponseWriter, status int, next, complaint string)
}

func newAuth(file string, secure bool) (*auth, error) {
	a := &auth{secure: secure, form: plainForm}
	rand.Read(a.key[:])
	if file == "" {
		return a, nil
	}
	text, err := private.Read(file, private.MaxSize)
	if err != nil {
		return nil, fmt.Errorf("admin_token_file: %w", err)
	}
	text = bytes.TrimSpace(text)
	if len(text) < minToken {
		return nil, fmt.Errorf("admin_token_file %s: a token has at least %d characters, as \"openssl rand -hex 32\" makes them", file, minToken)
	}
	sum := sha256.Sum256(text)
	a.token = &sum
	return a, nil
}

// register adds the way in and out.
func (a *auth) register(s *Server) {
	if a.token == nil {
		return
	}
	s.Public("GET "+loginPath, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		a.form(w, http.StatusOK, local(r.URL.Query().Get("next")), "")
	}))
	s.Public("POST "+loginPath, http.HandlerFunc(a.login))
	s.Handle("POST "+logoutPath, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		a.setCookie(w, "", -1)
		http.Redirect(w, r, loginPath, http.StatusSeeOther)
	}))
}

func (a *auth) login(w http.ResponseWriter, r *http.Request) {
	next := local(r.PostFormValue("next"))
	if !a.check(r.Context(), r.PostFormValue("token")) {
		a.form(w, http.StatusForbidden, next, "This is not the token.")
		return
	}
	a.setCookie(w, a.session(time.Now().Add(sessionTime)), int(sessionTime.Seconds()))
	http.Redirect(w, r, next, http.StatusSeeOther)
}

// check compares a token with ours, not faster for one that is nearly right. Whoever
// brings a wrong one is kept waiting, and takes one of the few connections meanwhile;
// nobody else is.
func (a *auth) check(ctx context.Context, token string) bool {
	sum := sha256.Sum256([]byte(token))
	if subtle.ConstantTimeCompare(sum[:], a.token[:]) == 1 {
		return true
	}
	wait := time.NewTimer(wrongTokenDelay)
	defer wait.Stop()
	select {
	case <-wait.C:
	case <-ctx.Done():
	}
	return false
}

// admits tells whether a request has brought what it takes. (A client's certificate has been checked before.)
func (a *auth) admits(r *http.Request) bool {
	if a.token == nil {
		return true
	}
	if token, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer "); ok {
		return a.check(r.Context(), token)
	}
	c, err := r.Cookie(cookieName)
	return err == nil && a.valid(c.Value, time.Now())
}

// turnAway sends a browser to the login form, and tells everybody else.
func (a *auth) turnAway(w http.ResponseWriter, r *http.Request) {
	if r.Method == http.MethodGet && !strings.HasPrefix(r.URL.Path, "/api/") && strings.Contains(r.Header.Get("Accept"), "text/html") {
		http.Redirect(w, r, loginPath+"?next="+url.QueryEscape(r.URL.RequestURI()), http.StatusSeeOther)
		return
	}
	w.Header().Set("WWW-Authenticate", `Bearer realm="dcs"`)
	WriteError(w, http.StatusUnauthorized, errors.New("a token is needed: Authorization: Bearer …"))
}

// session is a cookie's value: until when it holds, and that it was us who said so.
func (a *auth) session(until time.Time) string {
	b := binary.BigEndian.AppendUint64(nil, uint64(until.Unix()))
	return hex.EncodeToString(append(b, a.sign(b)...))
}

func (a *auth) valid(cookie string, now time.Time) bool {
	b, err := hex.DecodeString(cookie)
	if err != nil || len(b) != 8+sha256.Size {
		return false
	}
	return hmac.Equal(b[8:], a.sign(b[:8])) && now.Unix() < int64(binary.BigEndian.Uint64(b))
}

func (a *auth) sign(b []byte) []byte {
	m := hmac.New(sha256.New, a.key[:])
	m.Write(b)
	return m.Sum(nil)
}

func (a *auth) setCookie(w http.ResponseWriter, value string, seconds int) {
	http.SetCookie(w, &http.Cookie{
		Name: cookieName, Value: value, Path: "/", MaxAge: seconds,
		HttpOnly: true, Secure: a.secure, SameSite: http.SameSiteStrictMode,
	})
}

// local returns a path of ours to go to; one that leads elsewhere becomes /.
func local(next string) string {
	u, err := url.Parse(next)
	if err != nil || u.Scheme != "" || u.Host != "" || u.User != nil || !strings.HasPrefix(next, "/") || strings.HasPrefix(next, "//") || strings.ContainsAny(next, "\\\r\n\t") {
		return "/"
	}
	return next
}

// plainForm stands in where no page is registered.
func plainForm(w http.ResponseWriter, status int, _, complaint string) {
	if complaint == "" {
		complaint = "There is no page here."
	}
	http.Error(w, complaint, status)
}
