// Package terminal makes text safe to print.
package terminal

import (
	"strings"
	"unicode"
)

// Clean replaces every character that is not graphic, as in control sequences of a client's file name, with "?".
func Clean(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsGraphic(r) {
			return r
		}
		return '?'
	}, s)
}
