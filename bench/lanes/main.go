// Command lanes measures whether MD5 in lanes pays at every batch size: the same server and the same renderer with
// AVX-512, with AVX2, and without lanes (GODEBUG disables the instructions in the same binary), interleaved in one run.
// It needs root for its network namespaces, and two CPUs. Its exit status is 1 if lanes are slower than no lanes.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/cpu"

	"dcs/bench/rig"
)

type options struct {
	dcs       string
	rounds    int
	length    time.Duration
	quiet     time.Duration
	tolerance float64
	windows   []int
}

// A variant is a way to compute MD5.
type variant struct {
	name, godebug string
	has           bool
}

func variants() []variant {
	x := &cpu.X86
	return []variant{
		{"AVX-512", "", x.HasAVX512F && x.HasAVX512VL},
		{"AVX2", "cpu.avx512f=off", x.HasAVX2},
		{"none", "cpu.avx512f=off,cpu.avx2=off", true}, // the baseline is last
	}
}

func main() {
	opt := options{windows: []int{1, 2, 4, 8, 16, 32, 64, 128, 256}}
	flag.StringVar(&opt.dcs, "dcs", "", "`path` of the dcs binary (default: build one)")
	flag.IntVar(&opt.rounds, "rounds", 5, "`number` of rounds")
	flag.DurationVar(&opt.length, "length", 500*time.Millisecond, "`time` of one measurement")
	flag.DurationVar(&opt.quiet, "quiet", 0, "wait at most this `time` before each round for the machine to become idle")
	flag.Float64Var(&opt.tolerance, "tolerance", 0.03, "`fraction` by which lanes may be slower without failing")
	rig.Main(opt.run)
}

func (opt *options) run(ctx context.Context, w io.Writer) (err error) {
	var list []variant
	for _, v := range variants() {
		if v.has {
			list = append(list, v)
		}
	}
	dir, err := os.MkdirTemp("", "dcs-lanes-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	if opt.dcs, err = rig.Binary(ctx, dir, opt.dcs); err != nil {
		return err
	}
	var b strings.Builder
	b.WriteString("# MD5 in lanes, and without\n\n")
	b.WriteString("A batch that fills few lanes is hashed by plain code: the first table is the basis for the limit of each kernel, `few` in\n" +
		"`render/md5x/lanes.go`; the others show the effect. All figures are of one run with interleaved rounds: medians of the rounds,\n" +
		"also of the ratios.\n\n")
	if err := fewTable(ctx, &b, *opt, dir); err != nil {
		return err
	}
	slow1, err := renderTable(ctx, &b, list, *opt, dir)
	if err != nil {
		return err
	}
	slow2, err := serverTable(ctx, &b, list, *opt)
	if err != nil {
		return err
	}
	b.WriteString(rig.Facts(rig.Command()))
	if _, err := io.WriteString(w, b.String()); err != nil {
		return err
	}
	return rig.Missed(errors.Join(slow1, slow2))
}

var fewLine = regexp.MustCompile(`(?m)^BenchmarkFew/([^/\s]+)/(\d+)\S*\s+\d+\s+([\d.]+) ns/op`)

// fewTable measures MD5 alone for a few messages of six blocks each, with every kernel, whatever few says.
func fewTable(ctx context.Context, b *strings.Builder, opt options, dir string) error {
	bin, err := testBinary(ctx, dir, "md5x", "./render/md5x")
	if err != nil {
		return err
	}
	values := map[string]map[string][]float64{} // by count and kernel
	var kernels, counts []string
	for range opt.rounds {
		if _, err := rig.Quiet(ctx, opt.quiet); err != nil {
			return err
		}
		out, err := exec.CommandContext(ctx, bin, "-test.run", "^$", "-test.bench", "^BenchmarkFew$", "-test.benchtime", (opt.length / 5).String(), "-test.cpu", "1").CombinedOutput()
		if err != nil {
			return fmt.Errorf("benchmark of few: %w\n%s", err, out)
		}
		for _, m := range fewLine.FindAllStringSubmatch(string(out), -1) {
			kernel, count := m[1], m[2]
			if values[count] == nil {
				values[count], counts = map[string][]float64{}, append(counts, count)
			}
			if !slices.Contains(kernels, kernel) {
				kernels = append(kernels, kernel)
			}
			v, _ := strconv.ParseFloat(m[3], 64)
			values[count][kernel] = append(values[count][kernel], v)
		}
	}
	if len(counts) == 0 {
		return errors.New("no output of BenchmarkFew")
	}
	b.WriteString("## Few messages, ns for all of them\n\n| messages |")
	for _, k := range kernels {
		fmt.Fprintf(b, " %s |", k)
	}
	b.WriteString(" fastest |\n|--:|" + strings.Repeat("--:|", len(kernels)) + "---|\n")
	for _, n := range counts {
		fmt.Fprintf(b, "| %s |", n)
		fastest, least := "", math.Inf(1)
		for _, k := range kernels {
			v := rig.Median(values[n][k])
			fmt.Fprintf(b, " %.0f |", v)
			if v < least {
				fastest, least = k, v
			}
		}
		fmt.Fprintf(b, " %s |\n", fastest)
	}
	b.WriteString("\n")
	return nil
}

