package main

import (
	"bytes"
	"strings"
	"testing"

	"dcs/cmd/internal/cli"
)

// result is what a verb left behind.
type result struct {
	status         int
	stdout, stderr string
}

// dcs runs a command line in this process.
func dcs(stdin string, args ...string) result {
	return dcsWith(cli.Env{Stdin: strings.NewReader(stdin)}, args...)
}

// dcsWith is dcs in an environment whose output is replaced.
func dcsWith(e cli.Env, args ...string) result {
	var stdout, stderr bytes.Buffer
	e.Args, e.Stdout, e.Stderr = args, &stdout, &stderr
	status := run(e)
	return result{status, stdout.String(), stderr.String()}
}

func TestStatus(t *testing.T) {
	tests := []struct {
		name   string
		args   []string
		status int
		stderr string // part of it
	}{
		{"nothing", nil, misuse, "missing verb: want capture, check, "},
		{"help", []string{"--help"}, done, ""},
		{"help of a verb", []string{"compile", "--help"}, done, ""},
		{"version", []string{"version"}, done, ""},
		{"unknown verb", []string{"complie"}, misuse, `unknown verb "complie"; did you mean compile?`},
		{"unknown flag", []string{"version", "--x"}, misuse, "dcs version: unknown flag: --x\nSee \"dcs version --help\".\n"},
		{"too many arguments", []string{"version", "x"}, misuse, "dcs version: "},
		{"too few arguments", []string{"get", "localhost"}, misuse, "want HOST[:PORT] NAME"},
		{"bad flag value", []string{"get", "localhost", "x", "--blksize", "7"}, misuse, "--blksize 7: want 8 to 65464"},
		{"bad file name", []string{"get", "localhost", ""}, misuse, `"" is not a file name`},
		{"bad port", []string{"get", "localhost:x", "f"}, misuse, "x is not a UDP port"},
		{"bad host", []string{"get", "1:2:3:zzz", "f"}, misuse, "is not a host with a port"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := dcs("", tt.args...)
			if got.status != tt.status || !strings.Contains(got.stderr, tt.stderr) || tt.stderr == "" && got.stderr != "" {
				t.Errorf("status %d, stderr %q; want %d, %q", got.status, got.stderr, tt.status, tt.stderr)
			}
		})
	}
}
