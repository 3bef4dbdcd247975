// Package cli holds what the verbs of the command line share: streams, errors, input files, completion.
package cli

import (
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"

	"golang.org/x/sys/unix"
)

// Env is the environment of a verb.
type Env struct {
	Args           []string
	Stdin          io.Reader
	Stdout, Stderr io.Writer

	// StandardConfig is the configuration file that verbs read without the flag, if it exists; "": there is none.
	StandardConfig string
	// Command is the path of the running command, such as "dcs compile".
	Command func() string
}

// positioned matches an error that begins with its position, file:line:column.
var positioned = regexp.MustCompile(`^[^\n:]+:\d+:\d+: `)

// Report writes an error to stderr, after the name of the command. An error with a position comes without the name, as editors
// and CI expect it.
func (e Env) Report(err error) {
	if e.Command == nil || positioned.MatchString(err.Error()) {
		fmt.Fprintln(e.Stderr, err)
		return
	}
	fmt.Fprintf(e.Stderr, "%s: %v\n", e.Command(), err)
}

// ErrReported is the error of a verb that has already written its errors to stderr.
var ErrReported = errors.New("errors were reported")

// UsageError is a mistake in the command line that cobra does not detect.
type UsageError struct{ Err error }

func (e UsageError) Error() string { return e.Err.Error() }
func (e UsageError) Unwrap() error { return e.Err }

// Usagef returns a [UsageError].
func Usagef(format string, args ...any) error { return UsageError{fmt.Errorf(format, args...)} }

// Stdio is the file name that means standard input or output.
const Stdio = "-"

// Title returns the name of a source for messages.
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

// IsTerminal reports whether w is a terminal.
func IsTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	_, err := unix.IoctlGetTermios(int(f.Fd()), unix.TCGETS)
	return err == nil
}
