package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/gdamore/tcell/v3/color"
	"golang.org/x/sys/unix"

	"dcs/bench/require"
	"dcs/cmd/internal/terminal/terminaltest"
)

func startTop(t *testing.T, env []string, args ...string) (*exec.Cmd, *terminaltest.Terminal) {
	t.Helper()
	term := terminaltest.New(t, 100, 30)
	cmd := exec.Command(binary(t), append([]string{"top"}, args...)...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = term.Program, term.Program, term.Program
	cmd.Env = append(append(os.Environ(), "TERM=xterm-256color", "LANG=C.UTF-8"), env...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill() })
	return cmd, term
}

func TestTop(t *testing.T) {
	t.Parallel()
	require.Long(t, "screens of a terminal")
	s := serveAll(t)
	for _, name := range []string{"basic.cm", "nobody"} {
		dcs("", "get", "127.0.0.1:"+s.port, name, "-o", os.DevNull)
	}
	typed := func(keys string) func(*exec.Cmd, *terminaltest.Terminal) error {
		return func(_ *exec.Cmd, term *terminaltest.Terminal) error { return term.Type(keys) }
	}
	signalled := func(sig os.Signal) func(*exec.Cmd, *terminaltest.Terminal) error {
		return func(cmd *exec.Cmd, _ *terminaltest.Terminal) error { return cmd.Process.Signal(sig) }
	}
	for _, tt := range []struct {
		name   string
		env    []string
		colour bool
		end    func(cmd *exec.Cmd, term *terminaltest.Terminal) error
	}{
		{"q", []string{"NO_COLOR="}, true, typed("q")},
		{"Ctrl-C", []string{"NO_COLOR=1"}, false, typed("\x03")},
		{"SIGTERM", []string{"NO_COLOR=1"}, false, signalled(syscall.SIGTERM)},
		{"SIGHUP", []string{"NO_COLOR=1"}, false, signalled(syscall.SIGHUP)},
	} {
		t.Run(tt.name, func(t *testing.T) {
			cmd, term := startTop(t, tt.env, s.admin, "--interval", "100ms")
			eventually(t, "the state and the keys are shown", func() bool {
				lines := term.Lines()
				return strings.HasPrefix(lines[0], "dcs ") && strings.Contains(term.String(), "requests  ") && strings.HasPrefix(lines[len(lines)-1], "q quit")
			})
			eventually(t, "the end is scrolled to", func() bool {
				return term.Type("\x1b[F") == nil && strings.Contains(term.String(), "nobody") && strings.Contains(term.String(), "unknown_name")
			})
			eventually(t, "the beginning is scrolled to", func() bool {
				return term.Type("\x1b[H") == nil && strings.HasPrefix(term.Lines()[1], "transport ")
			})
			// Failures are in red, unless the user wants no colours.
			failed := regexp.MustCompile(`(?m)^  error +[1-9]`)
			eventually(t, "another failure is shown", func() bool {
				dcs("", "get", "127.0.0.1:"+s.port, "nobody", "-o", os.DevNull)
				return failed.MatchString(term.String()) && (term.Has(color.Red) || !tt.colour)
			})
			if term.Has(color.Red) && !tt.colour {
				t.Error("red, despite NO_COLOR")
			}
			term.Resize(t, 40, 6)
			eventually(t, "the frame fits the smaller terminal", func() bool {
				lines := term.Lines()
				return strings.HasPrefix(lines[0], "dcs ") && strings.HasPrefix(lines[5], "q quit") && strings.HasPrefix(lines[1], "transport ")
			})
			eventually(t, "a line is scrolled", func() bool { // or more, if the screen is slower than the typing
				lines := term.Lines()
				return term.Type("\x1b[B") == nil && strings.HasPrefix(lines[0], "dcs ") && !strings.HasPrefix(lines[1], "transport ")
			})
			if err := tt.end(cmd, term); err != nil {
				t.Fatal(err)
			}
			ended := make(chan error, 1)
			go func() { ended <- cmd.Wait() }()
			select {
			case err := <-ended:
				if err != nil {
					t.Errorf("it ended with %v", err)
				}
			case <-time.After(time.Minute):
				t.Fatal("it goes on")
			}
			eventually(t, "the alternate screen is left", func() bool {
				raw := term.Raw()
				return strings.LastIndex(raw, "\x1b[?1049l") > strings.LastIndex(raw, "\x1b[?1049h") && strings.LastIndex(raw, "\x1b[?25h") > strings.LastIndex(raw, "\x1b[?25l")
			})
			termios, err := unix.IoctlGetTermios(int(term.Program.Fd()), unix.TCGETS)
			if err != nil || termios.Lflag&(unix.ECHO|unix.ICANON|unix.ISIG) != unix.ECHO|unix.ICANON|unix.ISIG {
				t.Errorf("the terminal is left in another mode: %+v, %v", termios, err)
			}
		})
	}

	t.Run("pause", func(t *testing.T) {
		_, term := startTop(t, nil, s.admin, "--interval", "100ms")
		keys := func() string { lines := term.Lines(); return lines[len(lines)-1] }
		eventually(t, "the keys are shown", func() bool { return strings.HasPrefix(keys(), "q quit") })
		if err := term.Type("p"); err != nil {
			t.Fatal(err)
		}
		eventually(t, "it pauses", func() bool { return strings.HasPrefix(keys(), "PAUSED") })
	})

	t.Run("the server ends", func(t *testing.T) {
		cmd, term := startTop(t, nil, s.admin, "--interval", "100ms")
		eventually(t, "a frame", func() bool { return strings.HasPrefix(term.Lines()[0], "dcs ") })
		_ = s.stop(syscall.SIGTERM)
		eventually(t, "the failure is shown", func() bool { return strings.HasPrefix(term.Lines()[0], "no answer: ") })
		if err := term.Type("q"); err != nil {
			t.Fatal(err)
		}
		if err := cmd.Wait(); err != nil {
			t.Error(err)
		}
	})
}

func TestTopOnce(t *testing.T) {
	token := filepath.Join(t.TempDir(), "token")
	write(t, token, "0123456789abcdef0123456789abcdef\n")
	if err := os.Chmod(token, 0o600); err != nil {
		t.Fatal(err)
	}
	s := serveAll(t, "--admin-token-file", token)
	dcs("", "get", "127.0.0.1:"+s.port, "basic.cm", "-o", os.DevNull)
	res := dcs("", "top", s.admin, "--once", "--interval", "100ms", "--token-file", token)
	if res.status != 0 || strings.Contains(res.stdout, "\x1b") || !regexp.MustCompile(`(?m)^  file +\S+ +1$`).MatchString(res.stdout) ||
		!strings.Contains(res.stdout, "127.0.0.1:"+s.port) {
		t.Errorf("%d: %s%s", res.status, res.stdout, res.stderr)
	}
	for _, args := range [][]string{{"top", s.admin, "--once"}, {"top", "127.0.0.1:1", "--once"}, {"top", s.admin, "--once", "--token-file", token + "x"}} {
		if res := dcs("", args...); res.status != 1 || res.stdout != "" || res.stderr == "" {
			t.Errorf("%q: %d %s%s", args, res.status, res.stdout, res.stderr)
		}
	}
	if res := dcs("", "top", "a", "b"); res.status != 2 {
		t.Errorf("two addresses: %d", res.status)
	}
	if res := dcs("", "top", s.admin, "--interval", "1ms"); res.status != 2 {
		t.Errorf("1 ms: %d", res.status)
	}
}
