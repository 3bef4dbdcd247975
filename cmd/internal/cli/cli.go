// Package cli holds what the verbs of the command line share: their streams, their errors, and where they read from.
package cli

import (
	"errors"
	"fmt"
	"io"
	"os"

	"golang.org/x/sys/unix"
)

// Env is what a verb sees of the process that it runs in.
type Env struct {
	Args           []string
	Stdin          io.Reader
	Stdout, Stderr io.Writer

	// StandardConfig is the configuration of verbs that are given none, if it exists; "": there is none.
	StandardConfig string
}

// ErrReported ends a verb whose errors are on stderr already.
var ErrReported = errors.New("errors were reported")

// UsageError is a mistake in the command line that cobra cannot see.
type UsageError struct{ Err error }

func (e UsageError) Error() string { return e.Err.Error() }
func (e UsageError) Unwrap() error { return e.Err }

// Usagef returns a [UsageError].
func Usagef(format string, args ...any) error { return UsageError{fmt.Errorf(format, args...)} }

// Stdio is the file name that means standard input or output.
const Stdio = "-"

// Title is what messages call a source.
func Title(name string) string {
	if name == Stdio {
		return "standard input"
	}
	return name
}

// ReadSource reads a file of limit octets at most, or standard input where its name is "-".
func ReadSource(e Env, name string, limit int) ([]byte, error) {
	in := e.Stdin
	if name != Stdio {
		f, err := os.Open(name)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		in = f
	}
	data, err := io.ReadAll(io.LimitReader(in, int64(limit)+1))
	if err == nil && len(data) > limit {
		return nil, fmt.Errorf("%s: larger than %d octets, the limit for a file of this kind", Title(name), limit)
	}
	return data, err
}

// IsTerminal tells whether a human reads w.
func IsTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	_, err := unix.IoctlGetTermios(int(f.Fd()), unix.TCGETS)
	return err == nil
}
