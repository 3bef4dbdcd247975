package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"

	"dcs/bench/netlab"
	"dcs/bench/rig"
	"dcs/bench/storm"
)

// knotMost is more queries a second than one CPU answers.
const knotMost = 1_000_000

// knot measures what an answer takes of the server's CPU: of Knot DNS over XDP, asked by its own kxdpgun for one A record at 0.8 of the rate that it
// reaches, beside DCS's rendered file in closed loop, which does not overload a server either. The servers' own time and that of the threads that receive for them count.
func knot(ctx context.Context, opt *options) (rows []Row, err error) {
	length := max(opt.length.Truncate(time.Second), time.Second) // kxdpgun knows whole seconds
	for _, program := range []string{"knotd", "kxdpgun"} {
		if _, err := exec.LookPath(program); err != nil {
			return nil, fmt.Errorf("%s is missing: make deps installs it", program)
		}
	}
	theirs, err := rig.New(rig.TH1, nil)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, theirs.Close()) }()
	server, stop, err := startKnot(ctx, theirs)
	if err != nil {
		return nil, err
	}
	defer stop()
	ours, err := rig.New(rig.TH1, nil)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, ours.Close()) }()
	bin, err := filepath.Abs(opt.dcs)
	if err != nil {
		return nil, err
	}
	s, err := ours.DCS(ctx, bin, 1070, nil, "--transport", "xdp", "--interface", netlab.Device)
	if err != nil {
		return nil, err
	}
	reached, err := askKnot(ctx, theirs, knotMost, length)
	if err != nil {
		return nil, err
	}
	var ratios, answers, answer, files, file []float64
	for range opt.rounds {
		if _, err := rig.Quiet(ctx, opt.quiet); err != nil {
			return nil, err
		}
		begin, err1 := rig.ServerTime(theirs.Lab, server)
		n, err2 := askKnot(ctx, theirs, int(0.8*reached), length)
		end, err3 := rig.ServerTime(theirs.Lab, server)
		if err := errors.Join(err1, err2, err3); err != nil {
			return nil, err
		}
		perAnswer := (end - begin).Seconds() * 1e6 / (n * length.Seconds())
		m, err := rig.Measure(ours.Lab, s.PID, func() (*storm.Result, error) { return ours.ClosedLoop(ctx, s, 256, length) })
		if err != nil {
			return nil, err
		}
		ratios, answers, answer = append(ratios, m.PerFile/perAnswer), append(answers, n), append(answer, perAnswer)
		files, file = append(files, m.Rate), append(file, m.PerFile)
	}
	row := of("AF_XDP, same file: server's CPU a file, × an answer of Knot DNS over XDP", "≤", 0, "", ratios...)
	row.Target = "–"
	row.Note = fmt.Sprintf("for information: Knot DNS answered %.0f queries a second (%.0f in overload), %.2f µs of CPU each, DCS %.0f RRQs, %.2f µs each with the ACK that it receives besides",
		rig.Median(answers), reached, rig.Median(answer), rig.Median(files), rig.Median(file))
	return []Row{row}, nil
}

// startKnot starts Knot DNS over XDP on the lab's device with one zone, and waits until it serves. stop kills it.
func startKnot(ctx context.Context, r *rig.Rig) (pid int, stop func(), err error) {
	dir := func(name string) string { return filepath.Join(r.Dir, name) }
	conf := fmt.Sprintf(`server:
    rundir: %[1]s
    udp-workers: 1
    tcp-workers: 1
    background-workers: 1
xdp:
    listen: %[2]s@53
database:
    storage: %[1]s
log:
  - target: stderr
    any: info
zone:
  - domain: example.
    file: %[1]s/zone
`, r.Dir, netlab.Device)
	const zone = "@ SOA ns admin 1 3600 900 604800 3600\n@ NS ns\nns A 198.18.0.1\na A 198.18.0.2\n"
	if err := errors.Join(
		os.WriteFile(dir("conf"), []byte(conf), 0o644), os.WriteFile(dir("queries"), []byte("a.example. A\n"), 0o644),
		os.WriteFile(dir("zone"), []byte("$ORIGIN example.\n$TTL 3600\n"+zone), 0o644)); err != nil {
		return 0, nil, err
	}
	log := &rig.Log{}
	cmd := exec.Command("knotd", "--config", dir("conf"), "--socket", dir("knot.sock"))
	cmd.Stdout, cmd.Stderr = log, log
	if err := r.Lab.Server.Start(cmd, rig.ServerCPU); err != nil {
		return 0, nil, err
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = cmd.Wait() // the status is in ProcessState
	}()
	stop = func() {
		_ = cmd.Process.Kill() // it may have ended
		<-ended
	}
	late := time.After(30 * time.Second)
	look := time.NewTicker(10 * time.Millisecond)
	defer look.Stop()
	for !strings.Contains(log.String(), "server started") {
		select {
		case <-look.C:
			continue
		case <-ended:
			err = fmt.Errorf("knotd ended early: %v: %s", cmd.ProcessState, log)
		case <-late:
			err = fmt.Errorf("knotd does not serve: %s", log)
		case <-ctx.Done():
			err = ctx.Err()
		}
		stop()
		return 0, nil, err
	}
	return cmd.Process.Pid, stop, nil
}

var answered = regexp.MustCompile(`total replies:\s+(\d+)`)

// askKnot offers a rate of queries a second from the modems' addresses for a time, in whole seconds, and returns the answers a second.
func askKnot(ctx context.Context, r *rig.Rig, offered int, length time.Duration) (rate float64, err error) {
	cmd := exec.CommandContext(ctx, "kxdpgun", "--duration", fmt.Sprint(length.Seconds()), "--qps", strconv.Itoa(offered), "--batch", "32", "--affinity", fmt.Sprint(rig.LoadCPU),
		"--infile", filepath.Join(r.Dir, "queries"), "--interface", netlab.Device, "--local", netlab.ModemNet4.String(),
		"--local-mac", netlab.GatewayMAC.String(), "--remote-mac", netlab.ServerMAC.String(), netlab.ServerAddr4.String())
	log := &rig.Log{}
	cmd.Stdout, cmd.Stderr = log, log
	if err := r.Lab.Load.Run(cmd, rig.LoadCPU); err != nil {
		return 0, fmt.Errorf("kxdpgun: %w\n%s", err, log)
	}
	m := answered.FindStringSubmatch(log.String())
	if m == nil {
		return 0, fmt.Errorf("kxdpgun printed:\n%s", log)
	}
	n, err := strconv.ParseFloat(m[1], 64)
	if err != nil || n == 0 {
		return 0, fmt.Errorf("no answers: kxdpgun printed:\n%s", log)
	}
	return n / length.Seconds(), nil
}
