package fastpath

import (
	"context"
	"fmt"
	"os"
	"runtime"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// ServerConfig configures a Server. Zero fields take their defaults.
type ServerConfig struct {
	Worker Config        // limits of each worker
	CPUs   []int         // processor of each worker, round robin; default: those that the process may use
	NoPin  bool          // do not pin the workers' threads
	Drain  time.Duration // how long running transfers may go on when the server stops; default 2 s, negative: not at all
	// Started, if not nil, is called once all workers are locked to their threads, with these.
	Started func(threads []int)
}

// A Server runs one worker for each transport.
type Server struct {
	cfg        ServerConfig
	workers    []*worker
	transports []Transport
}

// NewServer returns a server that is not running yet. newRenderer is called once for each worker. The server takes
// ownership of the transports.
func NewServer(cfg ServerConfig, transports []Transport, newRenderer func(worker int) Renderer, clock Clock) *Server {
	if cfg.Drain == 0 {
		cfg.Drain = 2 * time.Second
	}
	s := &Server{cfg: cfg, transports: transports}
	for i, t := range transports {
		s.workers = append(s.workers, newWorker(cfg.Worker, t, newRenderer(i), clock))
	}
	return s
}

// Run answers requests until ctx is done, then waits for running transfers, at most for ServerConfig.Drain, and returns nil. If a
// worker fails, all of them stop and its error is returned. Run closes the transports.
func (s *Server) Run(ctx context.Context) error {
	cpus, err := s.cpus()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var wg sync.WaitGroup
	var once sync.Once
	var failure error
	threads := make([]int, len(s.workers))
	var started sync.WaitGroup
	started.Add(len(threads))
	for i, w := range s.workers {
		wg.Go(func() {
			// A locked thread is never cloned by Go, so no other thread inherits its processor.
			runtime.LockOSThread()
			unpin, err := s.pin(cpus, i)
			threads[i] = unix.Gettid()
			started.Done()
			if err == nil {
				err = w.Run(ctx, s.cfg.Drain)
				if unpin() == nil {
					runtime.UnlockOSThread()
				}
			}
			if err != nil {
				once.Do(func() { failure = fmt.Errorf("fastpath: worker %d: %w", i, err) })
				cancel(err)
			}
		})
	}
	started.Wait()
	if s.cfg.Started != nil {
		s.cfg.Started(threads)
	}
	wg.Wait()
	for _, t := range s.transports {
		if err := t.Close(); err != nil && failure == nil {
			failure = err
		}
	}
	return failure
}

// Cut makes a stopping Run return without waiting for running transfers.
func (s *Server) Cut() {
	for _, w := range s.workers {
		w.cut.Store(true)
	}
}

func (s *Server) cpus() ([]int, error) {
	if s.cfg.NoPin || len(s.cfg.CPUs) > 0 {
		return s.cfg.CPUs, nil
	}
	var set unix.CPUSet
	if err := unix.SchedGetaffinity(0, &set); err != nil {
		return nil, os.NewSyscallError("sched_getaffinity", err)
	}
	var cpus []int
	for cpu := 0; len(cpus) < set.Count(); cpu++ {
		if set.IsSet(cpu) {
			cpus = append(cpus, cpu)
		}
	}
	return cpus, nil
}

// pin binds the calling thread to a worker's processor.
func (s *Server) pin(cpus []int, worker int) (unpin func() error, err error) {
	if s.cfg.NoPin || len(cpus) == 0 {
		return func() error { return nil }, nil
	}
	var before, set unix.CPUSet
	if err := unix.SchedGetaffinity(0, &before); err != nil {
		return nil, os.NewSyscallError("sched_getaffinity", err)
	}
	set.Set(cpus[worker%len(cpus)])
	if err := unix.SchedSetaffinity(0, &set); err != nil {
		return nil, os.NewSyscallError("sched_setaffinity", err)
	}
	return func() error { return unix.SchedSetaffinity(0, &before) }, nil
}

// Stats returns the counters of each worker.
func (s *Server) Stats() []Stats {
	all := make([]Stats, len(s.workers))
	for i, w := range s.workers {
		all[i] = w.Stats()
	}
	return all
}
