package servers

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func (s *Server) begin(t testing.TB) {
	t.Helper()
	var err error
	if s.log, err = os.Create(filepath.Join(s.dir, "log")); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.log.Close() })
	t.Cleanup(func() {
		if err := s.end(s.orderly); err != nil {
			t.Error(err)
		}
	})
	s.Start(t)
}

// Start restarts a server after Stop or Kill, on the same port with the same data.
func (s *Server) Start(t testing.TB) {
	t.Helper()
	for limit := time.Now().Add(startWithin); ; time.Sleep(50 * time.Millisecond) {
		if !s.running() {
			if err := s.spawn(); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := s.run(s.probe); err == nil {
			return
		} else if time.Now().After(limit) {
			t.Fatalf("%s does not answer: %v\n%s", s.name, err, s.Log())
		}
	}
}

func (s *Server) running() bool {
	if s.done == nil {
		return false
	}
	select {
	case <-s.done:
		return false
	default:
		return true
	}
}

// spawn starts the process from a thread that lives as long as the process, as Pdeathsig is sent when the thread that started the
// process ends.
func (s *Server) spawn() error {
	cmd := exec.Command(s.argv[0], s.argv[1:]...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = s.dir, s.log, s.log
	cmd.Env = append(os.Environ(), "LC_ALL=C", "HOME="+s.dir)
	cmd.SysProcAttr = attributes()
	started, done := make(chan error), make(chan struct{})
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		started <- err
		if err == nil {
			_ = cmd.Wait()
			close(done)
		}
	}()
	if err := <-started; err != nil {
		return fmt.Errorf("start %s: %w", s.name, err)
	}
	s.cmd, s.done = cmd, done
	return nil
}

func (s *Server) end(sig syscall.Signal) error {
	if !s.running() {
		return nil
	}
	_ = s.cmd.Process.Signal(sig)
	select {
	case <-s.done:
		return nil
	case <-time.After(20 * time.Second):
	}
	_ = s.cmd.Process.Kill()
	<-s.done
	return fmt.Errorf("%s did not end on %v", s.name, sig)
}

// Stop shuts the server down. Open connections are cut.
func (s *Server) Stop(t testing.TB) {
	t.Helper()
	if err := s.end(s.orderly); err != nil {
		t.Error(err)
	}
}

// Kill ends the server as if it had crashed.
func (s *Server) Kill(t testing.TB) {
	t.Helper()
	if err := s.end(s.abrupt); err != nil {
		t.Error(err)
	}
}

// Pause suspends the server's process: connections stay open, and new ones get no answer. PostgreSQL's open sessions are separate
// processes, which continue.
func (s *Server) Pause(t testing.TB) {
	t.Helper()
	s.signal(t, syscall.SIGSTOP)
	// The server may answer until all of its threads have stopped.
	if err := unix.Waitid(unix.P_PID, s.cmd.Process.Pid, nil, unix.WSTOPPED|unix.WEXITED|unix.WNOWAIT, nil); err != nil {
		t.Fatal(err)
	}
}

// Resume ends a Pause.
func (s *Server) Resume(t testing.TB) { s.signal(t, syscall.SIGCONT) }

func (s *Server) signal(t testing.TB, sig syscall.Signal) {
	t.Helper()
	if !s.running() {
		t.Fatalf("%s is not running", s.name)
	}
	if err := s.cmd.Process.Signal(sig); err != nil {
		t.Fatal(err)
	}
}
