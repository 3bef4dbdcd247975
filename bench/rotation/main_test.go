package main

import (
	"os"
	"strings"
	"testing"
	"time"

	"dcs/bench/require"
)

// TestRotation rotates the secrets of a smaller plant.
func TestRotation(t *testing.T) {
	require.Long(t, "a rotation in a simulated plant")
	opt := options{dcs: os.Getenv("DCS_BINARY"), n: 40, rate: 400, parallel: 8, drain: 3 * time.Second}
	var out strings.Builder
	if err := opt.run(t.Context(), &out); err != nil {
		t.Fatal(err)
	}
	text := out.String()
	for _, want := range []string{"| 37 | 2 | ", "| 3 | 1 | ", "Windows of the 3 CMTSes", "found nowhere."} {
		if !strings.Contains(text, want) {
			t.Errorf("the table does not say %q:\n%s", want, text)
		}
	}
}
