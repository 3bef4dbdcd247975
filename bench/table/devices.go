package main

import (
	"context"
	"errors"
	"fmt"
	"os"
)

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
	started, err3 := bench("./render/attr/store", "StoreRestart", "10x")
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
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return rows, nil
}
