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

// tokenFile is the file with the token. It is read for each request that has a token or a session, so that a change takes effect
// at once.
type tokenFile struct {
	path string

	mu  sync.Mutex
	sum *[sha256.Size]byte // hash of the last token that was read, so that all comparisons take the same time
	why string             // error of the last read
}

// openToken reads the token for the first time.
func openToken(path string) (*tokenFile, error) {
	sum, err := readToken(path)
	if err != nil {
		return nil, err
	}
	return &tokenFile{path: path, sum: sum}, nil
}

// load returns the hash of the token, nil if the file cannot be read, and whether it has changed. The same error is returned only
// once.
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
	if sum != nil { // sessions outlive a moment in which the file cannot be read
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
		return nil, fmt.Errorf("admin_token_file %s: token shorter than %d characters; create one with \"openssl rand -hex 32\"", path, minToken)
	}
	hash := sha256.Sum256(text)
	return &hash, nil
}
