// Package rig is the common part of the benchmark programs: servers in a lab, loads on them, and the report.
package rig

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	"dcs/bench/netlab"
	"dcs/bench/storm"
	"dcs/render/mic"
)

// CPUs of the server and of the load.
const ServerCPU, LoadCPU = 0, 1

// Secret is the shared secret of the servers in a benchmark.
const Secret = "a secret of the benchmark"

// Rig is a lab and a directory for its servers' files.
type Rig struct {
	Lab *netlab.Lab
	Dir string

	runs    uint64
	servers []*Server
}

// Wire says which CPU pays for receiving a packet.
type Wire bool

const (
	TH0 Wire = false // the sender's, as a veth does by itself
	TH1 Wire = true  // the receiver's, as with a network card: threaded NAPI, pinned
)

func (w Wire) String() string {
	if w == TH1 {
		return "TH1"
	}
	return "TH0"
}

// Config returns a lab with that wire, the server on ServerCPU and the load on LoadCPU.
func (w Wire) Config() netlab.Config {
	return netlab.Config{Threaded: w == TH1, ServerCPU: ServerCPU, LoadCPU: LoadCPU, FaultCPU: LoadCPU}
}

// New builds a rig; faults may be nil. It needs root and two CPUs, and pins the calling process to the load's CPU.
func New(wire Wire, faults *netlab.Faults) (*Rig, error) {
	if runtime.NumCPU() < 2 {
		return nil, errors.New("two CPUs required: one for the server, one for the load")
	}
	if err := netlab.PinProcess(LoadCPU); err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "dcs-bench-")
	if err != nil {
		return nil, err
	}
	cfg := wire.Config()
	cfg.Faults = faults
	lab, err := netlab.New(cfg)
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	r := &Rig{Lab: lab, Dir: dir}
	return r, errors.Join(
		os.WriteFile(filepath.Join(dir, "secret"), []byte(Secret), 0o600),
		os.Chmod(dir, 0o755))
}

// Close kills the servers and removes the lab.
func (r *Rig) Close() error {
	err := r.Lab.Close()
	for _, s := range r.servers {
		<-s.ended // killed with the lab
	}
	return errors.Join(err, os.RemoveAll(r.Dir))
}

// Server is a running server.
type Server struct {
	Addr netip.AddrPort
	PID  int
	Log  *Log // what it has printed

	file    string        // name or template of the files to request
	checked bool          // the files are modems', with Secret
	ended   chan struct{} // closed when the process has ended and Log is complete
}

// DCS starts the binary bin on a port of the server's host with the library of bench/peers. env is added to its
// environment, args to its arguments.
func (r *Rig) DCS(ctx context.Context, bin string, port uint16, env []string, args ...string) (*Server, error) {
	library, err := Path("bench", "peers", "library")
	if err != nil {
		return nil, err
	}
	return r.Serve(ctx, bin, port, "isrrip{cpe}bw{tier}.bin", env, append([]string{"--library", library}, args...)...)
}

// Serve starts the binary bin as DCS does, without a library. The template of names, as bench/storm takes it, is for files
// that it serves.
func (r *Rig) Serve(ctx context.Context, bin string, port uint16, file string, env []string, args ...string) (*Server, error) {
	s := &Server{Addr: netip.AddrPortFrom(netlab.ServerAddr4, port), file: file, checked: true}
	args = append([]string{
		"serve", "--listen", s.Addr.String(), "--workers", "1", "--secret-file", filepath.Join(r.Dir, "secret"),
	}, args...)
	cmd := exec.Command(bin, args...)
	cmd.Env = append(os.Environ(), env...)
	return s, r.start(ctx, s, cmd)
}

// Limit starts bench/limit with more arguments. It answers every request with one block of 400 octets and does nothing else.
func (r *Rig) Limit(ctx context.Context, port uint16, args ...string) (*Server, error) {
	bin, err := Build(ctx, r.Dir, "./bench/limit")
	if err != nil {
		return nil, err
	}
	// With -transport tx a request has to be as long as its answer: 4 octets of header and the name, with 5 of the mode after it.
	s := &Server{Addr: netip.AddrPortFrom(netlab.ServerAddr4, port), file: strings.Repeat("x", 395)}
	return s, r.start(ctx, s, exec.Command(bin, append([]string{"-listen", s.Addr.String()}, args...)...))
}

