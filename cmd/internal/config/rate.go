package config

import (
	"fmt"
	"strconv"
)

// The rates that the token buckets can hold: their interval has 32 bits of nanoseconds.
const (
	minRate = 0.25
	maxRate = 1e6
)

// CheckRate returns an error if rate or burst is out of range. A rate of 0 means no limit.
func CheckRate(rate float64, burst int) error {
	if rate != 0 && !(rate >= minRate && rate <= maxRate) {
		return fmt.Errorf("%v requests per second is out of range; use 0 or %v to %v", rate, minRate, maxRate)
	}
	if burst < 1 || burst > 1<<20 {
		return fmt.Errorf("burst of %d is out of range, 1 to %d", burst, 1<<20)
	}
	return nil
}

// DefaultBurst returns how many requests a source may send in a row if that is not configured: those of a minute, at least 20.
func DefaultBurst(rate float64) int { return int(min(max(60*rate, 20), 1<<20)) }

// CheckPrefixes returns an error if the numbers of leading bits that identify a source are out of range.
func CheckPrefixes(v4, v6 int) error {
	if v4 < 1 || v4 > 32 || v6 < 1 || v6 > 128 {
		return fmt.Errorf("prefix lengths /%d and /%d are out of range, /1 to /32 and /1 to /128", v4, v6)
	}
	return nil
}

func parseRate(s string) (float64, error) {
	r, err := strconv.ParseFloat(s, 64)
	if err != nil {
		return 0, fmt.Errorf("%s is not a number of requests per second", s)
	}
	return r, CheckRate(r, 1)
}
