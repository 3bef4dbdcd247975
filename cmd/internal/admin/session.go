package admin

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"sync"
	"time"
)

const (
	sessionTime = 12 * time.Hour
	maxSessions = 1024
)

// sessions are the sessions of logged-in browsers.
type sessions struct {
	mu  sync.Mutex
	all map[[sha256.Size]byte]session // by the hash of the cookie
}

type session struct {
	name  string            // for the log; not a secret
	token [sha256.Size]byte // hash of the token that it was opened with
	until time.Time
}

// open begins a session and returns its cookie and name. Beyond maxSessions it removes the session that would end first.
func (s *sessions) open(token [sha256.Size]byte, now time.Time) (cookie, name string) {
	var secret [32]byte
	rand.Read(secret[:])
	key := sha256.Sum256(secret[:])
	name = hex.EncodeToString(key[:4])
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.all == nil {
		s.all = map[[sha256.Size]byte]session{}
	}
	if len(s.all) >= maxSessions {
		s.makeRoom(now)
	}
	s.all[key] = session{name, token, now.Add(sessionTime)}
	return hex.EncodeToString(secret[:]), name
}

// makeRoom removes the sessions that have ended or, if none has, the one that ends first. mu is locked.
func (s *sessions) makeRoom(now time.Time) {
	var first [sha256.Size]byte
	var until time.Time
	for key, one := range s.all {
		if !now.Before(one.until) {
			delete(s.all, key)
		} else if until.IsZero() || one.until.Before(until) {
			first, until = key, one.until
		}
	}
	if len(s.all) >= maxSessions {
		delete(s.all, first)
	}
}

// find returns the name of a cookie's session, if it was opened with the current token and has not ended.
func (s *sessions) find(cookie string, token [sha256.Size]byte, now time.Time) (name string, ok bool) {
	key, ok := sessionKey(cookie)
	if !ok {
		return "", false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	one, ok := s.all[key]
	if !ok || one.token != token || !now.Before(one.until) {
		return "", false
	}
	return one.name, true
}

// close ends a cookie's session.
func (s *sessions) close(cookie string) {
	if key, ok := sessionKey(cookie); ok {
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.all, key)
	}
}

// closeOthers ends the sessions that were opened with another token, and returns how many.
func (s *sessions) closeOthers(token [sha256.Size]byte) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := 0
	for key, one := range s.all {
		if one.token != token {
			delete(s.all, key)
			n++
		}
	}
	return n
}

// sessionKey returns the key of a cookie's session. The cookie itself is not stored, and the time to compare its hash reveals
// nothing about it.
func sessionKey(cookie string) ([sha256.Size]byte, bool) {
	secret, err := hex.DecodeString(cookie)
	if err != nil || len(secret) != 32 {
		return [sha256.Size]byte{}, false
	}
	return sha256.Sum256(secret), true
}
