// Command table measures the design's targets and prints the results beside them. Each piece runs in a process of its
// own; figures are compared only within one run. It needs root for its network namespaces, and two CPUs; what cannot be
// measured is reported as such, with the reason.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"time"

	"dcs/bench/rig"
)

// A piece is a file of this package that measures some rows. To add one, write the file and its line in pieces.
type piece struct {
	name  string
	about string
	bound time.Duration // time limit
	run   func(context.Context, *options) ([]Row, error)
}

var pieces = []piece{
	{"allocs", "allocations per request", 5 * time.Minute, allocs},
	{"sockets", "sockets, closed loop, against peers and the limit", 5 * time.Minute, sockets},
	{"blocks", "files of more than one block, against dnsmasq", 5 * time.Minute, blocks},
	{"xdp", "AF_XDP, closed and open loop, against the limit", 8 * time.Minute, xdp},
	{"knot", "Knot DNS over XDP, for comparison", 3 * time.Minute, knot},
	{"names", "a million names, and 100,000 templates", 8 * time.Minute, manyNames},
	{"render", "a batch of 16 against crypto/md5 and crypto/hmac", 5 * time.Minute, render},
	{"storm", "65,536 modems in one second, 5 % loss", 5 * time.Minute, worstHour},
	{"generator", "dcs storm against XDP_TX", 2 * time.Minute, generator},
	{"devices", "10 million devices", 10 * time.Minute, devices},
	{"templates", "100,000 templates", 8 * time.Minute, templates},
	{"background", "while devices load and templates reload", 8 * time.Minute, background},
	{"library", "10,000 templates", 5 * time.Minute, library},
	{"compile", "dcs compile of one file, and of 10,000", 3 * time.Minute, compile},
}

type options struct {
	dcs     string
	only    string
	readme  string
	piece   string
	rounds  int
	length  time.Duration
	quiet   time.Duration
	devices int
	fleet   int
	debs    string
}

func main() {
	var opt options
	cache, _ := os.UserCacheDir()
	flag.StringVar(&opt.dcs, "dcs", "bin/dcs", "`path` of the dcs binary")
	flag.StringVar(&opt.only, "only", "", "measure only these comma-separated `pieces`: "+strings.Join(names(), ", "))
	flag.StringVar(&opt.readme, "readme", "", "also put the table between the marks of this `file`")
	flag.StringVar(&opt.piece, "piece", "", "measure one `piece` and print its rows as JSON; for internal use")
	flag.IntVar(&opt.rounds, "rounds", 5, "`number` of interleaved rounds")
	flag.DurationVar(&opt.length, "length", time.Second, "`time` of one round")
	flag.DurationVar(&opt.quiet, "quiet", 10*time.Second, "wait at most this `time` before each piece and round for the machine to become idle; 1 s in rounds of other programs")
	flag.IntVar(&opt.devices, "devices", 10_000_000, "`number` of devices")
	flag.IntVar(&opt.fleet, "templates", 100_000, "`number` of templates of a large library, at least 65,536 for its figures to hold")
	flag.StringVar(&opt.debs, "debs", cache+"/dcs-peers", "cache `directory` of the peers' packages")
	rig.Main(opt.run)
}

func names() []string {
	var n []string
	for _, p := range pieces {
		n = append(n, p.name)
	}
	return n
}

func (opt *options) run(ctx context.Context, w io.Writer) error {
	if opt.piece != "" {
		i := slices.Index(names(), opt.piece)
		if i < 0 {
			return fmt.Errorf("no piece %q", opt.piece)
		}
		rows, err := pieces[i].run(ctx, opt)
		return errors.Join(err, json.NewEncoder(w).Encode(rows)) // what was measured before an error counts
	}
	wanted := names()
	if opt.only != "" {
		wanted = strings.Split(opt.only, ",")
		for _, w := range wanted {
			if !slices.Contains(names(), w) {
				return fmt.Errorf("no piece %q: there are %s", w, strings.Join(names(), ", "))
			}
		}
	}
	var bound time.Duration
	for _, p := range pieces {
		if slices.Contains(wanted, p.name) {
			bound += p.bound
		}
	}
	fmt.Fprintf(os.Stderr, "table: %s; at most %v in all\n", strings.Join(wanted, ", "), bound)
	self, err := os.Executable()
	if err != nil {
		return err
	}
	begin := time.Now()
	var rows []Row
	disturbed := 0
	for _, p := range pieces {
		if !slices.Contains(wanted, p.name) {
			continue
		}
		busy, err := rig.Quiet(ctx, opt.quiet)
		if err != nil {
			return err
		}
		if busy > 0.1 {
			disturbed++
		}
		fmt.Fprintf(os.Stderr, "table: %s: %s …\n", p.name, p.about)
		at := time.Now()
		rows = append(rows, call(ctx, self, p, opt)...)
		fmt.Fprintf(os.Stderr, "table: %s took %v\n", p.name, time.Since(at).Round(time.Second))
		if err := ctx.Err(); err != nil {
			return err
		}
	}
	text := table(rows, disturbed, len(wanted), time.Since(begin))
	if _, err := io.WriteString(w, text); err != nil {
		return err
	}
	if opt.readme != "" { // before Main writes its file, which would make the tree dirty
		return rig.Missed(intoReadme(opt.readme, rows)) // the table is complete even then
	}
	return nil
}

