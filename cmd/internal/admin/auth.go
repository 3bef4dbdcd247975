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

// auth knows who may. Without a file, everybody who can connect may look.
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

// registerLogin adds the way in and out.
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
		s.auth.form(w, status, "/", "This is not the form.")
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
		s.auth.form(w, http.StatusForbidden, next, "This is not the token.")
		return
	}
	cookie, name := s.auth.sessions.open(*sum, time.Now())
	c.token = sessionText(name)
	s.audit("admin login", c)
	setCookie(w, r, cookie, int(sessionTime.Seconds()))
	http.Redirect(w, r, next, http.StatusSeeOther)
}

// parseLogin reads the login form, in either of a form's two ways. It returns the status of what is none.
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

// ErrNoChanges is what a change is refused with whose caller has brought nothing to be known by.
var ErrNoChanges = errors.New("changes need a token, a client certificate or the Unix socket: set admin_token_file or admin_client_ca, or ask at a Unix socket of admin")

var errNoToken = errors.New("nobody is let in: the token file cannot be read; the server's log says why")

// token returns the hash of the token as the file has it now, and ends the sessions of the one before; nil: it cannot be read.
func (s *Server) token() *[sha256.Size]byte {
	sum, changed, err := s.auth.file.load()
	if err != nil {
		s.log.Error("admin token unreadable: nobody is let in", "err", err)
	}
	if changed {
		s.log.Info("admin token changed", "sessions_ended", s.auth.sessions.closeOthers(*sum))
	}
	return sum
}

// check compares a token with ours, not faster for one that is nearly right. Whoever
// brings a wrong one is kept waiting, and takes one of the few connections meanwhile;
// nobody else is.
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

// admits tells whether a request has brought what it takes, notes what in c, and turns it away otherwise. (A client's
// certificate has been checked before.)
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
	turnAway(w, r)
	return false
}

// turnAway sends a browser to the login form, and tells everybody else.
func turnAway(w http.ResponseWriter, r *http.Request) {
	if !strings.HasPrefix(r.URL.Path, "/api/") && strings.Contains(r.Header.Get("Accept"), "text/html") {
		next := "/"
		if safe(r.Method) {
			next = r.URL.RequestURI()
		}
		http.Redirect(w, r, loginPath+"?next="+url.QueryEscape(next), http.StatusSeeOther)
		return
	}
	w.Header().Set("WWW-Authenticate", `Bearer realm="dcs"`)
	WriteError(w, http.StatusUnauthorized, errors.New("a token is needed: Authorization: Bearer …"))
}

func setCookie(w http.ResponseWriter, r *http.Request, value string, seconds int) {
	http.SetCookie(w, &http.Cookie{
		Name: cookieName, Value: value, Path: "/", MaxAge: seconds,
		HttpOnly: true, Secure: r.TLS != nil, SameSite: http.SameSiteStrictMode,
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
