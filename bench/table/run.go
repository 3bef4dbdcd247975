package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"time"

	"dcs/bench/rig"
)

// goRun runs the go command in the module's root.
func goRun(ctx context.Context, env []string, args ...string) (string, error) {
	root, err := rig.Path()
	if err != nil {
		return "", err
	}
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir, cmd.Env = root, append(os.Environ(), env...)
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 5 * time.Second
	out, err := cmd.CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("go %s: %w: %s", strings.Join(args, " "), err, essence(string(out)))
	}
	return string(out), nil
}

// essence returns the lines of a test's output that explain its failure.
func essence(out string) string {
	var keep []string
	for line := range strings.Lines(out) {
		line = strings.TrimSpace(line)
		noise := line == "" || line == "PASS" || line == "FAIL"
		for _, p := range []string{"ok ", "?  ", "===", "--- PASS", "testing: warning", "PASS "} {
			noise = noise || strings.HasPrefix(line, p)
		}
		if !noise && len(keep) < 8 {
			keep = append(keep, line)
		}
	}
	return strings.Join(keep, "; ")
}

// notBuilt reports whether a test failed to build, so that nothing was measured.
func notBuilt(err error) bool { return strings.Contains(err.Error(), "[build failed]") }

// metric returns a benchmark's figure in a unit.
func metric(out, bench, unit string) (float64, error) {
	m := regexp.MustCompile(`(?m)^Benchmark` + bench + `(?:-\d+)?\s.*?([\d.]+) ` + regexp.QuoteMeta(unit) + `(?:\s|$)`).FindStringSubmatch(out)
	if m == nil {
		return 0, fmt.Errorf("no %s of Benchmark%s in:\n%s", unit, bench, out)
	}
	return strconv.ParseFloat(m[1], 64)
}
