package main

import (
	"context"
	"fmt"
)

// templates measures 100,000 templates in files of their own, of either kind of name, and a reload after one file changed.
func templates(ctx context.Context, opt *options) ([]Row, error) {
	figures := map[string][]float64{}
	kinds := []struct{ bench, what string }{{"patterns", "with patterns as names"}, {"names", "with literal names"}}
	units := []string{"octets/template", "ms/load", "ms/reload"}
	rounds := min(opt.rounds, 3) // half a minute each, and they differ by little
	for range rounds {           // each in a process of its own, so that no heap grew before
		out, err := goRun(ctx, []string{"DCS_LONG=1"}, "test", "-timeout", "5m", "-run", "^$", "-bench", "Fleet/.*/100000$", "-benchtime", "1x", "./render/library")
		if err != nil {
			return nil, err
		}
		for _, k := range kinds {
			for _, unit := range units {
				v, err := metric(out, "Fleet/"+k.bench+"/100000", unit)
				if err != nil {
					return nil, err
				}
				figures[k.bench+unit] = append(figures[k.bench+unit], v)
			}
		}
	}
	var rows []Row
	for _, k := range kinds {
		what := "100,000 templates " + k.what + ": "
		rows = append(rows,
			of(what+"memory of each", "≤", 6144, " octets", figures[k.bench+"octets/template"]...),
			of(what+"load, both CPUs", "≤", 6000, " ms", figures[k.bench+"ms/load"]...),
			of(what+"reload after one file changed", "≤", 200, " ms", figures[k.bench+"ms/reload"]...))
	}
	rows[0].Note = fmt.Sprintf("the heap after a garbage collection; the source of each has 1.1 KB; %d rounds", rounds)
	return rows, nil
}
