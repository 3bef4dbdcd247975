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

// goRun runs the go command in the module's root.
func goRun(ctx context.Context, env []string, args ...string) (string, error) {
	root, err := rig.Path()
	if err != nil {
		return "", err
	}
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir, cmd.Env = root, append(os.Environ(), env...)
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 5 * time.Second
	out, err := cmd.CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("go %s: %w: %s", strings.Join(args, " "), err, essence(string(out)))
	}
	return string(out), nil
}

// essence returns the lines of a test's output that explain its failure.
func essence(out string) string {
	var keep []string
	for line := range strings.Lines(out) {
		line = strings.TrimSpace(line)
		noise := line == "" || line == "PASS" || line == "FAIL"
		for _, p := range []string{"ok ", "?  ", "===", "--- PASS", "testing: warning", "PASS "} {
			noise = noise || strings.HasPrefix(line, p)
		}
		if !noise && len(keep) < 8 {
			keep = append(keep, line)
		}
	}
	return strings.Join(keep, "; ")
}

// notBuilt reports whether a test failed to build, so that nothing was measured.
func notBuilt(err error) bool { return strings.Contains(err.Error(), "[build failed]") }

var passed = regexp.MustCompile(`(?m)^\s*--- PASS`)

// allocs runs the tests that fail on any allocation.
func allocs(ctx context.Context, _ *options) ([]Row, error) {
	out, err := goRun(ctx, nil, "test", "-count=1", "-v", "-run", "NoAllocs|DoesNotAllocate|NothingIsAllocated",
		"./fastpath/...", "./render", "./render/attr/...", "./render/ber/...", "./render/library", "./render/md5x", "./render/mic", "./render/tlv", "./cmd/dcs")
	r := Row{What: "allocations per request, whole path, error paths too", Target: "0", Measured: "0", OK: true}
	if err != nil && notBuilt(err) {
		return nil, err
	}
	if err != nil {
		r.Measured, r.OK, r.Note = "more than 0", false, err.Error()
		return []Row{r}, nil
	}
	n := len(passed.FindAllString(out, -1))
	if n < 20 {
		return nil, fmt.Errorf("only %d tests ran", n)
	}
	r.Note = fmt.Sprintf("%d cases, each a test over 100 to 1,000 repetitions", n)
	return []Row{r}, nil
}

// peers runs bench/peers and returns the rows of its tables.
func peers(ctx context.Context, opt *options, args ...string) ([]cells, error) {
	dir, err := os.MkdirTemp("", "dcs-table-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	bin, err := rig.Build(ctx, dir, "./bench/peers")
	if err != nil {
		return nil, err
	}
	dcs, err := filepath.Abs(opt.dcs)
	if err != nil {
		return nil, err
	}
	root, err := rig.Path()
	if err != nil {
		return nil, err
	}
	args = append([]string{"-dcs", dcs, "-debs", opt.debs, "-rounds", fmt.Sprint(opt.rounds), "-length", opt.length.String(), "-quiet", opt.quiet.String()}, args...)
	cmd := exec.CommandContext(ctx, bin, args...)
	cmd.Dir = root
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 5 * time.Second
	var said strings.Builder
	cmd.Stderr = &said
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("peers: %w\n%s", err, said.String())
	}
	return markdown(string(out)), nil
}

// cells is a row of a table by column heads.
type cells map[string]string

// markdown parses the rows of all tables of a text.
func markdown(text string) (rows []cells) {
	var head []string
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if !strings.HasPrefix(line, "|") {
			head = nil
			continue
		}
		parts := strings.Split(strings.Trim(line, "|"), "|")
		for i := range parts {
			parts[i] = strings.TrimSpace(parts[i])
		}
		switch {
		case head == nil:
			head = parts
		case strings.HasPrefix(parts[0], "--"):
		default:
			row := cells{}
			for i, c := range parts[:min(len(parts), len(head))] {
				row[head[i]] = c
			}
			rows = append(rows, row)
		}
	}
	return rows
}

// find returns a server's row, that of the closed loop if offered is empty.
func find(rows []cells, server, offered string) cells {
	for _, r := range rows {
		if r["server"] == server && r["offered/s"] == offered {
			return r
		}
	}
	return nil
}

// ratio returns the row for a cell of bench/peers's tables.
func ratio(what string, row cells, column, sign string, bound float64) (Row, error) {
	v, err := strconv.ParseFloat(row[column], 64)
	if err != nil {
		return Row{}, fmt.Errorf("%s: column %q has %q", what, column, row[column])
	}
	ok := v >= bound
	if sign == "≤" {
		ok = v <= bound
	}
	return Row{What: what, Target: fmt.Sprintf("%s %g", sign, bound), Measured: fmt.Sprintf("%.3g", v), OK: ok}, nil
}