// testBinary builds the tests of a package.
func testBinary(ctx context.Context, dir, name, pkg string) (string, error) {
	root, err := rig.Path()
	if err != nil {
		return "", err
	}
	bin := filepath.Join(dir, name+".test")
	build := exec.CommandContext(ctx, "go", "test", "-c", "-o", bin, pkg)
	build.Dir = root
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build the benchmark: %w\n%s", err, out)
	}
	return bin, nil
}

var benchLine = regexp.MustCompile(`(?m)^BenchmarkBatch/(\d+)\S*\s.*?([\d.]+) ns/file`)

// renderTable measures the renderer alone, with a file of about 400 octets per device.
func renderTable(ctx context.Context, b *strings.Builder, list []variant, opt options, dir string) (slow, err error) {
	root, err := rig.Path()
	if err != nil {
		return nil, err
	}
	bin, err := testBinary(ctx, dir, "render", "./render")
	if err != nil {
		return nil, err
	}
	rows := map[int][][]float64{} // by batch size and variant: ns of each round
	var sizes []int
	for round := range opt.rounds {
		for k := range list {
			k = (k + round) % len(list)
			if _, err := rig.Quiet(ctx, opt.quiet); err != nil {
				return nil, err
			}
			cmd := exec.CommandContext(ctx, bin, "-test.run", "^$", "-test.bench", "^BenchmarkBatch$", "-test.benchtime", (opt.length / 5).String(), "-test.cpu", "1")
			cmd.Dir, cmd.Env = filepath.Join(root, "render"), append(os.Environ(), "GODEBUG="+list[k].godebug)
			out, err := cmd.CombinedOutput()
			if err != nil {
				return nil, fmt.Errorf("benchmark with %s: %w\n%s", list[k].name, err, out)
			}
			for _, m := range benchLine.FindAllStringSubmatch(string(out), -1) {
				n, _ := strconv.Atoi(m[1])
				v, _ := strconv.ParseFloat(m[2], 64)
				if rows[n] == nil {
					rows[n], sizes = make([][]float64, len(list)), append(sizes, n)
				}
				rows[n][k] = append(rows[n][k], v)
			}
		}
	}
	if len(sizes) == 0 {
		return nil, errors.New("no output of the benchmark")
	}
	b.WriteString("## The renderer alone, ns a file\n\n")
	return table(b, "files in the batch", list, sizes, rows, opt.tolerance, func(v, none float64) float64 { return none / v }), nil
}

// serverTable measures the whole server in a closed loop: a window of n makes batches of at most n.
func serverTable(ctx context.Context, b *strings.Builder, list []variant, opt options) (slow, err error) {
	r, err := rig.New(rig.TH0, nil)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	var servers []*rig.Server
	for k, w := range list {
		s, err := r.DCS(ctx, opt.dcs, uint16(1070+k), []string{"GODEBUG=" + w.godebug})
		if err != nil {
			return nil, err
		}
		servers = append(servers, s)
	}
	rows := map[int][][]float64{}
	for _, n := range opt.windows {
		rows[n] = make([][]float64, len(list))
		for round := range opt.rounds {
			if _, err := rig.Quiet(ctx, opt.quiet); err != nil {
				return nil, err
			}
			for k := range list {
				k = (k + round) % len(list)
				res, err := r.ClosedLoop(ctx, servers[k], n, opt.length)
				if err != nil {
					return nil, err
				}
				rows[n][k] = append(rows[n][k], res.Rate)
			}
		}
	}
	b.WriteString("## The server over sockets, files a second\n\n")
	return table(b, "concurrent transfers", list, opt.windows, rows, opt.tolerance, func(v, none float64) float64 { return v / none }), nil
}

// table writes a table; gain is the speed relative to no lanes. The error lists where it is below 1.
func table(b *strings.Builder, what string, list []variant, sizes []int, rows map[int][][]float64, tolerance float64, gain func(v, none float64) float64) error {
	last := len(list) - 1
	fmt.Fprintf(b, "| %s |", what)
	for k, w := range list {
		fmt.Fprintf(b, " %s |", w.name)
		if k != last {
			b.WriteString(" × none |")
		}
	}
	b.WriteString("\n|--:|" + strings.Repeat("--:|", 2*last+1) + "\n")
	var slow []error
	for _, n := range sizes {
		fmt.Fprintf(b, "| %d |", n)
		for k, w := range list {
			fmt.Fprintf(b, " %.0f |", rig.Median(rows[n][k]))
			if k == last {
				continue
			}
			var ratios []float64
			for i := range min(len(rows[n][k]), len(rows[n][last])) {
				ratios = append(ratios, gain(rows[n][k][i], rows[n][last][i]))
			}
			g := rig.Median(ratios)
			mark := ""
			if k == 0 && g < 1-tolerance {
				mark = " **MISSED**"
				slow = append(slow, fmt.Errorf("%s %d: %s is %.2f of the speed without lanes", what, n, w.name, g))
			}
			fmt.Fprintf(b, " %.2f%s |", g, mark)
		}
		b.WriteString("\n")
	}
	b.WriteString("\n")
	return errors.Join(slow...)
}
