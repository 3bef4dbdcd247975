package store

import (
	"errors"
	"slices"

	"dcs/render/attr"
)

// countRejected counts a device if err is about that device alone, and reports whether it is.
func countRejected(r *attr.Rejected, err error) bool {
	if !errors.Is(err, attr.ErrDevice) {
		return false
	}
	r.Add(err.Error())
	return true
}

// checkRejected returns an error if too many of a source's n devices were left out, and adds to r what the source itself left out,
// within its own limit.
func checkRejected(r *attr.Rejected, src attr.Source, n int) error {
	err := r.Check(n, 0)
	if s, ok := src.(attr.Rejecter); ok {
		theirs := s.Rejected()
		r.Rows += theirs.Rows
		r.First = slices.Concat(theirs.First, r.First)
		r.First = r.First[:min(len(r.First), attr.MaxReported)]
	}
	return err
}