func sockets(ctx context.Context, opt *options) ([]Row, error) {
	t, err := peers(ctx, opt, "-xdp=false")
	if err != nil {
		return nil, err
	}
	dcs, limit := find(t, "dcs, rendered", ""), find(t, "limit", "")
	const what = "sockets, dynamic 400-byte file with both MICs, TLV 19 and 20: "
	a, err1 := ratio(what+"× the best peer's static rate", dcs, "× best peer", "≥", 5)
	b, err2 := ratio(what+"of the limit", dcs, "of the limit", "≥", 0.85)
	var rates []string
	for _, r := range t {
		rates = append(rates, r["server"]+" "+r["files/s"])
	}
	a.Note = "files a second: " + strings.Join(rates, ", ")
	b.Note = fmt.Sprintf("server's CPU %s µs a file, the limit's %s; load %s busy", dcs["µs of it a file"], limit["µs of it a file"], dcs["load busy"])
	return []Row{a, b}, errors.Join(err1, err2)
}

func xdp(ctx context.Context, opt *options) ([]Row, error) {
	t, err := peers(ctx, opt, "-xdp", "-peers=false")
	if err != nil {
		return nil, err
	}
	const dcs, limit, what = "dcs, AF_XDP, rendered", "limit, AF_XDP", "AF_XDP, same file: "
	var rows []Row
	var errs []error
	for _, c := range []struct {
		what, offered, column, sign string
		bound                       float64
	}{
		{"closed loop, of the limit", "", "of the limit", "≥", 0.9},
		{"open loop, 400,000 RRQ/s offered, of the limit", "400000", "of the limit", "≥", 0.9},
		{"open loop, 150,000 RRQ/s offered, p50 × the limit's", "150000", "× the limit's", "≤", 2},
	} {
		ours, theirs := find(t, dcs, c.offered), find(t, limit, c.offered)
		r, err := ratio(what+c.what, ours, c.column, c.sign, c.bound)
		r.Note = fmt.Sprintf("%s files/s, p50 %s µs; the limit %s files/s, p50 %s µs", ours["files/s"], ours["p50 µs"], theirs["files/s"], theirs["p50 µs"])
		rows, errs = append(rows, r), append(errs, err)
	}
	return rows, errors.Join(errs...)
}

var nsFile = regexp.MustCompile(`(?m)^Benchmark(Render/device|Naive)\S*\s.*?([\d.]+) ns/file`)

func render(ctx context.Context, opt *options) ([]Row, error) {
	out, err := goRun(ctx, nil, "test", "-run", "TestNaive", "-bench", "Render/device|Naive", "-benchtime", "0.5s", "-count", fmt.Sprint(opt.rounds), "./render")
	if err != nil {
		return nil, err
	}
	v := map[string][]float64{}
	for _, m := range nsFile.FindAllStringSubmatch(out, -1) {
		x, _ := strconv.ParseFloat(m[2], 64)
		v[m[1]] = append(v[m[1]], x)
	}
	if len(v["Naive"]) == 0 || len(v["Render/device"]) == 0 {
		return nil, fmt.Errorf("the benchmark printed:\n%s", out)
	}
	naive, ours := rig.Median(v["Naive"]), rig.Median(v["Render/device"])
	return []Row{{
		What: "render, batch of 16, same file: × faster than building it with crypto/md5 and crypto/hmac", Target: "≥ 8",
		Measured: fmt.Sprintf("%.1f", naive/ours), OK: naive/ours >= 8, Note: fmt.Sprintf("%.0f ns a file, naive %.0f; a test holds the two to the same bytes", ours, naive),
	}}, nil
}

// worstHour measures all modems within one second, with the back-off of DOCSIS.
func worstHour(ctx context.Context, opt *options) (rows []Row, err error) {
	lossy := netlab.Rates{Drop: 0.05}
	r, err := rig.New(rig.TH0, &netlab.Faults{Seed: 1, ToServer: lossy, ToLoad: lossy})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	bin, err := filepath.Abs(opt.dcs)
	if err != nil {
		return nil, err
	}
	s, err := r.DCS(ctx, bin, 1070, nil)
	if err != nil {
		return nil, err
	}
	cfg, d := r.Config(s), storm.Default()
	cfg.Backoff, cfg.Restarts, cfg.Retries, cfg.Within, cfg.MaxTime = d.Backoff, d.Restarts, d.Retries, time.Second, 4*time.Minute
	res, err := r.Load(ctx, cfg)
	if err != nil {
		return nil, err
	}
	return []Row{{
		What: "65,536 modems asking within one second, DOCSIS back-off, 5 % loss each way", Target: "all served, none twice failed",
		Measured: fmt.Sprintf("%d served, %d twice failed", res.Served, res.FailedTwice), OK: res.Served == 65536 && res.FailedTwice == 0,
		Note: fmt.Sprintf("every file checked, both MICs, TLV 19, TLV 20; the last modem after %.1f s, %d retries; p50 %.0f µs, p99 %.0f ms (one wait is 4 s)",
			res.LastServed, res.Retries, res.Latency.P50, res.Latency.P99/1e3),
	}}, nil
}

