package main

import (
	"context"
	"fmt"
	"regexp"
)

var passed = regexp.MustCompile(`(?m)^\s*--- PASS`)

// allocs runs the tests that fail on any allocation.
func allocs(ctx context.Context, _ *options) ([]Row, error) {
	out, err := goRun(ctx, nil, "test", "-count=1", "-v", "-run", "NoAllocs|DoesNotAllocate|NothingIsAllocated",
		"./fastpath/...", "./render/...", "./cmd/internal/server", "./cmd/dcs")
	r := Row{What: "allocations per request, whole path, error paths too", Target: "0", Measured: "0", OK: true}
	if err != nil && notBuilt(err) {
		return nil, err
	}
	if err != nil {
		r.Measured, r.OK, r.Note = "more than 0", false, err.Error()
		return []Row{r}, nil
	}
	n := len(passed.FindAllString(out, -1))
	if n < 20 {
		return nil, fmt.Errorf("only %d tests ran", n)
	}
	r.Note = fmt.Sprintf("%d cases, each a test over 100 to 1,000 repetitions", n)
	return []Row{r}, nil
}
