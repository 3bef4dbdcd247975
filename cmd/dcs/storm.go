package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/netip"
	"os/exec"
	"os/signal"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"dcs/bench/storm"
	"dcs/cmd/internal/cli"
)

// stormRun is one run of dcs storm.
type stormRun struct {
	cli.Env
	cfg          storm.Config
	limits       storm.Limits
	scenario     *storm.Scenario // or nil
	scenarioErr  error
	check        string
	secrets      []string
	json, html   string
	commands     []string // EVENT=COMMAND
	scale, speed float64
	list         bool
}

func stormCommand(e cli.Env) *cobra.Command {
	s := &stormRun{Env: e, cfg: storm.Default(), limits: storm.NoLimits()}
	// A scenario's values are the flags' defaults, so it is read before the flags are defined.
	if name := scenarioName(e.Args); name != "" {
		if s.scenario, s.scenarioErr = storm.LoadScenario(name); s.scenarioErr == nil {
			s.cfg, s.limits = s.scenario.Config, s.scenario.Limits
		}
	}
	cmd := &cobra.Command{
		Use:   "storm HOST[:PORT]",
		Short: "Load a server like a plant full of modems",
		Long: `Load a server like a plant full of modems: each asks from its own address and port,
acknowledges, waits, retries and restarts as a DOCSIS modem does. The load is bounded: it
needs --count, --duration or --within, or a scenario, a file with groups of modems, events
and limits. --list-scenarios lists the built-in ones.

Every received file is checked: its TLVs and CM MIC, its time and address if it has them,
and the CMTS MIC if the secret is given. Use --check off for files that are not for modems.
Targets outside of loopback, 198.18.0.0/15 and fd00::/8 need --i-own-this-network.

With --interface, frames are built by hand and modems have 65,536 addresses. They pass through
AF_XDP, the faster way, where the driver has XDP and the interface no XDP program, else through
AF_PACKET; the result says which. The interface is left as it was. Without --interface, plain
sockets are used, for targets on loopback. The exit status is 1 if a limit
(--max-failed, --p999 …) is missed.`,
		Example: `  dcs storm 127.0.0.1:6969 --name basic.cm --count 10000
  dcs storm 127.0.0.1:6969 --name 'res-cpe{1-16}-gold.bin' --scenario power-cut --speed 10 --html report.html
  dcs storm 198.18.255.1 --interface eth1 --within 1s --name 'isrrip{cpe}bw{tier}.bin' --secret-file secret --max-failed 0
  dcs storm 10.0.0.1 --i-own-this-network --interface eth1 --scenario rotation --secret-file old --secret-file new --on rotate='dcs secret rotate --yes --secret-file new'`,
		Args: func(cmd *cobra.Command, args []string) error {
			if s.list {
				return cli.Arguments(0, 0)(cmd, args)
			}
			return cli.Arguments(1, 1)(cmd, args)
		},
	}
	f := cmd.Flags()
	own := flag.NewFlagSet("storm", flag.ContinueOnError)
	s.cfg.Bind(own)
	f.AddGoFlagSet(own)
	f.String("scenario", "", "play this scenario, a `name or file`; other flags override it")
	f.Float64Var(&s.scale, "scale", 1, "scale the scenario's modems and rates by this `factor`")
	f.Float64Var(&s.speed, "speed", 1, "speed the scenario up by this `factor`")
	f.BoolVar(&s.list, "list-scenarios", false, "list the built-in scenarios")
	f.StringArrayVar(&s.commands, "on", nil, "run a shell command at an event of the scenario: `EVENT=COMMAND`")
	f.StringVar(&s.check, "check", "", "what to check in each file, `off|structure|full`; full includes the CMTS MIC (default full if a secret is given, off with --expect, else structure)")
	f.Lookup("check").NoOptDefVal = "full"
	f.StringArrayVar(&s.secrets, "secret-file", nil, "verify CMTS MICs with the secret in this `file`, or, as PREFIX=FILE, those of modems in a prefix; with several secrets, any may match")
	f.StringVar(&s.json, "json", "", "write the result as JSON to this `file`, - for standard output")
	f.StringVar(&s.html, "html", "", "write a report with plots to this `file`")
	f.IntVar(&s.limits.MaxFailed, "max-failed", s.limits.MaxFailed, "limit: at most `N` modems without the right file (negative: none)")
	f.DurationVar(&s.limits.P50, "p50", s.limits.P50, "limit: 50th percentile of latency, a `time`")
	f.DurationVar(&s.limits.P99, "p99", s.limits.P99, "limit: 99th percentile of latency, a `time`")
	f.DurationVar(&s.limits.P999, "p999", s.limits.P999, "limit: 99.9th percentile of latency, a `time`")
	f.DurationVar(&s.limits.Last, "last", s.limits.Last, "limit: `time` from the first request to the last file")
	f.Float64Var(&s.limits.MinRate, "min-rate", s.limits.MinRate, "limit: at least `N` files a second")
	_ = cmd.RegisterFlagCompletionFunc("scenario", completeScenarios) // fails for a flag that does not exist
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if s.list {
			return s.listScenarios()
		}
		if s.scenarioErr != nil {
			return cli.UsageError{Err: s.scenarioErr}
		}
		for _, name := range []string{"window", "rate", "within", "ramp", "count", "duration", "modems"} {
			if s.scenario != nil && cmd.Flags().Changed(name) {
				return cli.Usagef("--%s and --scenario exclude each other: the scenario determines how modems arrive", name)
			}
		}
		return s.run(args[0])
	}
	return cmd
}