func (r *Rig) start(ctx context.Context, s *Server, cmd *exec.Cmd) error {
	s.Log, s.ended = &Log{}, make(chan struct{})
	cmd.Stdout, cmd.Stderr = s.Log, s.Log
	if err := r.Lab.Server.Start(cmd, ServerCPU); err != nil {
		return fmt.Errorf("start %s: %w", cmd.Path, err)
	}
	r.servers = append(r.servers, s)
	s.PID = cmd.Process.Pid
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	go func() {
		_ = cmd.Wait() // the status is in ProcessState
		close(s.ended)
		stop()
	}()
	cfg := r.Config(s)
	cfg.Window, cfg.Count, cfg.Modems, cfg.Retries = 1, 1, 1, 180 // three minutes: it may have many templates to load
	cfg.Backoff = append(slices.Repeat([]time.Duration{100 * time.Millisecond}, 10), time.Second)
	res, err := r.Load(ctx, cfg)
	select {
	case <-s.ended:
		return fmt.Errorf("%s ended early: %v: %s", filepath.Base(cmd.Path), cmd.ProcessState, s.Log)
	default:
	}
	if err == nil && res.Served != 1 {
		var b strings.Builder
		_ = res.Text(&b)
		err = fmt.Errorf("%s did not serve:\n%s%s", filepath.Base(cmd.Path), &b, s.Log)
	}
	if err != nil {
		_ = cmd.Process.Kill()
	}
	return err
}

// Config returns a load on a server without an arrival pattern. Every file is checked, including its CMTS MIC.
func (r *Rig) Config(s *Server) storm.Config {
	r.runs++
	cfg := storm.Default()
	cfg.Target, cfg.Name = s.Addr, s.file
	cfg.Interface, cfg.SourceMAC, cfg.GatewayMAC = netlab.Device, netlab.GatewayMAC, netlab.ServerMAC
	cfg.CPU = LoadCPU
	// Ports differ in each run: a server may still repeat blocks of an earlier one.
	cfg.Seed = uint64(s.Addr.Port())<<32 | r.runs
	// A lost packet must not block a place in a window for four seconds.
	cfg.Backoff, cfg.Restarts = []time.Duration{200 * time.Millisecond}, 0
	if s.checked {
		CheckFiles(&cfg)
	}
	return cfg
}

// CheckFiles makes a load check every file, including its CMTS MIC with Secret.
func CheckFiles(cfg *storm.Config) {
	cfg.Check, cfg.Keys = storm.CheckAll, []storm.Key{{Label: "secret", Secret: mic.NewSecret([]byte(Secret))}}
}

// Load runs a load in the load's host.
func (r *Rig) Load(ctx context.Context, cfg storm.Config) (res *storm.Result, err error) {
	err = r.Lab.Load.Do(func() (err error) {
		res, err = storm.Run(ctx, cfg)
		return err
	})
	if err = errors.Join(err, ctx.Err()); err == nil && res.Wrong > 0 {
		err = fmt.Errorf("%d wrong files: %s", res.Wrong, strings.Join(res.Examples, "; "))
	}
	return res, err
}

// ClosedLoop returns the rate of a load with window transfers at a time, in files per second. Files are not checked, as
// that would slow the load down.
func (r *Rig) ClosedLoop(ctx context.Context, s *Server, window int, length time.Duration) (*storm.Result, error) {
	cfg := r.Config(s)
	cfg.Window, cfg.Duration, cfg.Drain, cfg.Check = window, length, 300*time.Millisecond, storm.CheckNothing
	return r.Load(ctx, cfg)
}

// RSS returns the resident memory of a process in octets.
func RSS(pid int) (int64, error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(b)) {
		if v, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			kib, err := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(v), " kB"), 10, 64)
			return kib << 10, err
		}
	}
	return 0, fmt.Errorf("process %d has ended", pid)
}

// CPUTime returns for how long the threads that a process has now have run.
func CPUTime(pid int) (time.Duration, error) {
	files, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/schedstat", pid))
	if err != nil || len(files) == 0 {
		return 0, fmt.Errorf("process %d has ended", pid)
	}
	var sum time.Duration
	for _, file := range files {
		var ran time.Duration // then ns that it waited, …
		b, err := os.ReadFile(file)
		if errors.Is(err, fs.ErrNotExist) {
			continue // the thread has ended
		}
		if _, err2 := fmt.Sscan(string(b), &ran); err != nil || err2 != nil {
			return 0, fmt.Errorf("%s: %w", file, errors.Join(err, err2))
		}
		sum += ran
	}
	return sum, nil
}

// Median returns the median of v, which must not be empty.
func Median(v []float64) float64 {
	s := slices.Sorted(slices.Values(v))
	if n := len(s); n%2 == 0 {
		return (s[n/2-1] + s[n/2]) / 2
	}
	return s[len(s)/2]
}
