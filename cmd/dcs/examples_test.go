package main

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"dcs/bench/require"
	"dcs/cmd/dcs/doc"
)

// codeBlock is a fenced block of a document.
type codeBlock struct{ tag, rest, text string }

var fence = regexp.MustCompile("(?ms)^```([a-z]+)( [^\n]*)?\n(.*?)^```$")

func codeBlocks(page string) []codeBlock {
	var blocks []codeBlock
	for _, m := range fence.FindAllStringSubmatch(page, -1) {
		blocks = append(blocks, codeBlock{m[1], strings.TrimSpace(m[2]), m[3]})
	}
	return blocks
}

// The examples of the manual work. Each page has a directory with a copy of the sample library; a block with the name of a file
// becomes that file, a block of sh is run, and one tagged "sh server" runs while the others of its page do.
func TestExamples(t *testing.T) {
	require.Long(t, "the manual's examples")
	require.Program(t, "curl")
	require.Program(t, "openssl")
	binary(t) // or skip
	ran := 0
	for _, p := range doc.Pages() {
		blocks := codeBlocks(p.Text)
		if !strings.Contains(p.Text, "```sh") {
			continue
		}
		t.Run(p.Name, func(t *testing.T) {
			ran += runExamples(t, blocks)
		})
	}
	if ran < 8 {
		t.Errorf("%d blocks were run", ran)
	}
}

// runExamples runs the blocks of a page, and returns how many there were to run.
func runExamples(t *testing.T, blocks []codeBlock) int {
	dir, ours, admin := t.TempDir(), "127.0.0.1:"+freePort(t), freeAddress(t)
	if err := os.CopyFS(filepath.Join(dir, "library"), os.DirFS("../../testdata/library")); err != nil {
		t.Fatal(err)
	}
	addresses := strings.NewReplacer("127.0.0.1:6969", ours, "127.0.0.1:8069", admin)
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	ran := 0
	for _, b := range blocks {
		text := addresses.Replace(b.text)
		switch {
		case b.tag == "sh":
			ran++
			cmd := exec.CommandContext(ctx, "sh", "-ec", text)
			if b.rest == "server" {
				cmd = exec.CommandContext(ctx, "sh", "-ec", "exec "+text)
			}
			cmd.Dir, cmd.Env = dir, append(os.Environ(), "PATH="+filepath.Dir(binary(t))+":"+os.Getenv("PATH"))
			if b.rest == "server" {
				start(t, cmd).await("serving")
			} else if out, err := cmd.CombinedOutput(); err != nil {
				t.Errorf("%v\n%s\n%s", err, text, out)
			}
		case strings.ContainsAny(b.rest, "./"):
			file := filepath.Join(dir, b.rest)
			if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := writeFile(file, []byte(text)); err != nil {
				t.Fatal(err)
			}
		}
	}
	return ran
}

// prompt begins a command in a transcript.
var prompt = regexp.MustCompile(`(?m)^[#$] (?:.*\| )?dcs ([^|\n]*)`)

// The verbs and flags of dcs in transcripts, which no test can run, are there.
func TestConsole(t *testing.T) {
	found := 0
	for _, p := range doc.Pages() {
		for _, b := range codeBlocks(p.Text) {
			if b.tag != "console" {
				continue
			}
			for _, m := range prompt.FindAllStringSubmatch(b.text, -1) {
				found++
				command, _, _ := strings.Cut(m[1], " #")
				got := dcs("", append(strings.Fields(command), "--help")...)
				if usage := "Usage:\n  dcs " + strings.Fields(command)[0] + " "; got.status != done || !strings.Contains(got.stdout, usage) {
					t.Errorf("%s: dcs %s: %s", p.Name, command, got.stderr)
				}
			}
		}
	}
	if found < 10 {
		t.Errorf("%d commands found", found)
	}
}
