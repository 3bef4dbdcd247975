// Package terminal makes text safe to print.
package terminal

import (
	"strings"
	"unicode"
)

// Clean replaces what is not a graphic character, such as control sequences in a name that a client sent, with "?".
func Clean(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsGraphic(r) {
			return r
		}
		return '?'
	}, s)
}
