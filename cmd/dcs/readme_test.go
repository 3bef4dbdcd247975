package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"dcs/bench/require"

	"golang.org/x/sys/unix"
)

// The commands of README's sh blocks work, in their order, in a fresh copy of what git has. make test is not run, as it
// would run this; the server has a terminal and a port of the test's own.
func TestReadme(t *testing.T) {
	t.Parallel()
	require.Longest(t, "a build of a fresh copy")
	require.Program(t, "make")
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	root := freshCopy(t)
	// With -trimpath the objects are those of make package, and of the next copy, wherever it lies.
	environ := append(os.Environ(), "GOFLAGS=-trimpath")
	build := exec.Command("make", "--no-print-directory", "build")
	build.Dir, build.Env = root, environ
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("make build: %v\n%s", err, out)
	}
	ours, admin := "127.0.0.1:"+freePort(t), freeAddress(t)
	socket := filepath.Join(t.TempDir(), "admin.sock")
	keyboard, terminal := openTerminal(t)
	var server *process
	ran := 0
	for _, block := range codeBlocks(string(readme)) {
		if block.tag != "sh" {
			continue
		}
		for line := range strings.Lines(block.text) {
			line = strings.TrimSuffix(line, "\n")
			ran++
			cmd := exec.Command("sh", "-c", strings.NewReplacer("127.0.0.1:6969", ours, "127.0.0.1:8069", admin).Replace(line))
			switch line {
			case "make test":
				continue
			case "make run":
				cmd = exec.Command("make", "--no-print-directory", "run", "RUNFLAGS=--listen="+ours+" --admin="+admin+",unix:"+socket)
				cmd.Stdin, cmd.Stdout, cmd.Stderr = terminal, terminal, terminal
				cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
			}
			cmd.Dir, cmd.Env = root, environ
			if line == "make run" {
				server = start(t, cmd, keyboard)
				server.await("dcs get " + ours + " basic.cm --decode")
			} else if out, err := cmd.CombinedOutput(); err != nil {
				t.Errorf("%s: %v\n%s", line, err, out)
			}
		}
	}
	if ran < 8 || server == nil {
		t.Fatalf("README has %d commands; the server's start is among them: %v", ran, server != nil)
	}
	if _, err := keyboard.WriteString("\x03"); err != nil { // Ctrl-C
		t.Fatal(err)
	}
	if err := server.wait(); err != nil {
		t.Errorf("after Ctrl-C: %v", err)
	}
	if n := strings.Count(string(readme), "\n"); n > 150 {
		t.Errorf("README has %d lines: what is more belongs to the manual", n)
	}
}

// freshCopy copies what git tracks, and returns where to.
func freshCopy(t *testing.T) string {
	t.Helper()
	root := t.TempDir()
	for _, f := range trackedFiles(t, "../..") {
		to := filepath.Join(root, f.path)
		if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := copyFile(filepath.Join("../..", f.path), to); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

func copyFile(from, to string) error {
	info, err := os.Stat(from)
	if err != nil {
		return err
	}
	b, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	return os.WriteFile(to, b, info.Mode().Perm())
}

// The manual gives the reason for every module that the program's own packages import.
func TestDependencies(t *testing.T) {
	page, err := os.ReadFile("doc/architecture.md")
	if err != nil {
		t.Fatal(err)
	}
	var named []string
	for line := range strings.Lines(string(page)) {
		if module, reason, ok := strings.Cut(strings.TrimPrefix(line, "| "), " | "); ok && strings.Contains(module, "/") && reason != "|\n" {
			named = append(named, strings.Split(module, ", ")...)
		}
	}
	for _, p := range listPackages(t, "-deps", "dcs/cmd/dcs") {
		if !strings.HasPrefix(p.ImportPath, "dcs/") {
			continue
		}
		for _, imported := range p.Imports {
			host, _, _ := strings.Cut(imported, "/")
			known := slices.ContainsFunc(named, func(m string) bool { return imported == m || strings.HasPrefix(imported, m+"/") })
			if strings.Contains(host, ".") && !known {
				t.Errorf("architecture.md does not say what %s imports %s for", p.ImportPath, imported)
			}
		}
	}
}

// openTerminal returns both ends of a new terminal: the human's and the programs'.
func openTerminal(t *testing.T) (human, programs *os.File) {
	t.Helper()
	human, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		t.Skipf("no terminal: %v", err)
	}
	t.Cleanup(func() { human.Close() })
	number, err := unix.IoctlGetInt(int(human.Fd()), unix.TIOCGPTN)
	if err == nil {
		err = unix.IoctlSetPointerInt(int(human.Fd()), unix.TIOCSPTLCK, 0)
	}
	if err == nil {
		programs, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|syscall.O_NOCTTY, 0)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { programs.Close() })
	return human, programs
}
