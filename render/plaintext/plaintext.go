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
