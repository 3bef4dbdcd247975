package syntax

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// MaxErrors is the maximum number of errors shown for one file. A last line counts the others.
const MaxErrors = 50

// Error is an error at a position. Msg says what is wrong, why, and how to correct it.
type Error struct {
	Pos Pos
	Msg string
}

func (e *Error) Error() string { return e.Pos.String() + ": " + e.Msg }

// Errors are the errors of one file, one per line. As returned by Parse, they are sorted by position: at most MaxErrors
// errors and, if there were more, one that says how many.
type Errors []*Error

func (e Errors) Error() string {
	var b strings.Builder
	for i, x := range e {
		if i > 0 {
			b.WriteByte('\n')
		}
		b.WriteString(x.Error())
	}
	return b.String()
}

// Unwrap lets errors.As find the first *Error.
func (e Errors) Unwrap() []error {
	out := make([]error, len(e))
	for i, x := range e {
		out[i] = x
	}
	return out
}

// Addf appends an error at pos.
func (e *Errors) Addf(pos Pos, format string, args ...any) {
	*e = append(*e, &Error{Pos: pos, Msg: fmt.Sprintf(format, args...)})
}

// Err returns nil if e is empty, else the errors sorted by file, line and column, and cut after MaxErrors.
func (e Errors) Err() error { return e.cut(0) }

// cut implements Err; more is the number of errors found beyond those in e.
func (e Errors) cut(more int) error {
	if len(e) == 0 {
		return nil
	}
	out := slices.Clone(e)
	slices.SortStableFunc(out, func(a, b *Error) int {
		return cmp.Or(strings.Compare(a.Pos.File, b.Pos.File), cmp.Compare(a.Pos.Line, b.Pos.Line), cmp.Compare(a.Pos.Col, b.Pos.Col))
	})
	if len(out) > MaxErrors {
		more += len(out) - MaxErrors
		last := out[MaxErrors].Pos
		out = append(out[:MaxErrors], &Error{Pos: last, Msg: fmt.Sprintf("and %d more from here on: mend those above first", more)})
	}
	return out
}
