package rig

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// Facts returns a Markdown list of the machine, kernel, Go version and commit of a measurement, and the command that
// repeats it.
func Facts(command string) string {
	var u unix.Utsname
	kernel := "unknown kernel"
	if unix.Uname(&u) == nil {
		kernel = unix.ByteSliceToString(u.Sysname[:]) + " " + unix.ByteSliceToString(u.Release[:])
	}
	processor := "unknown processor"
	b, _ := os.ReadFile("/proc/cpuinfo")
	for line := range strings.Lines(string(b)) {
		if key, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(key) == "model name" {
			processor = strings.TrimSpace(value)
			break
		}
	}
	return fmt.Sprintf("- machine: %s, %d CPUs, %s\n- kernel: %s\n- %s, commit %s\n- command: `%s`\n",
		processor, runtime.NumCPU(), runtime.GOARCH, kernel, runtime.Version(), commit(), command)
}

// commit returns the commit that was built, marked if the tree was dirty.
func commit() string {
	out, err := exec.Command("git", "describe", "--always", "--dirty", "--abbrev=12").Output()
	if err == nil {
		return strings.TrimSpace(string(out))
	}
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, s := range info.Settings {
			if s.Key == "vcs.revision" {
				return s.Value
			}
		}
	}
	return "unknown"
}

// Main runs a benchmark program whose flags are defined. It adds the flag -o, parses the flags, and calls measure with a
// context that an interrupt cancels. What measure writes goes to standard output and, once it is complete, to the file of
// -o. An error ends the program with status 1; it prevents the file unless it is marked by [Missed].
func Main(measure func(context.Context, io.Writer) error) {
	file := flag.String("o", "", "also write the report to this `file`")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	var report bytes.Buffer
	err := measure(ctx, io.MultiWriter(os.Stdout, &report))
	if *file != "" && (err == nil || errors.As(err, new(missed))) {
		err = errors.Join(err, os.WriteFile(*file, report.Bytes(), 0o644))
	}
	if err != nil {
		fmt.Fprintf(os.Stderr, "%s: %v\n", program(), err)
		os.Exit(1)
	}
}

type missed struct{ error }

func (m missed) Unwrap() error { return m.error }

// Missed marks err as a result of a complete measurement, such as a bound that was missed. Missed(nil) is nil.
func Missed(err error) error {
	if err == nil {
		return nil
	}
	return missed{err}
}

func program() string { return filepath.Base(os.Args[0]) }

// Command returns the command line that runs this program again.
func Command() string {
	return strings.Join(append([]string{"go run ./bench/" + program()}, os.Args[1:]...), " ")
}

// Path returns a path below the module's root.
func Path(elem ...string) (string, error) {
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}").Output()
	if err != nil {
		return "", fmt.Errorf("find the module: %w", err)
	}
	return filepath.Join(append([]string{strings.TrimSpace(string(out))}, elem...)...), nil
}

// Binary returns the absolute path of the dcs binary bin, or builds it into dir if bin is empty.
func Binary(ctx context.Context, dir, bin string) (string, error) {
	if bin == "" {
		return Build(ctx, dir, "./cmd/dcs")
	}
	return filepath.Abs(bin)
}

// Build builds a command of the module into dir, without cgo, and returns its path.
func Build(ctx context.Context, dir, pkg string) (string, error) {
	root, err := Path()
	if err != nil {
		return "", err
	}
	bin := filepath.Join(dir, filepath.Base(pkg))
	cmd := exec.CommandContext(ctx, "go", "build", "-o", bin, pkg)
	cmd.Dir, cmd.Env = root, append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build %s: %w\n%s", pkg, err, out)
	}
	return bin, nil
}
