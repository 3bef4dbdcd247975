package main

import (
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"dcs/cmd/internal/cli"
	"dcs/render/library"
	"dcs/render/mic"
	"dcs/render/skeleton"
	"dcs/render/syntax"
	"dcs/render/tempfile"
)

// A step of a compilation is a file to make or, without a snapshot, errors to report. Steps are worked on by all CPUs, a batch
// at a time, and reported in order.
type step struct {
	source   string
	warnings syntax.Errors
	err      error

	snap *library.Snapshot
	name string // of the file
	path string // to write it to; "": standard output
	data []byte
	made bool // data is the file
}

// stepBatch is the number of sources, or of files of a directory, that are in memory at the same time.
const stepBatch = 256

// run compiles all sources and reports their errors.
func (c *compilation) run(sources []string) error {
	single := len(sources) == 1 && !isDir(sources[0])
	toDir := c.out != "" && c.out != cli.Stdio && (!single || isDir(c.out) || strings.HasSuffix(c.out, "/"))
	switch {
	case !single && !toDir:
		return cli.Usagef("several boot files need a directory: -o DIR")
	case c.sum && c.out == cli.Stdio:
		return cli.Usagef("--hash writes to standard output, as -o - does: use -o FILE, or no -o for the hash only")
	case !single && c.name != "":
		return cli.Usagef("--name is for one file: give only the source that makes it")
	}
	if c.library.Learned = 1; !single {
		c.library.Learned = 1 << 20
	}
	var reported error
	for some := range slices.Chunk(sources, stepBatch) {
		for batch := range slices.Chunk(c.steps(some, toDir), stepBatch) {
			err := c.work(batch, toDir)
			if err != nil && !errors.Is(err, cli.ErrReported) {
				return err
			}
			reported = errors.Join(reported, err)
		}
	}
	if reported != nil {
		return cli.ErrReported
	}
	return nil
}

// steps loads sources and returns what is to be done, in order.
func (c *compilation) steps(sources []string, toDir bool) []step {
	bySource := make([][]step, len(sources))
	for i, source := range sources {
		if source == cli.Stdio { // which has one reader at a time
			bySource[i] = c.stepsOf(source, toDir)
		}
	}
	each(len(sources), func(_, i int) {
		if sources[i] != cli.Stdio {
			bySource[i] = c.stepsOf(sources[i], toDir)
		}
	})
	return slices.Concat(bySource...)
}

// stepsOf loads one source.
func (c *compilation) stepsOf(source string, toDir bool) []step {
	dir := isDir(source)
	snap, err := c.load(source, dir)
	var steps []step
	if err != nil || snap != nil && len(snap.Warnings) > 0 {
		s := step{source: source, err: err}
		if snap != nil {
			s.warnings = snap.Warnings
		}
		steps = append(steps, s)
	}
	if err != nil && (snap == nil || !dir) {
		return steps
	}
	wanted := c.wanted(snap, toDir)
	for _, name := range wanted {
		steps = append(steps, step{source: source, snap: snap, name: name})
	}
	if err == nil && len(wanted) == 0 && !dir {
		if err := noFile(snap, source, toDir); err != nil {
			steps = append(steps, step{source: source, err: err})
		}
	}
	return steps
}

func (c *compilation) load(source string, dir bool) (*library.Snapshot, error) {
	if dir {
		cfg := c.library
		cfg.Dirs = []string{source}
		return library.Load(cfg, nil)
	}
	src, err := cli.ReadSource(c.Env, source, library.MaxFile)
	if err != nil {
		return nil, err
	}
	return library.LoadFile(c.library, source, src)
}

// wanted returns the names of the files to make from a source: the name given by --name; else all fixed names if they are written
// to a directory; else the only one, nil if there is not exactly one.
func (c *compilation) wanted(snap *library.Snapshot, toDir bool) []string {
	if c.name != "" {
		return []string{c.name}
	}
	var named []string
	for _, t := range snap.Templates() {
		if len(t.Names) > 0 {
			named = append(named, fileName(t))
		}
	}
	if !toDir && len(named) != 1 {
		return nil
	}
	return named
}

