package netlab

import (
	"os"
	"testing"
)

// ForTest builds a lab for the duration of the test. Without root it skips the test with the reason, or fails it if
// DCS_REQUIRE_ROOT is set.
func ForTest(t testing.TB, cfg Config) *Lab {
	t.Helper()
	if os.Geteuid() != 0 {
		if os.Getenv("DCS_REQUIRE_ROOT") != "" {
			t.Fatal("network namespaces need root, and DCS_REQUIRE_ROOT is set")
		}
		t.Skip("network namespaces need root")
	}
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
