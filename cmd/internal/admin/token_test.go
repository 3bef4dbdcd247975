package admin

import (
	"errors"
	"log/slog"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"dcs/bench/require"

	"golang.org/x/sys/unix"
)

// A token's file counts as it is: whatever becomes of it holds for the next request, of sessions too.
func TestTokenChanges(t *testing.T) {
	require.Long(t, "a watched token")
	const next = "another-token-of-the-operator"
	replace := func(text string, mode os.FileMode) func(string) error {
		return func(path string) error {
			err := os.WriteFile(path+".new", []byte(text), mode)
			return errors.Join(err, os.Chmod(path+".new", mode), os.Rename(path+".new", path))
		}
	}
	type statuses struct{ session, old, new int }
	type step struct {
		what   string
		change func(path string) error
		want   statuses
		log    []string
	}
	gone := statuses{503, 503, 503}
	for _, steps := range [][]step{
		{{"replaced", replace(next, 0o600), statuses{401, 401, 200}, []string{`"admin token changed","sessions_ended":1`}}},
		{{"written in place", func(path string) error { return os.WriteFile(path, []byte(next), 0o600) }, statuses{401, 401, 200}, []string{"admin token changed"}}},
		{{"the same again", replace(token+"\n", 0o640), statuses{200, 200, 401}, nil}},
		{
			{"removed", os.Remove, gone, []string{"admin token unreadable", "no such file"}},
			{"back", replace(token, 0o600), statuses{200, 200, 401}, nil},
		},
		{
			{"empty", replace("", 0o600), gone, []string{"shorter than 16 characters"}},
			{"another one", replace(next, 0o600), statuses{401, 401, 200}, []string{`"admin token changed","sessions_ended":1`}},
			{"the first one", replace(token, 0o600), statuses{401, 200, 401}, []string{`"admin token changed","sessions_ended":0`}},
		},
		{{"readable by all", func(path string) error { return os.Chmod(path, 0o644) }, gone, []string{"mode 0644 gives others access"}}},
		{{"a pipe", func(path string) error { return errors.Join(os.Remove(path), unix.Mkfifo(path, 0o600)) }, gone, []string{"not a regular file"}}},
		{{"a directory", func(path string) error { return errors.Join(os.Remove(path), os.Mkdir(path, 0o700)) }, gone, []string{"admin_token_file"}}},
		{{"huge", replace(strings.Repeat("x", 1<<20), 0o600), gone, []string{"larger than 4096 octets"}}},
	} {
		t.Run(steps[0].what, func(t *testing.T) {
			log := &lines{}
			path := write(t, "token", token, 0o600)
			s := runLogged(t, Config{Addresses: []string{"127.0.0.1:0"}, TokenFile: path}, log.logger(slog.LevelInfo))
			visitors := []*visitor{
				visit(t, s, map[string]string{"Cookie": login(t, s, token)}), visit(t, s, map[string]string{"Authorization": "Bearer " + token}),
				visit(t, s, map[string]string{"Authorization": "Bearer " + next}),
			}
			for _, v := range visitors[:2] { // their connections stay open
				if status := v.ask(t, "GET", "/api/seen", ""); status != 200 {
					t.Fatal(status)
				}
			}
			for _, st := range steps {
				log.take(t, "")
				if err := st.change(path); err != nil {
					t.Fatal(err)
				}
				got := statuses{visitors[0].ask(t, "GET", "/api/seen", ""), visitors[1].ask(t, "GET", "/api/seen", ""), visitors[2].ask(t, "GET", "/api/seen", "")}
				if got != st.want {
					t.Errorf("%s: %+v, want %+v", st.what, got, st.want)
				}
				text := log.String()
				for _, want := range st.log {
					if strings.Count(text, want) != 1 {
						t.Errorf("%s: not once %s in %s", st.what, want, text)
					}
				}
				if strings.Contains(text, token) || strings.Contains(text, next) {
					t.Errorf("%s: the log has a token: %s", st.what, text)
				}
			}
		})
	}
}

// Sessions end when their time is over, at a log-out, and when there are too many; none opens by what the log says of it.
func TestSessions(t *testing.T) {
	var s sessions
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	token, other := [32]byte{1}, [32]byte{2}
	good := func(cookie string, at time.Duration) bool {
		_, ok := s.find(cookie, token, now.Add(at))
		return ok
	}
	first, name := s.open(token, now)
	if found, ok := s.find(first, token, now); !ok || found != name {
		t.Error("a session is not found by its cookie")
	}
	if good(name, 0) || good("", 0) || good(first[:len(first)-2], 0) || good(first+"00", 0) || strings.Contains(first, name) {
		t.Error("a session is good by its whole cookie alone")
	}
	if _, ok := s.find(first, other, now); ok {
		t.Error("a session is good for another token")
	}
	if !good(first, sessionTime-1) || good(first, sessionTime) {
		t.Error("a session is good until it ends")
	}
	cookies := []string{first}
	for i := range maxSessions {
		cookie, _ := s.open(token, now.Add(time.Duration(i+1)))
		cookies = append(cookies, cookie)
	}
	if good(cookies[0], 0) || !good(cookies[1], 0) || len(s.all) != maxSessions {
		t.Errorf("not the oldest of too many sessions has ended; there are %d", len(s.all))
	}
	s.close(cookies[7])
	if good(cookies[7], 0) || !good(cookies[8], 0) {
		t.Error("not the one session was closed")
	}
	if n := s.closeOthers(token); n != 0 || !good(cookies[8], 0) {
		t.Errorf("%d sessions of the token were closed", n)
	}
	if n := s.closeOthers(other); n != maxSessions-1 || good(cookies[8], 0) {
		t.Errorf("%d sessions of another token were closed", n)
	}
	if slices.ContainsFunc(cookies[1:], func(c string) bool { return c == first }) {
		t.Error("a cookie came twice")
	}
}
