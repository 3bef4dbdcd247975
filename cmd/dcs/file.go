package main

import (
	"fmt"
	"strings"
	"unicode"

	"dcs/render/mic"
)

// emit writes data to the file, or to standard output where its name is "-" or empty.
// Binary data goes to a terminal only if "-" asks for it.
func emit(e env, name string, data []byte) error {
	switch {
	case name == "" && isTerminal(e.stdout):
		return usagef("a boot file is no text for a terminal: say -o FILE, or -o - if you mean it")
	case name == "" || name == stdio:
		_, err := e.stdout.Write(data)
		return err
	}
	return writeFile(name, data)
}

// clean leaves nothing in a line that would move a terminal's cursor: names are what a stranger has sent.
func clean(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsGraphic(r) {
			return r
		}
		return '?'
	}, s)
}

// loadSecret reads a secret and tells the warning that goes with it.
func loadSecret(e env, name string) (*mic.Secret, error) {
	key, warning, err := readSecret(name)
	if err != nil {
		return nil, err
	}
	if warning != "" {
		fmt.Fprintf(e.stderr, "warning: %s\n", warning)
	}
	return mic.NewSecret(key), nil
}
