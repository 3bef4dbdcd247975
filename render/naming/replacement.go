package naming

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
)

// A piece of a replacement is text or a group, written as its letter case says.
type piece struct {
	text  string
	group int // -1: text
	to    letters
}

type letters byte

const (
	asIs letters = iota
	upperCase
	lowerCase
)

// parseReplacement reads a replacement.
func parseReplacement(to string, re *regexp.Regexp) ([]piece, error) {
	var out []piece
	mode := asIs
	text := func(s string) {
		if n := len(out) - 1; n >= 0 && out[n].group < 0 && out[n].to == mode {
			out[n].text += s
		} else {
			out = append(out, piece{s, -1, mode})
		}
	}
	for to != "" {
		at := strings.IndexAny(to, `$\`)
		if at < 0 {
			text(to)
			break
		}
		if at > 0 {
			text(to[:at])
		}
		mark, rest := to[at], to[at+1:]
		if rest == "" {
			return nil, fmt.Errorf("nothing behind the last %c; %c%c stands for one", mark, mark, mark)
		}
		to = rest[1:]
		switch {
		case rest[0] == mark:
			text(string(mark))
		case mark == '\\':
			m, known := map[byte]letters{'U': upperCase, 'L': lowerCase, 'E': asIs}[rest[0]]
			if !known {
				return nil, fmt.Errorf(`\%c is none of \U, \L, \E and \\`, rest[0])
			}
			mode = m
		default:
			name, behind, err := groupName(rest)
			if err != nil {
				return nil, err
			}
			group := re.SubexpIndex(name)
			if '0' <= name[0] && name[0] <= '9' {
				group = int(name[0] - '0')
			}
			if group < 0 || group > re.NumSubexp() {
				return nil, fmt.Errorf("$%s is no group of the expression", name)
			}
			out = append(out, piece{"", group, mode})
			to = behind
		}
	}
	return out, nil
}

// groupName takes the name of a group off the front of s: a digit, letters, or either in braces.
func groupName(s string) (name, rest string, err error) {
	if s[0] == '{' {
		name, rest, ok := strings.Cut(s[1:], "}")
		if !ok || name == "" || '0' <= name[0] && name[0] <= '9' && len(name) > 1 {
			return "", "", errors.New("${ is followed by a group's name or digit and }")
		}
		return name, rest, nil
	}
	if '0' <= s[0] && s[0] <= '9' {
		return s[:1], s[1:], nil
	}
	end := strings.IndexFunc(s, func(c rune) bool {
		return c != '_' && (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9')
	})
	if end < 0 {
		end = len(s)
	}
	if end == 0 {
		return "", "", errors.New("$ is followed by a digit, a group's name or another $")
	}
	return s[:end], s[end:], nil
}

func (l letters) append(dst, text []byte) []byte {
	for _, c := range text {
		switch {
		case l == upperCase && 'a' <= c && c <= 'z':
			c -= 'a' - 'A'
		case l == lowerCase:
			c = lower(c)
		}
		dst = append(dst, c)
	}
	return dst
}
