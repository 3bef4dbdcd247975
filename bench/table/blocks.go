package main

import (
	"context"
	"fmt"
	"strings"

	"dcs/bench/rig"
)

// blocks runs bench/blocks: files of more than one block against dnsmasq.
func blocks(ctx context.Context, opt *options) (rows []Row, err error) {
	table, err := program(ctx, opt, "blocks")
	if err != nil {
		return nil, err
	}
	const rate, cpu = "× dnsmasq", "× its CPU"
	for _, r := range []struct {
		load, column, sign string
		bound              float64
	}{
		{"3 KB at 512", rate, "≥", 4},
		{"20 KB at 1448", rate, "≥", 4},
		{"16 MiB at 1448, window 1", cpu, "≤", 1},
		{"16 MiB at 1448, window 16", rate, "≥", 8},
	} {
		var sockets float64
		for _, server := range []string{"dcs", "dcs, AF_XDP"} {
			m, least, most, err := ratioOf(table, r.load, server, r.column)
			if err != nil {
				return nil, err
			}
			row := Row{What: fmt.Sprintf("%s, %s: %s", server, r.load, r.column), Measured: fmt.Sprintf("%.3g (%.3g–%.3g)", m, least, most)}
			bound := r.bound
			if server != "dcs" { // it has to be better than sockets
				bound = sockets
			}
			sockets = m
			row.Target, row.OK = fmt.Sprintf("%s %.3g", r.sign, bound), r.sign == "≥" && m >= bound || r.sign == "≤" && m <= bound
			if r.column == rate && (loadBound(table, r.load, server) || loadBound(table, r.load, "dnsmasq")) {
				row.Note = fmt.Sprintf("measured %s", row.Measured)
				row.Measured, row.OK = boundByLoad, false
			}
			rows = append(rows, row)
		}
	}
	rows[0].Note = strings.TrimPrefix(rows[0].Note+"; ", "; ") + rig.TH1.String() + ": the server's CPU pays for its own receive path; 12 downloads at a time with 16 MiB, else 128"
	return rows, nil
}

// loadBound reports whether the load's CPU had no time left in the median round, as [rig.Round.Bound] has it.
func loadBound(table []cells, load, server string) bool {
	for _, r := range table {
		var busy float64
		if r["load"] == load && r["server"] == server {
			_, err := fmt.Sscanf(r["load busy"], "%g", &busy)
			return err == nil && busy >= 97
		}
	}
	return false
}

// ratioOf returns a ratio from the table of bench/blocks: the median and the range of its rounds.
func ratioOf(table []cells, load, server, column string) (median, least, most float64, err error) {
	for _, r := range table {
		if r["load"] == load && r["server"] == server {
			if _, err = fmt.Sscanf(r[column], "%g (%g to %g)", &median, &least, &most); err != nil {
				err = fmt.Errorf("%s, %s: column %q has %q", load, server, column, r[column])
			}
			return median, least, most, err
		}
	}
	return 0, 0, 0, fmt.Errorf("bench/blocks has no row of %s, %s", load, server)
}
