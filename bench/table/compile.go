package main

import (
	"context"
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
	return []Row{{What: "`dcs compile` of one file, including start", Target: "≤ 20 ms", Measured: fmt.Sprintf("%.1f ms", ms), OK: ms <= 20, Note: "median of 31"}}, nil
}
