package assemble

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
	"time"

	"dcs/cmd/internal/config"
	"dcs/cmd/internal/progress"
	"dcs/render"
	"dcs/render/attr"
	"dcs/render/attr/store"
)

// Devices are the devices that a verb sees: those of the server's snapshot or, without one, of the sources, overridden by the
// attributes of --set.
type Devices struct {
	schema  *attr.Schema
	explain func(q attr.Query) (store.Explanation, bool)
	set     map[string]string
	origin  string // for messages; "": there are no sources
	close   func()
}

// OpenDevices opens the devices of a configuration, with the attributes of record over all of them. The caller has to close them.
func OpenDevices(stderr io.Writer, cfg *config.Config, schema *attr.Schema, record attr.Record) (*Devices, error) {
	k := &Devices{set: map[string]string{}, close: func() {}}
	for i, v := range record {
		k.set[schema.Name(i)] = v
	}
	known := (*attr.Schema)(nil)
	k.explain = func(attr.Query) (store.Explanation, bool) { return store.Explanation{}, false }
	if len(cfg.Devices.Sources) > 0 {
		log := slog.New(slog.NewTextHandler(stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
		sources, err := OpenSources(cfg.Devices.Sources, log)
		if err != nil {
			return nil, err
		}
		saved, err := store.OpenSaved(DevicesDir(&cfg.Devices), sources)
		switch {
		case err != nil:
			return nil, fmt.Errorf("devices: %w", err)
		case saved != nil:
			known, k.explain = saved.Schema(), saved.Explain
			k.origin = "the snapshot in " + DevicesDir(&cfg.Devices)
		default:
			devices, end, err := loadOnce(stderr, sources)
			if err != nil {
				return nil, err
			}
			known, k.close, k.origin = devices.Schema(), end, "the sources: there is no snapshot yet"
			k.explain = func(q attr.Query) (store.Explanation, bool) { return devices.Explain(q.MAC, q.IP) }
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

// LoadTimeout is how long a verb waits for sources to load.
const LoadTimeout = 5 * time.Minute

// loadOnce loads sources into a temporary store, which end removes.
func loadOnce(stderr io.Writer, sources []attr.Source) (devices *store.Store, end func(), err error) {
	dir, err := os.MkdirTemp("", "dcs-devices-")
	if err != nil {
		return nil, nil, err
	}
	failed := make(chan error, 1)
	devices, err = store.Open(store.Config{Dir: dir, Sources: sources, Now: time.Now, OnEvent: func(ev store.Event) {
		if ev.Kind == store.Failed || ev.Kind == store.BuildFailed {
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
		_ = devices.Close() // its files are removed anyway
		_ = os.RemoveAll(dir)
	}
	bar := progress.New(stderr, "devices", 0)
	defer bar.Close()
	for deadline := time.Now().Add(LoadTimeout); !devices.AllLoaded(); time.Sleep(10 * time.Millisecond) {
		n := int64(0)
		for _, st := range devices.State() {
			n += int64(max(st.Loading, st.Devices))
		}
		bar.Set(n)
		select {
		case err = <-failed:
		default:
			if time.Now().After(deadline) {
				err = fmt.Errorf("sources not loaded within %v", LoadTimeout)
			}
		}
		if err != nil {
			end()
			return nil, nil, fmt.Errorf("devices: %w", err)
		}
	}
	return devices, end, nil
}

// Schema implements [render.Devices].
func (k *Devices) Schema() *attr.Schema { return k.schema }

// View implements [render.Devices].
func (k *Devices) View() render.View { return k }

// Close closes the sources, if they were opened.
func (k *Devices) Close() { k.close() }

// Lookup implements [render.View].
func (k *Devices) Lookup(_ int64, queries []render.Query) {
	for i := range queries {
		q := &queries[i]
		x, ok := k.explain(*q)
		q.Values, q.Found = append(q.Values[:0], x.Values...), ok
		if q.Addr = x.IP; ok && q.MAC.IsZero() {
			q.Owner = x.MAC
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

// Show prints what is known about a device, and which source each attribute is from. It reports false if there are sources, and
// none has the device.
func (k *Devices) Show(w io.Writer, q attr.Query) bool {
	if k.origin == "" {
		return true
	}
	x, ok := k.explain(q)
	if !ok {
		fmt.Fprintf(w, "device    not in %s\n", k.origin)
		return false
	}
	fmt.Fprintf(w, "device    %s, known to %s, in %s\n", DeviceName(&x.Device), strings.Join(x.Known, ", "), k.origin)
	for i, v := range x.Values {
		if over, ok := k.set[x.Schema.Name(i)]; ok {
			fmt.Fprintf(w, "attribute $%s = %q, from --set\n", x.Schema.Name(i), over)
		} else if v != "" {
			fmt.Fprintf(w, "attribute $%s = %q, from %s\n", x.Schema.Name(i), v, x.From[i])
		}
	}
	return true
}

// SavedAttributes returns the attributes of the snapshot without opening a source; nil if the snapshot does not have those of
// all sources. What the sources log goes to stderr; note is called in either case.
func SavedAttributes(stderr io.Writer, note func(text string), c *config.Devices) (*attr.Schema, error) {
	log := slog.New(slog.NewTextHandler(stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
	sources, err := OpenSources(c.Sources, log)
	if err != nil {
		return nil, err
	}
	dir := DevicesDir(c)
	saved, err := store.OpenSaved(dir, sources)
	if err != nil {
		return nil, err
	}
	missing := []string{"all sources"}
	if saved != nil {
		missing = saved.Missing()
	}
	if len(missing) > 0 {
		note(fmt.Sprintf("devices: no source is opened, and the snapshot in %s has no attributes yet of: %s", dir, strings.Join(missing, ", ")))
		return nil, nil
	}
	note(fmt.Sprintf("devices: no source is opened; the attributes are those of the snapshot in %s", dir))
	return saved.Schema(), nil
}