// scenarioName returns the value of --scenario in a command line that has not been parsed yet.
func scenarioName(args []string) (name string) {
	if len(args) == 0 || args[0] != "storm" {
		return ""
	}
	for i, a := range args {
		if a == "--" {
			break
		}
		if v, ok := strings.CutPrefix(a, "--scenario="); ok {
			name = v
		} else if a == "--scenario" && i+1 < len(args) {
			name = args[i+1]
		}
	}
	return name
}

func (s *stormRun) listScenarios() error {
	for _, name := range storm.Scenarios() {
		sc, err := storm.LoadScenario(name)
		if err != nil {
			return err
		}
		fmt.Fprintf(s.Stdout, "%-14s %s\n", name, sc.Title)
	}
	return nil
}

// completeScenarios completes the built-in scenarios, in addition to files.
func completeScenarios(*cobra.Command, []string, string) ([]cobra.Completion, cobra.ShellCompDirective) {
	var all []cobra.Completion
	for _, name := range storm.Scenarios() {
		if sc, err := storm.LoadScenario(name); err == nil {
			all = append(all, cobra.CompletionWithDesc(name, sc.Title))
		}
	}
	return all, cobra.ShellCompDirectiveDefault
}

func (s *stormRun) run(target string) error {
	var err error
	if s.cfg.Target, err = stormTarget(target); err != nil {
		return cli.UsageError{Err: err}
	}
	if err := s.prepare(); err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	ev := &eventRunner{commands: map[string]string{}}
	for _, c := range s.commands {
		name, command, _ := strings.Cut(c, "=")
		ev.commands[name] = command
	}
	screen := newStormScreen(s)
	s.cfg.OnEvent = func(e storm.Event) {
		screen.event(e)
		ev.start(ctx, e)
	}
	res, err := storm.Run(ctx, s.cfg)
	screen.close()
	err = errors.Join(err, ev.wait())
	if res == nil {
		return err
	}
	if s.scenario != nil {
		res.Scenario = s.scenario.Title
	}
	passed := s.limits.Judge(res)
	err = errors.Join(err, s.write(res))
	if !passed {
		for _, v := range res.Verdicts {
			if !v.OK {
				err = errors.Join(err, errors.New(v.String()))
			}
		}
	}
	return err
}

// prepare completes the configuration from the flags.
func (s *stormRun) prepare() error {
	if s.scale <= 0 || s.speed <= 0 {
		return cli.Usagef("--scale and --speed must be greater than 0")
	}
	if s.scenario != nil {
		// Scale and speed also apply to values that flags have overridden.
		s.scenario.Config, s.scenario.Limits = s.cfg, s.limits
		s.scenario.Scale(s.scale, s.speed)
		s.cfg, s.limits = s.scenario.Config, s.scenario.Limits
	} else if s.scale != 1 || s.speed != 1 || len(s.commands) > 0 {
		return cli.Usagef("--scale, --speed and --on need --scenario")
	}
	for _, c := range s.commands {
		name, _, ok := strings.Cut(c, "=")
		if !ok || !slices.ContainsFunc(s.cfg.Events, func(e storm.Event) bool { return e.Name == name }) {
			return cli.Usagef("--on %s: want EVENT=COMMAND with an event of the scenario", c)
		}
	}
	for _, file := range s.secrets {
		key := storm.Key{Label: file}
		if prefix, name, ok := strings.Cut(file, "="); ok {
			p, err := netip.ParsePrefix(prefix)
			if err != nil {
				return cli.Usagef("--secret-file %s: %v", file, err)
			}
			key.Prefix, file = p.Masked(), name
		}
		var err error
		if key.Secret, err = loadSecret(s.Env, file); err != nil {
			return err
		}
		s.cfg.Keys = append(s.cfg.Keys, key)
	}
	switch {
	case s.check != "":
		var err error
		if s.cfg.Check, err = storm.ParseCheck(s.check); err != nil {
			return cli.Usagef("--check: %v", err)
		}
		if s.cfg.Check == storm.CheckAll && len(s.cfg.Keys) == 0 {
			return cli.Usagef("--check full: give the secret with --secret-file")
		}
	case len(s.cfg.Keys) > 0:
		s.cfg.Check = storm.CheckAll
	case s.cfg.Expect == nil:
		s.cfg.Check = storm.CheckStructure
	}
	return nil
}

