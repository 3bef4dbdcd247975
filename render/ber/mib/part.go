package mib

import (
	"errors"
	"fmt"
	"strings"
)

// A part is the text of a name between two dots.
type part struct {
	form form
	text string // a label, or the characters between the quotes
	arc  uint32 // a number
}

type form uint8

const (
	number  form = iota
	word         // a label
	chars        // 'abc'
	counted      // "abc"
)

func (p part) String() string {
	switch p.form {
	case number:
		return fmt.Sprint(p.arc)
	case chars:
		return "'" + p.text + "'"
	case counted:
		return `"` + p.text + `"`
	}
	return p.text
}

// nextPart parses the part at the start of s. rest is empty or begins with a dot.
func nextPart(s string) (p part, rest string, err error) {
	if s == "" {
		return p, "", errors.New("no number or label at the end")
	}
	switch c := s[0]; {
	case c == '\'' || c == '"':
		end := strings.IndexByte(s[1:], c)
		if end < 0 {
			return p, "", fmt.Errorf("no closing %c", c)
		}
		p = part{form: chars, text: s[1 : 1+end]}
		if c == '"' {
			p.form = counted
		}
		rest = s[end+2:]
	case c >= '0' && c <= '9':
		n := 0
		for v := uint64(0); n < len(s) && s[n] >= '0' && s[n] <= '9'; n++ {
			if v = v*10 + uint64(s[n]-'0'); v > 1<<32-1 {
				return p, "", errors.New("an arc does not fit in 32 bits, 0 to 4294967295")
			}
			p.arc = uint32(v)
		}
		rest = s[n:]
	case isLetter(c):
		n := 1
		for n < len(s) && (isLetter(s[n]) || s[n] >= '0' && s[n] <= '9' || s[n] == '-' || s[n] == '_') {
			n++
		}
		p = part{form: word, text: s[:n]}
		rest = s[n:]
	case c == '.':
		return p, "", errors.New("no number or label between two dots")
	default:
		return p, "", fmt.Errorf("%q does not begin a number, label or quoted index", c)
	}
	if rest != "" && rest[0] != '.' {
		return p, "", fmt.Errorf("%q instead of a dot", rest[0])
	}
	return p, rest, nil
}

func isLetter(c byte) bool { return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' }

func plainNumbers(s string) bool {
	for i := range len(s) {
		if s[i] != '.' && (s[i] < '0' || s[i] > '9') {
			return false
		}
	}
	return true
}
