package cmts

import (
	"crypto/subtle"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
)

// Secret is a text that nothing prints: it shows as [secret] wherever it is formatted, logged or marshalled. The zero
// Secret is empty.
type Secret struct {
	// Behind two pointers, because fmt, which does not ask an unexported field for its methods, follows one.
	text **string
}

// NewSecret returns text as a Secret.
func NewSecret(text string) Secret {
	if text == "" {
		return Secret{}
	}
	p := &text
	return Secret{&p}
}

// Reveal returns the text itself.
func (s Secret) Reveal() string {
	if s.text == nil {
		return ""
	}
	return **s.text
}

// IsZero tells whether the secret is empty.
func (s Secret) IsZero() bool { return s.text == nil }

// Equal compares in a time that does not tell where the difference is.
func (s Secret) Equal(t Secret) bool {
	return subtle.ConstantTimeCompare([]byte(s.Reveal()), []byte(t.Reveal())) == 1
}

const redacted = "[secret]"

// String returns [secret].
func (Secret) String() string { return redacted }

// GoString returns [secret].
func (Secret) GoString() string { return redacted }

// Format prints [secret] for every verb.
func (Secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, redacted) }

// LogValue returns [secret].
func (Secret) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalText returns [secret]; encoding/json and its like use it.
func (Secret) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// maxSecretFile is far above any password; the file may be a wrong one.
const maxSecretFile = 64 << 10

// readSecret reads a file that holds a password; one line end after it does not count. A file that others may read is
// refused.
func readSecret(key, name string) (Secret, error) {
	if name == "" {
		return Secret{}, fmt.Errorf("%s is not set", key)
	}
	text, err := readPrivate(key, name)
	if err != nil {
		return Secret{}, err
	}
	text = strings.TrimSuffix(strings.TrimSuffix(text, "\n"), "\r")
	if text == "" {
		return Secret{}, fmt.Errorf("%s: %s is empty", key, name)
	}
	return NewSecret(text), nil
}

func readPrivate(key, name string) (string, error) {
	f, err := os.Open(name)
	if err != nil {
		return "", fmt.Errorf("%s: %w", key, err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return "", fmt.Errorf("%s: %w", key, err)
	}
	// A pipe or a socket has no mode that would say who reads it.
	if mode := info.Mode(); mode.IsRegular() && mode.Perm()&0o027 != 0 {
		return "", fmt.Errorf("%s: %s has mode %#o: it must be private, at most 0640: chmod 600 %s", key, name, mode.Perm(), name)
	}
	b, err := io.ReadAll(io.LimitReader(f, maxSecretFile+1))
	switch {
	case err != nil:
		return "", fmt.Errorf("%s: %w", key, err)
	case len(b) > maxSecretFile:
		return "", errors.New(key + ": " + name + " is too large to hold a password")
	}
	return string(b), nil
}