// write writes the result as text, and as JSON and HTML if requested.
func (s *stormRun) write(res *storm.Result) error {
	var errs []error
	if s.json != "-" {
		errs = append(errs, res.Text(s.Stdout))
	}
	if s.json != "" {
		b, err := json.MarshalIndent(res, "", "  ")
		b = append(b, '\n')
		if err == nil && s.json == "-" {
			_, err = s.Stdout.Write(b)
		} else if err == nil {
			err = writeFile(s.json, b)
		}
		errs = append(errs, err)
	}
	if s.html != "" {
		var b bytes.Buffer
		err := res.HTML(&b)
		if err == nil {
			err = writeFile(s.html, b.Bytes())
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// stormTarget parses an address and a port, which defaults to 69. It does not resolve names, so that a load cannot go to an
// unexpected address.
func stormTarget(s string) (netip.AddrPort, error) {
	if a, err := netip.ParseAddr(s); err == nil {
		return netip.AddrPortFrom(a, 69), nil
	}
	target, err := netip.ParseAddrPort(s)
	if err != nil {
		return target, fmt.Errorf("%s: want an address, or an address and a port such as 127.0.0.1:6969 or [::1]:6969", s)
	}
	return target, nil
}

// eventRunner runs the commands bound to events, concurrently with the load.
type eventRunner struct {
	commands map[string]string
	running  sync.WaitGroup
	mu       sync.Mutex
	errs     []error
}

func (r *eventRunner) start(ctx context.Context, e storm.Event) {
	command, ok := r.commands[e.Name]
	if !ok {
		return
	}
	r.running.Go(func() {
		cmd := exec.CommandContext(ctx, "sh", "-c", command)
		cmd.WaitDelay = time.Second
		if out, err := cmd.CombinedOutput(); err != nil {
			r.mu.Lock()
			defer r.mu.Unlock()
			r.errs = append(r.errs, fmt.Errorf("event %s: %w: %s", e.Name, err, bytes.TrimSpace(out)))
		}
	})
}

func (r *eventRunner) wait() error {
	r.running.Wait()
	return errors.Join(r.errs...)
}

// stormScreen shows the progress of a load on a terminal. Without a terminal it shows nothing.
type stormScreen struct {
	w      io.Writer // or nil
	title  string
	lines  int // on screen, to be overwritten
	before storm.Progress
	rate   float64
}

func newStormScreen(s *stormRun) *stormScreen {
	p := &stormScreen{title: "storm"}
	if !cli.IsTerminal(s.Stderr) {
		return p
	}
	p.w = s.Stderr
	if s.scenario != nil {
		p.title = s.scenario.Name
	}
	s.cfg.Progress = p.show
	return p
}

func (s *stormScreen) show(p storm.Progress) {
	if took := (p.Elapsed - s.before.Elapsed).Seconds(); took > 0 {
		s.rate = float64(p.Served-s.before.Served) / took
	}
	s.before = p
	const width = 40
	bar := ""
	if p.Expected > 0 {
		full := min(width, width*(p.Served+p.Wrong+p.Failed)/p.Expected)
		bar = fmt.Sprintf("▕%s%s▏ of %d", strings.Repeat("█", full), strings.Repeat("░", width-full), p.Expected)
	}
	text := fmt.Sprintf("%s  %v  %s\n", s.title, p.Elapsed.Round(100*time.Millisecond), bar) +
		fmt.Sprintf("  served %d  waiting %d  failed %d  retries %d", p.Served, p.Waiting, p.Failed+p.Wrong, p.Retries)
	if p.Flood > 0 {
		text += fmt.Sprintf("  flood %d", p.Flood)
	}
	text += fmt.Sprintf("\n  %.0f files/s  p50 %v  p99 %v  p99.9 %v\n", s.rate, p.P50, p.P99, p.P999)
	s.draw(text)
}

// draw replaces the previous text.
func (s *stormScreen) draw(text string) {
	var b strings.Builder
	if s.lines > 0 {
		fmt.Fprintf(&b, "\x1b[%dF", s.lines)
	}
	b.WriteString(strings.ReplaceAll(text, "\n", "\x1b[K\n"))
	s.lines = strings.Count(text, "\n")
	_, _ = io.WriteString(s.w, b.String())
}

func (s *stormScreen) event(e storm.Event) {
	if s.w == nil {
		return
	}
	if s.lines > 0 { // the note stays, above the lines that are redrawn
		fmt.Fprintf(s.w, "\x1b[%dF\x1b[J", s.lines)
		s.lines = 0
	}
	fmt.Fprintf(s.w, "%v: %s\n", e.At, e.Note)
}

func (s *stormScreen) close() {
	if s.w != nil && s.lines > 0 {
		fmt.Fprintf(s.w, "\x1b[%dF\x1b[J", s.lines)
	}
}
