// Package plaintext tells texts from binary files.
package plaintext

import (
	"bytes"
	"unicode"
	"unicode/utf8"
)

// Is reports whether a file is a text: UTF-8 without control characters other than white space.
func Is(file []byte) bool {
	return utf8.Valid(file) && !bytes.ContainsFunc(file, func(r rune) bool { return unicode.IsControl(r) && !unicode.IsSpace(r) })
}

// Legacy reports whether a file looks like a text in an encoding of one octet a character, such as Latin-1: no control characters other than
// white space, and three of four octets are ASCII.
func Legacy(file []byte) bool {
	beyond := 0
	for _, b := range file {
		switch {
		case b >= utf8.RuneSelf:
			beyond++
		case unicode.IsControl(rune(b)) && !unicode.IsSpace(rune(b)):
			return false
		}
	}
	return 4*beyond <= len(file)
}
