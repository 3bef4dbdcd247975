package rig

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"
)

func TestMain(m *testing.M) {
	mode, ok := os.LookupEnv("RIG_TEST_MAIN")
	if !ok {
		os.Exit(m.Run())
	}
	Main(func(_ context.Context, w io.Writer) error {
		fmt.Fprintln(w, "a table")
		return map[string]error{"missed": Missed(fmt.Errorf("1 bound: %w", errors.New("missed"))), "failed": errors.New("failed")}[mode]
	})
}

// The report of a complete measurement is written whatever it shows, that of a failed one is not.
func TestReport(t *testing.T) {
	for _, tt := range []struct {
		mode          string
		written, fail bool
	}{{"done", true, false}, {"missed", true, true}, {"failed", false, true}} {
		file := filepath.Join(t.TempDir(), "table.md")
		cmd := exec.Command(os.Args[0], "-o", file)
		cmd.Env = append(os.Environ(), "RIG_TEST_MAIN="+tt.mode)
		out, err := cmd.Output()
		if (err != nil) != tt.fail || string(out) != "a table\n" {
			t.Errorf("%s: %q, %v", tt.mode, out, err)
		}
		if b, err := os.ReadFile(file); (err == nil) != tt.written || tt.written && string(b) != "a table\n" {
			t.Errorf("%s: the file has %q, %v", tt.mode, b, err)
		}
	}
}

// Main parses the flags: what measures must not have copied their values before. A method value copies a receiver that is no pointer.
func TestMainReadsFlags(t *testing.T) {
	uses := regexp.MustCompile(`rig\.Main\(\w+\.(\w+)\)`)
	programs, err := filepath.Glob("../*/main.go")
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, file := range programs {
		src, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range uses.FindAllSubmatch(src, -1) {
			n++
			if pointer := regexp.MustCompile(`(?m)^func \(\w+ \*\w+\) ` + string(m[1]) + `\(`); !pointer.Match(src) {
				t.Errorf("%s: %s has %s with a receiver that is no pointer: it would see no flags", file, m[0], m[1])
			}
		}
	}
	if n < 5 {
		t.Errorf("only %d programs were looked at", n)
	}
}
