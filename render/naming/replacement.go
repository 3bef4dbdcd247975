package naming

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
)

// A piece of a replacement is text or a group, with the letter case that it is written in.
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

// parseReplacement splits a replacement into pieces; re is the expression whose groups it may contain.
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
			return nil, fmt.Errorf("%c at the end; write %c%c for the character itself", mark, mark, mark)
		}
		to = rest[1:]
		switch {
		case rest[0] == mark:
			text(string(mark))
		case mark == '\\':
			m, known := map[byte]letters{'U': upperCase, 'L': lowerCase, 'E': asIs}[rest[0]]
			if !known {
				return nil, fmt.Errorf(`unknown sequence \%c; \U, \L, \E and \\ are known`, rest[0])
			}
			mode = m
		default:
			name, after, err := groupName(rest)
			if err != nil {
				return nil, err
			}
			group := re.SubexpIndex(name)
			if '0' <= name[0] && name[0] <= '9' {
				group = int(name[0] - '0')
			}
			if group < 0 || group > re.NumSubexp() {
				return nil, fmt.Errorf("no group $%s in the expression", name)
			}
			out = append(out, piece{"", group, mode})
			to = after
		}
	}
	return out, nil
}

// groupName reads the name of a group at the start of s: a digit or letters, either of them also in braces.
func groupName(s string) (name, rest string, err error) {
	if s[0] == '{' {
		name, rest, ok := strings.Cut(s[1:], "}")
		if !ok || name == "" || '0' <= name[0] && name[0] <= '9' && len(name) > 1 {
			return "", "", errors.New("invalid ${; write ${name} or ${1}")
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
		return "", "", errors.New("invalid $; write $1, $name, or $$ for a dollar sign")
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
