package syntax

import (
	"fmt"
	"strings"
)

// scanVar reads the variable at the start of s, and returns its name and its length in octets. If there is no valid
// name, msg says why, and n is the number of octets to skip.
func scanVar(s string) (name string, n int, msg string) {
	const howto = "a variable is written $name, ${name} or $1, a dollar sign in quotes $$"
	if len(s) < 2 {
		return "", 1, "no variable name after this $: " + howto
	}
	switch c := s[1]; {
	case c == '{':
		for n = 2; n < len(s) && isAlnum(s[n]); n++ {
		}
		name = s[2:n]
		if n == len(s) || s[n] != '}' || !varName(name) {
			if m := strings.IndexAny(s[n:min(len(s), n+maxName)], "} \t\r\n;\""); m >= 0 && s[n+m] == '}' {
				n += m + 1
			}
			return "", n, "no variable name after this ${: " + howto + "; a name is letters, digits and underscores"
		}
		return name, n + 1, ""
	case isDigit(c):
		if c == '0' {
			return "", 2, "there is no $0: captures are $1 to $9, the whole name is $filename"
		}
		if len(s) > 2 && isDigit(s[2]) {
			return "", 3, fmt.Sprintf("$%s may mean two things: write ${%s} for the capture %s, or ${%s}%s for the capture %s and a digit after it",
				s[1:3], s[1:3], s[1:3], s[1:2], s[2:3], s[1:2])
		}
		return s[1:2], 2, ""
	case isLetter(c) || c == '_':
		for n = 2; n < len(s) && isAlnum(s[n]); n++ {
		}
		return s[1:n], n, ""
	}
	return "", 1, "no variable name after this $: " + howto
}

// varName reports whether s is an identifier or the number of a capture.
func varName(s string) bool {
	if s == "" || s[0] == '0' {
		return false
	}
	if isDigit(s[0]) {
		for i := range len(s) {
			if !isDigit(s[i]) {
				return false
			}
		}
		return len(s) <= 3
	}
	return true
}

// smartQuote returns the number of octets of the typographic quote at the start of s, in UTF-8 or in Windows code page
// 1252, and the quotes that close it.
func smartQuote(s string) (n int, closing []string) {
	switch {
	case strings.HasPrefix(s, "\u201c"), strings.HasPrefix(s, "\u201d"), strings.HasPrefix(s, "\u201e"):
		return 3, []string{"\u201d", "\u201c", `"`}
	case strings.HasPrefix(s, "\u2018"), strings.HasPrefix(s, "\u2019"):
		return 3, []string{"\u2019", "\u2018", "'"}
	case s[0] >= 0x91 && s[0] <= 0x94:
		return 1, []string{"\x94", "\x93", "\x92", "\x91", `"`}
	}
	return 0, nil
}

// dashedMAC reports whether s begins with six pairs of hexadecimal digits, separated by dashes.
func dashedMAC(s string) bool {
	const n = len("00-11-22-33-44-55")
	if len(s) < n || len(s) > n && wordChar[s[n]] {
		return false
	}
	for i := range n {
		if i%3 == 2 && s[i] != '-' || i%3 != 2 && !isHex(s[i]) {
			return false
		}
	}
	return true
}

// wordChar has the characters that a word may consist of.
var wordChar = [256]bool{
	'0': true, '1': true, '2': true, '3': true, '4': true, '5': true, '6': true, '7': true, '8': true, '9': true,
	'A': true, 'B': true, 'C': true, 'D': true, 'E': true, 'F': true, 'G': true, 'H': true, 'I': true, 'J': true,
	'K': true, 'L': true, 'M': true, 'N': true, 'O': true, 'P': true, 'Q': true, 'R': true, 'S': true, 'T': true,
	'U': true, 'V': true, 'W': true, 'X': true, 'Y': true, 'Z': true,
	'a': true, 'b': true, 'c': true, 'd': true, 'e': true, 'f': true, 'g': true, 'h': true, 'i': true, 'j': true,
	'k': true, 'l': true, 'm': true, 'n': true, 'o': true, 'p': true, 'q': true, 'r': true, 's': true, 't': true,
	'u': true, 'v': true, 'w': true, 'x': true, 'y': true, 'z': true,
	'_': true, '.': true, ':': true,
}

func isDigit(c byte) bool { return c-'0' <= 9 }

func isLetter(c byte) bool { return c|0x20-'a' <= 'z'-'a' }

func isAlnum(c byte) bool { return isDigit(c) || isLetter(c) || c == '_' }

func isHex(c byte) bool { return isDigit(c) || c|0x20-'a' <= 'f'-'a' }
