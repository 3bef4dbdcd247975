package secret

import (
	"crypto/subtle"
	"fmt"
	"strings"
)

// Text is a secret text: a password, a key, a community. It is never printed, see [Redacted]; Reveal returns it. The
// zero Text is empty.
type Text struct {
	Redacted

	// Two pointers, because fmt, which does not call the methods of an unexported field, follows one.
	text **string
}

// New returns text as a Text.
func New(text string) Text {
	if text == "" {
		return Text{}
	}
	p := &text
	return Text{text: &p}
}

// Reveal returns the text.
func (t Text) Reveal() string {
	if t.text == nil {
		return ""
	}
	return **t.text
}

// IsZero reports whether the text is empty.
func (t Text) IsZero() bool { return t.text == nil }

// Equal reports whether the texts are equal, in a time that does not depend on where they differ.
func (t Text) Equal(other Text) bool {
	return subtle.ConstantTimeCompare([]byte(t.Reveal()), []byte(other.Reveal())) == 1
}

// ReadText reads a file like [Read], and removes the newline at its end. An empty file is an error. Errors begin with
// key, the name of the setting that names the file.
func ReadText(key, path string) (Text, error) {
	if path == "" {
		return Text{}, fmt.Errorf("%s is not set", key)
	}
	b, err := Read(path, MaxSize)
	if err != nil {
		return Text{}, fmt.Errorf("%s: %w", key, err)
	}
	text := strings.TrimSuffix(strings.TrimSuffix(string(b), "\n"), "\r")
	if text == "" {
		return Text{}, fmt.Errorf("%s: %s is empty", key, path)
	}
	return New(text), nil
}
