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

// Limits of what an error takes over from a peer, in octets.
const (
	maxExcerpt = 200
	maxError   = 800
)

// scrubber takes secrets out of text. A peer may echo half of one, so what is taken out is every run of at least
// shortest characters that occurs in a secret, and each whole secret.
type scrubber struct{ hidden []string }

const shortest = 4

func (s *scrubber) hide(text string) {
	if text != "" && !slices.Contains(s.hidden, text) {
		s.hidden = append(s.hidden, text)
	}
}

// A configuration shows secrets that are not ours, or ours in an encoding that can be read.
var confidential = regexp.MustCompile(`(?i)((?:secret|password|community|passphrase|key)\S*[ \t]+)\S.*`)

func (s *scrubber) scrub(text string) string {
	hide := make([]bool, len(text))
	for _, h := range s.hidden {
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

// excerpt returns the end of what a peer said, fit to be printed: scrubbed, on one line, bounded.
func (s *scrubber) excerpt(text string) string {
	const look = 4 * maxExcerpt
	cut := len(text) > look
	if cut {
		// The cut may go through a secret, of which less than shortest characters may be left.
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

// failure is an error of a driver. It holds text that is scrubbed already, and of its causes only such as have no
// text of their own.
type failure struct {
	text  string
	cause []error
}

func (f *failure) Error() string   { return f.text }
func (f *failure) Unwrap() []error { return f.cause }

// fail turns any error into one that holds no secret. The causes that a caller may ask for stay.
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
