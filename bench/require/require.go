// Package require skips tests that lack root, a program, a kernel or the time. It fails those that lack one of the first three if a
// variable DCS_REQUIRE_… is set, as in CI.
package require

import (
	"fmt"
	"os"
	"os/exec"
	"testing"
)

// Root skips the test unless root runs it, or fails it if DCS_REQUIRE_ROOT is set.
func Root(t testing.TB) {
	t.Helper()
	if os.Geteuid() != 0 {
		Missing(t, "ROOT", "not run by root")
	}
}

// Program skips the test unless the program is in PATH, or fails it if DCS_REQUIRE_CLIENTS is set.
func Program(t testing.TB, name string) {
	t.Helper()
	if _, err := exec.LookPath(name); err != nil {
		Missing(t, "CLIENTS", name+" is missing: make deps installs it")
	}
}

// Kernel skips the test on a Linux before major.minor, or fails it if DCS_REQUIRE_KERNEL is set. what names what it lacks.
func Kernel(t testing.TB, major, minor int, what string) {
	t.Helper()
	release, err := os.ReadFile("/proc/sys/kernel/osrelease")
	if err != nil {
		t.Fatal(err)
	}
	var a, b int
	if _, err := fmt.Sscanf(string(release), "%d.%d", &a, &b); err != nil {
		t.Fatalf("release %q: %v", release, err)
	}
	if a < major || a == major && b < minor {
		Missing(t, "KERNEL", "Linux %d.%d has no %s: %d.%d required", a, b, what, major, minor)
	}
}

// Missing skips the test for a reason, or fails it if the environment variable DCS_REQUIRE_ followed by variable is set.
func Missing(t testing.TB, variable, why string, args ...any) {
	t.Helper()
	why = fmt.Sprintf(why, args...)
	if variable = "DCS_REQUIRE_" + variable; os.Getenv(variable) != "" {
		t.Fatalf("%s, and %s is set", why, variable)
	}
	t.Skip(why)
}

// Long skips the test under -short. what names the slow part.
func Long(t testing.TB, what string) {
	t.Helper()
	if testing.Short() {
		t.Skip("skipped by -short: " + what)
	}
}

// AllTime reports whether DCS_LONG is set, as it is by make test-root and in CI: tests may take all the time they need.
func AllTime() bool { return os.Getenv("DCS_LONG") != "" }

// Longest skips the test unless AllTime. what names the part that takes longest.
func Longest(t testing.TB, what string) {
	t.Helper()
	if !AllTime() {
		t.Skip("skipped without DCS_LONG: " + what)
	}
}
