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

// Output is what a process has said.
type Output struct {
	What string
	mu   sync.Mutex
	b    bytes.Buffer
}

// Write keeps p.
func (o *Output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.Write(p)
}

// String returns all of it so far.
func (o *Output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.String()
}

// output is kept for Leaks.
func (l *Lab) output(what string) *Output {
	o := &Output{What: what}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.outputs = append(l.outputs, o)
	return o
}

// Process is a dcs that runs.
type Process struct {
	*exec.Cmd
	Out   *Output // both of its outputs
	ended chan struct{}
	err   error
}

// Start runs dcs.
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

// Kill ends a process as kill -9 does.
func (p *Process) Kill() {
	_ = p.Process.Kill() // it may have ended
	<-p.ended
}

// Stop ends a process, and returns how it ended.
func (p *Process) Stop() error {
	_ = p.Process.Signal(syscall.SIGTERM)
	return p.Wait(time.Minute)
}

// Running tells whether the process has not ended.
func (p *Process) Running() bool {
	select {
	case <-p.ended:
		return false
	default:
		return true
	}
}

// Wait returns how the process ended.
func (p *Process) Wait(patience time.Duration) error {
	select {
	case <-p.ended:
		return p.err
	case <-time.After(patience):
		p.Kill()
		return fmt.Errorf("it did not end within %v", patience)
	}
}

// Serve starts the server, on the port of the one before if there was one, and waits until it serves.
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
			return nil, fmt.Errorf("the server does not serve:\n%s", p.Out)
		}
	}
	return p, nil
}

// Secret starts a verb of dcs secret.
func (l *Lab) Secret(verb string, args ...string) (*Process, error) {
	return l.Start(append([]string{"secret", verb, "--secrets", l.Secrets, "--admin", l.Admin}, args...)...)
}

// CommandLines returns the arguments and environments of all processes that may be looked at.
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
