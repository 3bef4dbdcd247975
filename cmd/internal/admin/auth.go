package admin

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"time"
)

const (
	cookieName = "dcs_session"
	loginPath  = "/login"
	logoutPath = "/logout"

	wrongTokenDelay = 300 * time.Millisecond
)

// auth authenticates requests. Without a token file, everybody who can connect has access.
type auth struct {
	file     *tokenFile // nil: no token is asked for
	sessions sessions
	form     func(w http.ResponseWriter, status int, next, complaint string)
}

func newAuth(file string) (*auth, error) {
	a := &auth{form: plainForm}
	if file == "" {
		return a, nil
	}
	var err error
	a.file, err = openToken(file)
	return a, err
}

// registerLogin registers login and logout.
func (s *Server) registerLogin() {
	a := s.auth
	if a.file == nil {
		return
	}
	s.Public("GET "+loginPath, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		a.form(w, http.StatusOK, local(r.URL.Query().Get("next")), "")
	}))
	s.public.HandleFunc("POST "+loginPath, s.login)
	s.Handle("POST "+logoutPath, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if c, err := r.Cookie(cookieName); err == nil {
			a.sessions.close(c.Value)
		}
		setCookie(w, r, "", -1)
		http.Redirect(w, r, loginPath, http.StatusSeeOther)
	}))
}

func (s *Server) login(w http.ResponseWriter, r *http.Request) {
	if status := parseLogin(w, r); status != http.StatusOK {
		s.auth.form(w, status, "/", "The form is invalid. Try again.")
		return
	}
	c, next := s.caller(r), local(r.PostFormValue("next"))
	sum := s.token()
	if sum == nil {
		WriteError(w, http.StatusServiceUnavailable, errNoToken)
		return
	}
	if !check(r.Context(), r.PostFormValue("token"), sum) {
		s.refused(r, c, WrongToken)
		s.auth.form(w, http.StatusForbidden, next, "Wrong token.")
		return
	}
	cookie, name := s.auth.sessions.open(*sum, time.Now())
	c.token = sessionText(name)
	s.audit("admin login", c)
	setCookie(w, r, cookie, int(sessionTime.Seconds()))
	http.Redirect(w, r, next, http.StatusSeeOther)
}

// parseLogin parses the login form, in either encoding. It returns the HTTP status.
func parseLogin(w http.ResponseWriter, r *http.Request) int {
	r.Body = http.MaxBytesReader(w, r.Body, maxLogin)
	err := r.ParseForm()
	if err == nil {
		err = r.ParseMultipartForm(maxLogin)
	}
	var large *http.MaxBytesError
	switch {
	case err == nil, errors.Is(err, http.ErrNotMultipart):
		return http.StatusOK
	case errors.As(err, &large):
		return http.StatusRequestEntityTooLarge
	}
	return http.StatusBadRequest
}

func sessionText(name string) string { return "session " + name }

// ErrNoChanges is the error of a change whose caller has not authenticated.
var ErrNoChanges = errors.New("changes need a token, a client certificate or a Unix socket: set admin_token_file or admin_client_ca, or use a Unix socket of admin")

var errNoToken = errors.New("access denied: the token file cannot be read; the server's log says why")

// token returns the hash of the current token; nil: the file cannot be read. If the token has changed, it ends the sessions of
// the previous one.
func (s *Server) token() *[sha256.Size]byte {
	sum, changed, err := s.auth.file.load()
	if err != nil {
		s.log.Error("admin token unreadable, access denied", "err", err)
	}
	if changed {
		s.log.Info("admin token changed", "sessions_ended", s.auth.sessions.closeOthers(*sum))
	}
	return sum
}

// check compares a token with the hash of ours, in constant time. A wrong one costs its sender a delay and, meanwhile, a
// connection; nobody else waits.
func check(ctx context.Context, token string, ours *[sha256.Size]byte) bool {
	sum := sha256.Sum256([]byte(token))
	if subtle.ConstantTimeCompare(sum[:], ours[:]) == 1 {
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

// admits reports whether a request is authenticated, and records by what in c. Otherwise it answers the request. (A client's
// certificate has been verified before.)
func (s *Server) admits(w http.ResponseWriter, r *http.Request, c *caller) bool {
	if s.auth.file == nil {
		return true
	}
	sum := s.token()
	if sum == nil {
		WriteError(w, http.StatusServiceUnavailable, errNoToken)
		return false
	}
	if token, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer "); ok {
		if check(r.Context(), token, sum) {
			c.token = "token"
			return true
		}
		s.refused(r, c, WrongToken)
	} else if cookie, err := r.Cookie(cookieName); err == nil {
		if name, ok := s.auth.sessions.find(cookie.Value, *sum, time.Now()); ok {
			c.token = sessionText(name)
			return true
		}
	}
	unauthorized(w, r)
	return false
}

// unauthorized redirects a browser to the login form, and answers others with status 401.
func unauthorized(w http.ResponseWriter, r *http.Request) {
	if !strings.HasPrefix(r.URL.Path, "/api/") && strings.Contains(r.Header.Get("Accept"), "text/html") {
		next := "/"
		if safe(r.Method) {
			next = r.URL.RequestURI()
		}
		http.Redirect(w, r, loginPath+"?next="+url.QueryEscape(next), http.StatusSeeOther)
		return
	}
	w.Header().Set("WWW-Authenticate", `Bearer realm="dcs"`)
	WriteError(w, http.StatusUnauthorized, errors.New("token required: Authorization: Bearer …"))
}

func setCookie(w http.ResponseWriter, r *http.Request, value string, seconds int) {
	http.SetCookie(w, &http.Cookie{
		Name: cookieName, Value: value, Path: "/", MaxAge: seconds,
		HttpOnly: true, Secure: r.TLS != nil, SameSite: http.SameSiteStrictMode,
	})
}

// local returns next if it is a path of this server, else "/".
func local(next string) string {
	u, err := url.Parse(next)
	if err != nil || u.Scheme != "" || u.Host != "" || u.User != nil || !strings.HasPrefix(next, "/") || strings.HasPrefix(next, "//") || strings.ContainsAny(next, "\\\r\n\t") {
		return "/"
	}
	return next
}

// plainForm is the login form of a server without pages.
func plainForm(w http.ResponseWriter, status int, _, complaint string) {
	if complaint == "" {
		complaint = "This server has no login page."
	}
	http.Error(w, complaint, status)
}
