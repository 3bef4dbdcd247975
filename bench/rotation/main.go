// Command rotation rotates the shared secrets of 200 simulated CMTSes, half of them over SSH and half over SNMP, while
// their modems fetch files and register: none may be rejected by a CMTS with two slots, and no secret may show anywhere.
// What it measured is a table in Markdown. It needs no root, and sends nothing outside of loopback.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"dcs/bench/rig"
	"dcs/bench/rotation/lab"
	"dcs/bench/storm"
)

type options struct {
	dcs, out string
	n        int
	rate     float64
	parallel int
	drain    time.Duration
}

func main() {
	var opt options
	flag.StringVar(&opt.dcs, "dcs", "", "`path` of the dcs binary (default: one is built)")
	flag.StringVar(&opt.out, "o", "", "write the table to this `file` too")
	flag.IntVar(&opt.n, "cmts", 200, "`number` of CMTSes")
	flag.Float64Var(&opt.rate, "rate", 2000, "modems a second")
	flag.IntVar(&opt.parallel, "parallel", 16, "CMTSes at a time")
	flag.DurationVar(&opt.drain, "drain", 5*time.Second, "between the switch and the end of the old secret")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, opt); err != nil {
		fmt.Fprintln(os.Stderr, "rotation:", err)
		os.Exit(1)
	}
}

// kinds mixes CMTSes: half over SSH, of which one in ten has one slot, and half over SNMP, of which one in twenty has.
func kinds(n int) []lab.Kind {
	all := make([]lab.Kind, n)
	for i := range all {
		switch {
		case i%20 == 9:
			all[i] = lab.BSR
		case i%2 == 1 && i%10 < 6:
			all[i] = lab.Cisco
		case i%2 == 1:
			all[i] = lab.C4
		case i%40 == 10:
			all[i] = lab.SmallC3
		default:
			all[i] = lab.C3
		}
	}
	return all
}

// watch keeps what can be seen from outside while it runs.
type watch struct {
	mu   sync.Mutex
	seen map[string]*strings.Builder
}

func (w *watch) keep(what, text string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.seen[what] == nil {
		w.seen[what] = &strings.Builder{}
	}
	w.seen[what].WriteString(text)
}

// pages are those of the server that tell about its secrets, or might.
var pages = []string{"/", "/metrics", "/api/secrets", "/api/events", "/api/status"}

func (w *watch) look(ctx context.Context, l *lab.Lab) {
	path := strings.TrimPrefix(l.Admin, "unix:")
	client := &http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "unix", path)
	}}, Timeout: 10 * time.Second}
	defer client.CloseIdleConnections()
	for ctx.Err() == nil {
		w.keep("process list", lab.CommandLines())
		for _, page := range pages {
			resp, err := client.Get("http://localhost" + page)
			if err != nil {
				continue
			}
			body, _ := io.ReadAll(resp.Body)
			resp.Body.Close()
			w.keep("page "+page, string(body))
		}
		l.Look()
		select {
		case <-time.After(time.Second):
		case <-ctx.Done():
		}
	}
}

func run(ctx context.Context, opt options) error {
	dir, err := os.MkdirTemp("", "dcs-rotation-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	if opt.dcs == "" {
		if opt.dcs, err = rig.Build(ctx, dir, "./cmd/dcs"); err != nil {
			return err
		}
	}
	l, err := lab.New(dir, opt.dcs, kinds(opt.n))
	if err != nil {
		return err
	}
	defer l.Close()
	server, err := l.Serve()
	if err != nil {
		return err
	}
	defer server.Kill()

	load, stop := context.WithCancel(ctx)
	defer stop()
	var modems *storm.Result
	ended := make(chan error, 1)
	go func() {
		var err error
		modems, err = l.Modems(load, opt.rate)
		ended <- err
		stop()
	}()
	w := &watch{seen: map[string]*strings.Builder{}}
	var looking sync.WaitGroup
	looking.Go(func() { w.look(load, l) })
	if err := everywhere(load, l); err != nil {
		select {
		case failed := <-ended:
			return errors.Join(err, failed)
		default:
			return err
		}
	}
	begun := time.Now()
	p, err := l.Secret("rotate", "--yes", "--drain", opt.drain.String(), "--parallel", fmt.Sprint(opt.parallel))
	if err != nil {
		return err
	}
	if err := p.Wait(15 * time.Minute); err != nil {
		return fmt.Errorf("%w:\n%s", err, p.Out)
	}
	took := time.Since(begun)
	if err := everywhere(load, l); err != nil { // under the new secret, too
		return err
	}
	stop()
	looking.Wait()
	if err := <-ended; err != nil {
		return err
	}
	if err := server.Stop(); err != nil {
		return fmt.Errorf("the server: %w", err)
	}

	t := tally(l, p.Out.String())
	leaks := l.Leaks(texts(w))
	text := t.markdown(opt, took, modems, leaks)
	if _, err := os.Stdout.WriteString(text); err != nil {
		return err
	}
	if opt.out != "" {
		if err := os.WriteFile(opt.out, []byte(text), 0o644); err != nil { //nolint:gosec // to be read by all
			return err
		}
	}
	var errs []error
	if len(leaks) > 0 {
		errs = append(errs, fmt.Errorf("a secret shows in %s", strings.Join(leaks, ", ")))
	}
	if t.rejected[2] > 0 {
		errs = append(errs, fmt.Errorf("%d modems were rejected by CMTSes with two slots: %s", t.rejected[2], t.why))
	}
	if t.wrong > 0 {
		errs = append(errs, fmt.Errorf("%d CMTSes do not hold one new secret", t.wrong))
	}
	return errors.Join(errs...)
}

