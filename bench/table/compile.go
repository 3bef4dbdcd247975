package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"dcs/bench/rig"
)

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
	one := Row{What: "`dcs compile` of one file, including start", Target: "≤ 20 ms", Measured: fmt.Sprintf("%.1f ms", ms), OK: ms <= 20, Note: "median of 31"}
	many, err := againstEncoder(ctx, opt, bin)
	return []Row{one, many}, err
}

// againstEncoder compiles 10,000 files with dcs and with the open docsis encoder, each in one process.
func againstEncoder(ctx context.Context, opt *options, bin string) (Row, error) {
	const n, what = 10_000, "`dcs compile` of 10,000 files: × faster than the open encoder"
	encoder, err := exec.LookPath("docsis")
	if err != nil {
		return Row{What: what, Target: "≥ 3", Measured: "NOT MEASURED", Note: "docsis is not in PATH; Debian has no package, its source is github.com/rlaager/docsis"}, nil
	}
	dir, err := os.MkdirTemp("", "dcs-compile-")
	if err != nil {
		return Row{}, err
	}
	defer os.RemoveAll(dir)
	key, sources := filepath.Join(dir, "key"), filepath.Join(dir, "sources")
	if err := errors.Join(os.WriteFile(key, []byte(rig.Secret), 0o600), os.Mkdir(sources, 0o755)); err != nil {
		return Row{}, err
	}
	encode := []string{"-m"}
	for i := range n {
		name := fmt.Sprintf("m%d.cfg", i)
		text := fmt.Sprintf(flows, 1+i%16, 20_000_000+i)
		if err := os.WriteFile(filepath.Join(sources, name), []byte(text), 0o644); err != nil {
			return Row{}, err
		}
		encode = append(encode, name)
	}
	encode = append(encode, key, ".bin") // beside the sources
	run := func(name string, args ...string) (float64, error) {
		cmd := exec.CommandContext(ctx, name, args...)
		cmd.Dir, cmd.Env = sources, append(os.Environ(), "MIBS=") // it is spared reading MIBs
		begin := time.Now()
		err := cmd.Run() // it prints every file as text: nothing keeps that
		return time.Since(begin).Seconds(), err
	}
	var ratios, ours, theirs []float64
	for round := range opt.rounds {
		b, err := run(encoder, encode...)
		if err != nil {
			return Row{}, fmt.Errorf("docsis: %w", err)
		}
		out := filepath.Join(dir, fmt.Sprint("out", round))
		a, err := run(bin, "compile", sources, "-o", out, "--secret-file", key)
		if err != nil {
			return Row{}, fmt.Errorf("dcs compile: %w", err)
		}
		for _, i := range []int{0, n - 1} {
			x, err1 := os.ReadFile(filepath.Join(sources, fmt.Sprintf("m%d.bin", i)))
			y, err2 := os.ReadFile(filepath.Join(out, fmt.Sprintf("m%d.cm", i)))
			if err := errors.Join(err1, err2); err != nil || !bytes.Equal(x, y) {
				return Row{}, fmt.Errorf("m%d: the files differ: %w", i, err)
			}
		}
		// The next round replaces nothing, and finds no more files than this one.
		if err := errors.Join(os.RemoveAll(out), removeMatching(filepath.Join(sources, "*.bin"))); err != nil {
			return Row{}, err
		}
		ratios, ours, theirs = append(ratios, b/a), append(ours, a), append(theirs, b)
	}
	row := of(what, "≥", 3, "", ratios...)
	row.Note = fmt.Sprintf("%.2f s, the encoder %.2f s; sources of 350 octets without SNMP, in one process each; all CPUs", rig.Median(ours), rig.Median(theirs))
	return row, nil
}

func removeMatching(pattern string) error {
	files, err := filepath.Glob(pattern)
	for _, f := range files {
		err = errors.Join(err, os.Remove(f))
	}
	return err
}

// flows is a source that both compile to the same file, but for two values.
const flows = `Main {
	NetworkAccess 1;
	MaxCPE %d;
	UsServiceFlow {
		UsServiceFlowRef 1;
		QosParamSetType 7;
		MaxRateSustained %d;
		MaxTrafficBurst 42600;
		SchedulingType 2;
	}
	DsServiceFlow {
		DsServiceFlowRef 2;
		QosParamSetType 7;
		MaxRateSustained 100000000;
	}
	GlobalPrivacyEnable 1;
}
`
