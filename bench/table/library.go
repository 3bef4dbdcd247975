package main

import (
	"context"
	"fmt"
	"regexp"
	"time"
)

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
		What: "library of 10,000 templates: load", Target: "≤ 2 s", Measured: took.String(), OK: took <= 2*time.Second,
		Note: "processor time of both CPUs",
	}, reload}, nil
}
