package lab

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"
)

// Output is the output of a process.
type Output struct {
	What string
	mu   sync.Mutex
	b    bytes.Buffer
}

// Write appends p.
func (o *Output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.Write(p)
}

// String returns the output so far.
func (o *Output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.String()
}

// output returns a new Output, which [Lab.Leaks] searches.
func (l *Lab) output(what string) *Output {
	o := &Output{What: what}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.outputs = append(l.outputs, o)
	return o
}

// Process is a dcs process.
type Process struct {
	*exec.Cmd
	Out   *Output // standard output and error
	ended chan struct{}
	err   error
}

// Start starts dcs.
func (l *Lab) Start(args ...string) (*Process, error) {
	p := &Process{Cmd: exec.Command(l.binary, args...), Out: l.output(strings.Join(args, " ")), ended: make(chan struct{})}
	p.Stdout, p.Stderr = p.Out, p.Out
	if err := p.Cmd.Start(); err != nil {
		return nil, err
	}
	go func() {
		p.err = p.Cmd.Wait()
		close(p.ended)
	}()
	return p, nil
}

// Kill kills the process, and waits for its end.
func (p *Process) Kill() {
	_ = p.Process.Kill() // it may have ended
	<-p.ended
}

// Stop sends SIGTERM, and returns the error of [Process.Wait].
func (p *Process) Stop() error {
	_ = p.Process.Signal(syscall.SIGTERM)
	return p.Wait(time.Minute)
}

// Running reports whether the process has not ended yet.
func (p *Process) Running() bool {
	select {
	case <-p.ended:
		return false
	default:
		return true
	}
}

// Wait waits for the end of the process, and returns the error that it ended with. After limit it kills the process.
func (p *Process) Wait(limit time.Duration) error {
	select {
	case <-p.ended:
		return p.err
	case <-time.After(limit):
		p.Kill()
		return fmt.Errorf("did not end within %v", limit)
	}
}

// Serve starts the server, on the same port each time, and waits until it serves.
func (l *Lab) Serve() (*Process, error) {
	if l.port == 0 {
		c, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
		if err != nil {
			return nil, err
		}
		l.port = c.LocalAddr().(*net.UDPAddr).Port
		c.Close()
	}
	p, err := l.Start("serve", "--listen", fmt.Sprintf("127.0.0.1:%d", l.port), "--transport", "socket", "--workers", "1", "--drain", "0s",
		"--library", filepath.Join(l.Dir, "library"), "--secrets", l.Secrets, "--admin", l.Admin)
	if err != nil {
		return nil, err
	}
	for end := time.Now().Add(time.Minute); !strings.Contains(p.Out.String(), "serving"); time.Sleep(5 * time.Millisecond) {
		if !p.Running() || time.Now().After(end) {
			p.Kill()
			return nil, fmt.Errorf("server does not serve:\n%s", p.Out)
		}
	}
	return p, nil
}

// Secret starts a verb of dcs secret.
func (l *Lab) Secret(verb string, args ...string) (*Process, error) {
	return l.Start(append([]string{"secret", verb, "--secrets", l.Secrets, "--admin", l.Admin}, args...)...)
}

// CommandLines returns the arguments and environments of all processes, as far as they are readable.
func CommandLines() string {
	var b strings.Builder
	for _, pattern := range []string{"/proc/[0-9]*/cmdline", "/proc/[0-9]*/environ"} {
		files, _ := filepath.Glob(pattern)
		for _, f := range files {
			text, _ := os.ReadFile(f) // it may have ended
			b.Write(text)
			b.WriteByte('\n')
		}
	}
	return b.String()
}
