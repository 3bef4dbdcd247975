package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	api "dcs/cmd/internal/admin/client"
	"dcs/cmd/internal/adminapi"
	"dcs/cmd/internal/cli"
	"dcs/cmd/internal/progress"
	"dcs/cmd/internal/remote"
	"dcs/fastpath"
	"dcs/render/attr"
)

func topCommand(e cli.Env) *cobra.Command {
	var (
		server   remote.Access
		once     bool
		interval time.Duration
	)
	cmd := &cobra.Command{
		Use:   "top [ADDRESS]",
		Short: "Show what a running server does",
		Long: `Show what a running server does: requests by result, latencies, workers, device
sources, and the last failures. ADDRESS is the server's key admin: an address with a port,
unix: with a path, or a URL; without it, the configuration says it, and which token and
certificates it takes; of several, a socket goes first. Without a configuration it is
unix:/run/dcs/admin.sock, or else 127.0.0.1:8069. The key q ends it.

Rates and latencies are those of the last interval.`,
		Example: `  dcs top
  dcs top --config dcs.yaml
  dcs top unix:/run/dcs/admin.sock --once`,
		Args: cobra.MaximumNArgs(1),
	}
	server.Flags(cmd)
	f := cmd.Flags()
	f.BoolVar(&once, "once", false, "print what there is to see after one interval as text, and end")
	f.DurationVar(&interval, "interval", time.Second, "`time` between two looks, 100ms to 1m")
	cmd.RunE = func(_ *cobra.Command, args []string) error {
		if interval < 100*time.Millisecond || interval > time.Minute {
			return cli.Usagef("--interval %v: it is 100ms to 1m", interval)
		}
		if len(args) > 0 {
			server.Address = args[0]
		}
		client, address, err := server.Dial()
		if err != nil {
			return err
		}
		ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGQUIT)
		defer stop()
		t := &top{address: address, client: client, interval: interval}
		defer t.client.Close()
		screen, ok := e.Stdout.(*os.File)
		if once || !ok || !term.IsTerminal(int(screen.Fd())) {
			return t.once(ctx, e)
		}
		keys, _ := e.Stdin.(*os.File)
		return t.live(ctx, screen, keys)
	}
	return cmd
}

type top struct {
	address  string
	client   *api.Client
	interval time.Duration
}

// look fetches the server's state.
func (t *top) look(ctx context.Context) (*adminapi.Top, error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	st := &adminapi.Top{}
	if err := t.client.Get(ctx, adminapi.TopPath, st); err != nil {
		return nil, fmt.Errorf("%s: %w", t.address, err)
	}
	return st, nil
}

func (t *top) once(ctx context.Context, e cli.Env) error {
	before, err := t.look(ctx)
	if err != nil {
		return err
	}
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(t.interval):
	}
	now, err := t.look(ctx)
	if err != nil {
		return err
	}
	for _, l := range frame(before, now) {
		if _, err := fmt.Fprintln(e.Stdout, strings.TrimRight(l.text, " ")); err != nil {
			return err
		}
	}
	return nil
}

// Sequences that every terminal of today knows (ECMA-48, and xterm's private modes).
const (
	enter = "\x1b[?1049h\x1b[?25l\x1b[?7l" // the alternate screen, no cursor, no wrapping
	leave = "\x1b[?7h\x1b[?25h\x1b[?1049l"
	home  = "\x1b[H"
	rest  = "\x1b[K" // of the line
	below = "\x1b[J"
	plain = "\x1b[0m"
	bold  = "\x1b[1m"
	red   = "\x1b[31m"
)

