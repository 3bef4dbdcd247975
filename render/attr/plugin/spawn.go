package plugin

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// spawn starts a process and sends it the hello.
func spawn(cfg *Config) (*process, error) {
	cmd := exec.Command(cfg.Argv[0], cfg.Argv[1:]...)
	cmd.Dir = cfg.Dir
	cmd.Env = []string{}
	for _, name := range []string{"PATH", "HOME", "LANG", "TZ"} {
		if v, set := os.LookupEnv(name); set && (name != "HOME" || cfg.Credential == nil) {
			cmd.Env = append(cmd.Env, name+"="+v)
		}
	}
	for _, v := range cfg.Env {
		cmd.Env = append(cmd.Env, v.Reveal())
	}
	// A session and group of its own, so that its children end with it, and a signal when this process dies.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Pdeathsig: syscall.SIGKILL}
	if c := cfg.Credential; c != nil && !IsCurrent(c) { // setting even the current groups takes CAP_SETGID
		cmd.SysProcAttr.Credential = c
	}
	var ours, theirs [3]*os.File
	for i := range ours {
		r, w, err := os.Pipe()
		if err != nil {
			for j := range i {
				ours[j].Close()
				theirs[j].Close()
			}
			return nil, err
		}
		ours[i], theirs[i] = r, w
		if i == 0 {
			ours[i], theirs[i] = w, r
		}
	}
	cmd.Stdin, cmd.Stdout, cmd.Stderr = theirs[0], theirs[1], theirs[2]
	p := &process{
		cfg: cfg, stdin: ours[0], stdout: ours[1], queue: make(chan []byte, maxPending+2), hello: make(chan *message, 1),
		dead: make(chan struct{}), exited: make(chan struct{}), drained: make(chan struct{}),
		pending: make(map[uint64]chan *message), unknown: make(map[string]bool), news: make(chan struct{}, 1),
	}
	started := make(chan error)
	go func() {
		// Pdeathsig is sent when the thread that started the process ends. The thread stays locked, and ends with this
		// goroutine and what confine has changed of it.
		runtime.LockOSThread()
		err := confine(cfg.uid() == 0)
		var left *leftError
		if errors.As(err, &left) {
			p.leftCaps, err = left, nil
		}
		if err == nil {
			err = cmd.Start()
		}
		for _, f := range theirs {
			f.Close()
		}
		if err == nil {
			p.mu.Lock()
			p.pid = cmd.Process.Pid
			p.mu.Unlock()
		}
		started <- err
		if err == nil {
			p.wait(cmd)
		}
	}()
	if err := <-started; err != nil {
		for _, f := range ours {
			f.Close()
		}
		return nil, err
	}
	p.queue <- []byte("{\"hello\":1}\n")
	var reading sync.WaitGroup
	reading.Go(p.read)
	reading.Go(func() { p.forwardStderr(ours[2]) })
	go p.write()
	go func() {
		reading.Wait()
		close(p.drained)
	}()
	go p.drain(ours[1], ours[2])
	return p, nil
}

// drain closes the pipes when the process has exited and all its output is read. A process that has left its group may still
// hold them open.
func (p *process) drain(pipes ...*os.File) {
	<-p.exited
	for last, over := p.lines.Load(), false; !over; {
		select {
		case <-p.drained:
			over = true
		case <-time.After(grace):
			lines := p.lines.Load()
			over = lines == last && !p.delivering.Load()
			last = lines
		}
	}
	for _, f := range pipes {
		f.Close()
	}
}

// wait waits for the process, and kills what is left of its group.
func (p *process) wait(cmd *exec.Cmd) {
	// Its PID is not reused before Wait.
	for {
		err := unix.Waitid(unix.P_PID, cmd.Process.Pid, nil, unix.WEXITED|unix.WNOWAIT, nil)
		if !errors.Is(err, unix.EINTR) {
			break
		}
	}
	p.kill()
	p.mu.Lock()
	p.pid = 0
	err := cmd.Wait()
	p.mu.Unlock()
	close(p.exited)
	if err == nil {
		err = errors.New("exit status 0")
	}
	<-p.drained // its output comes first
	p.fail(fmt.Errorf("process ended: %w", err))
}

func (p *process) kill() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.pid != 0 {
		_ = syscall.Kill(-p.pid, syscall.SIGKILL)
	}
}

// fail records why a process is unusable, and kills it.
func (p *process) fail(err error) {
	p.mu.Lock()
	if p.err == nil {
		p.err = err
		close(p.dead)
	}
	p.mu.Unlock()
	p.kill()
}

func (p *process) ended() bool {
	select {
	case <-p.dead:
		return true
	default:
		return false
	}
}

// cause returns why the process is unusable.
func (p *process) cause() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.err
}

// closeStdin asks the process to end.
func (p *process) closeStdin() { p.stdin.Close() }

// end waits for the process and its output; it kills the process if that takes longer than after.
func (p *process) end(after time.Duration) {
	if after > 0 {
		select {
		case <-p.exited:
		case <-time.After(after):
		}
	}
	p.fail(errClosed)
	<-p.exited
	<-p.drained
}
