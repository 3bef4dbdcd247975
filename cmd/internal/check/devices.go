package check

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"sync"
	"time"

	"dcs/cmd/internal/assemble"
	"dcs/cmd/internal/progress"
	"dcs/render/attr"
	"dcs/render/attr/localdb"
	"dcs/render/attr/store"
	"dcs/render/library"
	"dcs/render/lint"
)

// checkDevices opens the sources concurrently, and returns the attributes that they and the saved snapshot have. With
// Options.Devices it also loads them, and reports what they leave out.
func (c *checker) checkDevices() (*attr.Schema, error) {
	log := slog.New(slog.NewTextHandler(progress.Above(c.Stderr), &slog.HandlerOptions{Level: slog.LevelWarn}))
	sources, err := assemble.OpenSources(c.cfg.Devices.Sources, log)
	if err != nil {
		return nil, err
	}
	var names []string
	saved, err := store.OpenSaved(assemble.DevicesDir(&c.cfg.Devices), sources)
	errs := []error{err}
	if saved != nil {
		for i := range saved.Schema().Len() {
			names = append(names, saved.Schema().Name(i))
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), assemble.LoadTimeout)
	defer cancel()
	theirs, failures := make([][]string, len(sources)), make([]error, len(sources))
	if c.Devices {
		c.values = new(library.Values)
	}
	var opening sync.WaitGroup
	for i, src := range sources {
		opening.Go(func() { theirs[i], failures[i] = src.Open(ctx) })
	}
	opening.Wait()
	for i, src := range sources {
		err := failures[i]
		if err == nil && c.Devices {
			err = c.checkSource(ctx, src, saved)
		}
		if err = errors.Join(err, src.Close()); err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", c.cfg.Devices.Sources[i].Pos, err))
		}
		for _, n := range theirs[i] {
			if !slices.Contains(names, n) {
				names = append(names, n)
			}
		}
	}
	schema, err := attr.NewSchema(names...)
	return schema, errors.Join(append(errs, err)...)
}

// readValues collects the values of a source's devices from the file that they were written to.
func (c *checker) readValues(path string) error {
	db, err := localdb.Open(path)
	if err != nil {
		return err
	}
	defer db.Close()
	schema, err := attr.NewSchema(db.Names()...)
	if err != nil {
		return err
	}
	return db.Each(func(d *attr.Device) error {
		c.values.Add(schema, d)
		return nil
	})
}

// checkSource loads a source, and reports what it leaves out and whether the server, which has saved, would accept it. saved
// may be nil.
func (c *checker) checkSource(ctx context.Context, src attr.Source, saved *store.Saved) error {
	dir, err := os.MkdirTemp("", "dcs-devices-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	built, err := assemble.BuildDevices(ctx, c.Stderr, dir+"/check", src)
	for _, why := range built.Rejected.First {
		text := fmt.Sprintf("%s: rejected: %s", src.Name(), why)
		c.tell(lint.Warning, lint.Spot{}, text, text)
	}
	if err == nil && !c.Lint.Documents() {
		fmt.Fprintf(c.Stdout, "%s: %d devices, %d rejected, %d duplicates\n", src.Name(), built.Devices, built.Rejected.Rows, built.Duplicates)
	}
	if err == nil {
		err = c.readValues(dir + "/check")
	}
	if err == nil && saved != nil {
		err = saved.CheckLosses(src, &built, time.Now())
	}
	if errors.Is(err, attr.ErrHeldBack) {
		return fmt.Errorf("%s: the server would serve on what it has: %s", src.Name(), assemble.HeldError(src.Name(), err))
	}
	return err
}
