package main

import (
	"errors"
	"fmt"
	"io"
	"os"

	"golang.org/x/sys/unix"
)

// env is what a verb sees of the process that it runs in.
type env struct {
	args           []string
	stdin          io.Reader
	stdout, stderr io.Writer
}

// errTold ends a verb whose errors are on stderr already.
var errTold = errors.New("errors were told")

// usageError is a mistake in the command line that cobra cannot see.
type usageError struct{ error }

func usagef(format string, args ...any) error { return usageError{fmt.Errorf(format, args...)} }

// stdio is the file name that means standard input or output.
const stdio = "-"

// title is what messages call a source.
func title(name string) string {
	if name == stdio {
		return "standard input"
	}
	return name
}

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

// isTerminal tells whether a human reads w.
func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	_, err := unix.IoctlGetTermios(int(f.Fd()), unix.TCGETS)
	return err == nil
}