// live shows one frame after another until the context ends or somebody presses q.
func (t *top) live(ctx context.Context, screen, keys *os.File) (err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	if keys != nil && term.IsTerminal(int(keys.Fd())) {
		state, err := term.MakeRaw(int(keys.Fd()))
		if err != nil {
			return err
		}
		defer func() { _ = term.Restore(int(keys.Fd()), state) }()
		go func() {
			defer cancel()
			var b [1]byte
			for {
				// q, Q, Ctrl-C and Ctrl-D
				if n, err := keys.Read(b[:]); err != nil || n == 0 || strings.IndexByte("qQ\x03\x04", b[0]) >= 0 {
					return
				}
			}
		}()
	}
	if _, err := screen.WriteString(enter); err != nil {
		return err
	}
	defer func() {
		if _, e := screen.WriteString(plain + leave); err == nil {
			err = e
		}
	}()
	resized := make(chan os.Signal, 1)
	signal.Notify(resized, syscall.SIGWINCH)
	defer signal.Stop(resized)
	tick := time.NewTicker(t.interval)
	defer tick.Stop()

	var before, now *adminapi.Top
	fetch := true
	for {
		if fetch {
			st, err := t.look(ctx)
			if ctx.Err() != nil {
				return nil
			}
			var answer *api.Error
			switch {
			case err == nil:
				before, now = now, st
			case now == nil || errors.As(err, &answer):
				return err // it has never worked, or never will
			}
			lines := []line{{"", false}}
			if now != nil {
				lines = frame(cmp.Or(before, now), now)
			}
			if err != nil {
				lines = append([]line{{"no answer: " + err.Error(), true}}, lines...)
			}
			if err := paint(screen, lines); err != nil {
				return err
			}
		} else if now != nil {
			if err := paint(screen, frame(cmp.Or(before, now), now)); err != nil {
				return err
			}
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
			fetch = true
		case <-resized:
			fetch = false
		}
	}
}

// paint writes as many lines as the screen has, in one piece so that it does not flicker.
func paint(screen *os.File, lines []line) error {
	width, height, err := term.GetSize(int(screen.Fd()))
	if err != nil || width <= 0 || height <= 0 {
		width, height = 80, 24
	}
	colour := os.Getenv("NO_COLOR") == "" // https://no-color.org
	var b strings.Builder
	b.WriteString(home)
	for i, l := range lines[:min(len(lines), height)] {
		if i > 0 {
			b.WriteString("\r\n")
		}
		text := l.text
		if r := []rune(text); len(r) > width {
			text = string(r[:width])
		}
		switch {
		case l.bad && colour:
			b.WriteString(red + text + plain)
		case i == 0:
			b.WriteString(bold + text + plain)
		default:
			b.WriteString(text)
		}
		b.WriteString(rest)
	}
	b.WriteString(below)
	_, err = screen.WriteString(b.String())
	return err
}

// line is one of a frame. A bad one is about what the operator should look at.
type line struct {
	text string
	bad  bool
}

// results in the order in which they are shown.
var topResults = [...]string{"file", "repeated", "error", "malformed", "dropped"}

