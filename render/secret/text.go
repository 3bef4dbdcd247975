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

// Mark describes the byte order mark that a text begins with; "": none.
func Mark(text string) string {
	switch {
	case strings.HasPrefix(text, "\xef\xbb\xbf"):
		return "begins with a byte order mark (ef bb bf)"
	case strings.HasPrefix(text, "\xff\xfe"), strings.HasPrefix(text, "\xfe\xff"):
		return "is text in UTF-16"
	}
	return ""
}

// Oddity describes what an editor may have added to a secret text, which it is part of nevertheless: a byte order mark, or
// white space at one of its ends; "": neither.
func Oddity(text string) string {
	first, last := byte('x'), byte('x')
	if text != "" {
		first, last = text[0], text[len(text)-1]
	}
	if mark := Mark(text); mark != "" {
		return mark
	}
	switch {
	case last == '\n', last == '\r':
		return "ends in an empty line"
	case last == ' ', last == '\t':
		return "ends in a blank"
	case first == ' ', first == '\t', first == '\n', first == '\r':
		return "begins with a blank"
	}
	return ""
}

// ReadText reads a file like [Read], and removes the newline at its end. An empty file, and one that begins with a byte
// order mark, are errors. Errors begin with key, the name of the setting that names the file.
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
	if why := Mark(text); why != "" {
		return Text{}, fmt.Errorf("%s: %s %s; save it without one, as UTF-8", key, path, why)
	}
	return New(text), nil
}
