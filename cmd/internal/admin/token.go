package admin

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"sync"

	"dcs/render/secret"
)

// The length of a token, in octets.
const (
	minToken = 16
	maxToken = 4 << 10
)

// tokenFile is the file with the token. It is read anew for each request that brings something to compare with it, so a
// token that has changed counts at once.
type tokenFile struct {
	path string

	mu  sync.Mutex
	sum *[sha256.Size]byte // the token's hash, so that all comparisons take the same time; nil: it cannot be read
	why string             // it cannot
}

// openToken reads the token for the first time.
func openToken(path string) (*tokenFile, error) {
	sum, err := readToken(path)
	if err != nil {
		return nil, err
	}
	return &tokenFile{path: path, sum: sum}, nil
}

// load returns the hash of the token, nil if there is none to be had, and whether that is another one than before. The error
// is why there is none; it is returned once.
func (t *tokenFile) load() (sum *[sha256.Size]byte, changed bool, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	sum, err = readToken(t.path)
	why := ""
	if err != nil {
		why = err.Error()
	}
	changed = sum != nil && (t.sum == nil || *sum != *t.sum)
	if why == t.why {
		err = nil
	}
	t.why = why
	if sum != nil { // sessions of a file that could not be read for a moment go on
		t.sum = sum
	}
	return sum, changed, err
}

// readToken reads a token and returns its hash.
func readToken(path string) (*[sha256.Size]byte, error) {
	text, err := secret.Read(path, maxToken)
	if err != nil {
		return nil, fmt.Errorf("admin_token_file: %w", err)
	}
	if text = bytes.TrimSpace(text); len(text) < minToken {
		return nil, fmt.Errorf("admin_token_file %s: a token has at least %d characters, as \"openssl rand -hex 32\" makes them", path, minToken)
	}
	hash := sha256.Sum256(text)
	return &hash, nil
}