// noFile returns why a file makes no boot file; nil if that is not an error.
func noFile(snap *library.Snapshot, source string, toDir bool) error {
	var named []string
	for _, t := range snap.Templates() {
		if len(t.Names) > 0 {
			named = append(named, t.Names[0])
		}
	}
	switch {
	case len(named) > 1:
		return cli.Usagef("%s makes %d files (%s): use --name NAME for one of them, or -o DIR/ for all", cli.Title(source), len(named), strings.Join(named, ", "))
	case len(snap.Templates()) > 0:
		return cli.Usagef("%s has patterns for names: use --name NAME to choose a file", cli.Title(source))
	case toDir:
		return nil // only blocks, for others to include
	}
	return fmt.Errorf("%s: no Main", cli.Title(source))
}

// work makes and writes the files of a batch. It returns cli.ErrReported if it has reported errors, and a [cli.UsageError] without
// doing what comes after it.
func (c *compilation) work(batch []step, toDir bool) error {
	scratch := make([]skeleton.Scratch, runtime.GOMAXPROCS(0))
	each(len(batch), func(worker, i int) {
		if s := &batch[i]; s.snap != nil {
			s.data, s.err = c.render(s.snap, s.name, &scratch[worker])
			s.made = s.err == nil
		}
	})
	for i := range batch {
		s := &batch[i]
		if usageError(s.err) {
			batch = batch[:i+1]
			break
		}
		if s.made {
			s.path, s.err = c.place(s, toDir)
		}
	}
	each(len(batch), func(_, i int) {
		if s := &batch[i]; s.made && s.err == nil {
			s.err = c.write(s, toDir)
		}
	})
	var reported error
	for i := range batch {
		s := &batch[i]
		for _, w := range s.warnings {
			fmt.Fprintf(c.Stderr, "%s: warning: %s\n", w.Pos, w.Msg)
		}
		if s.err == nil && s.made && c.hash != nil {
			if why := c.hash.Unlike(s.data); why != "" {
				fmt.Fprintf(c.Stderr, "%s: warning: %s\n", cli.Title(s.source), why)
			}
		}
		if s.err == nil && s.made {
			s.err = c.printSum(s.path, s.data)
		}
		if usageError(s.err) {
			return s.err
		}
		if s.err != nil {
			report(c.Env, s.err)
			reported = cli.ErrReported
		}
		s.data = nil // the other batches of a source are in memory still
	}
	return reported
}

func usageError(err error) bool {
	var usage cli.UsageError
	return errors.As(err, &usage)
}

// place returns the path to write a file to, which no other file may have.
func (c *compilation) place(s *step, toDir bool) (string, error) {
	if !toDir {
		return c.out, nil
	}
	name := strings.TrimLeft(s.name, "/")
	if !filepath.IsLocal(name) {
		return "", fmt.Errorf("%s: the name %s leads outside of %s", cli.Title(s.source), name, c.out)
	}
	path := filepath.Join(c.out, name)
	if other, taken := c.written[path]; taken {
		return "", fmt.Errorf("%s and %s both make %s; keeping the first", cli.Title(other), cli.Title(s.source), path)
	}
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return "", err
	}
	if !c.swept[dir] {
		_ = tempfile.RemoveStale(dir) // which only takes room
		c.swept[dir] = true
	}
	c.written[path] = s.source
	return path, nil
}

func (c *compilation) write(s *step, toDir bool) error {
	switch {
	case toDir:
		return replaceFile(s.path, s.data, tempfile.CreateAmong)
	case c.sum && c.out == "":
		return nil
	}
	return emit(c.Env, c.out, s.data)
}

// printSum prints the hash of a CableHome file if requested, with the file's path if it has one.
func (c *compilation) printSum(path string, data []byte) error {
	if !c.sum {
		return nil
	}
	sum := mic.CableHomeHash(data)
	line := hex.EncodeToString(sum[:])
	if path != "" {
		line += "  " + path
	}
	_, err := fmt.Fprintln(c.Stdout, line)
	return err
}

// each calls do for 0 to n-1, on all CPUs. worker is less than GOMAXPROCS; a worker makes one call at a time.
func each(n int, do func(worker, i int)) {
	var next atomic.Int64
	var running sync.WaitGroup
	for worker := range min(n, runtime.GOMAXPROCS(0)) {
		running.Go(func() {
			for i := int(next.Add(1)) - 1; i < n; i = int(next.Add(1)) - 1 {
				do(worker, i)
			}
		})
	}
	running.Wait()
}