// headlines are the beginnings of the rows for the README.
var headlines = []string{
	"sockets, " + what400 + "× the best peer's static rate",
	"AF_XDP, same file: closed loop, of the limit",
	"a million distinct names of one template, xdp: × the rate of one name",
	"while 10000000 devices load: × the settled rate",
	"65,536 modems asking within one second",
	"allocations per request",
	"library of 10,000 templates: load",
}

// headline returns the README's rows, in the order of headlines.
func headline(rows []Row) []Row {
	var some []Row
	for _, h := range headlines {
		for _, r := range rows {
			if strings.HasPrefix(r.What, h) {
				some = append(some, r)
			}
		}
	}
	return some
}

const beginMark, endMark = "<!-- make bench writes this -->\n", "<!-- to here -->\n"

// intoReadme replaces the rows between the marks.
func intoReadme(file string, rows []Row) error {
	b, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	head, rest, ok1 := strings.Cut(string(b), beginMark)
	_, tail, ok2 := strings.Cut(rest, endMark)
	if !ok1 || !ok2 {
		return fmt.Errorf("%s: no marks for the table", file)
	}
	text, _, _ := strings.Cut(lines(headline(rows))+"\n"+rig.Facts(""), "- command")
	return os.WriteFile(file, []byte(head+beginMark+"\n"+text+"\n"+endMark+tail), 0o644)
}

// call runs a piece in a process of its own. An error becomes a row behind those measured before it, so that the other pieces are still measured.
func call(ctx context.Context, self string, p piece, opt *options) []Row {
	ctx, cancel := context.WithTimeout(ctx, p.bound)
	defer cancel()
	cmd := exec.CommandContext(ctx, self, "-piece", p.name, "-dcs", opt.dcs, "-debs", opt.debs,
		"-rounds", fmt.Sprint(opt.rounds), "-length", opt.length.String(), "-quiet", opt.quiet.String(), "-devices", fmt.Sprint(opt.devices), "-templates", fmt.Sprint(opt.fleet))
	// On an interrupt it removes its files.
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 10 * time.Second
	var said strings.Builder
	cmd.Stderr = &said
	out, err := cmd.Output()
	var rows []Row
	if bad := json.Unmarshal(out, &rows); err == nil {
		err = bad
	}
	if err != nil {
		why := strings.TrimSpace(said.String())
		if lines := strings.Split(why, "\n"); len(lines) > 1 {
			fmt.Fprintln(os.Stderr, why)
			why = lines[0] + " … " + lines[len(lines)-1]
		}
		if ctx.Err() != nil {
			why = fmt.Sprintf("not finished after %v", p.bound)
		}
		what := p.about
		if len(rows) > 0 {
			what += ": the rest"
		}
		rows = append(rows, Row{What: what, Measured: notMeasured, Note: errors.Join(err, errors.New(why)).Error()})
	}
	return rows
}

func table(rows []Row, disturbed, all int, took time.Duration) string {
	var b strings.Builder
	b.WriteString("# Targets and results\n\n" + lines(rows) + "\n")
	for _, r := range rows {
		if r.Note != "" {
			fmt.Fprintf(&b, "- %s: %s\n", r.What, strings.ReplaceAll(r.Note, "\n", " "))
		}
	}
	if disturbed > 0 {
		fmt.Fprintf(&b, "\n**%d of %d pieces began while another process kept a CPU busy: their figures are unreliable.**\n", disturbed, all)
	}
	fmt.Fprintf(&b, "\nMeasured in %v. Ratios compare figures of one run; absolute figures hold for this machine and run only.\n\n", took.Round(time.Second))
	b.WriteString(rig.Facts(rig.Command()))
	return b.String()
}

// lines returns the table alone.
func lines(rows []Row) string {
	var b strings.Builder
	b.WriteString("| what | target | measured | |\n|---|---|---|---|\n")
	for _, r := range rows {
		word := "kept"
		switch {
		case r.Measured == notMeasured, r.Measured == boundByLoad, r.Target == "–":
			word = "–"
		case !r.OK:
			word = "**MISSED**"
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %s |\n", r.What, r.Target, r.Measured, word)
	}
	return b.String()
}
