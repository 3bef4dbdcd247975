package main

import (
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"dcs/cmd/internal/adminapi"
	"dcs/fastpath"
)

// screen is what a program has written to its terminal.
type screen struct {
	mu   sync.Mutex
	text strings.Builder
}

func (s *screen) read(r io.Reader) {
	buf := make([]byte, 4096)
	for {
		n, err := r.Read(buf)
		s.mu.Lock()
		s.text.Write(buf[:n])
		s.mu.Unlock()
		if err != nil {
			return
		}
	}
}

func (s *screen) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.String()
}

// frames returns how many were painted.
func (s *screen) frames() int { return strings.Count(s.String(), home) }

// last returns the lines of the last whole frame, without what is not text.
func (s *screen) last() []string {
	all := strings.Split(s.String(), home)
	if len(all) < 2 {
		return nil
	}
	whole, _, ended := strings.Cut(all[len(all)-1], below)
	if !ended {
		whole, _, _ = strings.Cut(all[len(all)-2], below)
	}
	return strings.Split(regexp.MustCompile(`\x1b\[[0-9;?]*[A-Za-z]`).ReplaceAllString(whole, ""), "\r\n")
}

func startTop(t *testing.T, env []string, args ...string) (*exec.Cmd, *os.File, *os.File, *screen) {
	t.Helper()
	human, programs := openTerminal(t)
	resize(t, human, 100, 30)
	cmd := exec.Command(binary(t), append([]string{"top"}, args...)...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = programs, programs, programs
	cmd.Env = append(os.Environ(), env...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill() })
	s := &screen{}
	go s.read(human)
	return cmd, human, programs, s
}

func resize(t *testing.T, human *os.File, columns, rows uint16) {
	t.Helper()
	if err := unix.IoctlSetWinsize(int(human.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Row: rows, Col: columns}); err != nil {
		t.Fatal(err)
	}
}

func TestTop(t *testing.T) {
	s := serveAll(t)
	for _, name := range []string{"basic.cm", "nobody"} {
		dcs("", "get", "127.0.0.1:"+s.port, name, "-o", os.DevNull)
	}
	for _, tt := range []struct {
		name   string
		env    []string
		colour bool
		end    func(cmd *exec.Cmd, human *os.File) error
	}{
		{"q", []string{"NO_COLOR="}, true, func(_ *exec.Cmd, human *os.File) error { _, err := human.WriteString("q"); return err }},
		{"Ctrl-C", []string{"NO_COLOR=1"}, false, func(_ *exec.Cmd, human *os.File) error { _, err := human.WriteString("\x03"); return err }},
		{"SIGTERM", []string{"NO_COLOR=1"}, false, func(cmd *exec.Cmd, _ *os.File) error { return cmd.Process.Signal(syscall.SIGTERM) }},
		{"SIGHUP", []string{"NO_COLOR=1"}, false, func(cmd *exec.Cmd, _ *os.File) error { return cmd.Process.Signal(syscall.SIGHUP) }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			cmd, human, programs, scr := startTop(t, tt.env, s.admin, "--interval", "100ms")
			eventually(t, "two frames", func() bool { return scr.frames() > 2 })
			if lines := strings.Join(scr.last(), "\n"); !strings.Contains(lines, "requests") || !strings.Contains(lines, "nobody") || !strings.Contains(lines, "unknown_name") {
				t.Errorf("the frame is\n%s", lines)
			}
			// A request that fails is shown in colour, unless that is not wanted.
			eventually(t, "another failure is seen", func() bool {
				dcs("", "get", "127.0.0.1:"+s.port, "nobody", "-o", os.DevNull)
				return strings.Contains(scr.String(), red) || !tt.colour && scr.frames() > 8
			})
			if strings.Contains(scr.String(), red) != tt.colour {
				t.Error("colour")
			}
			resize(t, human, 40, 6)
			eventually(t, "the frame fits", func() bool {
				lines := scr.last()
				for _, l := range lines {
					if len([]rune(l)) > 40 {
						return false
					}
				}
				return len(lines) == 6
			})
			if err := tt.end(cmd, human); err != nil {
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
			eventually(t, "the screen is as before", func() bool { return strings.HasSuffix(scr.String(), leave) })
			termios, err := unix.IoctlGetTermios(int(programs.Fd()), unix.TCGETS)
			if err != nil || termios.Lflag&(unix.ECHO|unix.ICANON|unix.ISIG) != unix.ECHO|unix.ICANON|unix.ISIG {
				t.Errorf("the terminal is left in another mode: %+v, %v", termios, err)
			}
		})
	}

	t.Run("the server ends", func(t *testing.T) {
		cmd, human, _, scr := startTop(t, nil, s.admin, "--interval", "100ms")
		eventually(t, "a frame", func() bool { return scr.frames() > 1 })
		_ = s.stop(syscall.SIGTERM)
		eventually(t, "it is told", func() bool { return strings.Contains(strings.Join(scr.last(), "\n"), "no answer") })
		if _, err := human.WriteString("q"); err != nil {
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

func TestFrame(t *testing.T) {
	begun := time.Unix(1_800_000_000, 0)
	before := &adminapi.Top{Time: begun, State: "serving", Requests: map[string]uint64{"file": 1000}, Workers: []adminapi.TopWorker{{Received: 100}}}
	before.Answer = make([]uint64, fastpath.Buckets)
	now := &adminapi.Top{
		Time: begun.Add(2 * time.Second), Started: begun, State: "draining", Version: "v1", Transport: "xdp", Mode: "native", Interface: "eth0", Why: "as\x1b[2Jconfigured",
		Requests: map[string]uint64{"file": 25000, "error": 1}, Workers: []adminapi.TopWorker{{Received: 300, Drops: 4}, {}}, XDP: map[string]uint64{"drop_acl": 7, "pass_other": 0},
		Sources:  []adminapi.TopSource{{Name: "csv", Devices: 10_000_000, Loading: -1, Loaded: begun, Up: true}, {Name: "ldap", Error: "refused"}, {Name: "sql", Up: true, Loading: -1, Held: "held back: x"}},
		Failures: []adminapi.TopFault{{Name: "evil\x1b]0;\u202e\nname", Client: "10.0.0.1", Reason: "unknown_name", Error: "x"}},
	}
	now.Answer = make([]uint64, fastpath.Buckets)
	now.Answer[20] = 10
	var all strings.Builder
	bad := 0
	for _, l := range frame(before, now) {
		all.WriteString(l.text + "\n")
		if l.bad {
			bad++
		}
	}
	text := all.String()
	for _, want := range []string{
		"dcs v1, draining for 2s", "xdp, XDP native on eth0: as?[2Jconfigured", "  file            12.0k           25,000", "  0                 100",
		"10,000,000         2s  up", "DOWN: refused", "HELD BACK: x", "evil?]0;??name", "drop_acl             3.50                7",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is missing", want)
		}
	}
	if strings.ContainsAny(text, "\x1b\r") || strings.Contains(text, "pass_other") {
		t.Error("what should not be seen")
	}
	if bad != 6 { // draining, errors, a worker's drops, XDP drops, two sources
		t.Errorf("%d bad lines", bad)
	}
	if t.Failed() {
		t.Log("\n" + text)
	}
	// The first look has no rates.
	if first := frame(now, now); len(first) == 0 || strings.Contains(first[5].text, "NaN") {
		t.Error("the first look")
	}
}
