// Command kernels boots Debian's kernels in virtual machines and runs a server in each of them, on every kind of
// network device that operators use, with every transport. It reports by which path each file arrived, or the error
// with which the server refused to start. Its exit status is 1 if a result is worse than expected.
//
// It needs qemu-system-x86_64, which emulates the CPU where KVM is missing, and apt-get with Debian's package lists.
// Nothing is installed: the kernels' packages are unpacked into a cache.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"dcs/bench/rig"
)

type settings struct {
	dcs   string
	cache string
	names string        // substrings of kernel versions; empty: all
	only  string        // substrings of device names, "member pulled" or "tests"; empty: all but the tests
	limit time.Duration // for one virtual machine
	show  bool
}

func main() {
	if os.Getpid() == 1 {
		boot()
		return
	}
	if len(os.Args) == 3 && os.Args[1] == insideFlag {
		if err := inside(os.Args[2]); err != nil {
			fmt.Fprintln(os.Stderr, "kernels:", err)
			os.Exit(1)
		}
		return
	}
	var s settings
	flag.StringVar(&s.dcs, "dcs", "bin/dcs", "the server's `binary`")
	flag.StringVar(&s.cache, "cache", "bin/kernels", "`directory` of the unpacked kernels")
	flag.StringVar(&s.names, "kernels", "", "only kernels whose version contains an element of this comma-separated `list`")
	flag.StringVar(&s.only, "only", "", "only devices whose name contains an element of this comma-separated `list`; \"pulled\": members that go down; \"tests\": the tests of package bpf")
	flag.DurationVar(&s.limit, "limit", 10*time.Minute, "how `long` a virtual machine may run")
	flag.BoolVar(&s.show, "v", false, "show the consoles of the machines")
	rig.Main(s.run)
}

func (s *settings) run(ctx context.Context, w io.Writer) error {
	begin := time.Now()
	kernels, err := findKernels(ctx, s.cache)
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "dcs-kernels-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	job, err := prepare(ctx, *s, dir)
	if err != nil {
		return err
	}
	var machines []*machine
	for _, k := range kernels {
		if chosen(k.release, s.names) {
			machines = append(machines, &machine{kernel: k, dir: filepath.Join(dir, k.release), show: s.show})
		}
	}
	if len(machines) == 0 {
		return fmt.Errorf("no kernel version contains %q", s.names)
	}
	var all sync.WaitGroup
	for _, m := range machines {
		all.Go(func() {
			ctx, cancel := context.WithTimeout(ctx, s.limit)
			defer cancel()
			m.err = m.run(ctx, job)
		})
	}
	all.Wait()
	var errs []error
	for _, m := range machines {
		if m.err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", m.kernel.release, m.err))
		}
	}
	if err := errors.Join(errs...); err != nil {
		return err
	}
	worse := report(w, machines)
	fmt.Fprintf(w, "Total time %.0f s, with the kernels in parallel.\n\n%s", time.Since(begin).Seconds(),
		rig.Facts(rig.Command()))
	if worse > 0 {
		return rig.Missed(fmt.Errorf("%d results are worse than expected", worse))
	}
	return nil
}

// chosen reports whether a name contains one of the parts, or there are none.
func chosen(name, parts string) bool {
	for part := range strings.SplitSeq(parts, ",") {
		if strings.Contains(name, part) {
			return true
		}
	}
	return false
}