// metric returns a benchmark's figure in a unit.
func metric(out, bench, unit string) (float64, error) {
	m := regexp.MustCompile(`(?m)^Benchmark` + bench + `(?:-\d+)?\s.*?([\d.]+) ` + regexp.QuoteMeta(unit) + `(?:\s|$)`).FindStringSubmatch(out)
	if m == nil {
		return 0, fmt.Errorf("no %s of Benchmark%s in:\n%s", unit, bench, out)
	}
	return strconv.ParseFloat(m[1], 64)
}

func devices(ctx context.Context, opt *options) ([]Row, error) {
	dir, err := os.MkdirTemp("", "dcs-devices-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	env := []string{"DCS_BENCH_DEVICES=" + fmt.Sprint(opt.devices), "DCS_BENCH_DIR=" + dir}
	bench := func(pkg, name, time string) (string, error) {
		return goRun(ctx, env, "test", "-timeout", "10m", "-run", "^$", "-bench", name, "-benchtime", time, pkg)
	}
	const db = "./render/attr/localdb"
	built, err1 := bench(db, "Build/serials", "1x")
	looked, err2 := bench(db, "Lookup$/serials", "1000000x")
	started, err3 := bench("./render/attr", "StoreRestart", "10x")
	if err := errors.Join(err1, err2, err3); err != nil {
		return nil, err
	}
	beyond, err1 := metric(built, "Build/serials", "B/device-beyond-values")
	one, err2 := metric(looked, "Lookup/serials/one-read", "median-ns")
	restart, err3 := metric(started, "StoreRestart", "ns/op")
	n := fmt.Sprintf("%d devices", opt.devices)
	rows := []Row{{What: n + ": octets each beyond their values", Target: "≤ 64", Measured: fmt.Sprintf("%.1f", beyond), OK: beyond <= 64}}
	errs := []error{err1, err2, err3}
	for _, l := range []struct{ what, bench string }{
		{"by MAC, cold, in batches of 16 as workers do", "mac-cold-batch-16"},
		{"by MAC, cold, one alone", "mac-cold"},
		{"by IP, cold, in batches of 16 as workers do", "ip-cold-batch-16"},
		{"by IP, cold, one alone", "ip-cold"},
	} {
		took, err := metric(looked, "Lookup/serials/"+l.bench, "median-ns")
		errs = append(errs, err)
		rows = append(rows, Row{
			What: n + ": lookup " + l.what, Target: "≤ 200 ns", Measured: fmt.Sprintf("%.0f ns", took), OK: took <= 200,
			Note: fmt.Sprintf("one read at a random place of the same file took %.0f ns in this run: %.1f of them", one, took/one),
		})
	}
	rows = append(rows, Row{What: n + ": restart to serving", Target: "≤ 1 s", Measured: fmt.Sprintf("%.1f ms", restart/1e6), OK: restart <= 1e9})
	return rows, errors.Join(errs...)
}

var loaded = regexp.MustCompile(`10,000 templates in ([\d.]+m?s)`)

func library(ctx context.Context, _ *options) ([]Row, error) {
	out, err := goRun(ctx, nil, "test", "-count=1", "-v", "-run", "TestManyTemplates", "./render/library")
	if err != nil {
		return nil, err
	}
	m := loaded.FindStringSubmatch(out)
	if m == nil {
		return nil, fmt.Errorf("the test printed:\n%s", out)
	}
	took, err := time.ParseDuration(m[1])
	if err != nil {
		return nil, err
	}
	reload := Row{What: "reload under load", Target: "no answer lost or mixed up", Measured: "none", OK: true, Note: "a test that passed: TestReload of cmd/dcs and of render"}
	if _, err := goRun(ctx, nil, "test", "-count=1", "-run", "^TestReload$", "./cmd/dcs", "./render"); err != nil {
		if notBuilt(err) {
			return nil, err
		}
		reload.OK, reload.Measured, reload.Note = false, "the test failed", err.Error()
	}
	return []Row{{
		What: "library of 10,000 templates: load", Target: "≤ 5 s", Measured: took.String(), OK: took <= 5*time.Second,
		Note: "processor time of both CPUs",
	}, reload}, nil
}

func compile(ctx context.Context, opt *options) ([]Row, error) {
	bin, err := filepath.Abs(opt.dcs)
	if err != nil {
		return nil, err
	}
	source, err := rig.Path("testdata", "library", "basic.cfg")
	if err != nil {
		return nil, err
	}
	var took []float64
	for range 31 {
		begin := time.Now()
		if out, err := exec.CommandContext(ctx, bin, "compile", source, "-o", os.DevNull).CombinedOutput(); err != nil {
			return nil, fmt.Errorf("compile: %w\n%s", err, out)
		}
		took = append(took, float64(time.Since(begin).Microseconds())/1e3)
	}
	ms := rig.Median(took)
	return []Row{{What: "`dcs compile` of one file, including start", Target: "≤ 20 ms", Measured: fmt.Sprintf("%.1f ms", ms), OK: ms <= 20, Note: "median of 31"}}, nil
}
