package secretjob

import (
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"syscall"
	"testing"
	"time"

	"dcs/cmd/internal/cli"
)

// Signals end a rotation at a step, and not the process at any point.
func TestInterruptible(t *testing.T) {
	for _, s := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP} {
		ctx, stop := interruptible(t.Context())
		if err := syscall.Kill(os.Getpid(), s); err != nil {
			t.Fatal(err)
		}
		select {
		case <-ctx.Done():
		case <-time.After(30 * time.Second):
			t.Errorf("%v does not end the context", s)
		}
		stop()
	}
}

// brokenOutput has this test's binary run as a process whose standard error has no reader.
const brokenOutput = "DCS_TEST_BROKEN_OUTPUT"

func TestBrokenOutput(t *testing.T) {
	if os.Getenv(brokenOutput) != "" {
		_, stop := interruptible(t.Context())
		_, err := os.Stderr.WriteString("progress\n")
		stop()
		if !errors.Is(err, syscall.EPIPE) {
			t.Errorf("%v, want EPIPE", err)
		}
		return
	}
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	r.Close()
	defer w.Close()
	cmd := exec.Command(os.Args[0], "-test.run=^TestBrokenOutput$", "-test.count=1")
	cmd.Env, cmd.Stderr = append(os.Environ(), brokenOutput+"=1"), w
	if out, err := cmd.Output(); err != nil {
		t.Errorf("%v: %s", err, out)
	}
}

// A question that is interrupted is not answered.
func TestAskInterrupted(t *testing.T) {
	never, w := io.Pipe()
	defer w.Close()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if ask(ctx, cli.Env{Stdin: never, Stdout: io.Discard}, "Rotate?") {
		t.Error("taken for a yes")
	}
}
