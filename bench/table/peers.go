package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"dcs/bench/rig"
)

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
