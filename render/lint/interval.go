package lint

// interval is the range of values that a number can have, both ends included.
type interval struct {
	min, max int64
	bounded  bool // the range is known, rather than all that fits
}

func exactly(x int64) interval { return interval{x, x, true} }

// single reports whether there is only one value.
func (i interval) single() bool { return i.min == i.max }

// verdict is whether something holds, for a file whose requests decide some values.
type verdict uint8

const (
	never  verdict = iota
	open           // for all that is known: nothing bounds the value
	some           // for some of the values
	always         // for all of them
)

func judge(certain, possible, bounded bool) verdict {
	switch {
	case certain:
		return always
	case !possible:
		return never
	case bounded:
		return some
	}
	return open
}

// over judges whether i is greater than j.
func (i interval) over(j interval) verdict {
	return judge(i.min > j.max, i.max > j.min, i.bounded && j.bounded)
}

// above judges whether i is greater than x.
func (i interval) above(x int64) verdict { return i.over(exactly(x)) }

// below judges whether i is less than x.
func (i interval) below(x int64) verdict { return exactly(x).over(i) }

// is judges whether i is x.
func (i interval) is(x int64) verdict {
	return judge(i.single() && i.min == x, i.min <= x && x <= i.max, i.bounded)
}

// outside judges whether i is not within lo to hi.
func (i interval) outside(lo, hi int64) verdict {
	return judge(i.max < lo || i.min > hi, i.min < lo || i.max > hi, i.bounded)
}

// and judges whether two things hold together.
func (v verdict) and(w verdict) verdict { return min(v, w) }

// or judges whether one of two things holds.
func (v verdict) or(w verdict) verdict { return max(v, w) }

// not judges whether something does not hold.
func (v verdict) not() verdict {
	switch v {
	case never:
		return always
	case always:
		return never
	}
	return v
}
