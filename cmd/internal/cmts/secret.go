package cmts

import (
	"crypto/subtle"
	"fmt"
	"io"
	"log/slog"
	"strings"

	"dcs/render/secret"
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
	b, err := secret.Read(name, secret.MaxSize)
	if err != nil {
		return "", fmt.Errorf("%s: %w", key, err)
	}
	return string(b), nil
}
