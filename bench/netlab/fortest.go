package netlab

import (
	"testing"

	"dcs/bench/require"
)

// ForTest builds a lab for the duration of the test. Without root it skips the test with the reason, or fails it if
// DCS_REQUIRE_ROOT is set.
func ForTest(t testing.TB, cfg Config) *Lab {
	t.Helper()
	require.Root(t)
	require.Long(t, "network namespaces")
	lab, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := lab.Close(); err != nil {
			t.Errorf("close the lab: %v", err)
		}
	})
	return lab
}
