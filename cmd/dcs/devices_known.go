package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"dcs/cmd/internal/config"
	"dcs/cmd/internal/progress"
	"dcs/render"
	"dcs/render/attr"
	"dcs/render/attr/localdb"
	"dcs/render/attr/store"
)

// knownDevices is what explain knows of devices: the server's snapshot, or what the sources say
// where there is none, with the attributes of --set over it.
type knownDevices struct {
	schema  *attr.Schema
	explain func(q attr.Query) (store.Explanation, bool)
	set     map[string]string
	about   string // where it is from
	close   func()
}

// openKnown opens what explain knows. Close it.
func openKnown(e env, cfg *config.Config, schema *attr.Schema, record attr.Record) (*knownDevices, error) {
	k := &knownDevices{set: map[string]string{}, close: func() {}}
	for i, v := range record {
		k.set[schema.Name(i)] = v
	}
	known := (*attr.Schema)(nil)
	k.explain = func(attr.Query) (store.Explanation, bool) { return store.Explanation{}, false }
	if len(cfg.Devices.Sources) > 0 {
		log := slog.New(slog.NewTextHandler(e.stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
		sources, err := openSources(cfg.Devices.Sources, log)
		if err != nil {
			return nil, err
		}
		saved, err := store.OpenSaved(devicesDir(&cfg.Devices), sources)
		switch {
		case err != nil:
			return nil, fmt.Errorf("devices: %w", err)
		case saved != nil:
			known, k.explain = saved.Schema(), saved.Explain
			k.about = "the snapshot in " + devicesDir(&cfg.Devices)
		default:
			devices, end, err := loadOnce(e, sources)
			if err != nil {
				return nil, err
			}
			known, k.close, k.about = devices.Schema(), end, "the sources: there is no snapshot yet"
			k.explain = func(q attr.Query) (store.Explanation, bool) { return devices.Explain(q.MAC, q.HasMAC, q.IP) }
		}
	}
	var names []string
	for i := range known.Len() {
		names = append(names, known.Name(i))
	}
	for i := range schema.Len() {
		if _, ok := known.Index(schema.Name(i)); !ok {
			names = append(names, schema.Name(i))
		}
	}
	var err error
	k.schema, err = attr.NewSchema(names...)
	return k, err
}

// loadPatience is how long sources may take to give what they have.
const loadPatience = 5 * time.Minute

// loadOnce loads sources into a store that goes when end is called.
func loadOnce(e env, sources []attr.Source) (devices *store.Store, end func(), err error) {
	dir, err := os.MkdirTemp("", "dcs-devices-")
	if err != nil {
		return nil, nil, err
	}
	failed := make(chan error, 1)
	devices, err = store.Open(store.Config{Dir: dir, Sources: sources, Now: time.Now, OnEvent: func(ev store.Event) {
		if ev.Kind == store.Failed || ev.Kind == store.NotMade {
			select {
			case failed <- ev.Err:
			default:
			}
		}
	}})
	if err != nil {
		return nil, nil, errors.Join(err, os.RemoveAll(dir))
	}
	end = func() {
		_ = devices.Close() // nothing of it is kept
		_ = os.RemoveAll(dir)
	}
	bar := progress.New(e.stderr, "devices", 0)
	defer bar.Close()
	for deadline := time.Now().Add(loadPatience); !devices.Settled(); time.Sleep(10 * time.Millisecond) {
		n := int64(0)
		for _, st := range devices.State() {
			n += int64(max(st.Loading, st.Devices))
		}
		bar.Set(n)
		select {
		case err = <-failed:
		default:
			if time.Now().After(deadline) {
				err = fmt.Errorf("the sources have not given all that they have within %v", loadPatience)
			}
		}
		if err != nil {
			end()
			return nil, nil, fmt.Errorf("devices: %w", err)
		}
	}
	return devices, end, nil
}

func (k *knownDevices) Schema() *attr.Schema { return k.schema }
func (k *knownDevices) View() render.View    { return k }

// Lookup implements [render.View].
func (k *knownDevices) Lookup(_ int64, queries []render.Query) {
	for i := range queries {
		q := &queries[i]
		x, ok := k.explain(*q)
		q.Values, q.Found = append(q.Values[:0], x.Values...), ok
		if q.Addr = x.IP; ok && !q.HasMAC {
			q.Owner, q.HasOwner = x.MAC, x.HasMAC
		}
		for name, value := range k.set {
			at, _ := k.schema.Index(name)
			for len(q.Values) <= at {
				q.Values = append(q.Values, "")
			}
			q.Values[at] = value
		}
	}
}

// show tells what is known of a device, and which source each attribute is from.
func (k *knownDevices) show(w io.Writer, q attr.Query) {
	if k.about == "" {
		return
	}
	x, ok := k.explain(q)
	if !ok {
		fmt.Fprintf(w, "device    not in %s\n", k.about)
		return
	}
	fmt.Fprintf(w, "device    %s, known to %s, in %s\n", deviceName(&x.Device), strings.Join(x.Known, ", "), k.about)
	for i, v := range x.Values {
		if over, ok := k.set[x.Schema.Name(i)]; ok {
			fmt.Fprintf(w, "attribute $%s = %q, from --set\n", x.Schema.Name(i), over)
		} else if v != "" {
			fmt.Fprintf(w, "attribute $%s = %q, from %s\n", x.Schema.Name(i), v, x.From[i])
		}
	}
}

func deviceName(d *attr.Device) string {
	var parts []string
	if d.HasMAC {
		parts = append(parts, net.HardwareAddr(d.MAC[:]).String())
	}
	if d.IP.IsValid() {
		parts = append(parts, d.IP.String())
	}
	return strings.Join(parts, " ")
}

// savedAttributes returns the attributes that the snapshot names, and opens no source; nil: it does not know all of them.
func savedAttributes(e env, c *config.Devices) (*attr.Schema, error) {
	log := slog.New(slog.NewTextHandler(e.stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
	sources, err := openSources(c.Sources, log)
	if err != nil {
		return nil, err
	}
	dir := devicesDir(c)
	saved, err := store.OpenSaved(dir, sources)
	if err != nil {
		return nil, err
	}
	missing := []string{"all of them"}
	if saved != nil {
		missing = saved.Missing()
	}
	if len(missing) > 0 {
		fmt.Fprintf(e.stderr, "note: devices: no source is opened, and the snapshot in %s does not know yet what attributes these have: %s\n", dir, strings.Join(missing, ", "))
		return nil, nil
	}
	fmt.Fprintf(e.stderr, "note: devices: no source is opened; the attributes are those of the snapshot in %s\n", dir)
	return saved.Schema(), nil
}

// checkDevices opens the sources, all at once, and returns the attributes that they and the snapshot name. With all it
// loads them too, and tells what they leave out.
func checkDevices(e env, c *config.Devices, all bool) (*attr.Schema, error) {
	log := slog.New(slog.NewTextHandler(e.stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
	sources, err := openSources(c.Sources, log)
	if err != nil {
		return nil, err
	}
	var names []string
	saved, err := store.OpenSaved(devicesDir(c), sources)
	errs := []error{err}
	if saved != nil {
		for i := range saved.Schema().Len() {
			names = append(names, saved.Schema().Name(i))
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), loadPatience)
	defer cancel()
	theirs, failures := make([][]string, len(sources)), make([]error, len(sources))
	var opening sync.WaitGroup
	for i, src := range sources {
		opening.Go(func() { theirs[i], failures[i] = src.Open(ctx) })
	}
	opening.Wait()
	for i, src := range sources {
		err := failures[i]
		if err == nil && all {
			err = checkSource(ctx, e, src, saved)
		}
		if err = errors.Join(err, src.Close()); err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", c.Sources[i].Pos, err))
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

// checkSource loads a source to see what becomes of it, and what the server that has saved would hold back. saved may be nil.
func checkSource(ctx context.Context, e env, src attr.Source, saved *store.Saved) error {
	dir, err := os.MkdirTemp("", "dcs-devices-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	built, err := buildDevices(ctx, e, dir+"/check", src)
	for _, why := range built.Rejected.First {
		fmt.Fprintf(e.stderr, "%s: left out: %s\n", src.Name(), why)
	}
	if err == nil {
		fmt.Fprintf(e.stdout, "%s: %d devices, %d left out, %d duplicates\n", src.Name(), built.Devices, built.Rejected.Rows, built.Duplicates)
	}
	if err == nil && saved != nil {
		err = saved.Held(src, &built, time.Now())
	}
	if errors.Is(err, attr.ErrHeld) {
		return fmt.Errorf("%s: the server would serve on what it has: %s", src.Name(), heldError(src.Name(), err))
	}
	return err
}

// buildDevices makes a file of a source's devices, with progress on a terminal.
func buildDevices(ctx context.Context, e env, path string, src attr.Source) (store.Built, error) {
	bar := progress.New(e.stderr, "devices", 0)
	defer bar.Close()
	return store.Build(ctx, path, src, localdb.Options{}, func(n int) { bar.Set(int64(n)) })
}
