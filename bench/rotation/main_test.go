package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"dcs/bench/require"
)

// TestRotation is the rotation of a smaller plant.
func TestRotation(t *testing.T) {
	require.Long(t, "a rotation in a simulated plant")
	out := filepath.Join(t.TempDir(), "rotation.md")
	opt := options{dcs: os.Getenv("DCS_BINARY"), out: out, n: 40, rate: 400, parallel: 8, drain: 3 * time.Second}
	if err := run(t.Context(), opt); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	text := string(b)
	for _, want := range []string{"| 37 | 2 | ", "| 3 | 1 | ", "Windows of the 3 CMTSes", "found nowhere."} {
		if !strings.Contains(text, want) {
			t.Errorf("the table does not say %q:\n%s", want, text)
		}
	}
}
