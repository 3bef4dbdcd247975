package main

import (
	"context"
	"fmt"
	"regexp"
	"strconv"

	"dcs/bench/rig"
)

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
		What: "render, batch of 16, same file: × faster than building it with crypto/md5 and crypto/hmac", Target: "≥ 20",
		Measured: fmt.Sprintf("%.1f", naive/ours), OK: naive/ours >= 20, Note: fmt.Sprintf("%.0f ns a file, naive %.0f; a test holds the two to the same bytes", ours, naive),
	}}, nil
}
