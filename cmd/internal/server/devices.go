package server

import (
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"dcs/cmd/internal/assemble"
	"dcs/cmd/internal/check"
	"dcs/cmd/internal/config"
	"dcs/cmd/internal/spare"
	"dcs/render"
	"dcs/render/attr"
	"dcs/render/attr/store"
)

// deviceStore is the store of devices and its notifications.
type deviceStore struct {
	log   *slog.Logger
	store *store.Store  // nil: there are no sources
	grown chan struct{} // receives when devices have attributes that the library has not seen; capacity 1
	files chan struct{} // receives when devices were loaded or merged; capacity 1
}

// openDevices opens the store of devices, if there are sources.
func openDevices(c *config.Devices, log *slog.Logger) (*deviceStore, error) {
	d := &deviceStore{log: log, grown: make(chan struct{}, 1), files: make(chan struct{}, 1)}
	if len(c.Sources) == 0 {
		return d, nil
	}
	sources, err := assemble.OpenSources(c.Sources, log)
	if err != nil {
		return nil, err
	}
	for _, w := range check.UnseenChanges(c.Sources) {
		log.Warn("devices", "err", w)
	}
	events := &deviceLog{log: log, grown: d.grown, files: d.files}
	d.store, err = store.Open(store.Config{Dir: assemble.DevicesDir(c), Sources: sources, Now: time.Now, OnEvent: events.handle, Spare: spare.Do})
	if err != nil {
		return nil, fmt.Errorf("devices: %w", err)
	}
	for _, st := range d.store.State() {
		if !st.Loaded.IsZero() {
			log.Info("devices", "source", st.Name, "devices", st.Devices, "age", max(time.Since(st.Loaded), 0).Round(time.Second))
		}
	}
	return d, nil
}

// close closes the sources. Views that workers hold stay usable.
func (d *deviceStore) close() {
	if d.store == nil {
		return
	}
	if err := d.store.Close(); err != nil {
		d.log.Warn("devices", "err", err)
	}
}

// renderer returns the devices for the engine; nil: there are no sources.
func (d *deviceStore) renderer() render.Devices {
	if d.store == nil {
		return nil
	}
	select {
	case <-d.grown: // the library is about to be loaded with all attributes known now
	default:
	}
	return &storeDevices{store: d.store}
}

// reloadDevices reloads all sources.
func (s *server) reloadDevices() {
	if s.devices != nil {
		_ = s.devices.Reload("", false) // fails for unknown names only
	}
}

// deviceLog logs and passes on events of the store.
type deviceLog struct {
	log   *slog.Logger
	grown chan<- struct{}
	files chan<- struct{}
}

// handle logs an event. A source fails at most once a second, and changes are merged every few minutes.
func (d *deviceLog) handle(e store.Event) {
	args := []any{}
	if e.Source != "" {
		args = append(args, "source", e.Source)
	}
	switch e.Kind {
	case store.Loaded, store.Merged:
		args = append(args, "devices", e.Stats.Devices, "took", e.Took.Round(time.Millisecond))
		if n := e.Stats.Duplicates; n > 0 {
			args = append(args, "duplicates", n)
		}
		if n := e.Stats.SharedIPs; n > 0 {
			args = append(args, "shared_ips", n)
		}
		if e.Kind == store.Loaded {
			args = d.rejected(&e, args)
		}
		d.log.Info("devices "+e.Kind.String(), args...)
		notify(d.files)
	case store.Unchanged:
		args = d.rejected(&e, append(args, "devices", e.Devices, "took", e.Took.Round(time.Millisecond)))
		d.log.Info("devices unchanged", args...)
	case store.SchemaGrown:
		notify(d.grown)
	case store.HeldBack:
		args = append(args, "err", assemble.HeldError(e.Source, e.Err))
		d.log.Warn("devices held back: still serving the last known state, other changes are applied", args...)
	case store.NotDurable:
		d.log.Error("devices: changes not durable; served from memory only", "err", e.Err)
	case store.Durable:
		d.log.Info("devices: changes durable again")
	case store.ClockAhead:
		d.log.Warn("devices: snapshot from the future; its age is unknown until the source is loaded", append(args, "err", e.Err)...)
	default:
		args = append(args, "err", e.Err)
		if e.Retry > 0 {
			args = append(args, "retry", e.Retry)
		}
		d.log.Warn("devices "+e.Kind.String()+": still serving the last known state", args...)
	}
}

// rejected logs the first rows that a source has lost, and appends how many they are.
func (d *deviceLog) rejected(e *store.Event, args []any) []any {
	if e.Reject.Rows == 0 {
		return args
	}
	for _, why := range e.Reject.First {
		d.log.Warn("device rejected", "source", e.Source, "why", why)
	}
	return append(args, "rejected", e.Reject.Rows)
}

// notify sends to a channel of capacity 1, unless a notification is waiting there already.
func notify(c chan<- struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// storeDevices adapts a store to the engine.
type storeDevices struct {
	store *store.Store
	last  atomic.Pointer[storeView]
}

// Schema implements [render.Devices].
func (d *storeDevices) Schema() *attr.Schema { return d.store.Schema() }

// View implements [render.Devices]. It allocates only when the store has a new view.
func (d *storeDevices) View() render.View {
	view := d.store.View()
	if last := d.last.Load(); last != nil && last.view == view {
		return last
	}
	v := &storeView{d.store, view}
	d.last.Store(v)
	return v
}

type storeView struct {
	store *store.Store
	view  *store.View
}

// Lookup implements [render.View].
func (v *storeView) Lookup(now int64, queries []render.Query) {
	v.view.LookupBatch(queries)
	for i := range queries {
		if q := &queries[i]; !q.Found {
			q.Values = q.Values[:0]
			if q.Peek { // sources are not asked
				q.Asking = false
				continue
			}
			// A device with a damaged record cannot be called unknown.
			q.Asking = v.store.Miss(now, q.MAC, q.IP) == store.Asking || q.Damaged
		}
	}
}

// Fault implements [render.Faulter].
func (v *storeView) Fault(addr uintptr) bool { return v.view.Fault(addr) }
