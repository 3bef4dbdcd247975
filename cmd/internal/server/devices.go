package server

import (
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"dcs/cmd/internal/assemble"
	"dcs/cmd/internal/check"
	"dcs/cmd/internal/config"
	"dcs/render"
	"dcs/render/attr"
	"dcs/render/attr/store"
)

// deviceStore is the store of devices with its notices; without sources it is empty.
type deviceStore struct {
	log   *slog.Logger
	store *store.Store  // nil: there are no sources
	grown chan struct{} // holds one when devices have attributes that the library has not seen
	files chan struct{} // holds one when there are new files of devices
}

// openDevices opens the store of devices, if there are sources of any.
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
	d.store, err = store.Open(store.Config{Dir: assemble.DevicesDir(c), Sources: sources, Now: time.Now, OnEvent: events.tell})
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

// close closes the sources. What workers look up stays usable.
func (d *deviceStore) close() {
	if d.store == nil {
		return
	}
	if err := d.store.Close(); err != nil {
		d.log.Warn("devices", "err", err)
	}
}

// renderer returns what the engine looks devices up in; nil: there are no sources.
func (d *deviceStore) renderer() render.Devices {
	if d.store == nil {
		return nil
	}
	select {
	case <-d.grown: // the library is about to be loaded for all that is known now
	default:
	}
	return &storeDevices{store: d.store}
}

// reloadDevices has all sources loaded anew.
func (s *server) reloadDevices() {
	if s.devices != nil {
		_ = s.devices.Reload("", false) // "" is always there
	}
}

// deviceLog tells of what happens to devices.
type deviceLog struct {
	log   *slog.Logger
	grown chan<- struct{}
	files chan<- struct{} // told of new files
}

// tell logs an event. Sources fail at most once a second each, and changes are merged every few minutes.
func (d *deviceLog) tell(e store.Event) {
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
		if e.Reject.Rows > 0 && e.Kind == store.Loaded {
			for _, why := range e.Reject.First {
				d.log.Warn("devices: left out", "source", e.Source, "why", why)
			}
			args = append(args, "left_out", e.Reject.Rows)
		}
		d.log.Info("devices "+e.Kind.String(), args...)
		notice(d.files)
	case store.SchemaGrown:
		notice(d.grown)
	case store.HeldBack:
		args = append(args, "err", assemble.HeldError(e.Source, e.Err))
		d.log.Warn("devices held back; what was known last goes on serving, and other changes are applied", args...)
	case store.NotDurable:
		d.log.Error("devices: changes not durable; served from memory, lost if the process ends", "err", e.Err)
	case store.Durable:
		d.log.Info("devices: changes durable again")
	case store.ClockAhead:
		d.log.Warn("devices: snapshot from the future; its age is unknown until the source is loaded", append(args, "err", e.Err)...)
	default:
		args = append(args, "err", e.Err)
		if e.Retry > 0 {
			args = append(args, "retry", e.Retry)
		}
		d.log.Warn("devices "+e.Kind.String()+"; what was known last goes on serving", args...)
	}
}

// notice leaves word in a channel that has room for one.
func notice(c chan<- struct{}) {
	select {
	case c <- struct{}{}:
	default: // told already, and not yet looked at
	}
}

// storeDevices has the engine look devices up in a store.
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
			if q.Peek { // no source is asked for the sake of a look
				q.Asking = false
				continue
			}
			// Of one whose record is damaged nobody can say that it is unknown.
			q.Asking = v.store.Miss(now, q.MAC, q.IP) == store.Asking || q.Damaged
		}
	}
}

// Fault implements [render.Faulter].
func (v *storeView) Fault(addr uintptr) bool { return v.view.Fault(addr) }
