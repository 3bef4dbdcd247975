package cmts

import (
	"context"
	"errors"
	"regexp"
	"slices"
	"strings"
	"unicode"

	"dcs/render/secret"
)

// Limits of text from a peer in errors, in characters.
const (
	maxExcerpt = 200
	maxError   = 800
)

// scrubber removes secrets from text. As a peer may echo a part of one, it removes every run of at least shortest characters
// that occurs in a secret, and every complete secret.
type scrubber struct{ hidden []secret.Text }

const shortest = 4

// hide adds a secret.
func (s *scrubber) hide(text secret.Text) {
	if !text.IsZero() && !slices.ContainsFunc(s.hidden, text.Equal) {
		s.hidden = append(s.hidden, text)
	}
}

// confidential matches secrets of others in a configuration, and encoded ones.
var confidential = regexp.MustCompile(`(?i)((?:secret|password|community|passphrase|key)\S*[ \t]+)\S.*`)

// scrub replaces the secrets in text.
func (s *scrubber) scrub(text string) string {
	hide := make([]bool, len(text))
	for _, hidden := range s.hidden {
		h := hidden.Reveal()
		if len(h) < shortest {
			for at := 0; ; {
				i := strings.Index(text[at:], h)
				if i < 0 {
					break
				}
				mark(hide[at+i : at+i+len(h)])
				at += i + len(h)
			}
			continue
		}
		for i := 0; i+shortest <= len(text); i++ {
			if strings.Contains(h, text[i:i+shortest]) {
				mark(hide[i : i+shortest])
			}
		}
	}
	var b strings.Builder
	for i := range len(text) {
		switch {
		case !hide[i]:
			b.WriteByte(text[i])
		case i == 0 || !hide[i-1]:
			b.WriteString(secret.Redacted{}.String())
		}
	}
	return b.String()
}

func mark(b []bool) {
	for i := range b {
		b[i] = true
	}
}

// excerpt returns the end of text from a peer, for an error: scrubbed, on one line, at most maxExcerpt characters.
func (s *scrubber) excerpt(text string) string {
	const look = 4 * maxExcerpt
	cut := len(text) > look
	if cut {
		// Of a secret that is cut here, fewer than shortest characters may remain.
		text = text[len(text)-look:]
	}
	text = s.scrub(confidential.ReplaceAllString(text, "${1}[hidden]"))
	text = strings.Map(func(r rune) rune {
		if unicode.IsSpace(r) {
			return ' '
		}
		if !unicode.IsPrint(r) {
			return -1
		}
		return r
	}, strings.ToValidUTF8(text, ""))
	text = strings.Join(strings.Fields(text), " ")
	if r := []rune(text); len(r) > maxExcerpt {
		text, cut = string(r[len(r)-maxExcerpt:]), true
	}
	if cut {
		text = "…" + text
	}
	return text
}

// failure is an error of a driver. Its text is scrubbed, and it wraps only causes without a text of their own.
type failure struct {
	text  string
	cause []error
}

func (f *failure) Error() string   { return f.text }
func (f *failure) Unwrap() []error { return f.cause }

// fail returns err without secrets. It still wraps the causes that callers test for.
func (s *scrubber) fail(where string, err error) error {
	if err == nil {
		return nil
	}
	f := &failure{}
	for _, known := range []error{ErrUnreachable, ErrDenied, context.Canceled, context.DeadlineExceeded} {
		if errors.Is(err, known) {
			f.cause = append(f.cause, known)
		}
	}
	text := s.scrub(strings.ToValidUTF8(err.Error(), "?"))
	if r := []rune(text); len(r) > maxError {
		text = string(r[:maxError]) + "…"
	}
	f.text = where + ": " + text
	return f
}
