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

	"golang.org/x/sys/unix"
)

// The commands of README's sh blocks work, in their order. make test is not run, as it
// would run this; the server has a terminal and a port of the test's own.
func TestReadme(t *testing.T) {
	if _, err := exec.LookPath("make"); err != nil {
		t.Skip("make is missing")
	}
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	const address = "127.0.0.1:6969"
	ours, admin := "127.0.0.1:"+freePort(t), freeAddress(t)
	socket := filepath.Join(t.TempDir(), "admin.sock")
	keyboard, terminal := openTerminal(t)
	var server *process
	ran := 0
	for _, block := range strings.Split(string(readme), "```sh\n")[1:] {
		commands, _, ok := strings.Cut(block, "\n```")
		if !ok {
			t.Fatal("a block has no end")
		}
		for line := range strings.SplitSeq(commands, "\n") {
			ran++
			switch line {
			case "make test":
			case "make run":
				cmd := exec.Command("make", "--no-print-directory", "run", "RUNFLAGS=--listen="+ours+" --admin="+admin+",unix:"+socket)
				cmd.Dir = "../.."
				cmd.Stdin, cmd.Stdout, cmd.Stderr = terminal, terminal, terminal
				cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
				server = start(t, cmd, keyboard)
				server.await("dcs get " + ours + " basic.cm --decode")
			default:
				cmd := exec.Command("sh", "-c", strings.NewReplacer(address, ours, "127.0.0.1:8069", admin, "bin/admin.sock", socket).Replace(line))
				cmd.Dir = "../.."
				if out, err := cmd.CombinedOutput(); err != nil {
					t.Errorf("%s: %v\n%s", line, err, out)
				}
			}
		}
	}
	if ran < 10 || server == nil {
		t.Fatalf("README has %d commands; the server's start is among them: %v", ran, server != nil)
	}
	if _, err := keyboard.WriteString("\x03"); err != nil { // Ctrl-C
		t.Fatal(err)
	}
	if err := server.wait(); err != nil {
		t.Errorf("after Ctrl-C: %v", err)
	}
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