func texts(w *watch) map[string]string {
	all := map[string]string{}
	for what, b := range w.seen {
		all[what] = b.String()
	}
	return all
}

// everywhere waits until each CMTS has accepted one modem more.
func everywhere(ctx context.Context, l *lab.Lab) error {
	before := make([]uint64, len(l.CMTS))
	for i, c := range l.CMTS {
		before[i] = c.Counts().Accepted
	}
	limit, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	for i, c := range l.CMTS {
		for c.Counts().Accepted == before[i] {
			select {
			case <-limit.Done():
				return fmt.Errorf("%s accepts no modem: %w", c.Name, limit.Err())
			case <-time.After(10 * time.Millisecond):
			}
		}
	}
	return nil
}

// figures are counted by slots.
type figures struct {
	cmts     [3]int
	accepted [3]uint64
	rejected [3]int
	why      string
	wrong    int
	windows  []time.Duration // as dcs tells them
	longest  time.Duration   // between the first and the last modem that one CMTS rejected
}

var windowColumn = regexp.MustCompile(`(?m)^\S+ .* (\d[\d.]*(?:ms|s|µs))$`)

func tally(l *lab.Lab, said string) *figures {
	t := &figures{}
	held := l.Look()
	for _, c := range l.CMTS {
		t.cmts[c.Slots]++
		t.accepted[c.Slots] += c.Counts().Accepted
		n, within, why := c.Rejected()
		t.rejected[c.Slots] += n
		if n > 0 && c.Slots == 2 {
			t.why = why
		}
		t.longest = max(t.longest, within)
		if h := held[c.Name]; len(h) != 1 || h[0] == lab.First {
			t.wrong++
		}
	}
	for _, m := range windowColumn.FindAllStringSubmatch(said, -1) {
		if d, err := time.ParseDuration(m[1]); err == nil {
			t.windows = append(t.windows, d)
		}
	}
	slices.Sort(t.windows)
	return t
}

func (t *figures) markdown(opt options, took time.Duration, modems *storm.Result, leaks []string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "# Rotation of shared secrets under load\n\n%s\n", rig.Facts(fmt.Sprintf("go run ./bench/rotation -cmts %d -rate %.0f -parallel %d -drain %v", opt.n, opt.rate, opt.parallel, opt.drain)))
	fmt.Fprintf(&b, "%d simulated CMTSes, half over SSH and half over SNMP, all rotated by one `dcs secret rotate`, %d at a time; modems of all of them fetch files and register %v later.\n\n", opt.n, opt.parallel, lab.Lag)
	fmt.Fprintf(&b, "| CMTSes | slots | modems accepted | modems rejected |\n|---|---|---|---|\n")
	for _, slots := range []int{2, 1} {
		fmt.Fprintf(&b, "| %d | %d | %d | %d |\n", t.cmts[slots], slots, t.accepted[slots], t.rejected[slots])
	}
	fmt.Fprintf(&b, "\nThe rotation took %v, of which %v were the drain. %d files were fetched in all, %d downloads failed.\n", took.Round(10*time.Millisecond), opt.drain, modems.Served, modems.Failed)
	if n := len(t.windows); n > 0 {
		fmt.Fprintf(&b, "\nWindows of the %d CMTSes with one slot, as the journal has them: median %v, longest %v. From the first modem that one of them rejected to the last: %v at most; a modem that fetched its file before the window and came after it is among them.\n",
			n, t.windows[n/2], t.windows[n-1], t.longest.Round(time.Millisecond))
	}
	where := "nowhere"
	if len(leaks) > 0 {
		where = "in " + strings.Join(leaks, ", ")
	}
	fmt.Fprintf(&b, "\nSecrets, passwords and communities were looked for in all that server and rotation said, in journal and lock, in the process list once a second, and in %s: found %s.\n", strings.Join(pages, ", "), where)
	return b.String()
}
