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
	return program(ctx, opt, "peers", append([]string{"-debs", opt.debs}, args...)...)
}

// program builds and runs another program of bench, and returns the rows of its tables. By "go run" it would not get the
// interrupt on which it removes its files. It waits at most 1 s for the machine to become idle: it does so before each contestant's round, within the
// time limit of the piece.
func program(ctx context.Context, opt *options, name string, args ...string) ([]cells, error) {
	dir, err := os.MkdirTemp("", "dcs-table-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	bin, err := rig.Build(ctx, dir, "./bench/"+name)
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
	args = append([]string{"-dcs", dcs, "-rounds", fmt.Sprint(opt.rounds), "-length", opt.length.String(), "-quiet", min(opt.quiet, time.Second).String()}, args...)
	cmd := exec.CommandContext(ctx, bin, args...)
	cmd.Dir = root
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 5 * time.Second
	var said strings.Builder
	cmd.Stderr = &said
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("%s: %w\n%s", name, err, said.String())
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

// boundByLoad is what bench/peers prints instead of a ratio where the load's CPU had no time left.
const boundByLoad = "bound by the load"

// ratio returns the row for a cell of bench/peers's tables: a figure, perhaps with its range in parentheses. With an error it is that of a figure
// that was not measured.
func ratio(what string, row cells, column, sign string, bound float64) (Row, error) {
	r := Row{What: what, Target: fmt.Sprintf("%s %g", sign, bound), Measured: row[column]}
	if row[column] == boundByLoad {
		return r, nil
	}
	figure, _, _ := strings.Cut(row[column], " ")
	v, err := strconv.ParseFloat(figure, 64)
	if err != nil {
		r.Measured = notMeasured
		return r, fmt.Errorf("%s: column %q has %q", what, column, row[column])
	}
	r.OK = sign == "≥" && v >= bound || sign == "≤" && v <= bound
	return r, nil
}

const what400 = "dynamic 400-byte file with both MICs, TLV 19 and 20: "

func sockets(ctx context.Context, opt *options) ([]Row, error) {
	t, err := peers(ctx, opt, "-xdp=false")
	if err != nil {
		return nil, err
	}
	dcs, limit := find(t, "dcs, rendered", ""), find(t, "limit", "")
	const what = "sockets, " + what400
	a, err1 := ratio(what+"× the best peer's static rate", dcs, "× best peer", "≥", 6)
	b, err2 := ratio(what+"of the limit", dcs, "of the limit", "≥", 1)
	var rates []string
	for _, r := range t {
		rates = append(rates, r["server"]+" "+r["files/s"]+" (window "+r["window"]+")")
	}
	a.Note = "files a second: " + strings.Join(rates, ", ")
	b.Note = load(dcs, limit)
	return []Row{a, b}, errors.Join(err1, err2)
}

// load says what a file takes of the server's CPU, and whether the load had time left: on TH1 the first is the fairer
// comparison where it had not.
func load(ours, limit cells) string {
	return fmt.Sprintf("server's CPU %s µs a file, the limit's %s; load %s and %s busy", ours["µs of it a file"], limit["µs of it a file"], ours["load busy"], limit["load busy"])
}

func xdp(ctx context.Context, opt *options) ([]Row, error) {
	t, err := peers(ctx, opt, "-xdp")
	if err != nil {
		return nil, err
	}
	const dcs, limit, what = "dcs, AF_XDP, rendered", "limit, AF_XDP", "AF_XDP, same file: "
	var rows []Row
	var errs []error
	add := func(r Row, err error, note string) {
		r.Note = note
		rows, errs = append(rows, r), append(errs, err)
	}
	for _, c := range []struct {
		what, offered, column, sign string
		bound                       float64
	}{
		{"closed loop, of the limit", "", "of the limit", "≥", 0.95},
		{"open loop, 400,000 RRQ/s offered, of the limit", "400000", "of the limit", "≥", 0.95},
		{"open loop, 150,000 RRQ/s offered, p50 × the limit's", "150000", "× the limit's", "≤", 1.1},
		{"open loop, 300,000 RRQ/s offered, p50 × the limit's", "300000", "× the limit's", "≤", 1.1},
		{"open loop, 150,000 RRQ/s offered, the worst p99 × the limit's", "150000", "worst × the limit's", "≤", 3},
		{"open loop, 300,000 RRQ/s offered, the worst p99 × the limit's", "300000", "worst × the limit's", "≤", 3},
	} {
		ours, theirs, tx := find(t, dcs, c.offered), find(t, limit, c.offered), find(t, "limit, XDP_TX", c.offered)
		r, err := ratio(what+c.what, ours, c.column, c.sign, c.bound)
		add(r, err, fmt.Sprintf("%s files/s, p50 %s µs, p99 %s µs; the limit %s files/s, %s µs, %s µs; XDP_TX in BPF %s files/s; %s",
			ours["files/s"], ours["p50 µs"], ours["p99 µs"], theirs["files/s"], theirs["p50 µs"], theirs["p99 µs"], tx["files/s"], load(ours, theirs)))
	}
	// A server that the load cannot busy is measured by what it takes of its CPU.
	r, err := quotient(what+"server's CPU a file, × XDP_TX's in BPF", find(t, dcs, ""), find(t, "limit, XDP_TX", ""), "µs of it a file", "", 0)
	add(r, err, "the absolute limit, without a server; for information")
	for _, server := range []string{dcs, "dcs, rendered"} {
		r, err := quotient("one modem alone, "+strings.TrimPrefix(server, "dcs, ")+": p50 × dnsmasq's", find(t, server, ""), find(t, "dnsmasq", ""), "alone p50 µs", "≤", 1)
		add(r, err, fmt.Sprintf("%s µs; dnsmasq %s, the limits %s (sockets) and %s (AF_XDP)", find(t, server, "")["alone p50 µs"], find(t, "dnsmasq", "")["alone p50 µs"],
			find(t, "limit", "")["alone p50 µs"], find(t, limit, "")["alone p50 µs"]))
	}
	return rows, errors.Join(errs...)
}

// quotient returns the row of a column's figure of one server divided by that of another; without a sign it has no target.
func quotient(what string, ours, theirs cells, column, sign string, bound float64) (Row, error) {
	a, err1 := strconv.ParseFloat(ours[column], 64)
	b, err2 := strconv.ParseFloat(theirs[column], 64)
	if err := errors.Join(err1, err2); err != nil || b == 0 {
		return Row{What: what, Measured: notMeasured}, fmt.Errorf("%s: column %q has %q and %q", what, column, ours[column], theirs[column])
	}
	r := of(what, sign, bound, "", a/b)
	r.Measured = fmt.Sprintf("%.3g", a/b)
	if sign == "" {
		r.Target = "–"
	}
	return r, nil
}
