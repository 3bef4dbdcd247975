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
	if err != nil {
		return []Row{one}, err
	}
	return []Row{one, many}, nil
}

// againstEncoder compiles 10,000 files with dcs and with the open docsis encoder, each in one process.
func againstEncoder(ctx context.Context, opt *options, bin string) (Row, error) {
	const n, what = 10_000, "`dcs compile` of 10,000 files: × faster than the open encoder"
	encoder, err := exec.LookPath("docsis")
	if err != nil {
		return Row{What: what, Target: "≥ 3", Measured: notMeasured, Note: "docsis is not in PATH; Debian has no package, its source is github.com/rlaager/docsis"}, nil
	}
	dir, err := os.MkdirTemp("", "dcs-compile-")
	if err != nil {
		return Row{}, err
	}
	defer os.RemoveAll(dir)
	key, sources, beside := filepath.Join(dir, "key"), filepath.Join(dir, "sources"), filepath.Join(dir, "beside")
	if err := errors.Join(os.WriteFile(key, []byte(rig.Secret), 0o600), os.Mkdir(sources, 0o755), os.Mkdir(beside, 0o755)); err != nil {
		return Row{}, err
	}
	encode := []string{"-m"}
	for i := range n {
		name := fmt.Sprintf("m%d.cfg", i)
		text := fmt.Appendf(nil, flows, 1+i%16, 20_000_000+i)
		// The encoder writes beside its sources, of which dcs gets others.
		if err := errors.Join(os.WriteFile(filepath.Join(sources, name), text, 0o644), os.WriteFile(filepath.Join(beside, name), text, 0o644)); err != nil {
			return Row{}, err
		}
		encode = append(encode, name)
	}
	encode = append(encode, key)
	run := func(name string, args ...string) (float64, error) {
		cmd := exec.CommandContext(ctx, name, args...)
		cmd.Dir, cmd.Env = beside, append(os.Environ(), "MIBS=") // it is spared reading MIBs
		begin := time.Now()
		err := cmd.Run() // it prints every file as text: nothing keeps that
		return time.Since(begin).Seconds(), err
	}
	var ratios, ours, theirs []float64
	for round := range opt.rounds {
		// Nothing is removed before the end: ext4 looks long for an inode while many are newly removed.
		suffix, out := fmt.Sprintf(".%d", round), filepath.Join(dir, fmt.Sprint("out", round))
		b, err := run(encoder, append(encode, suffix)...)
		if err != nil {
			return Row{}, fmt.Errorf("docsis: %w", err)
		}
		a, err := run(bin, "compile", sources, "-o", out, "--secret-file", key)
		if err != nil {
			return Row{}, fmt.Errorf("dcs compile: %w", err)
		}
		for _, i := range []int{0, n - 1} {
			x, err1 := os.ReadFile(filepath.Join(beside, fmt.Sprintf("m%d%s", i, suffix)))
			y, err2 := os.ReadFile(filepath.Join(out, fmt.Sprintf("m%d.cm", i)))
			if err := errors.Join(err1, err2); err != nil {
				return Row{}, err
			}
			if !bytes.Equal(x, y) {
				return Row{}, fmt.Errorf("m%d: the files differ", i)
			}
		}
		ratios, ours, theirs = append(ratios, b/a), append(ours, a), append(theirs, b)
	}
	row := of(what, "≥", 3, "", ratios...)
	row.Note = fmt.Sprintf("%.2f s, the encoder %.2f s; sources of 350 octets without SNMP, in one process each; all CPUs; the encoder prints each file as text besides, which nothing keeps", rig.Median(ours), rig.Median(theirs))
	return row, nil
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
