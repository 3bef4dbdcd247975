// Command rotation rotates the shared secrets of 200 simulated CMTSes, half of them over SSH and half over SNMP, while
// their modems fetch files and register. It fails if a CMTS with two slots rejects a modem, or if a secret shows anywhere. The
// report is in Markdown. It needs no root, and sends to loopback only.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"

	"dcs/bench/rig"
	"dcs/bench/rotation/lab"
	"dcs/bench/storm"
)

type options struct {
	dcs      string
	n        int
	rate     float64
	parallel int
	drain    time.Duration
}

func main() {
	var opt options
	flag.StringVar(&opt.dcs, "dcs", "", "`path` of the dcs binary (default: one is built)")
	flag.IntVar(&opt.n, "cmts", 200, "`number` of CMTSes")
	flag.Float64Var(&opt.rate, "rate", 2000, "modems per second")
	flag.IntVar(&opt.parallel, "parallel", 16, "CMTSes at a time")
	flag.DurationVar(&opt.drain, "drain", 5*time.Second, "between the switch and the removal of the old secret")
	rig.Main(opt.run)
}

// kinds returns a mix of CMTSes: half over SSH, of which one in ten has one slot, and half over SNMP, of which one in twenty has.
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

func (opt *options) run(ctx context.Context, out io.Writer) error {
	dir, err := os.MkdirTemp("", "dcs-rotation-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	if opt.dcs, err = rig.Binary(ctx, dir, opt.dcs); err != nil {
		return err
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
	var watching sync.WaitGroup
	watching.Go(func() { w.look(load, l) })
	if err := awaitAll(load, l); err != nil {
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
	if err := awaitAll(load, l); err != nil { // with the new secret, too
		return err
	}
	stop()
	watching.Wait()
	if err := <-ended; err != nil {
		return err
	}
	if err := server.Stop(); err != nil {
		return fmt.Errorf("server: %w", err)
	}

	t := tally(l, p.Out.String())
	leaks := l.Leaks(texts(w))
	if _, err := io.WriteString(out, t.markdown(*opt, took, modems, leaks)); err != nil {
		return err
	}
	var errs []error
	if len(leaks) > 0 {
		errs = append(errs, fmt.Errorf("secret shows in %s", strings.Join(leaks, ", ")))
	}
	if t.rejected[2] > 0 {
		errs = append(errs, fmt.Errorf("%d modems rejected by CMTSes with two slots: %s", t.rejected[2], t.why))
	}
	if t.wrong > 0 {
		errs = append(errs, fmt.Errorf("%d CMTSes do not hold one new secret", t.wrong))
	}
	return rig.Missed(errors.Join(errs...))
}

// awaitAll waits until each CMTS has accepted another modem.
func awaitAll(ctx context.Context, l *lab.Lab) error {
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
				return fmt.Errorf("%s: no modem accepted: %w", c.Name, limit.Err())
			case <-time.After(10 * time.Millisecond):
			}
		}
	}
	return nil
}
