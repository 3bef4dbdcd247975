package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"unicode"

	"golang.org/x/sys/unix"

	"dcs/render/mic"
)

// stdio is the file name that means standard input or output.
const stdio = "-"

// readSource reads a file of limit octets at most, or standard input where its name is "-".
func readSource(e env, name string, limit int) ([]byte, error) {
	in := e.stdin
	if name != stdio {
		f, err := os.Open(name)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		in = f
	}
	data, err := io.ReadAll(io.LimitReader(in, int64(limit)+1))
	if err == nil && len(data) > limit {
		return nil, fmt.Errorf("%s: larger than %d octets, the limit for a file of this kind", title(name), limit)
	}
	return data, err
}

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

// isTerminal tells whether a human reads w.
func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	_, err := unix.IoctlGetTermios(int(f.Fd()), unix.TCGETS)
	return err == nil
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
