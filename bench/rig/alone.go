package rig

import (
	"bytes"
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"sync"
	"time"

	"dcs/bench/netlab"
)

// Alone is a server with one worker in a lab of its own.
type Alone struct {
	Lab *netlab.Lab
	Cmd *exec.Cmd
	Log *Log

	ended chan struct{} // closed when the process has ended and Log is complete
}

// Log holds the first MiB of a server's log: under attack a server may log without end. Its methods may be called from
// any goroutine.
type Log struct {
	mu sync.Mutex
	b  bytes.Buffer
}

// Write appends p while there is less than 1 MiB, and drops it from then on. It does not fail.
func (l *Log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.b.Len() < 1<<20 {
		l.b.Write(p)
	}
	return len(p), nil
}

// String returns the log so far.
func (l *Log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// StartAlone starts "bin serve" with args over a transport in a new lab, on the given CPUs (all if none is given), and
// waits up to 30 s until it serves. It is an error if the server exits or runs over another transport.
func StartAlone(wire Wire, bin, transport string, cpus []int, args ...string) (*Alone, error) {
	lab, err := netlab.New(wire.Config())
	if err != nil {
		return nil, err
	}
	args = append([]string{"serve", "--transport", transport, "--workers", "1", "--drain", "0s"}, args...)
	a := &Alone{Lab: lab, Cmd: exec.Command(bin, args...), Log: &Log{}, ended: make(chan struct{})}
	a.Cmd.Stderr = a.Log
	if err := lab.Server.Start(a.Cmd, cpus...); err != nil {
		return nil, errors.Join(err, lab.Close())
	}
	go func() {
		defer close(a.ended)
		_ = a.Cmd.Wait() // the status is in Cmd.ProcessState
	}()
	if err := a.serving(transport); err != nil {
		return nil, errors.Join(err, a.Stop())
	}
	return a, nil
}

// serving waits until the server serves over the given transport.
func (a *Alone) serving(transport string) error {
	const limit = 30 * time.Second
	late := time.After(limit)
	look := time.NewTicker(10 * time.Millisecond)
	defer look.Stop()
	for {
		select {
		case <-a.ended:
			return fmt.Errorf("server ended early: %v: %s", a.Cmd.ProcessState, a.Log)
		case <-late:
			return fmt.Errorf("server not ready after %v: %s", limit, a.Log)
		case <-look.C:
		}
		if text := a.Log.String(); strings.Contains(text, "msg=serving") {
			if !strings.Contains(text, "transport="+transport) {
				return fmt.Errorf("server over another transport than %s: %s", transport, text)
			}
			return nil
		}
	}
}

// Stop kills the server, waits for it to exit, and removes the lab.
func (a *Alone) Stop() error {
	_ = a.Cmd.Process.Kill() // it may have exited
	<-a.ended
	return a.Lab.Close()
}