// frame shows what has become of the server between two moments.
func frame(before, now *adminapi.Top) []line {
	var out []line
	add := func(bad bool, format string, args ...any) {
		out = append(out, line{clean(fmt.Sprintf(format, args...)), bad})
	}
	seconds := now.Time.Sub(before.Time).Seconds()
	rate := func(a, b uint64) string {
		if seconds <= 0 || b < a { // the first look, or the server is another one
			return "0"
		}
		return progress.Rate(float64(b-a) / seconds)
	}

	add(now.State != "serving", "dcs %s, %s for %s, at %s", now.Version, now.State, now.Time.Sub(now.Started).Round(time.Second), strings.Join(now.Listen, " "))
	transport := now.Transport
	if now.Mode != "off" && now.Mode != "" {
		transport += ", XDP " + now.Mode + " on " + now.Interface
	}
	add(false, "transport  %s: %s", transport, now.Why)
	add(now.LoadErrors > 0, "library    %s templates, %s static files, loaded %s ago, %d errors; learned %s names, %s hits/s, %s misses/s; secrets of generation %d",
		progress.Count(int64(now.Templates)), progress.Count(int64(now.Static)), age(now.Time, now.Loaded), now.LoadErrors,
		progress.Count(int64(now.Learned)), rate(before.LearnedHits, now.LearnedHits), rate(before.LearnedMisses, now.LearnedMisses), now.Secret)
	add(false, "")

	add(false, "%-12s %10s %16s", "requests", "per second", "in all")
	for _, result := range topResults {
		n := now.Requests[result]
		add(result != "file" && result != "repeated" && n > before.Requests[result], "  %-10s %10s %16s", result, rate(before.Requests[result], n), progress.Count(int64(n)))
	}
	running := uint64(0)
	for _, w := range now.Workers {
		running += w.Running
	}
	add(false, "transfers  %s running, %s finished/s, %s given up/s, %s sent again/s", progress.Count(int64(running)),
		rate(before.Finished, now.Finished), rate(before.GaveUp, now.GaveUp), rate(before.Retransmissions, now.Retransmissions))
	add(false, "")

	add(false, "%-12s %10s %10s %10s %10s", "latency", "p50", "p90", "p99", "p99.9")
	for _, h := range []struct {
		name      string
		from, now []uint64
	}{{"wait", before.Wait, now.Wait}, {"render", before.Render, now.Render}, {"answer", before.Answer, now.Answer}} {
		d := between(h.from, h.now)
		q := func(q float64) string {
			if d.Count() == 0 {
				return "-"
			}
			return short(time.Duration(d.Quantile(q)))
		}
		add(false, "  %-10s %10s %10s %10s %10s", h.name, q(0.5), q(0.9), q(0.99), q(0.999))
	}
	add(false, "")

	add(false, "%-12s %10s %10s %10s %10s", "workers", "received/s", "sent/s", "running", "drops/s")
	for i, w := range now.Workers {
		var b adminapi.TopWorker
		if i < len(before.Workers) {
			b = before.Workers[i]
		}
		add(w.Drops > b.Drops && seconds > 0, "  %-10d %10s %10s %10s %10s", i, rate(b.Received, w.Received), rate(b.Sent, w.Sent), progress.Count(int64(w.Running)), rate(b.Drops, w.Drops))
	}
	if len(now.XDP) > 0 {
		add(false, "")
		add(false, "%-16s %10s %16s", "XDP verdicts", "packets/s", "in all")
		for _, v := range slices.Sorted(maps.Keys(now.XDP)) {
			if n := now.XDP[v]; n > 0 {
				add(strings.HasPrefix(v, "drop") && n > before.XDP[v], "  %-14s %10s %16s", v, rate(before.XDP[v], n), progress.Count(int64(n)))
			}
		}
	}
	if len(now.Sources) > 0 {
		add(false, "")
		add(false, "%-24s %12s %10s  %s", "sources", "devices", "age", "state")
		for _, s := range now.Sources {
			state := "up"
			switch {
			case !s.Up:
				state = "DOWN: " + s.Error
			case s.Loading >= 0:
				state = "loading, " + progress.Count(int64(s.Loading)) + " so far"
			case s.Held != "":
				state = "HELD BACK" + strings.TrimPrefix(s.Held, attr.ErrHeld.Error())
			}
			add(!s.Up || s.Held != "", "  %-22s %12s %10s  %s", s.Name, progress.Count(int64(s.Devices)), age(now.Time, s.Loaded), state)
		}
	}
	if len(now.Failures) > 0 {
		add(false, "")
		add(false, "last failures")
		for _, f := range now.Failures[:min(len(now.Failures), 10)] {
			add(false, "  %s  %-15s %-20s %s: %s", f.Time.Local().Format(time.TimeOnly), f.Client, f.Name, f.Reason, f.Error)
		}
	}
	return out
}

// between returns what a histogram has counted between two moments.
func between(from, to []uint64) *fastpath.Histogram {
	h := &fastpath.Histogram{}
	for i := range min(len(to), len(h.N)) {
		h.N[i] = to[i]
		if i < len(from) && from[i] <= to[i] {
			h.N[i] -= from[i]
		}
	}
	return h
}

// short writes a time with three digits.
func short(d time.Duration) string {
	switch {
	case d >= time.Second:
		return d.Round(10 * time.Millisecond).String()
	case d >= time.Millisecond:
		return d.Round(10 * time.Microsecond).String()
	}
	return d.Round(100 * time.Nanosecond).String()
}

func age(now, then time.Time) string {
	if then.IsZero() {
		return "never"
	}
	return max(now.Sub(then), 0).Round(time.Second).String()
}
