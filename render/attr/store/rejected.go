package store

import (
	"errors"
	"slices"

	"dcs/render/attr"
)

// refuses counts a device that err says is none.
func countRejected(r *attr.Rejected, err error) bool {
	if !errors.Is(err, attr.ErrDevice) {
		return false
	}
	r.Add(err.Error())
	return true
}

// closeRejected returns an error if too many of the n devices that a source gave were left out, and adds what the source itself left
// out, by a limit of its own that it has kept to.
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
