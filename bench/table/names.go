package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"time"

	"dcs/bench/netlab"
	"dcs/bench/rig"
	"dcs/bench/storm"
)

const (
	perSlice  = 65536 // modems, each asking once
	million   = 16    // slices of names: 1,048,576
	inOneFile = 1000  // literal templates
)

// modem returns the template of bench/peers for a modem's file with other names: what stands before the braces.
func modem(body, head string) string {
	return head + " {\n    default cpe 4;\n    default tier 2;\n" + body
}

// modemBody returns that template from after its brace.
func modemBody() (string, error) {
	file, err := rig.Path("bench", "peers", "library", "modem.dcs")
	if err != nil {
		return "", err
	}
	b, err := os.ReadFile(file)
	if err != nil {
		return "", err
	}
	_, body, ok := strings.Cut(string(b), "{\n")
	if !ok {
		return "", fmt.Errorf("%s: no template", file)
	}
	return body, nil
}

// manyNames measures a million distinct names of one template, and literal templates at random, each against one name.
func manyNames(ctx context.Context, opt *options) ([]Row, error) {
	dir, err := os.MkdirTemp("", "dcs-names-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	captured, literal := filepath.Join(dir, "captured"), filepath.Join(dir, "literal")
	body, err := modemBody()
	if err != nil {
		return nil, err
	}
	text := modem(body, `Main ~ "^dm(?P<mac>[0-9a-f]{12})\.bin$"`)
	if err := errors.Join(os.Mkdir(captured, 0o755), os.WriteFile(filepath.Join(captured, "dm.dcs"), []byte(text), 0o644), writeLiterals(literal, body, opt.fleet)); err != nil {
		return nil, err
	}
	distinct := func(slice int) []string {
		var list []string
		for i := range perSlice {
			list = append(list, fmt.Sprintf("dm%012x.bin", 0x02<<40|slice<<16|i))
		}
		return list
	}
	random := func(slice int) []string {
		var list []string
		for _, i := range rand.New(rand.NewPCG(1, uint64(slice))).Perm(max(opt.fleet, perSlice))[:perSlice] {
			list = append(list, fmt.Sprintf("m%d.bin", i%opt.fleet))
		}
		return list
	}
	var rows []Row
	for _, transport := range []string{"socket", "xdp"} {
		r, err := oneAgainstMany(ctx, opt, transport, captured, "a million distinct names of one template", 0.85, distinct, million)
		rows = append(rows, r...)
		if err != nil {
			return rows, err
		}
	}
	r, err := oneAgainstMany(ctx, opt, "xdp", literal, fmt.Sprintf("%d literal templates at random", opt.fleet), 0.6, random, 2)
	if len(r) > 0 {
		rows = append(rows, r[0]) // its memory is that of the templates
	}
	return rows, err
}

// writeLiterals writes n templates with the names m0.bin and up.
func writeLiterals(dir, body string, n int) error {
	if err := os.Mkdir(dir, 0o755); err != nil {
		return err
	}
	for first := 0; first < n; first += inOneFile {
		var b strings.Builder
		for i := first; i < min(n, first+inOneFile); i++ {
			b.WriteString(modem(body, fmt.Sprintf("Main \"m%d.bin\"", i)))
		}
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("%06d.dcs", first)), []byte(b.String()), 0o644); err != nil {
			return err
		}
	}
	return nil
}

// oneAgainstMany serves a library and returns the rate of slices of names, all of which were asked for before, relative
// to that of the first name alone, and the memory that all took.
func oneAgainstMany(ctx context.Context, opt *options, transport, library, what string, bound float64, names func(slice int) []string, slices int) (rows []Row, err error) {
	r, err := rig.New(rig.TH1, nil)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	bin, err := filepath.Abs(opt.dcs)
	if err != nil {
		return nil, err
	}
	first := names(0)
	s, err := r.Serve(ctx, bin, 1070, first[0], nil, "--library", library, "--transport", transport, "--interface", netlab.Device)
	if err != nil {
		return nil, err
	}
	hot := make([]string, perSlice)
	for i := range hot {
		hot[i] = strings.Clone(first[0]) // a place of its own, as the load reads it
	}
	ask := func(list []string) (rig.Round, error) {
		cfg := r.Config(s)
		cfg.Window, cfg.Count, cfg.Names, cfg.Check = 256, perSlice, list, storm.CheckNothing
		cfg.Drain = time.Second
		m, err := rig.Measure(r.Lab, s.PID, func() (*storm.Result, error) { return r.Load(ctx, cfg) })
		if err == nil && m.Served != len(list) {
			err = fmt.Errorf("%d of %d names served", m.Served, len(list))
		}
		return m, err
	}
	if _, err := ask(hot); err != nil {
		return nil, err
	}
	before, err := rig.RSS(s.PID)
	if err != nil {
		return nil, err
	}
	for slice := range slices {
		if _, err := ask(names(slice)); err != nil {
			return nil, err
		}
	}
	after, err := rig.RSS(s.PID)
	if err != nil {
		return nil, err
	}
	var ratios, cpu, rate []float64
	bounded := 0
	for round := range opt.rounds {
		many, err1 := ask(names(round % slices))
		one, err2 := ask(hot)
		if err := errors.Join(err1, err2); err != nil {
			return nil, err
		}
		ratios, cpu, rate = append(ratios, many.Rate/one.Rate), append(cpu, one.PerFile/many.PerFile), append(rate, many.Rate)
		if one.Bound() {
			bounded++
		}
	}
	row := of(what+", "+transport+": × the rate of one name", "≥", bound, "", ratios...)
	if 2*bounded > opt.rounds {
		row.Measured, row.OK = boundByLoad, false
	}
	row.Note = fmt.Sprintf("%.0f files/s; by the server's CPU a file %.2f; the load's CPU was the bound of one name in %d of %d rounds; window 256", rig.Median(rate), rig.Median(cpu), bounded, opt.rounds)
	memory := of(what+", "+transport+": memory", "≤", 64, " MiB", float64(after-before)/(1<<20))
	memory.Note = "resident, beyond that of one name"
	return []Row{row, memory}, nil
}
