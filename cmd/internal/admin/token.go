package admin

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"io"
	"os"
	"sync"

	"golang.org/x/sys/unix"
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

	mu   sync.Mutex
	once bool               // it is a pipe, and cannot be read again
	sum  *[sha256.Size]byte // the token's hash, so that all comparisons take the same time; nil: it cannot be read
	why  string             // it cannot
}

// openToken reads the token for the first time.
func openToken(path string) (*tokenFile, error) {
	sum, regular, err := readToken(path, false)
	if err != nil {
		return nil, err
	}
	return &tokenFile{path: path, once: !regular, sum: sum}, nil
}

// load returns the hash of the token, nil if there is none to be had, and whether that is another one than before. The error
// is why there is none; it is returned once.
func (t *tokenFile) load() (sum *[sha256.Size]byte, changed bool, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.once {
		return t.sum, false, nil
	}
	sum, _, err = readToken(t.path, true)
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

// readToken reads a token and returns its hash, and whether the file can be read again. If it is read again, nobody waits for it.
func readToken(path string, again bool) (sum *[sha256.Size]byte, regular bool, err error) {
	flags := os.O_RDONLY
	if again {
		flags |= unix.O_NONBLOCK
	}
	f, err := os.OpenFile(path, flags, 0)
	if err != nil {
		return nil, false, fmt.Errorf("admin_token_file: %w", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, false, fmt.Errorf("admin_token_file: %w", err)
	}
	regular = info.Mode().IsRegular()
	if again && !regular {
		return nil, regular, fmt.Errorf("admin_token_file %s: no regular file any more", path)
	}
	if regular && info.Mode().Perm()&0o027 != 0 {
		return nil, regular, fmt.Errorf("admin_token_file %s: its mode is %#o, so others may read or change the token: chmod 600 it (640 at the most)", path, info.Mode().Perm())
	}
	text, err := io.ReadAll(io.LimitReader(f, maxToken+1))
	if err != nil {
		return nil, regular, fmt.Errorf("admin_token_file: %w", err)
	}
	if len(text) > maxToken {
		return nil, regular, fmt.Errorf("admin_token_file %s: longer than %d octets", path, maxToken)
	}
	if text = bytes.TrimSpace(text); len(text) < minToken {
		return nil, regular, fmt.Errorf("admin_token_file %s: a token has at least %d characters, as \"openssl rand -hex 32\" makes them", path, minToken)
	}
	hash := sha256.Sum256(text)
	return &hash, regular, nil
}
