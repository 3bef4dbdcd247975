// Command kernels boots Debian's kernels in virtual machines and has a server serve files in each of them: over every kind of network
// device that operators put before a server, by every transport. It says by which way each file came, or with which words the server
// refused, and its exit status is 1 where that is worse than expected.
//
// It needs qemu-system-x86_64, which emulates the processor where there is no KVM, and apt-get with the package lists of Debian.
// Nothing is installed: the kernels' packages are unpacked in a cache.
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
	names string        // parts of the kernels' package names; empty: all
	only  string        // parts of the devices' names, "member pulled" or "tests"; empty: all but the tests
	limit time.Duration // of one virtual machine
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
	flag.StringVar(&s.cache, "cache", "bin/kernels", "where the kernels are unpacked, a `directory`")
	flag.StringVar(&s.names, "kernels", "", "only kernels whose version has one of these in it, a `list` with commas")
	flag.StringVar(&s.only, "only", "", "only devices whose name has one of these in it, a `list` with commas; \"pulled\" are members that go down, \"tests\" those of package bpf")
	flag.DurationVar(&s.limit, "limit", 10*time.Minute, "how `long` a virtual machine may run")
	flag.BoolVar(&s.show, "v", false, "show what the machines say on their consoles")
	rig.Main(s.run)
}

func (s settings) run(ctx context.Context, w io.Writer) error {
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
	job, err := prepare(ctx, s, dir)
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
		return fmt.Errorf("no kernel has %q in its version", s.names)
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
	fmt.Fprintf(w, "All of it took %.0f s, the kernels side by side.\n\n%s", time.Since(begin).Seconds(),
		rig.Facts(rig.Command()))
	if worse > 0 {
		return rig.Missed(fmt.Errorf("%d results are worse than expected", worse))
	}
	return nil
}

// chosen reports whether a name has one of the parts in it, or there are none.
func chosen(name, parts string) bool {
	for part := range strings.SplitSeq(parts, ",") {
		if strings.Contains(name, part) {
			return true
		}
	}
	return false
}
