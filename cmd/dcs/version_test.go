package main

import (
	"encoding/json"
	"os/exec"
	"regexp"
	"runtime"
	"strings"
	"testing"

	"dcs/bench/require"
	"dcs/cmd/internal/version"
)

func TestVersion(t *testing.T) {
	want := "dcs " + version.String() + " " + runtime.Version() + " " + runtime.GOOS + "/" + runtime.GOARCH + "\n"
	for _, arg := range []string{"version", "--version"} {
		if r := dcs("", arg); r.status != done || r.stdout != want || r.stderr != "" {
			t.Errorf("dcs %s: %+v, want %q", arg, r, want)
		}
	}
	r := dcs("", "version", "--json")
	var got map[string]string
	if err := json.Unmarshal([]byte(r.stdout), &got); err != nil {
		t.Fatalf("%v: %q", err, r.stdout)
	}
	for key, want := range map[string]string{"version": version.String(), "go": runtime.Version(), "os": runtime.GOOS, "arch": runtime.GOARCH} {
		if got[key] != want {
			t.Errorf("%s is %q, want %q", key, got[key], want)
		}
	}
}

// What "make build" links is what the script prints.
func TestVersionLinked(t *testing.T) {
	require.Long(t, "make")
	out, err := exec.Command("make", "-s", "-n", "-C", "../..", "build").CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	script, err := exec.Command("packaging/version.sh").Output()
	if err != nil {
		t.Fatal(err)
	}
	m := regexp.MustCompile(`-X dcs/cmd/internal/version\.linked=(\S+)`).FindSubmatch(out)
	if want := strings.TrimSpace(string(script)); m == nil || string(m[1]) != want {
		t.Errorf("make build links %q, want %s: %s", m, want, out)
	}
}
