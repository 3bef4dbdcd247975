package main

import (
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// The design's 20 ms for compiling one file are measured by "make bench". What starting costs in time is up to the machine:
// under one hypervisor a page fault takes some 40 µs, and an empty Go program 4 to 6 ms. So the test counts what does not
// depend on it: the octets that initialisation allocates, ours and that of others, and the pages that a verb touches
// beyond those that no verb does without.
func TestStartup(t *testing.T) {
	unraced(t)
	run := func(args ...string) (out string, pages int64) {
		cmd := exec.Command(binary(t), args...)
		cmd.Env = append(os.Environ(), "GODEBUG=inittrace=1")
		b, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%v: %s", err, b)
		}
		return string(b), cmd.ProcessState.SysUsage().(*syscall.Rusage).Minflt
	}

	out, _ := run("version")
	var ours, all int
	for _, m := range regexp.MustCompile(`(?m)^init (\S+) @.* (\d+) bytes, \d+ allocs$`).FindAllStringSubmatch(out, -1) {
		n, err := strconv.Atoi(m[2])
		if err != nil {
			t.Fatal(err)
		}
		all += n
		if strings.HasPrefix(m[1], "dcs/") {
			ours += n
		}
	}
	t.Logf("initialisation allocates %d octets, %d of them in packages of ours", all, ours)
	if ours == 0 || ours > 200<<10 {
		t.Errorf("the initialisation of our packages allocates %d octets, want 1 to %d", ours, 200<<10)
	}
	if all > 1500<<10 {
		t.Errorf("initialisation allocates %d octets, want at most %d", all, 1500<<10)
	}

	pages := func(args ...string) int64 {
		least := int64(1 << 62)
		for range 20 {
			_, n := run(args...)
			least = min(least, n)
		}
		return least
	}
	version, compile := pages("version"), pages("compile", "../../testdata/library/basic.cfg", "-o", os.DevNull)
	t.Logf("dcs version touches %d pages, dcs compile %d", version, compile)
	if compile-version > 250 {
		t.Errorf("dcs compile of one file touches %d pages more than dcs version, want at most 250", compile-version)
	}
}
